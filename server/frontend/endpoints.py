"""The operator's RPCs on Nexus endpoints. Source: service/frontend/nexus_endpoint_client.go."""

from __future__ import annotations

import re
from urllib.parse import urlsplit
from uuid import UUID

from temporalio.api.nexus.v1 import Endpoint, EndpointSpec
from temporalio.api.operatorservice.v1 import (
    CreateNexusEndpointRequest,
    CreateNexusEndpointResponse,
    DeleteNexusEndpointRequest,
    DeleteNexusEndpointResponse,
    GetNexusEndpointRequest,
    GetNexusEndpointResponse,
    ListNexusEndpointsRequest,
    ListNexusEndpointsResponse,
    UpdateNexusEndpointRequest,
    UpdateNexusEndpointResponse,
)

from server.core.limits import KIB, Limits
from server.core.rejected import FailedPrecondition, InvalidArgument, NamespaceNotFound, NotFound
from server.core.workflow.activity_options import check_queue
from server.endpoints import Endpoints
from server.frontend.rpc import Plain, Table
from server.namespaces import Namespaces

NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9\-]*[a-zA-Z0-9]")
NAME_LENGTH_MAX = 200  # limit.endpointNameMaxLength
URL_LENGTH_MAX = 4 * KIB  # limit.endpointExternalURLMaxLength
DESCRIPTION_BYTES_MAX = 20_000  # limit.endpointDescriptionMaxSize
PAGE, PAGE_MAX = 100, 1000  # limit.endpointListDefaultPageSize, limit.endpointListMaxPageSize


class EndpointRpcs:
    """Each method is named for its RPC, and raises Rejected."""

    def __init__(self, endpoints: Endpoints, namespaces: Namespaces) -> None:
        self._endpoints = endpoints
        self._namespaces = namespaces

    def table(self) -> Table:
        """RPC → handler."""
        return {
            "CreateNexusEndpoint": Plain(self.create),
            "UpdateNexusEndpoint": Plain(self.update),
            "DeleteNexusEndpoint": Plain(self.delete),
            "GetNexusEndpoint": Plain(self.get),
            "ListNexusEndpoints": Plain(self.list_),
        }

    async def create(self, request: CreateNexusEndpointRequest) -> CreateNexusEndpointResponse:
        self._check(request.spec)
        return CreateNexusEndpointResponse(endpoint=await self._endpoints.create(request.spec))

    async def update(self, request: UpdateNexusEndpointRequest) -> UpdateNexusEndpointResponse:
        self._check(request.spec)
        changed = await self._endpoints.update(request.id, request.version, request.spec)
        return UpdateNexusEndpointResponse(endpoint=changed)

    async def delete(self, request: DeleteNexusEndpointRequest) -> DeleteNexusEndpointResponse:
        issues = _id_issues(request.id)
        if request.version <= 0:
            issues.append("endpoint version is non-positive")
        _raise(issues)
        await self._endpoints.delete(request.id)
        return DeleteNexusEndpointResponse()

    async def get(self, request: GetNexusEndpointRequest) -> GetNexusEndpointResponse:
        _raise(_id_issues(request.id))
        endpoint = self._endpoints.by_id(request.id)
        if endpoint is None:
            raise NotFound(f"could not find Nexus endpoint with ID: {request.id}")
        return GetNexusEndpointResponse(endpoint=endpoint)

    async def list_(self, request: ListNexusEndpointsRequest) -> ListNexusEndpointsResponse:
        size = request.page_size or PAGE
        if size < 0:
            raise InvalidArgument("page_size is negative")
        if size > PAGE_MAX:
            raise InvalidArgument(f"page_size exceeds limit of {PAGE_MAX}")
        if request.name:
            named = [each for each in self._endpoints.all() if each.spec.name == request.name]
            return ListNexusEndpointsResponse(endpoints=named)
        after = request.next_page_token.decode(errors="replace")
        rest: list[Endpoint] = [each for each in self._endpoints.all() if each.id > after]
        token = rest[size - 1].id.encode() if len(rest) > size else b""
        return ListNexusEndpointsResponse(endpoints=rest[:size], next_page_token=token)

    def _check(self, spec: EndpointSpec) -> None:
        issues = _name_issues(spec.name)
        if not spec.target.WhichOneof("variant"):
            _raise([*issues, "empty target variant"])
        issues += _url_issues(spec.target.external.url) if spec.target.HasField("external") else self._worker(spec)
        if spec.description.ByteSize() > DESCRIPTION_BYTES_MAX:
            issues.append(f"description size exceeds limit of {DESCRIPTION_BYTES_MAX}")
        _raise(issues)

    def _worker(self, spec: EndpointSpec) -> list[str]:
        issues, worker = [], spec.target.worker
        if not worker.namespace:
            issues.append("target namespace not set")
        else:
            try:
                self._namespaces.entry(worker.namespace)
            except NamespaceNotFound as missing:
                msg = f"could not verify namespace referenced by target exists: {missing.message}"
                raise FailedPrecondition(msg) from None
        try:
            check_queue(worker.task_queue, Limits(), "")
        except InvalidArgument as wrong:
            issues.append(f'invalid target task queue: "{wrong.message}"')
        return issues


def _raise(issues: list[str]) -> None:
    if issues:
        raise InvalidArgument(", ".join(issues))


def _id_issues(id: str) -> list[str]:
    if not id:
        return ["endpoint ID not set"]
    try:
        UUID(id)
    except ValueError:
        return [f'malformed endpoint ID: "invalid UUID length: {len(id)}"']
    return []


def _name_issues(name: str) -> list[str]:
    if not name:
        return ["endpoint name not set"]
    too_long = [f"endpoint name exceeds length limit of {NAME_LENGTH_MAX}"] if len(name) > NAME_LENGTH_MAX else []
    fits = NAME.fullmatch(name)
    return too_long + ([] if fits else [r'endpoint name must match the regex: "^[a-zA-Z][a-zA-Z0-9\\-]*[a-zA-Z0-9]$"'])


def _url_issues(url: str) -> list[str]:
    if not url:
        return ["empty target URL"]
    if len(url) > URL_LENGTH_MAX:
        return [f"target URL length exceeds limit of {URL_LENGTH_MAX}"]
    try:
        scheme = urlsplit(url).scheme
    except ValueError as wrong:
        return [f"invalid target URL: {wrong}"]
    if scheme not in ("http", "https"):
        return [f'invalid target URL scheme: "{scheme}", expected http or https']
    return []
