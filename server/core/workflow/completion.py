"""What a worker answers to a workflow task: its commands are carried out in order, or the task fails.

Source: service/history/api/respondworkflowtaskcompleted, api/respondworkflowtaskfailed, api/command_attr_validator.go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import CommandType, EventType, TimeoutType
from temporalio.api.enums.v1 import WorkflowTaskFailedCause as Cause
from temporalio.api.failure.v1 import Failure, ServerFailureInfo
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskCompletedResponse,
    RespondWorkflowTaskFailedRequest,
    RespondWorkflowTaskFailedResponse,
)

from server.core import tables
from server.core.rejected import (
    BadCommand,
    Discard,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Rejected,
)
from server.core.state import State
from server.core.state_pb2 import Core, Sticky, TaskToken
from server.core.step import Step
from server.core.workflow import close, tasks, updates

E = EventType
PAUSED = "Workflow is paused and force create new workflow task is not allowed."


def complete_workflow_task(
    step: Step, token: TaskToken, request: RespondWorkflowTaskCompletedRequest
) -> RespondWorkflowTaskCompletedResponse | Rejected:
    """The worker's commands are carried out. A bad command fails the task instead (the reply is then the official InvalidArgument).
    Raises NotFound when the token is not of the task that is started now, FailedPrecondition."""
    core = held_task(step.state, token)
    if step.state.paused and request.force_create_new_workflow_task:
        raise FailedPrecondition(PAUSED)
    _check_sequence(request.commands)
    if _beats_too_long(step, request):
        tasks.timed_out(step, TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE)
        core.ClearField("sticky")
        return NotFound("workflow task heartbeat timeout")
    if updates.are_lost(step.state, request):
        core.ClearField("task")
        return NotFound(tasks.NOT_FOUND)
    since = core.task.original_scheduled_time
    step.state.close_attempted = False
    traceless = updates.leaves_no_trace(step, request)
    if traceless:
        core.ClearField("task")
    completed_event_id = 0 if traceless else _emit_completed(step, request).event_id
    sticky = request.sticky_attributes
    core.ClearField("sticky")
    if sticky.worker_task_queue.name:
        timeout = sticky.schedule_to_start_timeout.ToNanoseconds()
        core.sticky.CopyFrom(Sticky(queue=sticky.worker_task_queue.name, schedule_to_start_timeout=timeout))
    core.task_heartbeat_since = since if _is_heartbeat(request) else 0
    if request.force_create_new_workflow_task:
        core.unseen = True
    try:
        _carry_out(step, request, completed_event_id)
    except BadCommand as bad:
        raise Discard(_failing(bad, token, request)) from bad
    if step.state.admitted and not request.return_new_workflow_task:
        core.unseen = True  # the updates that came meanwhile get a task that is in history
    return RespondWorkflowTaskCompletedResponse(reset_history_event_id=core.last_started_event_id if traceless else 0)


def _carry_out(step: Step, request: RespondWorkflowTaskCompletedRequest, completed_event_id: int) -> None:
    """Commands in their order, each message where a command names it, other messages at the end. Raises BadCommand."""
    messages = {message.id: message for message in request.messages}
    for command in request.commands:
        if command.command_type == CommandType.COMMAND_TYPE_PROTOCOL_MESSAGE:
            updates.receive(step, updates.named(command, messages))
        else:
            _run(step, command, completed_event_id)
    for message in messages.values():
        updates.receive(step, message)
    if not request.force_create_new_workflow_task:
        updates.reject_unanswered(step)


def _run(step: Step, command: Command, completed_event_id: int) -> None:
    if step.state.buffered and command.command_type in tables.CLOSING:
        raise BadCommand(Cause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND)
    run = tables.COMMANDS.get(command.command_type)
    if run is None:
        name = tasks.camel(CommandType.Name(command.command_type), "COMMAND_TYPE_")
        msg = f"the command {name} is not served by this server"
        raise BadCommand(Cause.WORKFLOW_TASK_FAILED_CAUSE_FEATURE_DISABLED, msg)
    run(step, command, completed_event_id)


def held_task(state: State, token: TaskToken) -> Core:
    """The core record, whose task is the started one that `token` names. Raises NotFound."""
    core, task = state.core, state.core.task
    if (
        not state.running
        or not core.HasField("task")
        or not task.started_time
        or task.scheduled_event_id != token.scheduled_event_id
        or task.started_event_id != token.started_event_id
        or task.attempt != token.attempt
        or task.started_time != token.started_time
    ):
        raise NotFound(tasks.NOT_FOUND)
    return core


def _check_sequence(commands: Sequence[Command]) -> None:
    """Nothing follows a closing command, and every type is known: command_attr_validator.go ValidateCommandSequence."""
    closing = ""
    for command in commands:
        if closing:
            names = ", ".join(tasks.camel(CommandType.Name(c.command_type), "COMMAND_TYPE_") for c in commands)
            msg = f"invalid command sequence: [{names}], command {closing} must be the last command."
            raise InvalidArgument(msg)
        if command.command_type not in CommandType.values() or not command.command_type:
            msg = f"unknown command type: {command.command_type or 'Unspecified'}"
            raise InvalidArgument(msg)
        if command.command_type in tables.CLOSING:
            closing = tasks.camel(CommandType.Name(command.command_type), "COMMAND_TYPE_")


def _is_heartbeat(request: RespondWorkflowTaskCompletedRequest) -> bool:
    return request.force_create_new_workflow_task and not request.commands and not request.messages


def _beats_too_long(step: Step, request: RespondWorkflowTaskCompletedRequest) -> bool:
    since = step.state.core.task.original_scheduled_time
    return _is_heartbeat(request) and step.now > since + step.namespace.limits.workflow_task_heartbeat_timeout


def _emit_completed(step: Step, request: RespondWorkflowTaskCompletedRequest) -> HistoryEvent:
    core = step.state.core
    if core.task.kind in tasks.VIRTUAL:
        tasks.record(step, request.identity)
    attributes: dict[str, Any] = {
        "scheduled_event_id": core.task.scheduled_event_id,
        "started_event_id": core.task.started_event_id,
        "identity": request.identity,
        "binary_checksum": request.binary_checksum,
    }
    for name, field in (
        ("worker_version", "worker_version_stamp"),
        ("sdk_metadata", "sdk_metadata"),
        ("metering_metadata", "metering_metadata"),
    ):
        if request.HasField(field):  # type: ignore[arg-type]
            attributes[name] = getattr(request, field)
    return step.emit(E.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, attributes)


def _failing(
    bad: BadCommand, token: TaskToken, request: RespondWorkflowTaskCompletedRequest
) -> Callable[[Step], object]:
    def instead(step: Step) -> object:
        held_task(step.state, token)
        return _fail_for(step, bad, request)

    return instead


def _fail_for(step: Step, bad: BadCommand, request: RespondWorkflowTaskCompletedRequest) -> InvalidArgument:
    """Fails the held task for a bad command. A task that keeps failing is dropped instead: it times out and is retried after that."""
    cause = tasks.camel(Cause.Name(bad.cause), "WORKFLOW_TASK_FAILED_CAUSE_")  # type: ignore[arg-type]
    message = f"{cause}: {bad.message}" if bad.message else cause
    if step.state.core.task.attempt > 1 and bad.cause != Cause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND:
        raise InvalidArgument(message)
    failure = Failure(message=message, server_failure_info=ServerFailureInfo())
    tasks.failed(
        step,
        bad.cause,
        failure=failure,
        identity=request.identity,
        binary_checksum=request.binary_checksum,
    )
    step.state.close_attempted = bad.cause == Cause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
    if bad.terminates:
        step.flush()
        close.terminate(step, message, identity="history-service")
    return InvalidArgument(message)


def fail_workflow_task(
    step: Step, token: TaskToken, request: RespondWorkflowTaskFailedRequest
) -> RespondWorkflowTaskFailedResponse:
    """The worker could not carry on. Raises NotFound."""
    if not step.state.running:
        msg = "workflow execution already completed"
        raise NotFound(msg)
    held_task(step.state, token)
    if request.cause == Cause.WORKFLOW_TASK_FAILED_CAUSE_GRPC_MESSAGE_TOO_LARGE:
        tasks.abandon(step)
        close.terminate(
            step,
            tasks.camel(Cause.Name(request.cause), "WORKFLOW_TASK_FAILED_CAUSE_"),
            identity="history-service",
        )
        return RespondWorkflowTaskFailedResponse()
    fields: dict[str, Any] = {
        "identity": request.identity,
        "binary_checksum": request.binary_checksum,
    }
    if request.HasField("failure"):
        fields["failure"] = request.failure
    tasks.failed(step, request.cause, **fields)
    step.state.close_attempted = request.cause == Cause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
    return RespondWorkflowTaskFailedResponse()
