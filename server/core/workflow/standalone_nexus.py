"""A Nexus operation of no workflow, as a run of the same engine: see standalone.py, which this is like.

Source: chasm/lib/nexusoperation (operation.go, validator.go).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temporalio.api.command.v1 import Command, ScheduleNexusOperationCommandAttributes
from temporalio.api.enums.v1 import CommandType, EventType, PendingNexusOperationState
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.nexus.v1 import NexusOperationExecutionInfo
from temporalio.api.workflowservice.v1 import (
    RequestCancelNexusOperationExecutionRequest,
    StartNexusOperationExecutionRequest,
    StartNexusOperationExecutionResponse,
    StartWorkflowExecutionRequest,
)

from server.core import search_attributes
from server.core.durations import duration
from server.core.outcome import Namespace, timestamp
from server.core.rejected import BadCommand, FailedPrecondition, InvalidArgument, NotFound
from server.core.state import State
from server.core.workflow import describe, nexus, start
from server.core.workflow.standalone import STATUS, S

if TYPE_CHECKING:
    from server.core.step import Step

E = EventType
SCHEDULED_EVENT_ID = 2
COMPLETED = "operation already completed"
SAME = ("endpoint", "service", "operation", *nexus.TIMEOUTS)


def start_nexus_operation_execution(
    current: Step | None, new: Step, request: StartNexusOperationExecutionRequest
) -> StartNexusOperationExecutionResponse:
    """Asks for the operation, or refers to the one that the id policies prefer. Raises InvalidArgument, AlreadyStarted."""
    begun = start.start_workflow_execution(current, new, _as_run(request))
    if begun.run_id == new.state.key.run_id:
        asked = ScheduleNexusOperationCommandAttributes(
            nexus_header=request.nexus_header, **{name: getattr(request, name) for name in SAME}
        )
        if request.HasField("input"):
            asked.input.CopyFrom(request.input)
        kind = CommandType.COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION
        command = Command(command_type=kind, schedule_nexus_operation_command_attributes=asked)
        try:
            nexus.schedule_nexus_operation(new, command, 0)
        except BadCommand as wrong:
            raise InvalidArgument(wrong.message) from wrong
    return StartNexusOperationExecutionResponse(run_id=begun.run_id, started=begun.started)


def _as_run(request: StartNexusOperationExecutionRequest) -> StartWorkflowExecutionRequest:
    out = StartWorkflowExecutionRequest(
        workflow_id=request.operation_id,
        workflow_type={"name": request.operation},  # type: ignore[arg-type]
        task_queue={"name": request.endpoint},  # type: ignore[arg-type]
        identity=request.identity,
        request_id=request.request_id,
        # The policies have the same numbers.
        workflow_id_reuse_policy=int(request.id_reuse_policy) or 1,  # type: ignore[arg-type]
        workflow_id_conflict_policy=int(request.id_conflict_policy) or 1,  # type: ignore[arg-type]
        completion_callbacks=request.completion_callbacks,
        links=request.links,
    )
    for name in ("search_attributes", "user_metadata", "on_conflict_options"):
        if request.HasField(name):  # type: ignore[arg-type]
            getattr(out, name).CopyFrom(getattr(request, name))
    return out


def request_cancel(step: Step, request: RequestCancelNexusOperationExecutionRequest) -> None:
    """The handler is asked to cancel, once it has started the operation. Raises NotFound, FailedPrecondition."""
    core = step.state.core
    if not step.state.running:
        raise NotFound(COMPLETED)
    if core.cancel_requested:
        if core.cancel_request_id != request.request_id:
            raise FailedPrecondition(f"cancellation already requested with request ID {core.cancel_request_id}")
        return
    core.cancel_requested, core.cancel_request_id, core.cancel_reason = True, request.request_id, request.reason
    nexus.request_cancel(step, SCHEDULED_EVENT_ID)


def info(state: State, namespace: Namespace) -> NexusOperationExecutionInfo:
    """What is known of the operation; after its end, as it was then."""
    core = state.core
    operation = state.nexus.get(SCHEDULED_EVENT_ID, core.ended_operation)
    shown = describe.pending_operation(operation)
    assert state.started is not None
    out = NexusOperationExecutionInfo(
        operation_id=state.key.workflow_id,
        run_id=state.key.run_id,
        status=int(STATUS[S.ValueType(core.status)]),  # type: ignore[arg-type]
        schedule_time=timestamp(core.start_time),
        request_id=operation.request_id,
        state_transition_count=core.state_transition_count,
        search_attributes=search_attributes.typed(core.search_attributes, namespace.search_attributes),
        nexus_header=operation.header,
        user_metadata=state.started.user_metadata,
        links=[*state.started.links, *operation.links],
        identity=state.asked.identity,
        **{name: getattr(shown, name) for name in ("endpoint", "service", "operation", "operation_token", "attempt")},
    )
    for name in nexus.TIMEOUTS:
        getattr(out, name).CopyFrom(duration(getattr(operation, name)))
    for name in ("last_attempt_complete_time", "last_attempt_failure", "next_attempt_schedule_time"):
        if shown.HasField(name):  # type: ignore[arg-type]
            getattr(out, name).CopyFrom(getattr(shown, name))
    if shown.HasField("cancellation_info"):
        out.cancellation_info.state = shown.cancellation_info.state
        out.cancellation_info.reason = core.cancel_reason
    if core.close_time:
        out.close_time.CopyFrom(timestamp(core.close_time))
        out.execution_duration.FromNanoseconds(core.close_time - core.start_time)
        return out
    out.state = PendingNexusOperationState.ValueType(shown.state)
    if whole := operation.schedule_to_close_timeout:
        out.expiration_time.CopyFrom(timestamp(operation.scheduled_time + whole))
    return out


def outcome(events: list[HistoryEvent]) -> dict[str, Any]:
    """The result, or the failure, as fields of an answer. `events` are the last two of the history."""
    last = events[-1]
    if last.event_type == E.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
        reason = last.workflow_execution_terminated_event_attributes.reason
        return {"failure": {"message": reason, "terminated_failure_info": {}}}
    said: Any = getattr(events[-2], str(events[-2].WhichOneof("attributes")))
    if events[-2].event_type == E.EVENT_TYPE_NEXUS_OPERATION_COMPLETED:
        return {"result": said.result} if said.HasField("result") else {}
    return {"failure": said.failure.cause}
