"""Delivers what runs ask of Nexus operations, starts and cancellations, and brings back how they ended.

Source: components/nexusoperations/executors.go.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from temporalio.api.common.v1 import Link
from temporalio.api.enums.v1 import EventType, TimeoutType
from temporalio.api.failure.v1 import Failure
from temporalio.api.nexus.v1 import CancelOperationRequest, Endpoint, Request, StartOperationRequest

from server.core.outcome import SEND_NEXUS_START, Namespace, base_of, operations_of
from server.core.rejected import NotFound
from server.core.state import State
from server.core.state_pb2 import NexusCalls, NexusOperation, Outgoing, TaskToken
from server.core.step import Step
from server.core.workflow import nexus
from server.core.workflow.calls import Said
from server.history import system_nexus
from server.history.calling import Caller
from server.nexus import failures, links
from server.nexus.callbacks import CALLBACK_HEADER, SYSTEM_URL, encode_token

if TYPE_CHECKING:
    from server.history.shard import Shard

NOT_REGISTERED = "endpoint not registered"
SCHEDULED = EventType.EVENT_TYPE_NEXUS_OPERATION_SCHEDULED
MILLISECOND = 1_000_000
TIMEOUT_NAMES = {
    value: name.removeprefix("TIMEOUT_TYPE_").title().replace("_", "") for name, value in TimeoutType.items()
}


async def deliver(caller: Caller) -> bool:
    """Calls the handler of the operation that the message is about until that has an end. See Caller.until_said."""
    id = caller.note.initiated_event_id
    starts = caller.note.kind == SEND_NEXUS_START

    def look(state: State) -> tuple[NexusOperation, NexusCalls] | None:
        operation = nexus.pending(state, id)
        if operation is None or bool(operation.started_time) == starts:
            return None
        copy = NexusOperation()
        copy.CopyFrom(operation)
        return copy, copy.start if starts else copy.cancellation.calls

    async def call(operation: NexusOperation) -> Callable[[Step], bool]:
        decide = await (_start if starts else _cancel)(caller.shard, caller.namespace, operation, caller.note)
        return lambda step: decide(step, id)

    return await caller.until_said(look, call)


async def _start(
    shard: Shard, namespace: Namespace, operation: NexusOperation, note: Outgoing
) -> Callable[[Step, int], bool]:
    if operation.endpoint == nexus.SYSTEM_ENDPOINT:
        return partial(_start_said, said=await system_nexus.call(shard.parts, note))
    endpoint = shard.parts.endpoints.find(operation.endpoint_id, operation.endpoint)
    if endpoint is None:
        missing = failures.handler_failure("NOT_FOUND", NOT_REGISTERED)
        return partial(_start_said, said=Said(failure=missing))
    timeout, kind = _patience(shard, namespace, operation, starts=True)
    if timeout < namespace.limits.nexus_request_timeout_min:
        return partial(_timed_out, kind=kind)
    said = await _call_start(shard, endpoint, _start_request(shard, namespace, operation, note), timeout)
    return partial(_start_said, said=_within(namespace, said))


def _start_said(step: Step, id: int, said: Said) -> bool:
    return nexus.start_said(step, id, said)


def _timed_out(step: Step, id: int, kind: TimeoutType.ValueType) -> bool:
    nexus.timed_out(step, id, kind)
    return False


def _within(namespace: Namespace, said: Said) -> Said:
    """An answer that is too big is an error of the call, which is not made again."""
    limits = namespace.limits
    size, most = len(said.token.encode()), limits.nexus_token_length_max
    if size > most:
        msg = f"invalid operation token: length exceeds allowed limit ({size}/{most})"
    elif said.result is not None and said.result.ByteSize() > limits.blob_size_bytes_max:
        msg = "http: response body too large"
    else:
        return said
    return Said(failure=failures.call_failure(msg, retryable=False))


def _patience(
    shard: Shard, namespace: Namespace, operation: NexusOperation, *, starts: bool
) -> tuple[int, TimeoutType.ValueType]:
    """How long a call may take, and which timeout says so."""
    now = shard.parts.environment.now()
    left: list[tuple[int, TimeoutType.ValueType]] = [
        (namespace.limits.nexus_request_timeout, TimeoutType.TIMEOUT_TYPE_UNSPECIFIED)
    ]
    since, whole = operation.scheduled_time, operation.schedule_to_close_timeout
    if starts and operation.schedule_to_start_timeout:
        left.append((since + operation.schedule_to_start_timeout - now, TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START))
    elif whole:
        left.append((since + whole - now, TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE))
    if not starts and operation.start_to_close_timeout:
        at = operation.started_time + operation.start_to_close_timeout
        left.append((at - now, TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE))
    return min(left)


def _start_request(shard: Shard, namespace: Namespace, operation: NexusOperation, note: Outgoing) -> Request:
    a = note.event.nexus_operation_scheduled_event_attributes
    link = links.to_nexus(_caller(namespace, note))
    assert link is not None
    start = StartOperationRequest(
        service=operation.service,
        operation=operation.operation,
        request_id=operation.request_id,
        callback=SYSTEM_URL,
        callback_header={CALLBACK_HEADER: _token(operation, note)},
        links=[link],
    )
    if a.HasField("input"):
        start.payload.CopyFrom(a.input)
    request = Request(header=operation.header, start_operation=start, endpoint=operation.endpoint)
    if (left := _time_left(shard, operation)) and "operation-timeout" not in request.header:
        request.header["operation-timeout"] = f"{left // MILLISECOND}ms"
    return request


def _caller(namespace: Namespace, note: Outgoing) -> Link:
    """Names who has asked for the operation."""
    name, id, run_id = namespace.name, note.source_workflow_id, note.source_run_id
    if note.source_namespace_id == operations_of(base_of(note.source_namespace_id)):
        return Link(nexus_operation=Link.NexusOperation(namespace=name, operation_id=id, run_id=run_id))
    event = Link.WorkflowEvent(namespace=name, workflow_id=id, run_id=run_id)
    event.event_ref.event_id, event.event_ref.event_type = note.initiated_event_id, SCHEDULED
    return Link(workflow_event=event)


def _time_left(shard: Shard, operation: NexusOperation) -> int:
    """What the handler has for the operation; 0: no limit."""
    whole, work = operation.schedule_to_close_timeout, operation.start_to_close_timeout
    if whole:
        whole = operation.scheduled_time + whole - shard.parts.environment.now()
    return min(filter(None, (whole, work)), default=0)


async def _call_start(shard: Shard, endpoint: Endpoint, request: Request, timeout: int) -> Said:
    target = endpoint.spec.target
    if target.HasField("external"):
        return Said(
            failure=failures.handler_failure("NOT_IMPLEMENTED", "external endpoints are not implemented by this server")
        )
    try:
        namespace_id = shard.parts.namespaces.by_name(target.worker.namespace).id
    except NotFound as missing:
        return Said(failure=failures.handler_failure("NOT_FOUND", missing.message))
    return await shard.parts.nexus.start(namespace_id, target.worker.task_queue, request, timeout)


async def _cancel(
    shard: Shard, namespace: Namespace, operation: NexusOperation, _note: Outgoing
) -> Callable[[Step, int], bool]:
    endpoint = shard.parts.endpoints.find(operation.endpoint_id, operation.endpoint)
    timeout, kind = _patience(shard, namespace, operation, starts=False)
    retryable = False
    if endpoint is None:
        failure: Failure | None = failures.handler_failure("NOT_FOUND", NOT_REGISTERED)
    elif timeout < namespace.limits.nexus_request_timeout_min:
        msg = f"not enough time to execute another request before {TIMEOUT_NAMES[kind]} timeout"
        failure = failures.call_failure(msg, retryable=False)
    else:
        token = operation.operation_token
        asked = CancelOperationRequest(
            service=operation.service, operation=operation.operation, operation_token=token, operation_id=token
        )
        request = Request(header=operation.header, cancel_operation=asked, endpoint=operation.endpoint)
        worker = endpoint.spec.target.worker
        namespace_id = shard.parts.namespaces.by_name(worker.namespace).id
        failure = await shard.parts.nexus.cancel(namespace_id, worker.task_queue, request, timeout)
        retryable = failure is not None and failures.retryable(failure)

    def said(step: Step, id: int) -> bool:
        return nexus.cancel_said(step, id, failure, retryable)

    return said


def _token(operation: NexusOperation, note: Outgoing) -> str:
    return encode_token(
        TaskToken(
            namespace_id=note.source_namespace_id,
            workflow_id=note.source_workflow_id,
            run_id=note.source_run_id,
            scheduled_event_id=operation.scheduled_event_id,
            request_id=operation.request_id,
        )
    )
