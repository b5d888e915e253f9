"""An activity of no workflow, as a run of the same engine: its history is a start, the activity's own events and a close, and it never has a
workflow task. Its key has the namespace id of activities (outcome.activities_of), so that its id is none of a workflow's.

Source: chasm/lib/activity (activity.go, validator.go).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temporalio.api.activity.v1 import ActivityExecutionInfo
from temporalio.api.command.v1 import ScheduleActivityTaskCommandAttributes
from temporalio.api.enums.v1 import ActivityExecutionStatus, EventType, PendingActivityState, WorkflowExecutionStatus
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    RequestCancelActivityExecutionRequest,
    StartActivityExecutionRequest,
    StartActivityExecutionResponse,
    StartWorkflowExecutionRequest,
    TerminateActivityExecutionRequest,
)

from server.core import search_attributes
from server.core.durations import capped, duration
from server.core.outcome import Namespace, timestamp
from server.core.rejected import FailedPrecondition, NotFound
from server.core.state import State
from server.core.state_pb2 import Activity
from server.core.workflow import activities, activity_edits, activity_options, close, describe, start

if TYPE_CHECKING:
    from server.core.step import Step

A = ActivityExecutionStatus
E = EventType
S = WorkflowExecutionStatus
SCHEDULED_EVENT_ID = 2
TIMEOUTS = activity_edits.TIMEOUTS
GIVEN = ("search_attributes", "header", "user_metadata", "priority", "input", "retry_policy")
STATUS = {
    S.WORKFLOW_EXECUTION_STATUS_RUNNING: A.ACTIVITY_EXECUTION_STATUS_RUNNING,
    S.WORKFLOW_EXECUTION_STATUS_COMPLETED: A.ACTIVITY_EXECUTION_STATUS_COMPLETED,
    S.WORKFLOW_EXECUTION_STATUS_FAILED: A.ACTIVITY_EXECUTION_STATUS_FAILED,
    S.WORKFLOW_EXECUTION_STATUS_CANCELED: A.ACTIVITY_EXECUTION_STATUS_CANCELED,
    S.WORKFLOW_EXECUTION_STATUS_TERMINATED: A.ACTIVITY_EXECUTION_STATUS_TERMINATED,
    S.WORKFLOW_EXECUTION_STATUS_TIMED_OUT: A.ACTIVITY_EXECUTION_STATUS_TIMED_OUT,
}
# How the activity ended → how its run does, and what goes along.
CLOSES: dict[int, tuple[int, tuple[str, ...]]] = {
    E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: (E.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, ("result",)),
    E.EVENT_TYPE_ACTIVITY_TASK_FAILED: (E.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, ("failure", "retry_state")),
    E.EVENT_TYPE_ACTIVITY_TASK_CANCELED: (E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, ("details",)),
    E.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: (E.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT, ("retry_state",)),
    E.EVENT_TYPE_NEXUS_OPERATION_COMPLETED: (E.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, ()),
    E.EVENT_TYPE_NEXUS_OPERATION_FAILED: (E.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, ("failure",)),
    E.EVENT_TYPE_NEXUS_OPERATION_CANCELED: (E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, ()),
    E.EVENT_TYPE_NEXUS_OPERATION_TIMED_OUT: (E.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT, ()),
}


def start_activity_execution(
    current: Step | None, new: Step, request: StartActivityExecutionRequest
) -> StartActivityExecutionResponse:
    """Schedules the activity, or refers to the one that the id policies prefer. Raises InvalidArgument, AlreadyStarted."""
    attributes = activity_options.scheduled_attributes(_asked(request), new.namespace.limits, 0, "")
    delay = capped(request.start_delay, "invalid StartDelay")
    begun = start.start_workflow_execution(current, new, _as_run(request))
    if begun.run_id == new.state.key.run_id:
        new.emit(E.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, attributes)
        activity = new.state.activities.edit(SCHEDULED_EVENT_ID)
        activity.scheduled_time += delay
        activity.schedule_to_close_deadline += delay if activity.schedule_to_close_deadline else 0
        activities.offer_at(new, activity, new.now + delay)
        activity.retry_at = activity.retry_at if delay else 0
    return StartActivityExecutionResponse(run_id=begun.run_id, started=begun.started)


def _asked(request: StartActivityExecutionRequest) -> ScheduleActivityTaskCommandAttributes:
    asked = ScheduleActivityTaskCommandAttributes(
        activity_id=request.activity_id,
        activity_type=request.activity_type,
        task_queue=request.task_queue,
        **{name: getattr(request, name) for name in TIMEOUTS},
    )
    for name in ("header", "input", "retry_policy", "priority"):
        if request.HasField(name):  # type: ignore[arg-type]
            getattr(asked, name).CopyFrom(getattr(request, name))
    return asked


def _as_run(request: StartActivityExecutionRequest) -> StartWorkflowExecutionRequest:
    out = StartWorkflowExecutionRequest(
        workflow_id=request.activity_id,
        workflow_type={"name": request.activity_type.name},  # type: ignore[arg-type]
        task_queue=request.task_queue,
        identity=request.identity,
        request_id=request.request_id,
        # The policies have the same numbers.
        workflow_id_reuse_policy=int(request.id_reuse_policy) or 1,  # type: ignore[arg-type]
        workflow_id_conflict_policy=int(request.id_conflict_policy) or 1,  # type: ignore[arg-type]
        completion_callbacks=request.completion_callbacks,
        links=request.links,
    )
    for name in ("search_attributes", "header", "user_metadata", "priority", "on_conflict_options"):
        if request.HasField(name):  # type: ignore[arg-type]
            getattr(out, name).CopyFrom(getattr(request, name))
    return out


def settle(step: Step) -> None:
    """The run of an activity that has ended ends with it. Settle calls this in place of what it does for workflows."""
    if step.state.running and not step.state.activities and not step.state.nexus:
        result = step.events[-1]
        event_type, names = CLOSES[result.event_type]
        said = getattr(result, str(result.WhichOneof("attributes")))
        close.end(step, event_type, {name: value for f, value in said.ListFields() if (name := f.name) in names})


def request_cancel(step: Step, request: RequestCancelActivityExecutionRequest) -> None:
    """A worker that holds the activity hears of it with its next heartbeat; one that nobody holds is cancelled at once. Raises NotFound,
    FailedPrecondition."""
    core = step.state.core
    if not step.state.running:
        raise NotFound("activity execution already completed")
    if core.cancel_requested:
        if core.cancel_request_id != request.request_id:
            raise FailedPrecondition(f"cancellation already requested with request ID {core.cancel_request_id}")
        return
    core.cancel_requested, core.cancel_request_id, core.cancel_reason = True, request.request_id, request.reason
    activities.request_cancel(step, SCHEDULED_EVENT_ID, request.identity)


def terminate(step: Step, request: TerminateActivityExecutionRequest) -> None:
    """Ends the run at once. Raises NotFound."""
    if not step.state.running:
        raise NotFound("activity execution already completed")
    close.terminate(step, request.reason, identity=request.identity)


# What it looks like ----------------------------------------------------------------------------------------------------------------


def info(state: State, now: int, namespace: Namespace) -> ActivityExecutionInfo:
    """What is known of the activity at `now`; after its end, of its last attempt."""
    core, asked = state.core, state.asked
    activity = state.activities.get(SCHEDULED_EVENT_ID, core.ended_activity)
    out = ActivityExecutionInfo(
        activity_id=state.key.workflow_id,
        run_id=state.key.run_id,
        activity_type={"name": asked.workflow_type.name},  # type: ignore[arg-type]
        status=STATUS[S.ValueType(core.status if state.running is False else 1)],
        task_queue=asked.task_queue.name,
        schedule_time=timestamp(core.start_time),
        state_transition_count=core.state_transition_count,
        search_attributes=search_attributes.typed(core.search_attributes, namespace.search_attributes),
        header=asked.header,
        canceled_reason=core.cancel_reason,
        attempt=1,
    )
    assert state.started is not None
    out.user_metadata.CopyFrom(state.started.user_metadata)
    out.links.extend(state.started.links)
    if core.HasField("priority"):
        out.priority.CopyFrom(core.priority)
    if core.close_time:
        out.close_time.CopyFrom(timestamp(core.close_time))
        out.execution_duration.FromNanoseconds(core.close_time - core.start_time)
    _show(out, activity, now)
    if core.close_time:
        out.run_state = PendingActivityState.PENDING_ACTIVITY_STATE_UNSPECIFIED
    return out


def _show(out: ActivityExecutionInfo, activity: Activity, now: int) -> None:
    pending = describe.pending_activity(activity, now)
    out.run_state = pending.state or PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    out.attempt, out.task_queue, out.last_worker_identity = (
        activity.attempt,
        activity.queue,
        pending.last_worker_identity,
    )
    for name in TIMEOUTS:
        getattr(out, name).CopyFrom(duration(getattr(activity, name)))
    out.retry_policy.CopyFrom(activity.retry_policy)
    for name in (
        "heartbeat_details",
        "last_heartbeat_time",
        "last_started_time",
        "last_failure",
        "current_retry_interval",
        "last_attempt_complete_time",
        "next_attempt_schedule_time",
        "expiration_time",
    ):
        if pending.HasField(name):  # type: ignore[arg-type]
            getattr(out, name).CopyFrom(getattr(pending, name))


def outcome(events: list[HistoryEvent]) -> dict[str, Any]:
    """The fields of an ActivityExecutionOutcome: the result, or a failure. `events` are the last two of the history."""
    last = events[-1]
    if last.event_type == E.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
        reason = last.workflow_execution_terminated_event_attributes.reason
        return {"failure": {"message": reason, "terminated_failure_info": {}}}
    result = events[-2]
    said: Any = getattr(result, str(result.WhichOneof("attributes")))
    if result.event_type == E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
        return {"result": said.result}
    if result.event_type == E.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
        return {"failure": {"message": "Activity canceled", "canceled_failure_info": {"details": said.details}}}
    return {"failure": said.failure, "retry_state": said.retry_state}
