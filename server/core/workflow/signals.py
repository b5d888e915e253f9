"""Signals: each becomes one event, once for each request id.

Source: service/history/api/signalworkflow, api/signal_workflow_util.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temporalio.api.common.v1 import Header, Link, Payloads, WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    SignalWithStartWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest,
    SignalWorkflowExecutionResponse,
)

from server.core.rejected import InvalidArgument, NotFound
from server.core.state import State
from server.core.state_pb2 import Request
from server.core.workflow import updates

if TYPE_CHECKING:
    from server.core.step import Step

COMPLETED = "workflow execution already completed"
SIGNALED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED


def signal_workflow_execution(
    step: Step, request: SignalWorkflowExecutionRequest, sender: WorkflowExecution | None = None
) -> SignalWorkflowExecutionResponse:
    """Signals a running run; a request id that was served before changes nothing. `sender` is the workflow that signals, if one does.
    Raises NotFound when the run is closed; as `check`."""
    if not known(step.state, request.request_id):
        if not step.state.running:
            raise NotFound(COMPLETED)
        check(step, sender)
        signal(step, request, request.input, sender)
    return SignalWorkflowExecutionResponse(link=request_link(step, request.request_id, SIGNALED))


def known(state: State, request_id: str) -> bool:
    """A signal with this request id has been here before."""
    return bool(request_id) and _key(request_id) in state.requests


def check(step: Step, sender: WorkflowExecution | None = None) -> None:
    """Raises InvalidArgument when the run has had as many signals as it may, and ResourceExhausted while it tries to end but for the news
    that it gets."""
    if step.state.core.signal_count >= step.namespace.limits.signals_max > 0:
        msg = "exceeded workflow execution limit for signal events"
        raise InvalidArgument(msg)
    if step.state.close_attempted and step.held and sender is None:
        raise updates.closing()


def signal(
    step: Step,
    request: SignalWorkflowExecutionRequest | SignalWithStartWorkflowExecutionRequest,
    payloads: Payloads,
    sender: WorkflowExecution | None = None,
) -> None:
    """Emits the signal, which has been checked."""
    attributes: dict[str, Any] = {
        "signal_name": request.signal_name,
        "identity": request.identity,
        "request_id": request.request_id,
        "external_workflow_execution": sender,
    }
    header: Header = request.header
    if request.HasField("header"):
        attributes["header"] = header
    if payloads.payloads:
        attributes["input"] = payloads
    step.emit(SIGNALED, attributes, links=request.links)


def request_link(step: Step, request_id: str, event_type: EventType.ValueType) -> Link:
    """Names the event that a request made, which may have no id yet."""
    key = step.state.key
    reference = Link.WorkflowEvent.RequestIdReference(request_id=request_id, event_type=event_type)
    event = Link.WorkflowEvent(
        namespace=step.namespace.name, workflow_id=key.workflow_id, run_id=key.run_id, request_id_ref=reference
    )
    return Link(workflow_event=event)


def apply_workflow_execution_signaled(state: State, event: HistoryEvent) -> None:
    """The request id is kept, so that the signal is in history once however often it is sent."""
    state.core.signal_count += 1
    request_id = event.workflow_execution_signaled_event_attributes.request_id
    if request_id:
        state.requests[_key(request_id)] = Request(event_type=event.event_type)


def _key(request_id: str) -> str:
    """Signals have request ids of their own: the one of a start with a signal names both."""
    return f"signal/{request_id}"
