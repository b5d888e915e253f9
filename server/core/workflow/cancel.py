"""Cancel requests from outside: one event, once for a run.

Source: service/history/api/requestcancelworkflow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    RequestCancelWorkflowExecutionRequest,
    RequestCancelWorkflowExecutionResponse,
)

from server.core.rejected import NotFound
from server.core.state import State

if TYPE_CHECKING:
    from server.core.step import Step


def request_cancel_workflow_execution(
    step: Step,
    request: RequestCancelWorkflowExecutionRequest,
    sender: WorkflowExecution | None = None,
    initiated_event_id: int = 0,
) -> RequestCancelWorkflowExecutionResponse:
    """Asks the run to cancel; a second request, or one to a closed run, changes nothing. `sender` is the workflow that asks, if one does.
    Raises NotFound when the run is of another chain than the caller meant."""
    core = step.state.core
    if not step.state.running:
        return RequestCancelWorkflowExecutionResponse()
    if request.first_execution_run_id and request.first_execution_run_id != core.first_run_id:
        msg = "workflow execution not found"
        raise NotFound(msg)
    if core.cancel_requested:
        return RequestCancelWorkflowExecutionResponse()
    attributes: dict[str, Any] = {
        "cause": request.reason,
        "identity": request.identity,
        "external_workflow_execution": sender,
        "external_initiated_event_id": initiated_event_id,
    }
    step.emit(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED, attributes, links=request.links)
    core.cancel_request_id = request.request_id
    return RequestCancelWorkflowExecutionResponse()


def apply_workflow_execution_cancel_requested(state: State, _event: HistoryEvent) -> None:
    """A run whose first workflow task still waits for its time gets it now."""
    state.core.cancel_requested = True
    state.core.first_task_at = 0
