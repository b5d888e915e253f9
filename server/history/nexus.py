"""Delivers what runs ask of Nexus operations: starts and cancellations, called again until the handler has said something that lasts.

The message's row stays until then, so that a server that comes back calls again. A handler knows a repetition by its request id.
Source: components/nexusoperations/executors.go.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Link
from temporalio.api.enums.v1 import EventType, TimeoutType
from temporalio.api.failure.v1 import Failure
from temporalio.api.nexus.v1 import CancelOperationRequest, Endpoint, Request, StartOperationRequest

from server.core.outcome import SEND_NEXUS_START, Namespace
from server.core.rejected import InvalidArgument, NotFound
from server.core.state_pb2 import NexusOperation, Outgoing, TaskToken
from server.core.step import Step
from server.core.workflow import nexus
from server.core.workflow.nexus import Said
from server.environment import pause
from server.history.cache import Run
from server.nexus import failures, links

if TYPE_CHECKING:
    from server.history.shard import Shard

SYSTEM_URL = "temporal://system"
CALLBACK_HEADER = "temporal-callback-token"
NOT_REGISTERED = "endpoint not registered"
UNREADABLE = "invalid callback token"
SCHEDULED = EventType.EVENT_TYPE_NEXUS_OPERATION_SCHEDULED
MILLISECOND = 1_000_000
TIMEOUT_NAMES = {
    value: name.removeprefix("TIMEOUT_TYPE_").title().replace("_", "") for name, value in TimeoutType.items()
}

log = logging.getLogger(__name__)


async def deliver(shard: Shard, note: Outgoing, forgotten: Callable[[Step], None]) -> bool:
    """Calls the handler of the operation that the message is about until that has an end, which is told to the run; `forgotten` removes the
    message's row in the same decision. False when there was nobody to tell: the row is still there. Raises Rejected."""
    id = note.initiated_event_id
    starts = note.kind == SEND_NEXUS_START
    namespace = shard.parts.namespaces.by_id(note.source_namespace_id)
    while True:
        operation = await _pending(shard, note)
        if operation is None or bool(operation.started_time) == starts:
            return False
        calls = operation.start if starts else operation.cancellation.calls
        wait = calls.next_attempt_time - shard.parts.environment.now()
        if wait > 0:
            await pause(shard.parts.environment, wait)
            continue
        decide = await (_start if starts else _cancel)(shard, namespace, operation, note)

        def told(step: Step, decide: Callable[[Step, int], bool] = decide) -> bool:
            again = decide(step, id)
            if not again:
                forgotten(step)
            return again

        if not await shard.run(namespace, note.source_workflow_id, note.source_run_id, told):
            return True


async def _pending(shard: Shard, note: Outgoing) -> NexusOperation | None:
    """A copy of the operation, if the run still waits for it."""
    found = NexusOperation()

    def look(run: Run) -> bool:
        assert run.state is not None
        operation = nexus.pending(run.state, note.initiated_event_id)
        if operation is not None:
            found.CopyFrom(operation)
        return operation is not None

    key = note.source_namespace_id, note.source_workflow_id, note.source_run_id
    try:
        return found if await shard.look(*key, look) else None
    except NotFound:
        return None


async def _start(
    shard: Shard, namespace: Namespace, operation: NexusOperation, note: Outgoing
) -> Callable[[Step, int], bool]:
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
    event = Link.WorkflowEvent(namespace=namespace.name, workflow_id=note.source_workflow_id, run_id=note.source_run_id)
    event.event_ref.event_id, event.event_ref.event_type = note.initiated_event_id, SCHEDULED
    link = links.to_nexus(Link(workflow_event=event))
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


# Completion tokens -----------------------------------------------------------------------------------------------------------------


def _token(operation: NexusOperation, note: Outgoing) -> str:
    """What a completion callback carries back: common/nexus/callback_token.go."""
    token = TaskToken(
        namespace_id=note.source_namespace_id,
        workflow_id=note.source_workflow_id,
        run_id=note.source_run_id,
        scheduled_event_id=operation.scheduled_event_id,
        request_id=operation.request_id,
    )
    return json.dumps(
        {"v": 1, "d": base64.urlsafe_b64encode(token.SerializeToString()).decode()}, separators=(",", ":")
    )


def decode_token(text: str) -> TaskToken:
    """Which operation a completion is about. Raises InvalidArgument."""
    try:
        token = TaskToken.FromString(base64.urlsafe_b64decode(json.loads(text)["d"]))
    except (ValueError, KeyError, TypeError, DecodeError) as wrong:
        raise InvalidArgument(UNREADABLE) from wrong
    if not (token.namespace_id and token.workflow_id and token.run_id and token.scheduled_event_id):
        raise InvalidArgument(UNREADABLE)
    return token
