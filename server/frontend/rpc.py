"""The one point that every call passes: it reads the request, finds its namespace, checks, calls the handler of the table, and counts.

A table maps the name of an RPC to an `Rpc` (of a namespace) or a `Plain` one. What is in the protocol and in no table answers UNIMPLEMENTED.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from temporalio.api.enums.v1 import NamespaceState

from server import tokens
from server.access.guard import Check, Guard
from server.cluster.router import Router
from server.core.outcome import Namespace, activities_of, base_of, operations_of
from server.core.rejected import Internal, InvalidArgument, NamespaceInvalidState, Rejected, Unimplemented
from server.frontend.errors import answered, refuse
from server.namespaces import REGISTERED, Entry, Namespaces
from server.telemetry import NO_NAMESPACE, Telemetry

# Requests and contexts are typed Any where a table mixes all RPCs; each handler names its own.
Context = grpc.aio.ServicerContext[Any, Any]
Answer = Message | bytes

DEPRECATED = NamespaceState.NAMESPACE_STATE_DEPRECATED
CARRIED = frozenset({"client-name", "supported-features"})  # metadata that handlers read
ONLY_REGISTERED = frozenset({"StartWorkflowExecution", "SignalWithStartWorkflowExecution"})
NAMESPACE_LENGTH_MAX = 1000
NAMESPACE_EMPTY = "Namespace is empty."
NAMESPACE_TOO_LONG = "Namespace length exceeds limit."
OTHER_NAMESPACE = "Operation requested with a token from a different namespace."


class Rpc(NamedTuple):
    """An RPC of one namespace, named by the request or by its task token. `check` raises what is wrong with the request, having filled in
    official defaults. With `contextual`, the handler gets the gRPC context as well (deadline, metadata)."""

    handle: Callable[..., Awaitable[Answer]]
    check: Callable[[Any, Namespace], None] | None = None
    contextual: bool = False


class Plain(NamedTuple):
    """An RPC that is of no namespace, or finds it by itself."""

    handle: Callable[[Any], Awaitable[Answer]]


Table = Mapping[str, Rpc | Plain]
Resolve = Callable[[Any], Namespace | None]


class Service(grpc.GenericRpcHandler):
    """One gRPC service of the protocol, served from a table. Raises KeyError for a name in the table that the protocol does not have."""

    def __init__(
        self,
        descriptor: Any,
        table: Table,
        namespaces: Namespaces,
        telemetry: Telemetry,
        router: Router | None = None,
        guard: Guard | None = None,
    ) -> None:
        unknown = set(table) - set(descriptor.methods_by_name)
        if unknown:
            raise KeyError(*unknown)
        self.name: str = descriptor.full_name
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            f"/{descriptor.full_name}/{method.name}": grpc.unary_unary_rpc_method_handler(
                _served(
                    method,
                    table.get(method.name, Plain(_refusal(method.name))),
                    namespaces,
                    telemetry,
                    router,
                    guard.check(f"/{descriptor.full_name}/{method.name}", method.input_type) if guard else None,
                )
            )
            for method in descriptor.methods
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        return self._handlers.get(handler_call_details.method)


def _refusal(name: str) -> Callable[[Any], Awaitable[Answer]]:
    async def refuse_it(_request: Any) -> Answer:
        raise Unimplemented(f"{name} is not implemented by this server.")

    return refuse_it


def _served(
    method: Any,
    rpc: Rpc | Plain,
    namespaces: Namespaces,
    telemetry: Telemetry,
    router: Router | None,
    check: Check | None,
) -> Callable[[bytes, Context], Awaitable[bytes]]:
    """The handler as gRPC calls it: from bytes to bytes."""
    parse = GetMessageClass(method.input_type).FromString
    name: str = method.name
    resolve: Resolve = _resolver(method.input_type, name, namespaces) if isinstance(rpc, Rpc) else lambda _request: None
    call = _caller(rpc) if router is None else _routed(method, rpc, router)
    clock = time.perf_counter

    async def serve(data: bytes, context: Context) -> bytes:
        began, namespace, operation = clock(), None, unknown
        try:
            request = parse(data)
            if check is not None:
                await check(request, context)
            namespace = resolve(request)
            operation = telemetry.operation(name, namespace.name) if namespace is not None else unknown
            operation.pending += 1
            try:
                reply = await call(namespace, request, context)
            finally:
                operation.pending -= 1
            return reply if isinstance(reply, bytes) else reply.SerializeToString()
        except DecodeError as error:
            rejected: Rejected = Internal(f"grpc: error unmarshalling request: {error}")
        except Exception as error:  # noqa: BLE001  a bug must end one call only; `answered` logs it
            rejected = answered(error)
        finally:
            operation.ended(clock() - began)
        operation.failed(f"serviceerror_{type(rejected).__name__}")
        return await refuse(context, rejected)

    unknown = telemetry.operation(name, NO_NAMESPACE)
    return serve


def _caller(rpc: Rpc | Plain) -> Callable[[Any, Any, Context], Awaitable[Answer]]:
    handle: Callable[..., Awaitable[Answer]] = rpc.handle
    if isinstance(rpc, Plain):
        return lambda _namespace, request, _context: handle(request)
    check = rpc.check

    def checked(namespace: Namespace, request: Any, _context: Context) -> Awaitable[Answer]:
        if check is not None:
            check(request, namespace)
        return handle(namespace, request)

    def contextual(namespace: Namespace, request: Any, context: Context) -> Awaitable[Answer]:
        if check is not None:
            check(request, namespace)
        return handle(namespace, request, context)

    return contextual if rpc.contextual else checked


def _routed(method: Any, rpc: Rpc | Plain, router: Router) -> Callable[[Any, Any, Context], Awaitable[Answer]]:
    """Like `_caller`, but carried out where the workflow is that the request is about, if it is about one."""
    workflow = _workflow_of(method.input_type)
    if isinstance(rpc, Plain) or workflow is None:
        return _caller(rpc)
    name: str = method.name
    handle: Callable[..., Awaitable[Answer]] = rpc.handle
    check, contextual = rpc.check, rpc.contextual

    def routed(namespace: Namespace, request: Any, context: Context) -> Awaitable[Answer]:
        if check is not None:
            check(request, namespace)

        def here() -> Awaitable[Answer]:
            return handle(namespace, request, context) if contextual else handle(namespace, request)

        metadata = [(key, value) for key, value in context.invocation_metadata() or () if key in CARRIED]
        return router.call(name, here, namespace, workflow(request), request, context.time_remaining(), metadata)

    return routed


def _workflow_of(request_type: Any) -> Callable[[Any], str] | None:
    """How to find the id of the workflow that such a request is about."""
    fields = request_type.fields_by_name
    if "task_token" in fields:
        return lambda request: tokens.decode_task(request.task_token).workflow_id
    if "workflow_execution" in fields:
        return lambda request: str(request.workflow_execution.workflow_id)
    if "execution" in fields:
        return lambda request: str(request.execution.workflow_id)
    if "update_ref" in fields:
        return lambda request: str(request.update_ref.workflow_execution.workflow_id)
    if "operations" in fields:
        return lambda request: str(request.operations[0].start_workflow.workflow_id)
    if "activity_id" in fields:  # of a workflow, or of none
        return lambda request: str(getattr(request, "workflow_id", "") or request.activity_id)
    if "operation_id" in fields:
        return lambda request: str(request.operation_id)
    return (lambda request: str(request.workflow_id)) if "workflow_id" in fields else None


def _entity_of(request_type: Any) -> Callable[[str], str] | None:
    """Of requests about entities of no workflow: what the namespace's id is in their keys."""
    fields = request_type.fields_by_name
    return activities_of if "activity_id" in fields else operations_of if "operation_id" in fields else None


def _resolver(request_type: Any, rpc: str, namespaces: Namespaces) -> Resolve:
    """Finds the namespace that a request is for (common/rpc/interceptor/namespace_validator.go)."""
    allowed = (REGISTERED,) if rpc in ONLY_REGISTERED else (REGISTERED, DEPRECATED)
    entity = _entity_of(request_type)

    def open_for_it(entry: Entry) -> Namespace:
        if entry.state not in allowed:
            raise NamespaceInvalidState(entry.namespace.name, entry.state, allowed)
        return entry.namespace

    def by_name(request: Any) -> Namespace:
        name = request.namespace
        if len(name) > NAMESPACE_LENGTH_MAX:
            raise InvalidArgument(NAMESPACE_TOO_LONG)
        if not name:
            raise InvalidArgument(NAMESPACE_EMPTY)
        namespace = open_for_it(namespaces.entry(name))
        of_workflow: str = getattr(request, "workflow_id", "")
        if entity is None or of_workflow:
            return namespace
        return namespaces.by_id(entity(namespace.id))

    def by_token(request: Any) -> Namespace:
        token = tokens.decode_task(request.task_token)
        entry = namespaces.entry_by_id(base_of(token.namespace_id))
        if not request.namespace:
            request.namespace = entry.namespace.name
        elif request.namespace != entry.namespace.name:
            _mismatch(request.namespace)
        open_for_it(entry)
        return namespaces.by_id(token.namespace_id)

    def _mismatch(name: str) -> None:
        if len(name) > NAMESPACE_LENGTH_MAX:
            raise InvalidArgument(NAMESPACE_TOO_LONG)
        namespaces.entry(name)
        raise InvalidArgument(OTHER_NAMESPACE)

    return by_token if "task_token" in request_type.fields_by_name else by_name
