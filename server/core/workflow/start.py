"""Starting a run: the id policies, deduplication by request id, and the started event.

Source: service/history/api/startworkflow, api/workflow_id_dedup.go, api/signalwithstartworkflow, common/util.go CreateHistoryStartWorkflowRequest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Link
from temporalio.api.enums.v1 import (
    ContinueAsNewInitiator,
    EventType,
    TaskQueueKind,
    WorkflowExecutionStatus,
    WorkflowIdConflictPolicy,
    WorkflowIdReusePolicy,
)
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    SignalWithStartWorkflowExecutionRequest,
    SignalWithStartWorkflowExecutionResponse,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
)

from server.core import cron, payloads, retry, search_attributes
from server.core.durations import LONGEST, duration
from server.core.outcome import timestamp
from server.core.rejected import AlreadyStarted
from server.core.state import RUNNING, State
from server.core.state_pb2 import Request
from server.core.workflow import builds, callbacks, close, signals, versioning

if TYPE_CHECKING:
    from server.core.step import Step

E = EventType
S = WorkflowExecutionStatus
Reuse = WorkflowIdReusePolicy
Conflict = WorkflowIdConflictPolicy
FAILED = {
    S.WORKFLOW_EXECUTION_STATUS_FAILED,
    S.WORKFLOW_EXECUTION_STATUS_CANCELED,
    S.WORKFLOW_EXECUTION_STATUS_TERMINATED,
    S.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
}
OPTIONS_UPDATED = E.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED
# What goes from the request to the started event as it is.
CARRIED = ("input", "header", "priority", "continued_failure", "last_completion_result")
AnyStart = StartWorkflowExecutionRequest | SignalWithStartWorkflowExecutionRequest


def start_workflow_execution(
    current: Step | None, new: Step, request: StartWorkflowExecutionRequest, **more: Any
) -> StartWorkflowExecutionResponse:
    """Starts a run, or answers with the one that the id policies say. `new` without events means that nothing was started. `more` are
    further attributes of the started event (parent, root). Raises AlreadyStarted."""
    if current is not None:
        known = current.state.requests.get(request.request_id)
        if known is not None:
            return _existing(current, request.request_id, known.event_type)
        if current.state.running:
            policy = conflict_policy(request)
            if policy == Conflict.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING:
                return _use_existing(current, request)
            resolve_running(current, new, policy)
        else:
            check_reuse(current.state, request.workflow_id_reuse_policy)
    begin_requested(new, request, **more)
    return StartWorkflowExecutionResponse(
        run_id=new.state.key.run_id,
        first_execution_run_id=new.state.key.run_id,
        started=True,
        status=RUNNING,
        link=event_link(new),
    )


def begin_requested(new: Step, request: AnyStart, **more: Any) -> None:
    """Emits the started event for what a caller asked; `more` are further attributes (parent, root)."""
    backoff = _first_backoff(new, request)
    attributes: dict[str, Any] = {
        "workflow_type": request.workflow_type,
        "task_queue": {"name": request.task_queue.name, "kind": TaskQueueKind.TASK_QUEUE_KIND_NORMAL},
        "identity": request.identity,
        "cron_schedule": request.cron_schedule,
        "attempt": 1,
        "first_workflow_task_backoff": duration(backoff),
        **_timeouts(new, request),
        **_given(new, request),
        **more,
    }
    if request.cron_schedule:
        attributes["initiator"] = ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE
    if isinstance(request, StartWorkflowExecutionRequest):
        attributes["eager_execution_accepted"] = request.request_eager_execution and not backoff
    fields: dict[str, Any] = {"links": request.links}
    if request.HasField("user_metadata"):
        fields["user_metadata"] = request.user_metadata
    begin(new, request.request_id, attributes, **fields)


def _timeouts(new: Step, request: AnyStart) -> dict[str, Any]:
    run_timeout = run_timeout_of(request.workflow_run_timeout, request.workflow_execution_timeout)
    task_timeout = task_timeout_of(new, request.workflow_task_timeout, run_timeout)
    out: dict[str, Any] = {"workflow_task_timeout": duration(task_timeout)}
    if run_timeout or request.HasField("workflow_run_timeout"):
        out["workflow_run_timeout"] = duration(run_timeout)
    if request.HasField("workflow_execution_timeout"):
        execution_timeout = min(request.workflow_execution_timeout.ToNanoseconds(), LONGEST)
        out["workflow_execution_timeout"] = duration(execution_timeout)
        if execution_timeout:
            out["workflow_execution_expiration_time"] = timestamp(_round_ms(new.now + execution_timeout))
    return out


def _given(new: Step, request: AnyStart) -> dict[str, Any]:
    """What the caller may leave out."""
    out = {
        name: getattr(request, name)
        for name in CARRIED
        if name in request.DESCRIPTOR.fields_by_name and request.HasField(name)  # type: ignore[arg-type]
    }
    if request.HasField("retry_policy"):
        out["retry_policy"] = retry.defaulted(request.retry_policy, new.namespace.limits)
    if request.HasField("versioning_override"):
        out["versioning_override"] = versioning.today(request.versioning_override)
    if request.HasField("memo"):
        out["memo"] = payloads.memo(request.memo)
    if request.HasField("search_attributes"):
        typed = search_attributes.typed(request.search_attributes, new.namespace.search_attributes)
        out["search_attributes"] = payloads.search_attributes(typed)
    if isinstance(request, StartWorkflowExecutionRequest):
        out["completion_callbacks"] = request.completion_callbacks
    return out


def begin(new: Step, request_id: str, attributes: dict[str, Any], **fields: Any) -> None:
    """Emits the started event of a run; the chain's ids default to the run's own."""
    run_id = new.state.key.run_id
    own = {
        "workflow_id": new.state.key.workflow_id,
        "original_execution_run_id": run_id,
        "first_execution_run_id": run_id,
    }
    event = new.emit(E.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, own | attributes, **fields)
    if request_id:
        new.state.requests[request_id] = Request(event_type=event.event_type, event_id=event.event_id)


def run_timeout_of(run: Duration, execution: Duration) -> int:
    """The run's timeout, no longer than the chain's; nanoseconds, 0 for none (workflow overrideWorkflowRunTimeout)."""
    a, b = run.ToNanoseconds(), execution.ToNanoseconds()
    return min(a, b) if a and b else a or b


def task_timeout_of(step: Step, asked: Duration, run_timeout: int) -> int:
    """The workflow tasks' timeout: default, longest, no longer than the run's; nanoseconds."""
    limits = step.namespace.limits
    timeout = min(asked.ToNanoseconds() or limits.workflow_task_timeout, limits.workflow_task_timeout_max)
    return min(timeout, run_timeout) if run_timeout else timeout


def _first_backoff(new: Step, request: AnyStart) -> int:
    delay = request.workflow_start_delay.ToNanoseconds()
    if delay or not request.cron_schedule:
        return delay
    return cron.next_backoff(request.cron_schedule, new.now, new.now) or 0


def _round_ms(ns: int) -> int:
    return (ns + 500_000) // 1_000_000 * 1_000_000


# Id policies -----------------------------------------------------------------------------------------------------------------------


def conflict_policy(request: AnyStart) -> int:
    """What to do about a running run. The old reuse policy TERMINATE_IF_RUNNING is a conflict policy today."""
    if request.workflow_id_reuse_policy == Reuse.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING:
        return Conflict.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
    if request.workflow_id_conflict_policy:
        return request.workflow_id_conflict_policy
    if isinstance(request, SignalWithStartWorkflowExecutionRequest):
        return Conflict.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
    return Conflict.WORKFLOW_ID_CONFLICT_POLICY_FAIL


def resolve_running(current: Step, new: Step, policy: int) -> None:
    """Another run is asked for while one runs: it is terminated, or the request is refused. Raises AlreadyStarted."""
    if policy != Conflict.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING:
        raise already(current.state, "Workflow execution is already running. WorkflowId: {}, RunId: {}.")
    details = payloads.encode(f"terminated by new runID: {new.state.key.run_id}")
    close.terminate(current, "TerminateIfRunning WorkflowIdReusePolicy", details, identity="history-service")


def check_reuse(state: State, policy: int) -> None:
    """A closed run has the id. Raises AlreadyStarted where its outcome forbids another run."""
    if policy == Reuse.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE:
        sentence = "Workflow execution already finished. WorkflowId: {}, RunId: {}. Workflow Id reuse policy: reject duplicate workflow Id."
        raise already(state, sentence)
    if policy == Reuse.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY and state.core.status not in FAILED:
        sentence = "Workflow execution already finished successfully. WorkflowId: {}, RunId: {}. "
        raise already(state, sentence + "Workflow Id reuse policy: allow duplicate workflow Id if last run failed.")


def already(state: State, sentence: str) -> AlreadyStarted:
    """The refusal, with the request id and the run id of the run that has the workflow id."""
    started = (id for id, r in state.requests.items() if r.event_type == E.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
    run_id = state.key.run_id
    sentence = sentence.format(state.key.workflow_id, run_id)
    return AlreadyStarted(sentence, next(started, ""), run_id, state.core.first_run_id)


def _existing(current: Step, request_id: str, event_type: int) -> StartWorkflowExecutionResponse:
    """The answer to a request that was served before, by an event of `event_type`."""
    started = event_type == E.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
    return StartWorkflowExecutionResponse(
        run_id=current.state.key.run_id,
        first_execution_run_id=current.state.core.first_run_id,
        started=started,
        status=current.state.core.status,  # type: ignore[arg-type]
        link=event_link(current) if started else signals.request_link(current, request_id, OPTIONS_UPDATED),
    )


def _use_existing(current: Step, request: StartWorkflowExecutionRequest) -> StartWorkflowExecutionResponse:
    """The running run stands for the new one; what the caller wants attached is attached."""
    options = request.on_conflict_options
    request_id = request.request_id if options.attach_request_id else ""
    if request.HasField("on_conflict_options"):
        callbacks.check_room(current, len(request.completion_callbacks) if options.attach_completion_callbacks else 0)
        attributes: dict[str, Any] = {"attached_request_id": request_id}
        if options.attach_completion_callbacks:
            attributes["attached_completion_callbacks"] = request.completion_callbacks
        links = request.links if options.attach_links else ()
        current.emit(OPTIONS_UPDATED, attributes, links=links, worker_may_ignore=True)
    return StartWorkflowExecutionResponse(
        run_id=current.state.key.run_id,
        first_execution_run_id=current.state.core.first_run_id,
        status=RUNNING,
        link=signals.request_link(current, request_id, OPTIONS_UPDATED) if request_id else event_link(current),
    )


def event_link(step: Step) -> Link:
    """Names the started event."""
    key = step.state.key
    reference = Link.WorkflowEvent.EventReference(event_id=1, event_type=E.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
    event = Link.WorkflowEvent(
        namespace=step.namespace.name, workflow_id=key.workflow_id, run_id=key.run_id, event_ref=reference
    )
    return Link(workflow_event=event)


# With a signal ---------------------------------------------------------------------------------------------------------------------


def signal_with_start_workflow_execution(
    current: Step | None, new: Step, request: SignalWithStartWorkflowExecutionRequest
) -> SignalWithStartWorkflowExecutionResponse:
    """Signals the running run; where there is none, or the conflict policy says so, starts one with the signal in its first batch.
    Raises AlreadyStarted, InvalidArgument."""
    if current is not None:
        if signals.known(current.state, request.request_id):
            return _signaled(current, request, started=False)
        policy = conflict_policy(request)
        if not current.state.running:
            check_reuse(current.state, request.workflow_id_reuse_policy)
        elif policy == Conflict.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING:
            signals.check(current)
            signals.signal(current, request, request.signal_input)
            current.state.core.first_task_at = 0  # a start delay ends here
            return _signaled(current, request, started=False)
        else:
            resolve_running(current, new, policy)
    begin_requested(new, request)
    signals.signal(new, request, request.signal_input)
    return _signaled(new, request, started=True)


def _signaled(
    step: Step, request: SignalWithStartWorkflowExecutionRequest, *, started: bool
) -> SignalWithStartWorkflowExecutionResponse:
    return SignalWithStartWorkflowExecutionResponse(
        run_id=step.state.key.run_id,
        first_execution_run_id=step.state.core.first_run_id,
        started=started,
        signal_link=signals.request_link(step, request.request_id, signals.SIGNALED),
    )


# Folds -----------------------------------------------------------------------------------------------------------------------------


def apply_workflow_execution_started(state: State, event: HistoryEvent) -> None:
    core, a = state.core, event.workflow_execution_started_event_attributes
    now = event.event_time.ToNanoseconds()
    backoff = a.first_workflow_task_backoff.ToNanoseconds()
    state.started = event
    core.status = RUNNING
    core.start_time, core.execution_time = now, now + backoff
    core.first_task_at = now + backoff if backoff else 0
    core.workflow_task_timeout = a.workflow_task_timeout.ToNanoseconds()
    core.execution_deadline = a.workflow_execution_expiration_time.ToNanoseconds()
    run_timeout = a.workflow_run_timeout.ToNanoseconds()
    core.run_deadline = now + backoff + run_timeout if run_timeout else 0
    if core.execution_deadline and core.run_deadline:
        core.run_deadline = min(core.run_deadline, core.execution_deadline)
    core.first_run_id, core.original_run_id = a.first_execution_run_id, a.original_execution_run_id
    core.task_attempt = 1
    for name in ("memo", "search_attributes", "priority"):
        if a.HasField(name):  # type: ignore[arg-type]
            getattr(core, name).CopyFrom(getattr(a, name))
    if a.HasField("versioning_override") and versioning.set_override(state, a.versioning_override):
        builds.note_version(state)
    if a.HasField("inherited_pinned_version"):
        core.versioning_info.deployment_version.CopyFrom(a.inherited_pinned_version)
        core.versioning_info.behavior = versioning.PINNED
    callbacks.register(state, "start", "", a.completion_callbacks, now)
    if a.HasField("prev_auto_reset_points"):
        core.auto_reset_points.CopyFrom(a.prev_auto_reset_points)
