"""How a run ends: by a command of its worker, by its timeout, or terminated from outside. Each writes one closing event, which names the run
that follows where a retry policy, a cron schedule or continue-as-new asks for one (chains.py begins it in the same commit).

Source: service/history/api/respondworkflowtaskcompleted/workflow_task_completed_handler.go, api/terminateworkflow, workflow/util.go,
timer_queue_active_task_executor.go executeWorkflowRunTimeoutTask.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Link, Payloads
from temporalio.api.enums.v1 import EventType, RetryState, TimeoutType, WorkflowExecutionStatus
from temporalio.api.enums.v1 import WorkflowTaskFailedCause as Cause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import TerminateWorkflowExecutionRequest, TerminateWorkflowExecutionResponse

from server.core.deadline import Deadline
from server.core.failures import timeout_failure
from server.core.rejected import BadCommand, NotFound
from server.core.state import State
from server.core.workflow import chains, commands, tasks

if TYPE_CHECKING:
    from server.core.step import Step

E = EventType
RESETTER = "history-resetter"  # its identity: service/history/consts/const.go
S = WorkflowExecutionStatus
COMPLETED = "workflow execution already completed"
ANOTHER_CHAIN = "workflow execution not found"


def terminate_workflow_execution(
    step: Step, request: TerminateWorkflowExecutionRequest, identity: str
) -> TerminateWorkflowExecutionResponse:
    """Ends the run at once. Raises NotFound when it is closed, or of another chain than the caller meant."""
    core = step.state.core
    if not step.state.running:
        raise NotFound(COMPLETED)
    if request.first_execution_run_id and request.first_execution_run_id != core.first_run_id:
        raise NotFound(ANOTHER_CHAIN)
    details = request.details if request.HasField("details") else None
    terminate(step, request.reason, details, identity, request.links)
    return TerminateWorkflowExecutionResponse()


def terminate(
    step: Step, reason: str, details: Payloads | None = None, identity: str = "", links: Iterable[Link] = ()
) -> None:
    """Ends a run that is running; a workflow task that a worker holds fails first."""
    tasks.abandon(step)
    attributes: dict[str, Any] = {"reason": reason, "identity": identity, "details": details}
    _close(step, E.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED, attributes, links=links)


def is_reset(event: HistoryEvent) -> bool:
    """The closing event of a run that was ended for another to begin from the middle of it."""
    return event.workflow_execution_terminated_event_attributes.identity == RESETTER


# Commands --------------------------------------------------------------------------------------------------------------------------


def complete_workflow_execution(step: Step, command: Command, completed_event_id: int) -> None:
    """The run has a result; with a cron schedule the next run follows. Raises BadCommand."""
    name, cause = (
        "complete_workflow_execution",
        Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES,
    )
    a = commands.attributes(command, name, cause)
    commands.check_blob(
        step,
        a.result.ByteSize(),
        Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES,  # the official server says this one
        "CompleteWorkflowExecutionCommandAttributes.Result exceeds size limit.",
    )
    heir = chains.by_cron(step)
    attributes: dict[str, Any] = {"workflow_task_completed_event_id": completed_event_id, **chains.named(heir)}
    if a.HasField("result"):
        attributes["result"] = a.result
    _close(step, E.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, attributes, **commands.extras(command))
    chains.follow(step, heir, None, a.result if a.HasField("result") else None)


def fail_workflow_execution(step: Step, command: Command, completed_event_id: int) -> None:
    """The run has failed; its retry policy, or else its cron schedule, may have another follow. Raises BadCommand."""
    name, cause = "fail_workflow_execution", Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES
    a = commands.attributes(command, name, cause)
    if not a.HasField("failure"):
        raise BadCommand(cause, "Failure is not set on FailWorkflowExecutionCommand.")
    sentence = "FailWorkflowExecutionCommandAttributes.Failure exceeds size limit."
    commands.check_blob(step, a.failure.ByteSize(), cause, sentence)
    heir, retry_state = chains.by_retry(step, a.failure)
    heir = heir or chains.by_cron(step)
    attributes: dict[str, Any] = {
        "workflow_task_completed_event_id": completed_event_id,
        "failure": a.failure,
        "retry_state": retry_state,
        **chains.named(heir),
    }
    _close(step, E.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, attributes, **commands.extras(command))
    chains.follow(step, heir, a.failure, chains.last_result(step.state) if heir and not heir.retries else None)


def cancel_workflow_execution(step: Step, command: Command, completed_event_id: int) -> None:
    """The run has let itself be cancelled; nothing follows. Raises BadCommand."""
    name, cause = "cancel_workflow_execution", Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_CANCEL_WORKFLOW_EXECUTION_ATTRIBUTES
    a = commands.attributes(command, name, cause)
    attributes: dict[str, Any] = {"workflow_task_completed_event_id": completed_event_id}
    if a.HasField("details"):
        attributes["details"] = a.details
    _close(step, E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, attributes, **commands.extras(command))


def continue_as_new_workflow_execution(step: Step, command: Command, completed_event_id: int) -> None:
    """The run ends and the one that the worker describes follows. Raises BadCommand."""
    name, cause = "continue_as_new_workflow_execution", Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_CONTINUE_AS_NEW_ATTRIBUTES
    a = commands.attributes(command, name, cause)
    attributes = chains.continued(step, a)
    attributes["workflow_task_completed_event_id"] = completed_event_id
    attributes["new_execution_run_id"] = step.ids.run_id()
    event = _close(step, E.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW, attributes, **commands.extras(command))
    chains.continue_as_new(step, a, event.workflow_execution_continued_as_new_event_attributes)


def end(step: Step, event_type: int, attributes: dict[str, Any]) -> None:
    """Ends a run that no other follows."""
    _close(step, event_type, attributes)


def _close(step: Step, event_type: int, attributes: dict[str, Any], **fields: Any) -> HistoryEvent:
    event = step.emit(event_type, attributes, **fields)
    step.state.core.retention_deadline = step.now + step.namespace.retention
    return event


# Deadline --------------------------------------------------------------------------------------------------------------------------


def due(state: State) -> Iterable[Deadline]:
    """The run's timeout, which is never later than that of its chain."""
    if state.core.run_deadline:
        yield Deadline(state.core.run_deadline, "run", _timed_out)


def _timed_out(step: Step, _key: str) -> None:
    """The run has taken too long; as long as the chain has time left, the next one may follow."""
    core = step.state.core
    failure = timeout_failure("workflow timeout", TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE)
    heir: chains.Heir | None = None
    retry_state: int = RetryState.RETRY_STATE_TIMEOUT
    if not core.execution_deadline or core.execution_deadline > step.now:
        heir, retry_state = chains.by_retry(step, failure)
        heir = heir or chains.by_cron(step)
    tasks.abandon(step)
    attributes = {"retry_state": retry_state, **chains.named(heir)}
    _close(step, E.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT, attributes)
    chains.follow(step, heir, failure, chains.last_result(step.state))


# Folds -----------------------------------------------------------------------------------------------------------------------------


def apply_workflow_execution_completed(state: State, event: HistoryEvent) -> None:
    a = event.workflow_execution_completed_event_attributes
    _closed(state, event, S.WORKFLOW_EXECUTION_STATUS_COMPLETED, a.new_execution_run_id)


def apply_workflow_execution_failed(state: State, event: HistoryEvent) -> None:
    a = event.workflow_execution_failed_event_attributes
    _closed(state, event, S.WORKFLOW_EXECUTION_STATUS_FAILED, a.new_execution_run_id)


def apply_workflow_execution_timed_out(state: State, event: HistoryEvent) -> None:
    a = event.workflow_execution_timed_out_event_attributes
    _closed(state, event, S.WORKFLOW_EXECUTION_STATUS_TIMED_OUT, a.new_execution_run_id)


def apply_workflow_execution_canceled(state: State, event: HistoryEvent) -> None:
    _closed(state, event, S.WORKFLOW_EXECUTION_STATUS_CANCELED)


def apply_workflow_execution_terminated(state: State, event: HistoryEvent) -> None:
    _closed(state, event, S.WORKFLOW_EXECUTION_STATUS_TERMINATED)


def apply_workflow_execution_continued_as_new(state: State, event: HistoryEvent) -> None:
    a = event.workflow_execution_continued_as_new_event_attributes
    _closed(state, event, S.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW, a.new_execution_run_id)


def _closed(state: State, event: HistoryEvent, status: int, new_run_id: str = "") -> None:
    core = state.core
    core.status = status
    core.close_time = event.event_time.ToNanoseconds()
    core.close_event_id = event.event_id
    core.new_run_id = new_run_id
    core.first_task_at = 0
    core.ClearField("sticky")
