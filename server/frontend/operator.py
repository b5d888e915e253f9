"""The operator's service: custom search attributes of a namespace, and the end of a namespace with all that is in it.

Source: service/frontend/operator_handler.go, service/worker/deletenamespace/workflow.go.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    AddSearchAttributesResponse,
    DeleteNamespaceRequest,
    DeleteNamespaceResponse,
    ListSearchAttributesRequest,
    ListSearchAttributesResponse,
    RemoveSearchAttributesRequest,
    RemoveSearchAttributesResponse,
)
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest, DescribeNamespaceResponse

from drivers.base import Fault, Visibility
from server.core import search_attributes
from server.core.limits import SECOND
from server.core.outcome import Namespace
from server.core.rejected import FailedPrecondition, InvalidArgument, NamespaceNotFound, NotFound, Rejected
from server.environment import Environment
from server.frontend.checks import require
from server.frontend.namespace import NOT_SET
from server.frontend.rpc import Plain, Table
from server.namespaces import DELETED, SYSTEM_NAME, Entry, Namespaces

NO_NAMESPACE = "Namespace is not set on request."
NO_ATTRIBUTES = "SearchAttributes are not set on request."
PAGE = 100
RETRY_AFTER = 10 * SECOND
log = logging.getLogger(__name__)


class SearchAttributeRpcs:
    """Each method is named for its RPC, and raises Rejected."""

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces

    def table(self) -> Table:
        """RPC → handler."""
        return {
            "AddSearchAttributes": Plain(self.add),
            "RemoveSearchAttributes": Plain(self.remove),
            "ListSearchAttributes": Plain(self.list),
        }

    async def add(self, request: AddSearchAttributesRequest) -> AddSearchAttributesResponse:
        """Gives each new name a free field of its type; names that are there stay as they are."""
        if request.namespace:
            self._namespaces.entry(request.namespace)
        require(request.search_attributes, NO_ATTRIBUTES)
        for name, kind in request.search_attributes.items():
            require(not search_attributes.reserved(name), f"Search attribute {name} is reserved by system.")
            require(kind in IndexedValueType.values(), f"Unknown search attribute type: {kind}.")
        require(request.namespace, NO_NAMESPACE)
        await self._namespaces.update(request.namespace, lambda kept: allot(kept, dict(request.search_attributes)))
        return AddSearchAttributesResponse()

    async def remove(self, request: RemoveSearchAttributesRequest) -> RemoveSearchAttributesResponse:
        if request.namespace:
            self._namespaces.entry(request.namespace)
        require(request.search_attributes, NO_ATTRIBUTES)
        require(request.namespace, NO_NAMESPACE)
        for name in request.search_attributes:
            require(name not in search_attributes.PREDEFINED, f"Unable to remove non-custom search attributes: {name}.")

        def change(kept: DescribeNamespaceResponse) -> None:
            aliases = kept.config.custom_search_attribute_aliases
            for field, name in list(aliases.items()):
                if name in request.search_attributes:
                    del aliases[field]

        await self._namespaces.update(request.namespace, change)
        return RemoveSearchAttributesResponse()

    async def list(self, request: ListSearchAttributesRequest) -> ListSearchAttributesResponse:
        require(request.namespace, NO_NAMESPACE)
        aliases = self._namespaces.entry(request.namespace).described.config.custom_search_attribute_aliases
        return ListSearchAttributesResponse(
            custom_attributes=search_attributes.custom(aliases),  # type: ignore[arg-type]
            system_attributes=search_attributes.PREDEFINED,  # type: ignore[arg-type]
        )


def allot(kept: DescribeNamespaceResponse, asked: dict[str, int]) -> None:
    """Gives each name a free field of its type, unless it has one. Raises InvalidArgument when no field is free."""
    aliases = kept.config.custom_search_attribute_aliases
    for name, kind in asked.items():
        if name in aliases.values():
            continue
        fields = [field for field, its_kind in search_attributes.fields().items() if its_kind == kind]
        free = next((field for field in fields if field not in aliases), None)
        if free is None:
            type_name = search_attributes.TYPE_NAMES.get(kind, "Unspecified")
            raise InvalidArgument(
                f"Unable to create search attributes: cannot have more than {len(fields)} "
                f"search attribute of type {type_name}."
            )
        aliases[free] = name


Delete = Callable[[Namespace, DeleteWorkflowExecutionRequest], Awaitable[object]]


class NamespaceDeletion:
    """Deletes namespaces: the name is free at once, then every run goes, then the record. What a crash leaves, `start` goes on with."""

    def __init__(
        self, namespaces: Namespaces, delete: Delete, visibility: Visibility, environment: Environment
    ) -> None:
        self._namespaces = namespaces
        self._delete = delete
        self._visibility = visibility
        self._environment = environment
        self._running: set[asyncio.Task[None]] = set()

    def table(self) -> Table:
        """RPC → handler."""
        return {"DeleteNamespace": Plain(self.delete)}

    def start(self) -> None:
        """Goes on with what was not finished."""
        for entry in self._namespaces.all():
            if entry.state == DELETED:
                self._spawn(entry)

    async def close(self) -> None:
        """Stops; the rest is for the next start."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def delete(self, request: DeleteNamespaceRequest) -> DeleteNamespaceResponse:
        """Raises NamespaceNotFound, InvalidArgument, FailedPrecondition; drivers.base.Fault."""
        require(request.namespace or request.namespace_id, NOT_SET)
        require(
            not (request.namespace and request.namespace_id),
            "Only one of namespace name or Id should be set on request.",
        )
        by_id = request.namespace_id
        entry = self._namespaces.entry_by_id(by_id) if by_id else self._namespaces.entry(request.namespace)
        if entry.namespace.name == SYSTEM_NAME:
            msg = "unable to delete system namespace"
            raise FailedPrecondition(msg)
        if entry.state != DELETED:
            entry = await self._mark(entry)
            self._spawn(entry)
        return DeleteNamespaceResponse(deleted_namespace=entry.namespace.name)

    async def _mark(self, entry: Entry) -> Entry:
        marked = DescribeNamespaceResponse()
        marked.CopyFrom(entry.described)
        marked.namespace_info.state = DELETED
        marked.namespace_info.name = f"{entry.namespace.name}-deleted-{entry.namespace.id[:5]}"
        return await self._namespaces.rename(entry.namespace.name, marked)

    def _spawn(self, entry: Entry) -> None:
        task = asyncio.get_running_loop().create_task(self._clear(entry))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _clear(self, entry: Entry) -> None:
        while True:
            try:
                while await self._clear_page(entry):
                    pass
                return await self._namespaces.remove(entry.namespace.name)
            except NamespaceNotFound:
                return None  # another process has done it
            except (Fault, Rejected) as error:
                log.warning("namespace %s cannot be cleared now: %r", entry.namespace.name, error)
            over = asyncio.Event()
            self._environment.call_at(self._environment.now() + RETRY_AFTER, over.set)
            await over.wait()

    async def _clear_page(self, entry: Entry) -> bool:
        """False when no run is left."""
        namespace, deleted = entry.namespace, False
        rows, _ = await self._environment.blocking(self._visibility.list_visible, namespace.id, None, b"", PAGE)
        for row in rows:
            request = DeleteWorkflowExecutionRequest(
                workflow_execution=WorkflowExecution(workflow_id=row.key.workflow_id, run_id=row.key.run_id)
            )
            try:
                await self._delete(namespace, request)
                deleted = True
            except NotFound:
                log.debug("run %s is gone already", row.key.run_id)
        return deleted
