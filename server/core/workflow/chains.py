"""Chains of runs: what follows a run that has ended, by its retry policy, its cron schedule or because it continues as new. The run that
follows begins in the same commit as `Step.next`, so that a chain never breaks between two runs.

Source: service/history/workflow/retry.go SetupNewWorkflowForRetryOrCron, workflow/mutable_state_impl.go AddContinueAsNewEvent,
GetRetryBackoffDuration, GetCronBackoffDuration, ContinueAsNewMinBackoff, api/command_attr_validator.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.duration_pb2 import Duration
from temporalio.api.command.v1 import ContinueAsNewWorkflowExecutionCommandAttributes
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import ContinueAsNewInitiator, RetryState, TaskQueueKind
from temporalio.api.enums.v1 import WorkflowTaskFailedCause as Cause
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import WorkflowExecutionContinuedAsNewEventAttributes as ContinuedAsNew
from temporalio.api.history.v1 import WorkflowExecutionStartedEventAttributes as Started
from temporalio.api.workflow.v1 import ResetPoints

from server.core import cron, payloads, retry, search_attributes
from server.core.durations import capped, duration
from server.core.outcome import timestamp
from server.core.rejected import BadCommand, InvalidArgument
from server.core.state import Key, State
from server.core.workflow import activity_options, callbacks, commands, start, versioning

if TYPE_CHECKING:
    from server.core.step import Step

I = ContinueAsNewInitiator  # noqa: E741
CONTINUE_AS_NEW = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_CONTINUE_AS_NEW_ATTRIBUTES


class Heir(NamedTuple):
    """The run that follows because of a policy, and how long its first workflow task waits (nanoseconds)."""

    run_id: str
    initiator: int
    backoff: int

    @property
    def retries(self) -> bool:
        return self.initiator == I.CONTINUE_AS_NEW_INITIATOR_RETRY


def by_retry(step: Step, failure: Failure) -> tuple[Heir | None, int]:
    """What the run's retry policy says after `failure`: the run that follows or None, and the RetryState."""
    asked, core = step.state.asked, step.state.core
    if not asked.HasField("retry_policy"):
        return None, RetryState.RETRY_STATE_RETRY_POLICY_NOT_SET
    interval, retry_state = retry.next_interval(
        asked.retry_policy, asked.attempt, step.now, core.execution_deadline, failure
    )
    if interval is None:
        return None, retry_state
    return Heir(step.ids.run_id(), I.CONTINUE_AS_NEW_INITIATOR_RETRY, interval), retry_state


def by_cron(step: Step) -> Heir | None:
    """The run that follows by the cron schedule; None without one."""
    schedule = step.state.asked.cron_schedule
    if not schedule:
        return None
    backoff = cron.next_backoff(schedule, step.state.core.execution_time, step.now)
    return None if backoff is None else Heir(step.ids.run_id(), I.CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE, backoff)


def named(heir: Heir | None) -> dict[str, str]:
    """How a closing event names the run that follows."""
    return {"new_execution_run_id": heir.run_id} if heir else {}


def last_result(state: State) -> Payloads | None:
    """What the last run of the chain that had a result came to, as far as this run was told."""
    return state.asked.last_completion_result if state.asked.HasField("last_completion_result") else None


def follow(step: Step, heir: Heir | None, failure: Failure | None, result: Payloads | None) -> None:
    """Begins the run that follows by retry or cron, if there is one: it is asked for what this run was asked for."""
    if heir is None:
        return
    asked, core = step.state.asked, step.state.core
    attributes = _inherited(step)
    for name in ("input", "header", "retry_policy", "memo", "search_attributes", "priority", "workflow_run_timeout"):
        if asked.HasField(name):  # type: ignore[arg-type]
            attributes[name] = getattr(asked, name)
    if heir.retries:
        attributes["completion_callbacks"] = callbacks.asked(step.state)
    attributes |= {
        "workflow_type": asked.workflow_type,
        "task_queue": {"name": asked.task_queue.name, "kind": TaskQueueKind.TASK_QUEUE_KIND_NORMAL},
        "workflow_task_timeout": duration(core.workflow_task_timeout),
        "cron_schedule": asked.cron_schedule,
        "attempt": asked.attempt + 1 if heir.retries else 1,
        "initiator": heir.initiator,
        "continued_failure": failure,
        "last_completion_result": result,
        "first_workflow_task_backoff": duration(_spaced(step, heir.backoff) or 0),
    }
    _begin(step, heir.run_id, attributes)


# Continue as new -------------------------------------------------------------------------------------------------------------------


def continued(step: Step, a: ContinueAsNewWorkflowExecutionCommandAttributes) -> dict[str, Any]:
    """Attributes of the closing event: the command's, with the defaults that come from the run. Raises BadCommand."""
    asked = step.state.asked
    kind, queue = a.workflow_type.name or asked.workflow_type.name, a.task_queue.name or asked.task_queue.name
    _check(step, a, kind, queue)
    run_timeout, task_timeout = _timeouts(step, a, kind, queue)
    out: dict[str, Any] = {
        "workflow_type": {"name": kind},
        "task_queue": {"name": queue, "kind": a.task_queue.kind or TaskQueueKind.TASK_QUEUE_KIND_NORMAL},
        "workflow_run_timeout": duration(run_timeout),
        "workflow_task_timeout": duration(task_timeout),
        "initiator": a.initiator,
        "inherit_build_id": a.inherit_build_id,
        "memo": payloads.memo(a.memo),
        "search_attributes": payloads.search_attributes(
            search_attributes.typed(a.search_attributes, step.namespace.search_attributes)
        ),
    }
    for name in ("input", "header", "backoff_start_interval", "failure", "last_completion_result"):
        if a.HasField(name):  # type: ignore[arg-type]
            out[name] = getattr(a, name)
    return out


def _check(step: Step, a: ContinueAsNewWorkflowExecutionCommandAttributes, kind: str, queue: str) -> None:
    longest = step.namespace.limits.id_length_max
    if len(kind.encode()) > longest:
        head = "WorkflowType on ContinueAsNewWorkflowExecutionCommand exceeds length limit."
        raise BadCommand(CONTINUE_AS_NEW, f"{head} WorkflowType={kind} Length={len(kind.encode())} Limit={longest}")
    try:
        activity_options.check_queue(queue, step.namespace.limits, step.state.asked.task_queue.name)
    except InvalidArgument as wrong:
        what = f"error validating ContinueAsNewWorkflowExecutionCommand TaskQueue: {wrong.message}"
        raise _bad(what, kind, queue) from wrong

    def _about(wrong: str) -> str:
        return _where(f"invalid SearchAttributes on ContinueAsNewWorkflowExecutionCommand: {wrong}", kind, queue)

    found = a.search_attributes
    commands.check_search_attributes(step, found, found, CONTINUE_AS_NEW, _about)
    head = "ContinueAsNewWorkflowExecutionCommandAttributes."
    commands.check_blob(step, a.input.ByteSize(), CONTINUE_AS_NEW, f"{head} Input exceeds size limit.")
    commands.check_memo(step, a.memo.ByteSize(), CONTINUE_AS_NEW, f"{head} Memo exceeds size limit.")


def _timeouts(step: Step, a: ContinueAsNewWorkflowExecutionCommandAttributes, kind: str, queue: str) -> tuple[int, int]:
    """Run and workflow task timeout of the run that follows, nanoseconds. Checks the retry policy, too."""
    asked = step.state.asked
    try:
        run = _on_command(a.workflow_run_timeout, "WorkflowRunTimeout") or asked.workflow_run_timeout.ToNanoseconds()
        task = _on_command(a.workflow_task_timeout, "WorkflowTaskTimeout") or step.state.core.workflow_task_timeout
        _on_command(a.backoff_start_interval, "BackoffStartInterval")
    except InvalidArgument as wrong:
        raise _bad(wrong.message, kind, queue) from wrong
    try:
        if a.HasField("retry_policy"):
            retry.validate(retry.defaulted(a.retry_policy, step.namespace.limits))
    except InvalidArgument as wrong:
        what = f"invalid WorkflowRetryPolicy on ContinueAsNewWorkflowExecutionCommand: {wrong.message}"
        raise _bad(what, kind, queue) from wrong
    run = start.run_timeout_of(duration(run), asked.workflow_execution_timeout)
    return run, start.task_timeout_of(step, duration(task), run)


def _on_command(given: Duration, name: str) -> int:
    return capped(given, f"Invalid {name} on ContinueAsNewWorkflowExecutionCommand")


def _bad(what: str, kind: str, queue: str) -> BadCommand:
    return BadCommand(CONTINUE_AS_NEW, _where(what, kind, queue))


def _where(what: str, kind: str, queue: str) -> str:
    return f'{what}. WorkflowType={kind} TaskQueue=name:"{queue}"  kind:TASK_QUEUE_KIND_NORMAL'


def continue_as_new(step: Step, a: ContinueAsNewWorkflowExecutionCommandAttributes, event: ContinuedAsNew) -> None:
    """Begins the run that the closing `event` of this one names."""
    state = step.state
    attributes = _inherited(step)
    for name in ("input", "header", "memo", "search_attributes", "last_completion_result"):
        if event.HasField(name):  # type: ignore[arg-type]
            attributes[name] = getattr(event, name)
    backoff = _spaced(step, a.backoff_start_interval.ToNanoseconds() if a.HasField("backoff_start_interval") else None)
    if backoff is not None:
        attributes["first_workflow_task_backoff"] = duration(backoff)
    if a.HasField("retry_policy"):
        attributes["retry_policy"] = retry.defaulted(a.retry_policy, step.namespace.limits)
    if a.HasField("failure"):
        attributes["continued_failure"] = a.failure
    if state.core.HasField("priority"):
        attributes["priority"] = state.core.priority
    retries = a.initiator == I.CONTINUE_AS_NEW_INITIATOR_RETRY
    attributes |= {
        "workflow_type": event.workflow_type,
        "task_queue": {"name": event.task_queue.name, "kind": TaskQueueKind.TASK_QUEUE_KIND_NORMAL},
        "workflow_run_timeout": event.workflow_run_timeout,
        "workflow_task_timeout": event.workflow_task_timeout,
        "cron_schedule": a.cron_schedule,
        "attempt": state.asked.attempt + 1 if retries else 1,
        "initiator": a.initiator or I.CONTINUE_AS_NEW_INITIATOR_WORKFLOW,
        "completion_callbacks": callbacks.asked(state),
    }
    _begin(step, event.new_execution_run_id, attributes)


# What every run of a chain has from the one before ---------------------------------------------------------------------------------

PARENT = (
    "parent_workflow_namespace",
    "parent_workflow_namespace_id",
    "parent_workflow_execution",
    "parent_initiated_event_id",
    "parent_initiated_event_version",
    "root_workflow_execution",
)


def _inherited(step: Step) -> dict[str, Any]:
    state = step.state
    asked: Started = state.asked
    attributes: dict[str, Any] = {
        "continued_execution_run_id": state.key.run_id,
        "first_execution_run_id": state.core.first_run_id,
    }
    if state.core.versioning_info.versioning_override.pinned.behavior == versioning.PINNED_OVERRIDE:
        attributes["versioning_override"] = state.core.versioning_info.versioning_override
    if asked.HasField("workflow_execution_timeout"):
        attributes["workflow_execution_timeout"] = asked.workflow_execution_timeout
    if asked.HasField("parent_workflow_execution"):
        attributes |= {name: getattr(asked, name) for name in PARENT}
    if state.core.execution_deadline:
        attributes["workflow_execution_expiration_time"] = timestamp(state.core.execution_deadline)
    _expire(step)
    attributes["prev_auto_reset_points"] = state.core.auto_reset_points
    return attributes


def _expire(step: Step) -> None:
    """The reset points of the chain: those of the run that ends are good until its history is deleted, older ones may be gone by now."""
    points = step.state.core.auto_reset_points.points
    for point in points:
        if point.run_id == step.state.key.run_id:
            point.expire_time.CopyFrom(timestamp(step.now + step.namespace.retention))
    good = [point for point in points if point.expire_time.ToNanoseconds() >= step.now]
    step.state.core.auto_reset_points.CopyFrom(ResetPoints(points=good))


def _spaced(step: Step, backoff: int | None) -> int | None:
    """The backoff, longer where runs would follow each other too quickly."""
    lifetime = step.now - step.state.core.execution_time
    least = step.namespace.limits.workflow_start_interval_min
    return least - lifetime if lifetime + (backoff or 0) < least else backoff


def _begin(step: Step, run_id: str, attributes: dict[str, Any]) -> None:
    state = State(Key(step.state.key.namespace_id, step.state.key.workflow_id, run_id))
    step.next = type(step)(state, step.now, step.namespace, step.ids)
    assert step.state.started is not None
    start.begin(step.next, step.ids.run_id(), attributes, links=step.state.started.links)
