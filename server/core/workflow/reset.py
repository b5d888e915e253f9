"""Reset: another run that begins with the history of one up to a workflow task, and goes on from there; what came after that task from outside
(signals, updates, options, answers of children) is taken along, unless the caller excludes it.

Source: service/history/api/resetworkflow/api.go, service/history/ndc/workflow_resetter.go, ndc/state_rebuilder.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType, ResetReapplyType, UpdateAdmittedEventOrigin
from temporalio.api.enums.v1 import WorkflowTaskFailedCause as Cause
from temporalio.api.failure.v1 import Failure, ResetWorkflowFailureInfo
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    ResetWorkflowExecutionRequest,
    ResetWorkflowExecutionResponse,
    UpdateWorkflowExecutionOptionsRequest,
)

from server.core import tables
from server.core.rejected import InvalidArgument
from server.core.state import State
from server.core.state_pb2 import Request
from server.core.workflow import activities, children, close, external, nexus, options

if TYPE_CHECKING:
    from server.core.step import Step

E = EventType
X = ResetReapplyExcludeType
SERVER = "history-service"
NO_REQUEST = "emptyUuid"  # what the official server has for the request of a task that nobody polled
OUT_OF_RANGE = "Workflow task finish ID must be > 1 && <= workflow last event ID."
NO_TASK = "Can only reset workflow to event ID in range [WorkflowTaskScheduled +1, WorkflowTaskStarted + 1]: {}"
OPTIONS_UPDATED = E.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED
STARTED = E.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED


def check(state: State, request: ResetWorkflowExecutionRequest) -> None:
    """Raises InvalidArgument when the run has no such event."""
    if not 1 < request.workflow_task_finish_event_id < state.core.next_event_id:
        raise InvalidArgument(OUT_OF_RANGE)


def is_known(state: State, request: ResetWorkflowExecutionRequest) -> bool:
    """The run is what this very request has made."""
    known = state.requests.get(request.request_id)
    return known is not None and known.event_type == STARTED


def reset_workflow_execution(
    base: Step,
    current: Step | None,
    new: Step,
    request: ResetWorkflowExecutionRequest,
    kept: Sequence[HistoryEvent],
    later: Iterable[HistoryEvent],
    last_run_id: str,
) -> ResetWorkflowExecutionResponse:
    """`new` becomes the run that `kept`, the first events of `base`, lead to. A running `current` run (it may be `base`) is terminated. `later`
    are the events after `kept`, of `base` and of the runs that continued it up to `last_run_id`, without what the termination brings about.
    Raises InvalidArgument, FailedPrecondition: then the states are spoiled."""
    rebuild(new, base, kept)
    if not new.state.core.HasField("task"):
        raise InvalidArgument(NO_TASK.format(request.workflow_task_finish_event_id))
    base.state.core.reset_run_id = new.state.key.run_id
    _fail_task(new, base, request.reason)
    for id in list(new.state.activities):
        activities.begin_again(new, id)
    excluded = _excluded(request)
    for event in later:
        _reapply(new, event, excluded)
    if current is not None and current.state.running:
        close.terminate(current, request.reason, identity=close.RESETTER)
        for event in current.events if current.state.key.run_id == last_run_id else ():
            _reapply(new, event, excluded)
    for operation in request.post_reset_operations:
        asked = operation.update_workflow_options
        change = UpdateWorkflowExecutionOptionsRequest(
            workflow_execution_options=asked.workflow_execution_options, update_mask=asked.update_mask
        )
        options.update_workflow_execution_options(new, change)
    _ask_again(new, base, kept)
    return ResetWorkflowExecutionResponse(run_id=new.state.key.run_id)


def rebuild(new: Step, base: Step, kept: Sequence[HistoryEvent]) -> None:
    """Folds the events that the new run has in common with the old one. Its time-outs begin anew."""
    state, core = new.state, new.state.core
    tables.replay(state, kept)
    core.base_run_id = base.state.key.run_id
    core.history_size_bytes = sum(len(data) for _, _, data in new.kept)
    asked = state.asked
    core.start_time = new.now
    if execution := asked.workflow_execution_timeout.ToNanoseconds():
        core.execution_deadline = new.now + execution
    if run := asked.workflow_run_timeout.ToNanoseconds():
        core.run_deadline = new.now + run
        if core.execution_deadline:
            core.run_deadline = min(core.run_deadline, core.execution_deadline)
    for id, request in base.state.requests.items():
        if request.event_type == STARTED:
            state.requests[id] = Request(event_type=STARTED, event_id=1)


def _fail_task(new: Step, base: Step, reason: str) -> None:
    """The workflow task that the kept history ends with has not been answered in this run."""
    task = new.state.core.task
    if not task.started_time:
        attributes = {
            "scheduled_event_id": task.scheduled_event_id,
            "request_id": NO_REQUEST,
            "identity": SERVER,
            "history_size_bytes": new.state.core.history_size_bytes,
        }
        new.emit(E.EVENT_TYPE_WORKFLOW_TASK_STARTED, attributes)
    attributes = {
        "scheduled_event_id": task.scheduled_event_id,
        "started_event_id": task.started_event_id,
        "cause": Cause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW,
        "failure": Failure(message=reason, reset_workflow_failure_info=ResetWorkflowFailureInfo()),
        "identity": SERVER,
        "base_run_id": base.state.key.run_id,
        "new_run_id": new.state.key.run_id,
    }
    new.emit(E.EVENT_TYPE_WORKFLOW_TASK_FAILED, attributes)


# What is taken along ---------------------------------------------------------------------------------------------------------------


def _excluded(request: ResetWorkflowExecutionRequest) -> set[int]:
    """The older field says what is wanted, the newer one what is not."""
    excluded: set[int] = set(request.reset_reapply_exclude_types)
    if request.reset_reapply_type == ResetReapplyType.RESET_REAPPLY_TYPE_SIGNAL:
        excluded.add(X.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE)
    elif request.reset_reapply_type == ResetReapplyType.RESET_REAPPLY_TYPE_NONE:
        excluded |= {X.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL, X.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE}
    return excluded


def excludes_all(request: ResetWorkflowExecutionRequest) -> bool:
    """Nothing is taken along, not even what has no type of its own to be excluded by."""
    return _excluded(request) >= set(X.values()) - {X.RESET_REAPPLY_EXCLUDE_TYPE_UNSPECIFIED}


def _reapply(new: Step, event: HistoryEvent, excluded: set[int]) -> None:
    how = REAPPLY.get(event.event_type)
    if how is not None:
        how(new, event, excluded)


def _signaled(new: Step, event: HistoryEvent, excluded: set[int]) -> None:
    if X.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL in excluded:
        return
    a = event.workflow_execution_signaled_event_attributes
    new.emit(event.event_type, _only(a, "signal_name", "input", "identity", "header", "request_id"), links=event.links)


def _only(attributes: Message, *names: str) -> dict[str, Any]:
    return {field.name: value for field, value in attributes.ListFields() if field.name in names}


def _update_admitted(new: Step, event: HistoryEvent, excluded: set[int]) -> None:
    if X.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE not in excluded:
        a = event.workflow_execution_update_admitted_event_attributes
        new.emit(event.event_type, {"request": a.request, "origin": a.origin})


def _update_accepted(new: Step, event: HistoryEvent, excluded: set[int]) -> None:
    """One without request was admitted by an event, which is reapplied itself."""
    a = event.workflow_execution_update_accepted_event_attributes
    if X.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE in excluded or not a.HasField("accepted_request"):
        return
    origin = UpdateAdmittedEventOrigin.UPDATE_ADMITTED_EVENT_ORIGIN_REAPPLY
    attributes = {"request": a.accepted_request, "origin": origin}
    new.emit(E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED, attributes)


def _options_updated(new: Step, event: HistoryEvent, _excluded: set[int]) -> None:
    a = event.workflow_execution_options_updated_event_attributes
    if a.attached_completion_callbacks and a.attached_request_id in new.state.requests:
        return
    new.emit(event.event_type, a, links=event.links, worker_may_ignore=True)


def _child_started(new: Step, event: HistoryEvent, _excluded: set[int]) -> None:
    a = event.child_workflow_execution_started_event_attributes
    child = new.state.children.get(a.initiated_event_id)
    if child is not None and not child.started:
        new.emit(event.event_type, a)


def _child_start_failed(new: Step, event: HistoryEvent, _excluded: set[int]) -> None:
    a = event.start_child_workflow_execution_failed_event_attributes
    if a.initiated_event_id in new.state.children:
        attributes = _only(
            a, "initiated_event_id", "namespace", "namespace_id", "workflow_id", "workflow_type", "cause"
        )
        new.emit(event.event_type, attributes | {"control": a.control})


def _child_closed(new: Step, event: HistoryEvent, _excluded: set[int]) -> None:
    a = getattr(event, E.Name(event.event_type).removeprefix("EVENT_TYPE_").lower() + "_event_attributes")
    child = new.state.children.get(a.initiated_event_id)
    if child is not None:
        attributes = {field.name: value for field, value in a.ListFields()}
        new.emit(event.event_type, attributes | {"started_event_id": child.started_event_id})


def _nexus_answered(new: Step, event: HistoryEvent, excluded: set[int]) -> None:
    a = getattr(event, str(event.WhichOneof("attributes")))
    operation = new.state.nexus.get(a.scheduled_event_id)
    if operation is None or operation.request_id != a.request_id or X.RESET_REAPPLY_EXCLUDE_TYPE_NEXUS in excluded:
        return
    if event.event_type not in nexus.ENDED and operation.started_time:
        return
    new.emit(event.event_type, a, links=event.links)


REAPPLY: dict[int, Callable[[Step, HistoryEvent, set[int]], None]] = {
    E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: _signaled,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED: _update_admitted,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: _update_accepted,
    OPTIONS_UPDATED: _options_updated,
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED: _child_started,
    E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED: _child_start_failed,
    **dict.fromkeys(children.RESULTS, _child_closed),
    **dict.fromkeys({E.EVENT_TYPE_NEXUS_OPERATION_STARTED, *nexus.ENDED}, _nexus_answered),
}


# What was asked of other workflows and has no answer -------------------------------------------------------------------------------


def _ask_again(new: Step, base: Step, kept: Sequence[HistoryEvent]) -> None:
    """The same request ids are used where the base run still waits, so that nothing is started or told twice."""
    for id, child in new.state.children.items():
        if not child.started:
            known = base.state.children.get(id)
            children.ask(new, kept[id - 1], known.request_id if known is not None else "")
    old = base.state
    for asked, waiting in ((new.state.signals_sent, old.signals_sent), (new.state.cancels_sent, old.cancels_sent)):
        for id in asked:
            sent = waiting.get(id)
            external.ask(new, kept[id - 1], sent.request_id if sent is not None else "")
    for id in new.state.nexus:
        nexus.ask_again(new, kept[id - 1])
