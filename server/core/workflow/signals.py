"""Signals: each becomes one event, once for each request id.

Source: service/history/api/signalworkflow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResourceExhaustedCause, ResourceExhaustedScope
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    SignalWithStartWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest,
    SignalWorkflowExecutionResponse,
)

from server.core.rejected import NotFound, ResourceExhausted
from server.core.state import State
from server.core.state_pb2 import Request

if TYPE_CHECKING:
    from server.core.step import Step

COMPLETED = "workflow execution already completed"


def signal_workflow_execution(
    step: Step, request: SignalWorkflowExecutionRequest, sender: WorkflowExecution | None = None
) -> SignalWorkflowExecutionResponse:
    """Signals a running run; a request id that was served before changes nothing. `sender` is the workflow that signals, if one does.
    Raises NotFound when the run is closed, ResourceExhausted when it has had too many."""
    signal(step, request, sender=sender)
    return SignalWorkflowExecutionResponse()


def signal(
    step: Step,
    request: SignalWorkflowExecutionRequest | SignalWithStartWorkflowExecutionRequest,
    *,
    sender: WorkflowExecution | None = None,
    deduplicate: bool = True,
) -> None:
    """Emits the signal, unless (with `deduplicate`) its request id is known."""
    state = step.state
    if not state.running:
        raise NotFound(COMPLETED)
    if deduplicate and request.request_id and request.request_id in state.requests:
        return
    if state.core.signal_count >= step.namespace.limits.signals_max > 0:
        msg = "exceeded workflow execution limit for signal events"
        raise ResourceExhausted(
            msg,
            ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_UNSPECIFIED,
            ResourceExhaustedScope.RESOURCE_EXHAUSTED_SCOPE_UNSPECIFIED,
        )
    attributes: dict[str, Any] = {"signal_name": request.signal_name, "identity": request.identity, "request_id": request.request_id}
    if request.HasField("header"):
        attributes["header"] = request.header
    payloads = request.signal_input if isinstance(request, SignalWithStartWorkflowExecutionRequest) else request.input
    if payloads.payloads:
        attributes["input"] = payloads
    if sender is not None:
        attributes["external_workflow_execution"] = sender
    step.emit(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, attributes, links=request.links)


def apply_workflow_execution_signaled(state: State, event: HistoryEvent) -> None:
    """The request id is kept, so that the signal is in history once however often it is sent."""
    state.core.signal_count += 1
    request_id = event.workflow_execution_signaled_event_attributes.request_id
    if request_id and request_id not in state.requests:
        state.requests[request_id] = Request(event_type=event.event_type)
