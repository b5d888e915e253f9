"""Pauses of a whole run: nothing new is offered to workers, while what they hold goes on and events come in; queries and updates are refused.

Source: service/history/api/pauseworkflow, api/unpauseworkflow, workflow/mutable_state_impl.go ApplyWorkflowExecutionPausedEvent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio.api.enums.v1 import EventType
from temporalio.api.enums.v1 import WorkflowTaskFailedCause as Cause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    PauseWorkflowExecutionRequest,
    PauseWorkflowExecutionResponse,
    UnpauseWorkflowExecutionRequest,
    UnpauseWorkflowExecutionResponse,
)

from server.core import payloads
from server.core.outcome import WORKFLOW_TASK
from server.core.rejected import FailedPrecondition, NotFound
from server.core.state import PAUSED, RUNNING, State
from server.core.state_pb2 import Pause
from server.core.workflow import activities, tasks, updates

if TYPE_CHECKING:
    from server.core.step import Step

COMPLETED = "workflow execution already completed"
PAUSE_INFO = "TemporalPauseInfo"


def pause_workflow_execution(step: Step, request: PauseWorkflowExecutionRequest) -> PauseWorkflowExecutionResponse:
    """Pauses a running run; the request that did so may come again. A workflow task that no worker holds fails. Raises NotFound,
    FailedPrecondition."""
    core = step.state.core
    if not step.state.running:
        raise NotFound(COMPLETED)
    if step.state.paused:
        if request.request_id and core.pause.request_id == request.request_id:
            return PauseWorkflowExecutionResponse()
        raise FailedPrecondition("workflow is already paused.")
    if core.HasField("task") and not core.task.started_time:
        step.withdraw(WORKFLOW_TASK, core.task.queue, core.task.dispatch_id)
        cause = Cause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_PAUSE_REQUESTED_BEFORE_TASK_STARTED
        tasks.failed(step, cause, identity="history-service")
    updates.refuse(step)
    step.emit(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED, _said(request), worker_may_ignore=True)
    for id in step.state.activities:
        activities.hold_back(step, id)
    return PauseWorkflowExecutionResponse()


def unpause_workflow_execution(
    step: Step, request: UnpauseWorkflowExecutionRequest
) -> UnpauseWorkflowExecutionResponse:
    """The run goes on, with a workflow task and with the activities that were held back. Raises NotFound, FailedPrecondition."""
    if not step.state.running:
        raise NotFound(COMPLETED)
    if not step.state.paused:
        raise FailedPrecondition("workflow is not paused.")
    step.emit(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED, _said(request), worker_may_ignore=True)
    for id in step.state.activities:
        activities.offer_held_back(step, id)
    return UnpauseWorkflowExecutionResponse()


def _said(request: PauseWorkflowExecutionRequest | UnpauseWorkflowExecutionRequest) -> dict[str, str]:
    return {"identity": request.identity, "reason": request.reason, "request_id": request.request_id}


def note(state: State) -> None:
    """The search attribute that says what is paused: the run, and the types of activities."""
    core = state.core
    entries: list[str] = []
    if core.HasField("pause"):
        entries.append(f"Workflow:{state.key.workflow_id}")
        entries += [f"Reason:{core.pause.reason}"] if core.pause.reason else []
    types = {activity.activity_type for activity in state.activities.values() if activity.paused}
    entries += [f"property:activityType={name}" for name in sorted(types)]
    payloads.set_keyword(core.search_attributes, PAUSE_INFO, entries)


# Folds -----------------------------------------------------------------------------------------------------------------------------


def apply_workflow_execution_paused(state: State, event: HistoryEvent) -> None:
    a = event.workflow_execution_paused_event_attributes
    time = event.event_time.ToNanoseconds()
    state.core.status = PAUSED
    state.core.pause.CopyFrom(Pause(time=time, identity=a.identity, reason=a.reason, request_id=a.request_id))
    note(state)


def apply_workflow_execution_unpaused(state: State, _event: HistoryEvent) -> None:
    """The next workflow task is no repetition of one that failed before."""
    state.core.status, state.core.task_attempt = RUNNING, 1
    state.core.ClearField("pause")
    note(state)
