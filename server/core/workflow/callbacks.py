"""Completion callbacks: whom a run tells how it ended, once no other run carries on. They come with the start, or are attached to a run that stands
for another one.

Source: components/callbacks/statemachine.go, mutable_state_impl.go (addCompletionCallbacks, GetNexusCompletion, ProcessCloseCallbacks).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from temporalio.api.common.v1 import Callback as Asked
from temporalio.api.common.v1 import Link
from temporalio.api.enums.v1 import CallbackState, EventType
from temporalio.api.failure.v1 import CanceledFailureInfo, Failure, TerminatedFailureInfo, TimeoutFailureInfo
from temporalio.api.history.v1 import HistoryEvent

from server.core.outcome import SEND_CALLBACK
from server.core.rejected import FailedPrecondition
from server.core.state import State
from server.core.state_pb2 import Callback, NexusCalls
from server.core.workflow import calls
from server.core.workflow.calls import Said

if TYPE_CHECKING:
    from server.core.step import Step

C = CallbackState
E = EventType


def check_room(step: Step, more: int) -> None:
    """So many more callbacks may be attached. Raises FailedPrecondition."""
    most, there = step.namespace.limits.callbacks_max, len(step.state.callbacks)
    if there + more > most:
        msg = f"cannot attach more than {most} callbacks to a workflow ({there} callbacks already attached)"
        raise FailedPrecondition(msg)


def asked(state: State) -> list[Asked]:
    """All that were asked for; the next run of the chain has them, too."""
    return [record.callback for record in state.callbacks.values() if not record.update_id]


def register(state: State, prefix: str, request_id: str, given: Iterable[Asked], at: int, update_id: str = "") -> None:
    """Part of the folds of the events that bring callbacks; `prefix` sets those of one event apart from others."""
    for index, callback in enumerate(given):
        state.callbacks[f"{prefix}/{index}"] = Callback(
            callback=callback,
            request_id=request_id,
            registration_time=at,
            state=C.CALLBACK_STATE_STANDBY,
            calls=NexusCalls(),
            update_id=update_id,
        )


def on_close(step: Step) -> None:
    """Sends what the run came to, unless another run carries on. Settle calls this."""
    core = step.state.core
    if not core.new_run_id and not core.reset_run_id:
        _send(step, "", step.events[-1])


def on_update_completed(step: Step, update_id: str, event: HistoryEvent) -> None:
    """The same of an update; its event says what it came to."""
    _send(step, update_id, event)


def _send(step: Step, update_id: str, event: HistoryEvent) -> None:
    for id, record in step.state.callbacks.items():
        if record.update_id == update_id and record.state == C.CALLBACK_STATE_STANDBY:
            step.state.callbacks.edit(id).state = C.CALLBACK_STATE_SCHEDULED
            step.send(SEND_CALLBACK, callback_id=id, event=event)


def pending(state: State, id: str) -> Callback | None:
    """The callback, while its call is to be made."""
    record = state.callbacks.get(id)
    waits = record is not None and record.state in (C.CALLBACK_STATE_SCHEDULED, C.CALLBACK_STATE_BACKING_OFF)
    return record if waits else None


def called(step: Step, id: str, failure: Failure | None, retryable: bool) -> bool:
    """A call has ended; True when it is to be repeated, at `calls.next_attempt_time`."""
    if pending(step.state, id) is None:
        return False
    record = step.state.callbacks.edit(id)
    if failure is not None and retryable:
        calls.again(step, record.calls, failure)
        record.state = C.CALLBACK_STATE_BACKING_OFF
        return True
    calls.record(step, record.calls, failure)
    record.state = C.CALLBACK_STATE_SUCCEEDED if failure is None else C.CALLBACK_STATE_FAILED
    return False


def came_to(closing: HistoryEvent) -> Said:
    """What a callback tells of the closing event."""
    kind = closing.event_type
    if kind == E.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
        results = closing.workflow_execution_completed_event_attributes.result.payloads
        return Said(result=results[0] if results else None)  # Nexus has one result
    if kind == E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
        outcome = closing.workflow_execution_update_completed_event_attributes.outcome
        if outcome.HasField("failure"):
            return Said(failure=outcome.failure)
        return Said(result=outcome.success.payloads[0] if outcome.success.payloads else None)
    if kind == E.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
        return Said(failure=closing.workflow_execution_failed_event_attributes.failure)
    if kind == E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
        details = CanceledFailureInfo()
        if closing.workflow_execution_canceled_event_attributes.HasField("details"):
            details.details.CopyFrom(closing.workflow_execution_canceled_event_attributes.details)
        return Said(failure=Failure(message="operation canceled", canceled_failure_info=details), canceled=True)
    if kind == E.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
        return Said(failure=Failure(message="operation terminated", terminated_failure_info=TerminatedFailureInfo()))
    timeout = TimeoutFailureInfo()
    return Said(failure=Failure(message="operation exceeded internal timeout", timeout_failure_info=timeout))


def link(state: State, namespace: str, request_id: str) -> Link:
    """Names the event that brought the callbacks of a request."""
    event = Link.WorkflowEvent(namespace=namespace, workflow_id=state.key.workflow_id, run_id=state.key.run_id)
    known = state.requests.get(request_id)
    if known is not None and known.event_type != E.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
        event.request_id_ref.request_id = request_id
        event.request_id_ref.event_type = known.event_type  # type: ignore[assignment]
    else:
        event.event_ref.event_id, event.event_ref.event_type = 1, E.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
    return Link(workflow_event=event)
