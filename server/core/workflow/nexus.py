"""Nexus operations: asked by a command, carried out by the worker of an endpoint, answered by the calls to it or, later, by its completion.

Source: components/nexusoperations (workflow/commands.go, statemachine.go, executors.go, completion.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Link
from temporalio.api.enums.v1 import EventType, NexusOperationCancellationState, TimeoutType
from temporalio.api.enums.v1 import WorkflowTaskFailedCause as Cause
from temporalio.api.failure.v1 import CanceledFailureInfo, Failure, NexusOperationFailureInfo, TimeoutFailureInfo
from temporalio.api.history.v1 import HistoryEvent

from server.core.deadline import Deadline
from server.core.durations import capped, duration
from server.core.outcome import SEND_NEXUS_CANCEL, SEND_NEXUS_START
from server.core.rejected import BadCommand, InvalidArgument, NotFound
from server.core.state import State
from server.core.state_pb2 import NexusCalls, NexusCancellation, NexusOperation
from server.core.workflow import calls, commands
from server.core.workflow.calls import Said

if TYPE_CHECKING:
    from server.core.step import Step

E = EventType
S = NexusOperationCancellationState
BAD = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_NEXUS_OPERATION_ATTRIBUTES
BAD_CANCEL = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_NEXUS_OPERATION_ATTRIBUTES
ON = "ScheduleNexusOperationCommandAttributes"
SYSTEM_ENDPOINT = "__temporal_system"
# What the server itself says in the header of a request: nobody else may.
RESERVED_HEADERS = frozenset(
    {
        "request-timeout",
        "xdc-redirection-api",
        "xdc-redirection",
        "xdc-redirection-source-cell",
        "caller-name",
        "caller-type",
        "call-initiation",
        "temporal-principal-type",
        "temporal-principal-name",
    }
)
UNSUCCESSFUL = "nexus operation completed unsuccessfully"
GONE = "operation not found"
TIMEOUTS = ("schedule_to_close_timeout", "schedule_to_start_timeout", "start_to_close_timeout")
UNANSWERED = (
    S.NEXUS_OPERATION_CANCELLATION_STATE_UNSPECIFIED,
    S.NEXUS_OPERATION_CANCELLATION_STATE_SCHEDULED,
    S.NEXUS_OPERATION_CANCELLATION_STATE_BACKING_OFF,
)
SENT = UNANSWERED[1:]
ENDED = {
    E.EVENT_TYPE_NEXUS_OPERATION_COMPLETED,
    E.EVENT_TYPE_NEXUS_OPERATION_FAILED,
    E.EVENT_TYPE_NEXUS_OPERATION_CANCELED,
    E.EVENT_TYPE_NEXUS_OPERATION_TIMED_OUT,
}


# Commands --------------------------------------------------------------------------------------------------------------------------


def schedule_nexus_operation(step: Step, command: Command, completed_event_id: int) -> None:
    """Asks for an operation."""
    if not command.HasField("schedule_nexus_operation_command_attributes"):
        raise BadCommand(BAD, f"empty {ON}")
    a = command.schedule_nexus_operation_command_attributes
    endpoint_id = step.namespace.endpoints.get(a.endpoint, "")
    if not endpoint_id and a.endpoint != SYSTEM_ENDPOINT:
        raise BadCommand(BAD, f'endpoint "{a.endpoint}" not found')
    _check(step, a)
    attributes: dict[str, Any] = {
        "endpoint": a.endpoint,
        "endpoint_id": endpoint_id,
        "service": a.service,
        "operation": a.operation,
        "nexus_header": _header(step, a.nexus_header),
        "request_id": step.ids.run_id(),
        "workflow_task_completed_event_id": completed_event_id,
        **_timeouts(step, a),
    }
    if len(step.state.nexus) >= step.namespace.limits.nexus_operations_max:
        limit = step.namespace.limits.nexus_operations_max
        sentence = f"workflow has reached the pending nexus operation limit of {limit} for this namespace"
        raise BadCommand(Cause.WORKFLOW_TASK_FAILED_CAUSE_PENDING_NEXUS_OPERATIONS_LIMIT_EXCEEDED, sentence)
    if a.HasField("input"):
        attributes["input"] = a.input
    ask(step, step.emit(E.EVENT_TYPE_NEXUS_OPERATION_SCHEDULED, attributes, **commands.extras(command)))


def ask(step: Step, event: HistoryEvent) -> None:
    """Sends what the scheduled event says to the handler."""
    step.send(SEND_NEXUS_START, initiated_event_id=event.event_id, event=event)


def ask_again(step: Step, event: HistoryEvent) -> None:
    """Sends what has no answer, of a run that begins in the middle of another."""
    operation = step.state.nexus[event.event_id]
    if not operation.started_time:
        ask(step, event)
    elif operation.HasField("cancellation") and operation.cancellation.state in UNANSWERED:
        _send_cancel(step, event.event_id)


def _check(step: Step, a: Any) -> None:
    limits = step.namespace.limits
    if a.endpoint == SYSTEM_ENDPOINT and a.nexus_header:
        raise BadCommand(BAD, f"{ON}.NexusHeader must be empty when using {SYSTEM_ENDPOINT} endpoint")
    for name, text, most in (
        ("Service", a.service, limits.nexus_service_length_max),
        ("Operation", a.operation, limits.nexus_operation_length_max),
    ):
        if len(text.encode()) > most:
            raise BadCommand(BAD, f"{ON}.{name} exceeds length limit of {most}")
    if a.endpoint != SYSTEM_ENDPOINT:
        commands.check_blob(step, a.input.ByteSize(), BAD, f"{ON}.Input exceeds size limit")


def _header(step: Step, given: Any) -> dict[str, str]:
    header, size = {}, 0
    for key, value in given.items():
        lower = key.lower()
        header[lower] = value
        size += len(lower.encode()) + len(value.encode())
        if lower in RESERVED_HEADERS:
            raise BadCommand(BAD, f'{ON}.NexusHeader contains a disallowed header key: "{key}"')
    if size > step.namespace.limits.nexus_header_bytes_max:
        raise BadCommand(BAD, f"{ON}.NexusHeader exceeds size limit")
    return header


def _timeouts(step: Step, a: Any) -> dict[str, Any]:
    """No operation has more time than its run, no part of it more than the whole."""
    asked: dict[str, int] = {}
    for name in TIMEOUTS:
        try:
            asked[name] = capped(getattr(a, name), f"{ON}.{name.title().replace('_', '')} is invalid")
        except InvalidArgument as wrong:
            raise BadCommand(BAD, wrong.message) from None
    run = step.state.asked.workflow_run_timeout.ToNanoseconds()
    whole = min(filter(None, (asked[TIMEOUTS[0]], run)), default=0)
    asked[TIMEOUTS[0]] = whole
    out = {name: duration(min(ns, whole) if whole else ns) for name, ns in asked.items()}
    return {name: each for name, each in out.items() if a.HasField(name) or each.ToNanoseconds()}


def request_cancel_nexus_operation(step: Step, command: Command, completed_event_id: int) -> None:
    """Asks to cancel an operation. One that has ended unseen by the worker may be asked to, in vain."""
    if not command.HasField("request_cancel_nexus_operation_command_attributes"):
        raise BadCommand(BAD_CANCEL, "empty CancelNexusOperationCommandAttributes")
    id = command.request_cancel_nexus_operation_command_attributes.scheduled_event_id
    operation = step.state.nexus.get(id)
    if operation is None and not any(_ends(event, id) for event in step.state.buffered):
        sentence = (
            f"requested cancelation for a non-existing or already completed operation with scheduled event ID of {id}"
        )
        raise BadCommand(BAD_CANCEL, sentence)
    if operation is not None and operation.HasField("cancellation"):
        sentence = f"cancelation was already requested for an operation with scheduled event ID {id}"
        raise BadCommand(BAD_CANCEL, sentence)
    request_cancel(step, id, completed_event_id, **commands.extras(command))


def request_cancel(step: Step, id: int, completed_event_id: int = 0, **fields: Any) -> None:
    """The handler is asked to cancel the operation, as soon as it has started it."""
    attributes = {"scheduled_event_id": id, "workflow_task_completed_event_id": completed_event_id}
    step.emit(E.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUESTED, attributes, **fields)
    operation = step.state.nexus.get(id)
    if operation is not None and operation.started_time:
        _send_cancel(step, id)


def _ends(event: HistoryEvent, scheduled_event_id: int) -> bool:
    return event.event_type in ENDED and _about(event).scheduled_event_id == scheduled_event_id


def _about(event: HistoryEvent) -> Any:
    return getattr(event, str(event.WhichOneof("attributes")))


def _send_cancel(step: Step, id: int) -> None:
    cancellation = step.state.nexus.edit(id).cancellation
    cancellation.state, cancellation.requested_time = S.NEXUS_OPERATION_CANCELLATION_STATE_SCHEDULED, step.now
    step.send(SEND_NEXUS_CANCEL, initiated_event_id=id)


# Answers ---------------------------------------------------------------------------------------------------------------------------


def start_said(step: Step, id: int, said: Said) -> bool:
    """A call to start the operation has ended; True when it is to be repeated, at the operation's `start.next_attempt_time`."""
    operation = pending(step.state, id)
    if operation is None or operation.started_time:
        return False
    made = step.state.nexus.edit(id).start
    if said.failure is not None and said.retryable:
        calls.again(step, made, said.failure)
        return True
    calls.record(step, made)
    if said.token:
        _started(step, operation, said.token, said.links)
    else:
        _ended(step, operation, said)
    return False


def cancel_said(step: Step, id: int, failure: Failure | None, retryable: bool) -> bool:
    """A call to cancel the operation has ended; True when it is to be repeated, at `cancellation.calls.next_attempt_time`."""
    if pending(step.state, id) is None:
        return False
    cancellation = step.state.nexus.edit(id).cancellation
    if failure is not None and retryable:
        calls.again(step, cancellation.calls, failure)
        cancellation.state = S.NEXUS_OPERATION_CANCELLATION_STATE_BACKING_OFF
        return True
    calls.record(step, cancellation.calls, failure)
    attributes: dict[str, Any] = {
        "scheduled_event_id": id,
        "requested_event_id": cancellation.requested_event_id,
    }
    event_type = E.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED
    if failure is not None:
        event_type = E.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUEST_FAILED
        attributes["failure"] = failure
    step.emit(event_type, attributes, worker_may_ignore=True)
    return False


def completed(step: Step, id: int, request_id: str, started_at: int, said: Said) -> None:
    """An operation that was started (nanoseconds, 0 when not known) has ended; it may be that the answer to its start is still on its way.
    Raises NotFound when it is not pending."""
    operation = pending(step.state, id)
    if operation is None or operation.request_id != request_id:
        raise NotFound(GONE)
    if not operation.started_time:
        _started(step, operation, said.token, said.links, started_at)
    if said.canceled and operation.cancellation.state in SENT:  # then the request has arrived, whoever says so first
        cancel_said(step, id, None, False)
    _ended(step, operation, said._replace(links=()))


def pending(state: State, id: int) -> NexusOperation | None:
    """The operation, while the run waits for it."""
    return state.nexus.get(id) if state.running else None


def timed_out(step: Step, id: int, kind: TimeoutType.ValueType) -> None:
    """The operation has no time left. No-op when it has ended."""
    operation = pending(step.state, id)
    if operation is not None:
        info = TimeoutFailureInfo(timeout_type=kind)
        cause = Failure(message="operation timed out", timeout_failure_info=info)
        _emit_failure(step, E.EVENT_TYPE_NEXUS_OPERATION_TIMED_OUT, operation, cause)


def _started(step: Step, operation: NexusOperation, token: str, links: Sequence[Link], at: int = 0) -> None:
    attributes = {
        "scheduled_event_id": operation.scheduled_event_id,
        "operation_token": token,
        "operation_id": token,
        "request_id": operation.request_id,
    }
    step.emit(E.EVENT_TYPE_NEXUS_OPERATION_STARTED, attributes, at, links=links)
    if operation.HasField("cancellation"):
        _send_cancel(step, operation.scheduled_event_id)


def _ended(step: Step, operation: NexusOperation, said: Said) -> None:
    if said.failure is None:
        attributes: dict[str, Any] = {
            "scheduled_event_id": operation.scheduled_event_id,
            "request_id": operation.request_id,
        }
        if said.result is not None:
            attributes["result"] = said.result
        step.emit(E.EVENT_TYPE_NEXUS_OPERATION_COMPLETED, attributes, links=said.links)
    elif said.canceled:
        _emit_failure(step, E.EVENT_TYPE_NEXUS_OPERATION_CANCELED, operation, _canceled(said.failure))
    else:
        _emit_failure(step, E.EVENT_TYPE_NEXUS_OPERATION_FAILED, operation, said.failure)


def _canceled(failure: Failure) -> Failure:
    """Older SDKs send an application failure for a cancellation."""
    if failure.HasField("canceled_failure_info"):
        return failure
    out = Failure(message=failure.message, stack_trace=failure.stack_trace, canceled_failure_info=CanceledFailureInfo())
    if failure.HasField("cause"):
        out.cause.CopyFrom(failure.cause)
    return out


def _emit_failure(step: Step, event_type: int, operation: NexusOperation, cause: Failure) -> None:
    info = NexusOperationFailureInfo(
        endpoint=operation.endpoint,
        service=operation.service,
        operation=operation.operation,
        operation_token=operation.operation_token,
        operation_id=operation.operation_token,
        scheduled_event_id=operation.scheduled_event_id,
    )
    failure = Failure(message=UNSUCCESSFUL, nexus_operation_execution_failure_info=info, cause=cause)
    attributes = {
        "scheduled_event_id": operation.scheduled_event_id,
        "request_id": operation.request_id,
        "failure": failure,
    }
    step.emit(event_type, attributes)


# Deadlines -------------------------------------------------------------------------------------------------------------------------


def due(state: State) -> Iterable[Deadline]:
    """The operation that times out first."""
    first = state.nexus.first(_times_out_at) if state.nexus else None
    if first is not None:
        yield Deadline(first[0], f"nexus/{first[1]:019}", _time_out)


def _deadlines(operation: NexusOperation) -> list[tuple[int, TimeoutType.ValueType]]:
    whole, start, work = (getattr(operation, name) for name in TIMEOUTS)
    at, since = operation.scheduled_time, operation.started_time
    return [
        *([(at + start, TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START)] if start and not since else []),
        *([(at + whole, TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE)] if whole else []),
        *([(since + work, TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE)] if work and since else []),
    ]


def _times_out_at(operation: NexusOperation) -> int:
    return min((at for at, _ in _deadlines(operation)), default=0)


def _time_out(step: Step, key: str) -> None:
    id = int(key.removeprefix("nexus/"))
    timed_out(step, id, min(_deadlines(step.state.nexus[id]))[1])


# Folds -----------------------------------------------------------------------------------------------------------------------------


def apply_nexus_operation_scheduled(state: State, event: HistoryEvent) -> None:
    a = event.nexus_operation_scheduled_event_attributes
    state.nexus[event.event_id] = NexusOperation(
        scheduled_event_id=event.event_id,
        endpoint=a.endpoint,
        endpoint_id=a.endpoint_id,
        service=a.service,
        operation=a.operation,
        request_id=a.request_id,
        header=a.nexus_header,
        scheduled_time=event.event_time.ToNanoseconds(),
        **{name: getattr(a, name).ToNanoseconds() for name in TIMEOUTS},
        start=NexusCalls(),
    )


def apply_nexus_operation_started(state: State, event: HistoryEvent) -> None:
    a = event.nexus_operation_started_event_attributes
    operation = state.nexus.edit(a.scheduled_event_id)
    operation.started_time, operation.operation_token = event.event_time.ToNanoseconds(), a.operation_token
    operation.links.extend(event.links)


def apply_nexus_operation_cancel_requested(state: State, event: HistoryEvent) -> None:
    """It may have ended, unseen by the worker that asks."""
    id = event.nexus_operation_cancel_requested_event_attributes.scheduled_event_id
    if id in state.nexus:
        asked = NexusCancellation(requested_event_id=event.event_id, calls=NexusCalls())
        state.nexus.edit(id).cancellation.CopyFrom(asked)


def apply_nexus_operation_cancel_request_completed(state: State, event: HistoryEvent) -> None:
    _cancel_sent(state, event, S.NEXUS_OPERATION_CANCELLATION_STATE_SUCCEEDED)


def apply_nexus_operation_cancel_request_failed(state: State, event: HistoryEvent) -> None:
    _cancel_sent(state, event, S.NEXUS_OPERATION_CANCELLATION_STATE_FAILED)


def _cancel_sent(state: State, event: HistoryEvent, came_to: S.ValueType) -> None:
    id = _about(event).scheduled_event_id
    if id in state.nexus:
        state.nexus.edit(id).cancellation.state = came_to


def apply_nexus_operation_completed(state: State, event: HistoryEvent) -> None:
    _forget(state, event.nexus_operation_completed_event_attributes.scheduled_event_id)


def apply_nexus_operation_failed(state: State, event: HistoryEvent) -> None:
    _forget(state, event.nexus_operation_failed_event_attributes.scheduled_event_id)


def apply_nexus_operation_canceled(state: State, event: HistoryEvent) -> None:
    _forget(state, event.nexus_operation_canceled_event_attributes.scheduled_event_id)


def apply_nexus_operation_timed_out(state: State, event: HistoryEvent) -> None:
    _forget(state, event.nexus_operation_timed_out_event_attributes.scheduled_event_id)


def _forget(state: State, id: int) -> None:
    if state.standalone:
        state.core.ended_operation.CopyFrom(state.nexus[id])
    del state.nexus[id]
