"""The RPCs on namespaces: register, describe, list, update, deprecate.

Source: service/frontend/namespace_handler.go, common/namespace/nsmanager/attr_validator.go. There is one cluster, so no namespace is global.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import NamespaceState, ReplicationState
from temporalio.api.namespace.v1 import UpdateNamespaceInfo
from temporalio.api.replication.v1 import NamespaceReplicationConfig
from temporalio.api.workflowservice.v1 import (
    DeprecateNamespaceRequest,
    DeprecateNamespaceResponse,
    DescribeNamespaceRequest,
    DescribeNamespaceResponse,
    ListNamespacesRequest,
    ListNamespacesResponse,
    RegisterNamespaceRequest,
    RegisterNamespaceResponse,
    UpdateNamespaceRequest,
    UpdateNamespaceResponse,
)

from server.core import durations
from server.core.limits import HOUR
from server.core.rejected import InvalidArgument, NamespaceAlreadyExists, NamespaceNotFound
from server.dynamic_config import DynamicConfig
from server.frontend.checks import require
from server.frontend.rpc import NAMESPACE_LENGTH_MAX, NAMESPACE_TOO_LONG, Plain, Table
from server.namespaces import CLUSTER, DELETED, REGISTERED, Entry, Namespaces, described

PAGE = 100
NOT_SET = "Namespace not set on request."
BAD_RETENTION = "A valid retention period is not set on request."
BAD_STATE = "Invalid namespace state update."
DEPRECATED = NamespaceState.NAMESPACE_STATE_DEPRECATED
NORMAL = ReplicationState.REPLICATION_STATE_NORMAL
NEXT_STATES = {REGISTERED: (DEPRECATED, DELETED), DEPRECATED: (DELETED,)}


class NamespaceRpcs:
    """Each method is named for its RPC, and raises Rejected."""

    def __init__(self, namespaces: Namespaces, config: DynamicConfig) -> None:
        self._namespaces = namespaces
        self._retention_min = config.duration("system.namespaceMinRetentionLocal", HOUR)

    def table(self) -> Table:
        """RPC → handler."""
        return {
            "RegisterNamespace": Plain(self.register),
            "DescribeNamespace": Plain(self.describe),
            "ListNamespaces": Plain(self.list),
            "UpdateNamespace": Plain(self.update),
            "DeprecateNamespace": Plain(self.deprecate),
        }

    async def register(self, request: RegisterNamespaceRequest) -> RegisterNamespaceResponse:
        _name(request.namespace)
        require(not request.is_global_namespace, "Cannot register global namespace when not enabled")
        self._check_retention(request.workflow_execution_retention_period)
        if self._known(request.namespace):
            raise NamespaceAlreadyExists(f'Namespace "{request.namespace}" already exists')
        _clusters(request.active_cluster_name, [each.cluster_name for each in request.clusters])
        new = described(str(uuid.uuid4()), request.namespace, 0)
        new.namespace_info.description = request.description
        new.namespace_info.owner_email = request.owner_email
        new.namespace_info.data.update(request.data)
        new.config.workflow_execution_retention_ttl.CopyFrom(request.workflow_execution_retention_period)
        new.replication_config.state = NORMAL
        await self._namespaces.create(new)
        return RegisterNamespaceResponse()

    async def describe(self, request: DescribeNamespaceRequest) -> DescribeNamespaceResponse:
        require(request.namespace or request.id, NOT_SET)
        require(
            not (request.namespace and request.id),
            "GetNamespace operation failed.  Both ID and Name specified in request.",
        )
        if request.id:
            return _shown(self._namespaces.entry_by_id(request.id))
        return _shown(self._namespaces.entry(request.namespace))

    async def list(self, request: ListNamespacesRequest) -> ListNamespacesResponse:
        require(request.page_size >= 0, "PageSize must not be negative.")
        size, after = request.page_size or PAGE, _page(request.next_page_token)
        shown = (
            entry
            for entry in self._namespaces.all()
            if entry.namespace.name > after and (entry.state != DELETED or request.namespace_filter.include_deleted)
        )
        page = list(itertools.islice(shown, size + 1))
        token = page[size - 1].namespace.name.encode() if len(page) > size else b""
        return ListNamespacesResponse(namespaces=[_shown(entry) for entry in page[:size]], next_page_token=token)

    async def update(self, request: UpdateNamespaceRequest) -> UpdateNamespaceResponse:
        _name(request.namespace)

        def change(kept: DescribeNamespaceResponse) -> None:
            _change_info(kept, request.update_info)
            self._change_config(kept, request)
            _check_replication(request, request.replication_config)

        shown = _shown(await self._namespaces.update(request.namespace, change))
        return UpdateNamespaceResponse(
            namespace_info=shown.namespace_info, config=shown.config, replication_config=shown.replication_config
        )

    async def deprecate(self, request: DeprecateNamespaceRequest) -> DeprecateNamespaceResponse:
        _name(request.namespace)

        def change(kept: DescribeNamespaceResponse) -> None:
            kept.namespace_info.state = DEPRECATED

        await self._namespaces.update(request.namespace, change)
        return DeprecateNamespaceResponse()

    def _known(self, name: str) -> bool:
        try:
            self._namespaces.entry(name)
        except NamespaceNotFound:
            return False
        return True

    def _change_config(self, kept: DescribeNamespaceResponse, request: UpdateNamespaceRequest) -> None:
        asked = request.config
        if asked.HasField("workflow_execution_retention_ttl"):
            self._check_retention(asked.workflow_execution_retention_ttl)
            kept.config.workflow_execution_retention_ttl.CopyFrom(asked.workflow_execution_retention_ttl)
        _change_aliases(kept, dict(asked.custom_search_attribute_aliases))
        for checksum, info in asked.bad_binaries.binaries.items():
            kept.config.bad_binaries.binaries[checksum].CopyFrom(info)
            kept.config.bad_binaries.binaries[checksum].create_time.GetCurrentTime()
        if gone := request.delete_bad_binary:
            require(gone in kept.config.bad_binaries.binaries, f"Bad binary checksum {gone} doesn't exists.")
            del kept.config.bad_binaries.binaries[gone]

    def _check_retention(self, retention: Duration) -> None:
        try:
            span = durations.capped(retention, "")
        except InvalidArgument:
            raise InvalidArgument(BAD_RETENTION) from None
        require(span >= self._retention_min, BAD_RETENTION)
        retention.FromNanoseconds(span)


def _name(name: str) -> None:
    require(name, NOT_SET)
    require(len(name.encode()) <= NAMESPACE_LENGTH_MAX, NAMESPACE_TOO_LONG)


def _page(token: bytes) -> str:
    try:
        return token.decode()
    except UnicodeDecodeError:
        msg = "Invalid NextPageToken."
        raise InvalidArgument(msg) from None


def _change_info(kept: DescribeNamespaceResponse, asked: UpdateNamespaceInfo) -> None:
    info = kept.namespace_info
    info.description = asked.description or info.description
    info.owner_email = asked.owner_email or info.owner_email
    info.data.update(asked.data)
    if asked.state and asked.state != info.state:
        require(asked.state in NEXT_STATES.get(info.state, ()), BAD_STATE)
        info.state = asked.state


def _change_aliases(kept: DescribeNamespaceResponse, asked: dict[str, str]) -> None:
    """An empty name frees the field; a name that is there stays where it is."""
    aliases = kept.config.custom_search_attribute_aliases
    for field, name in asked.items():
        if not name:
            aliases.pop(field, None)
        elif name not in aliases.values():
            require(field not in aliases, "Custom search attribute field name already allocated.")
            aliases[field] = name


def _check_replication(request: UpdateNamespaceRequest, asked: NamespaceReplicationConfig) -> None:
    handover = asked.state == ReplicationState.REPLICATION_STATE_HANDOVER
    require(not handover, "Handover can only be set for global namespace")
    _clusters(asked.active_cluster_name, [each.cluster_name for each in asked.clusters])
    require(
        not request.promote_namespace,
        "global namespace is not enabled on this cluster, "
        f"cannot update global namespace or promote local namespace: {request.namespace}",
    )


def _clusters(active: str, names: Iterable[str]) -> None:
    for name in (active or CLUSTER, *names):
        require(name == CLUSTER, f"Invalid cluster name: {name}")


def _shown(entry: Entry) -> DescribeNamespaceResponse:
    """What is kept, with what this server lets be done: what is not said here, clients do not try."""
    response, limits = DescribeNamespaceResponse(), entry.namespace.limits
    response.CopyFrom(entry.described)
    info = response.namespace_info
    info.capabilities.eager_workflow_start = True
    info.capabilities.sync_update = info.capabilities.async_update = True
    info.capabilities.workflow_pause = bool(limits.workflow_pause)
    info.limits.blob_size_limit_error = limits.blob_size_bytes_max
    info.limits.memo_size_limit_error = limits.memo_size_bytes_max
    return response
