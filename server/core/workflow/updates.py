"""Updates: admitted in memory, sent to a worker with a workflow task, accepted and completed (events) or rejected (no trace) by its messages.

What is admitted is lost with the process, and its caller asks again; what is accepted is in history. Source: service/history/workflow/update,
api/updateworkflow/api.go, workflow_task_state_machine.go skipWorkflowTaskCompletedEvent.
"""

from __future__ import annotations

import math
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.message import DecodeError, Message
from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import EventType, ResourceExhaustedCause, ResourceExhaustedScope
from temporalio.api.enums.v1 import WorkflowTaskFailedCause as Cause
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.protocol.v1 import Message as Packet
from temporalio.api.update.v1 import Acceptance, Outcome, Rejection, Response
from temporalio.api.update.v1 import Request as UpdateRequest
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueResponse,
    RespondWorkflowTaskCompletedRequest,
    UpdateWorkflowExecutionRequest,
)

from server.core.limits import Limits
from server.core.outcome import Updated, timestamp
from server.core.rejected import BadCommand, FailedPrecondition, NotFound, Rejected, ResourceExhausted, WorkflowNotReady
from server.core.state import Admitted, State
from server.core.state_pb2 import Request, Update, WorkflowTask
from server.core.workflow import callbacks

if TYPE_CHECKING:
    from server.core.step import Step

E = EventType
BAD = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE
PROTOCOL = "temporal.api.update.v1"
FAILING_ATTEMPT = 3  # a workflow task that fails that often will not answer: failUpdateWorkflowTaskAttemptCount
COMPLETED = "workflow execution already completed"
ANOTHER_CHAIN = "workflow execution not found"
PAUSED = "Workflow is paused. Cannot update the workflow."
FAILING = "Unable to perform workflow execution update due to Workflow Task in failed state."
CLOSED_BEFORE = "workflow update was aborted by closing workflow"
CLOSING = "workflow operation can not be applied because workflow is closing"
TOO_MANY = (
    "The limit on the total number of distinct updates in this workflow has been reached ({}). "
    "Make sure any duplicate updates share an Update ID so the server can deduplicate them, and consider rejecting updates that you aren't "
    "going to process. You can also Continue-as-New to avoid this; we recommend you check Continue-as-New Suggested in your Workflow."
)
UNANSWERED = (
    "Workflow Update is rejected because it wasn't processed by worker. "
    "Probably, Workflow Update is not supported by the worker."
)
OUTLIVED = "Workflow Update failed because the Workflow completed before the Update completed."

M = TypeVar("M", bound=Message)


def _server_failure(message: str, kind: str) -> Outcome:
    failure = Failure(message=message, source="Server")
    failure.application_failure_info.type, failure.application_failure_info.non_retryable = kind, True
    return Outcome(failure=failure)


def outlived() -> Outcome:
    """The outcome of an accepted update whose run closed before it was completed."""
    return _server_failure(OUTLIVED, "AcceptedUpdateCompletedWorkflow")


# Admission -------------------------------------------------------------------------------------------------------------------------


def admit(step: Step, request: UpdateWorkflowExecutionRequest) -> None:
    """The update waits for a worker, unless one with its id was there before. Raises NotFound, WorkflowNotReady, ResourceExhausted,
    FailedPrecondition."""
    state, id = step.state, request.request.meta.update_id
    if request.first_execution_run_id and request.first_execution_run_id != state.core.first_run_id:
        raise NotFound(ANOTHER_CHAIN)
    if not state.running and id not in state.updates:
        raise NotFound(COMPLETED)
    if not state.running:
        return
    if state.paused:
        raise FailedPrecondition(PAUSED)
    if max(state.core.task_attempt, state.core.task.attempt) >= FAILING_ATTEMPT:
        raise WorkflowNotReady(FAILING)
    if state.close_attempted and step.held:
        raise closing()
    if id in state.admitted or id in state.updates:
        _attach(step, id, request.request)
        return
    _check_limits(state, request, step.namespace.limits)
    state.admitted[id] = Admitted(request.request)


def _attach(step: Step, id: str, request: UpdateRequest) -> None:
    """Who asks for an update that is there already may want to be called back, too."""
    state = step.state
    if not request.completion_callbacks or request.request_id in state.requests:
        return
    waiting = state.admitted.get(id)
    if waiting is None:
        if not state.updates[id].completed_event_id:
            _emit_attached(step, id, request)
    elif all(request.request_id != each.request_id for each in (waiting.request, *waiting.others) if each is not None):
        waiting.others.append(request)


def _emit_attached(step: Step, id: str, request: UpdateRequest) -> None:
    callbacks.check_room(step, len(request.completion_callbacks))
    attached = {
        "update_id": id,
        "attached_request_id": request.request_id,
        "attached_completion_callbacks": request.completion_callbacks,
    }
    event_type = E.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED
    step.emit(event_type, {"workflow_update_options": [attached]}, worker_may_ignore=True)


def closing() -> ResourceExhausted:
    """The run is about to be followed by another: the client tries again, and comes to that one."""
    return _busy(CLOSING, ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW)


def _busy(message: str, cause: int) -> ResourceExhausted:
    return ResourceExhausted(message, cause, ResourceExhaustedScope.RESOURCE_EXHAUSTED_SCOPE_NAMESPACE)


def _check_limits(state: State, request: UpdateWorkflowExecutionRequest, limits: Limits) -> None:
    """For each, 0 is no limit (update/registry.go checkLimits)."""
    most, cause = limits.updates_in_flight_max, ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT
    open = len(state.admitted) + sum(not update.completed_event_id for update in state.updates.values())
    if most and open >= most:
        raise _busy(f"limit on number of concurrent in-flight updates has been reached ({most})", cause)
    _check_total(state, limits)
    others = (each.request.ByteSize() for each in state.admitted.values() if each.request is not None)
    size = request.request.ByteSize() + sum(others)
    most = limits.updates_in_flight_bytes_max
    if most and size >= most:
        raise _busy(f"limit on total payload size of in-flight updates has been reached ({most} bytes)", cause)


def _check_total(state: State, limits: Limits) -> None:
    if limits.updates_max and len(state.admitted) + len(state.updates) >= limits.updates_max:
        raise FailedPrecondition(TOO_MANY.format(limits.updates_max))


def are_many(state: State, limits: Limits) -> bool:
    """The run had better continue as new: it will soon take no more updates."""
    many = math.ceil(limits.updates_max * limits.updates_suggest_fraction)
    return bool(many) and len(state.admitted) + len(state.updates) >= many


# With the workflow task ------------------------------------------------------------------------------------------------------------


def send(state: State, response: PollWorkflowTaskQueueResponse, *, again: bool = True) -> None:
    """Adds what is admitted to the started task; with `again` also what a worker has been sent before."""
    for id, admitted in state.admitted.items():
        if admitted.sent and not again:
            continue
        admitted.sent = True
        if admitted.request is None:
            continue  # its event is how the worker learns of it
        message = response.messages.add(
            id=_message_id(id), protocol_instance_id=id, event_id=state.core.task.started_event_id - 1
        )
        message.body.Pack(admitted.request)


def _message_id(id: str) -> str:
    return f"{id}/request"


def are_lost(state: State, request: RespondWorkflowTaskCompletedRequest) -> bool:
    """The task was for updates alone, and those that the worker answers are not in memory any more: it counts as never made."""
    if state.core.task.kind != WorkflowTask.SPECULATIVE or not request.messages:
        return False
    ids = {message.protocol_instance_id for message in request.messages}
    none_sent = not any(admitted.sent for admitted in state.admitted.values())
    return none_sent and ids.isdisjoint(state.admitted) and ids.isdisjoint(state.updates)


def leaves_no_trace(step: Step, request: RespondWorkflowTaskCompletedRequest) -> bool:
    """The task was for updates alone and all of them are rejected: it has never been."""
    core = step.state.core
    if core.task.kind != WorkflowTask.SPECULATIVE or request.commands or request.force_create_new_workflow_task:
        return False
    shown = core.next_event_id - core.last_started_event_id - 2  # events that the worker saw with it for the first time
    discards = request.capabilities.discard_speculative_workflow_task_with_events
    if shown > (step.namespace.limits.speculative_events_max if discards else 0):
        return False
    return all(message.body.Is(Rejection.DESCRIPTOR) for message in request.messages)


# Messages of the worker ------------------------------------------------------------------------------------------------------------


def named(command: Command, messages: MutableMapping[str, Packet]) -> Packet:
    """Takes the message that the command stands for out of those that came along. Raises BadCommand."""
    id = command.protocol_message_command_attributes.message_id
    if not command.HasField("protocol_message_command_attributes"):
        raise BadCommand(BAD, "ProtocolMessageCommandAttributes is not set on ProtocolMessageCommand.")
    if not id:
        raise BadCommand(BAD, "MessageID is not set on ProtocolMessageCommand.")
    if id not in messages:
        raise BadCommand(BAD, f"ProtocolMessageCommand referenced absent message ID {id}")
    return messages.pop(id)


def receive(step: Step, message: Packet) -> None:
    """The worker accepts, rejects or completes an update. Raises BadCommand."""
    name = message.body.TypeName()
    protocol, _, kind = name.rpartition(".")
    if message.body.ByteSize() > step.namespace.limits.blob_size_bytes_max:
        raise BadCommand(BAD, f"Message type {name} exceeds size limit.", terminates=True)
    if protocol != PROTOCOL:
        raise BadCommand(BAD, f"unsupported protocol type {protocol}")
    if not step.state.running and kind != "Rejection":
        return  # the run has been closed by a command before: the update ends with it
    _find(step, message)
    id = message.protocol_instance_id
    if kind == "Acceptance":
        _accept(step, id, _unpacked(message, Acceptance()))
    elif kind == "Rejection":
        _require(id in step.state.admitted, id, kind, step.state)
        _reject(step, id, _unpacked(message, Rejection()).failure)
    elif kind == "Response":
        _complete(step, id, _unpacked(message, Response()))
    else:
        raise BadCommand(BAD, f"Message type *update.{kind} not supported")


def _unpacked(message: Packet, body: M) -> M:
    try:
        message.body.Unpack(body)
    except DecodeError as error:
        raise BadCommand(BAD, f"unable to unmarshal request: {error}") from error
    return body


def _find(step: Step, message: Packet) -> None:
    """An update that is not known (any more) comes back to life if the worker sends its request along. Raises BadCommand."""
    state, id = step.state, message.protocol_instance_id
    if id in state.admitted or id in state.updates:
        return
    request = None
    if message.body.Is(Acceptance.DESCRIPTOR) and (acceptance := _unpacked(message, Acceptance())):
        request = acceptance.accepted_request if acceptance.HasField("accepted_request") else None
    elif message.body.Is(Rejection.DESCRIPTOR) and (rejection := _unpacked(message, Rejection())):
        request = rejection.rejected_request if rejection.HasField("rejected_request") else None
    if request is None:
        sentence = "wasn't found on the server. This is most likely a transient error which will be resolved automatically by retries"
        raise BadCommand(BAD, f"update {id} {sentence}")
    try:
        _check_total(state, step.namespace.limits)
    except Rejected as full:
        raise BadCommand(BAD, full.message) from full
    state.admitted[id] = Admitted(request, sent=True)


def _require(holds: bool, id: str, kind: str, state: State) -> None:
    if not holds:
        now = "Completed" if id in state.updates and state.updates[id].completed_event_id else "Accepted"
        now = ("Sent" if state.admitted[id].sent else "Admitted") if id in state.admitted else now
        sentence = (
            f"invalid state transition attempted for Update {id}: received *update.{kind} message while in state {now}"
        )
        raise BadCommand(BAD, sentence)


def _set(value: object, field: str, kind: str) -> None:
    if not value:
        raise BadCommand(BAD, f"invalid *update.{kind}: {field} is not set")


def _accept(step: Step, id: str, acceptance: Acceptance) -> None:
    _require(id in step.state.admitted, id, "Acceptance", step.state)
    sequencing = acceptance.accepted_request_sequencing_event_id
    _set(sequencing, "accepted_request_sequencing_event_id", "Acceptance")
    _set(acceptance.accepted_request_message_id, "accepted_request_message_id", "Acceptance")
    attributes: dict[str, Any] = {
        "protocol_instance_id": id,
        "accepted_request_message_id": _message_id(id),
        "accepted_request_sequencing_event_id": sequencing,
    }
    admitted = step.state.admitted[id]
    request = admitted.request
    if request is not None:
        attributes["accepted_request"] = request
    links = request.links if request is not None else ()
    step.emit(E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED, attributes, links=links)
    for other in admitted.others:
        _emit_attached(step, id, other)
    step.updates.append(Updated(id))


def _complete(step: Step, id: str, response: Response) -> None:
    update = step.state.updates.get(id)
    _require(update is not None and not update.completed_event_id, id, "Response", step.state)
    assert update is not None
    _set(response.HasField("meta"), "meta", "Response")
    _set(response.meta.update_id, "meta.update_id", "Response")
    if response.meta.update_id != id:
        raise BadCommand(BAD, f"invalid *update.Response: meta.update_id != {id}")
    _set(response.HasField("outcome"), "outcome", "Response")
    attributes = {
        "accepted_event_id": update.accepted_event_id,
        "meta": response.meta,
        "outcome": response.outcome,
    }
    event = step.emit(E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED, attributes)
    callbacks.on_update_completed(step, id, event)
    step.updates.append(Updated(id, response.outcome))


def _reject(step: Step, id: str, failure: Failure) -> None:
    del step.state.admitted[id]
    if id in step.state.reapplied:
        del step.state.reapplied[id]
    step.updates.append(Updated(id, Outcome(failure=failure)))


def reject_unanswered(step: Step) -> None:
    """A worker that was sent an update and says nothing to it does not know updates: it must not be sent the same for ever."""
    if not step.state.running:
        return
    for id in [id for id, admitted in step.state.admitted.items() if admitted.sent]:
        _reject(step, id, _server_failure(UNANSWERED, "UnprocessedUpdate").failure)


def refuse(step: Step) -> None:
    """The run has been paused: what no worker has got is not kept for later."""
    for id in [
        id for id, admitted in step.state.admitted.items() if admitted.request is not None and not admitted.sent
    ]:
        del step.state.admitted[id]
        step.updates.append(Updated(id, error=FailedPrecondition(PAUSED)))


def on_close(step: Step) -> None:
    """The run has just closed: nothing that is open will be completed. What no worker has answered may go to the run that follows."""
    state = step.state
    followed = step.next is not None
    for id in state.admitted:
        step.updates.append(Updated(id, error=closing() if followed else NotFound(CLOSED_BEFORE)))
    state.admitted.clear()
    for id in list(state.reapplied):
        del state.reapplied[id]
    for id, update in state.updates.items():
        if not update.completed_event_id:
            step.updates.append(Updated(id, outlived()))
            event = HistoryEvent(event_type=E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED)
            event.event_time.CopyFrom(timestamp(step.now))
            event.workflow_execution_update_completed_event_attributes.outcome.CopyFrom(outlived())
            callbacks.on_update_completed(step, id, event)


# Folds -----------------------------------------------------------------------------------------------------------------------------


def apply_workflow_execution_update_admitted(state: State, event: HistoryEvent) -> None:
    request = event.workflow_execution_update_admitted_event_attributes.request
    id = request.meta.update_id
    state.reapplied[id] = Update(admitted_event_id=event.event_id)
    state.admitted[id] = Admitted(None)
    state.core.update_count += 1
    if request.request_id:
        state.requests[request.request_id] = Request(event_type=event.event_type, event_id=event.event_id)


def apply_workflow_execution_update_accepted(state: State, event: HistoryEvent) -> None:
    a = event.workflow_execution_update_accepted_event_attributes
    id = a.protocol_instance_id
    state.admitted.pop(id, None)
    state.updates[id] = Update(accepted_event_id=event.event_id)
    if id in state.reapplied:
        state.updates[id].admitted_event_id = state.reapplied[id].admitted_event_id
        del state.reapplied[id]
    else:
        state.core.update_count += 1
    if a.accepted_request.request_id:
        request = Request(event_type=event.event_type, event_id=event.event_id)
        state.requests[a.accepted_request.request_id] = request
    asked, at = a.accepted_request, event.event_time.ToNanoseconds()
    callbacks.register(state, f"update/{id}", asked.request_id, asked.completion_callbacks, at, id)


def apply_workflow_execution_update_completed(state: State, event: HistoryEvent) -> None:
    id = event.workflow_execution_update_completed_event_attributes.meta.update_id
    state.updates.edit(id).completed_event_id = event.event_id
