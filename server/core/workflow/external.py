"""Signals and cancel requests from one workflow to another: asked by a command, delivered outside of the run, answered by an event.

Source: service/history/api/command_attr_validator.go, transfer_queue_active_task_executor.go (processSignalExecution, processCancelExecution).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn

from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import EventType
from temporalio.api.enums.v1 import WorkflowTaskFailedCause as Cause
from temporalio.api.history.v1 import HistoryEvent

from server.core.outcome import SEND_CANCEL, SEND_SIGNAL
from server.core.rejected import BadCommand, Discard, NamespaceNotFound
from server.core.state import State
from server.core.state_pb2 import External, Outgoing
from server.core.workflow import commands

if TYPE_CHECKING:
    from server.core.step import Step

E = EventType
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


# Commands --------------------------------------------------------------------------------------------------------------------------


def signal_external_workflow_execution(step: Step, command: Command, completed_event_id: int) -> None:
    """Asks to signal another workflow."""
    on, cause = (
        "SignalExternalWorkflowExecutionCommand",
        Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES,
    )
    a = commands.attributes(command, "signal_external_workflow_execution", cause)
    namespace_id = target_namespace_id(step, a.namespace)
    who = f"Namespace={a.namespace} RunId={a.execution.run_id} SignalName={a.signal_name}"
    if not a.HasField("execution"):
        raise BadCommand(cause, f"Execution is not set on {on}.")
    _check_target(step, cause, on, a.execution.workflow_id, a.execution.run_id, who)
    if not a.signal_name:
        sentence = f"SignalName is not set on {on}. WorkflowId={a.execution.workflow_id} Namespace={a.namespace} RunId={a.execution.run_id}"
        raise BadCommand(cause, sentence)
    limits = step.namespace.limits
    sentence = "SignalExternalWorkflowExecutionCommandAttributes.Input exceeds size limit."
    commands.check_blob(step, a.input.ByteSize(), cause, sentence)
    if len(step.state.signals_sent) >= limits.pending_signals_max:
        sentence = _too_many("external workflow signals", len(step.state.signals_sent), limits.pending_signals_max)
        raise BadCommand(Cause.WORKFLOW_TASK_FAILED_CAUSE_PENDING_SIGNALS_LIMIT_EXCEEDED, sentence)
    attributes: dict[str, Any] = {
        **_common(a.namespace, namespace_id, completed_event_id),
        "workflow_execution": {"workflow_id": a.execution.workflow_id, "run_id": a.execution.run_id},
        "signal_name": a.signal_name,
        "control": a.control,
        "child_workflow_only": a.child_workflow_only,
    }
    if a.HasField("input"):
        attributes["input"] = a.input
    if a.HasField("header"):
        attributes["header"] = a.header
    event = step.emit(E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, attributes, **commands.extras(command))
    ask(step, event)


def request_cancel_external_workflow_execution(step: Step, command: Command, completed_event_id: int) -> None:
    """Asks to cancel another workflow."""
    on = "RequestCancelExternalWorkflowExecutionCommand"
    cause = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES
    a = commands.attributes(command, "request_cancel_external_workflow_execution", cause)
    namespace_id = target_namespace_id(step, a.namespace)
    who = f"RunId={a.run_id} Namespace={a.namespace}" if a.workflow_id else f"Namespace={a.namespace} RunId={a.run_id}"
    _check_target(step, cause, on, a.workflow_id, a.run_id, who)
    state, limit = step.state, step.namespace.limits.pending_cancels_max
    if any(
        child.workflow_id == a.workflow_id and child.initiated_event_id > completed_event_id
        for child in state.children.values()
    ):
        sentence = "Start and RequestCancel for child workflow is not allowed in same workflow task."
        raise BadCommand(cause, f"{sentence} WorkflowId={a.workflow_id} {who}")
    if len(state.cancels_sent) >= limit:
        sentence = _too_many("external workflow cancel requests", len(state.cancels_sent), limit)
        raise BadCommand(Cause.WORKFLOW_TASK_FAILED_CAUSE_PENDING_REQUEST_CANCEL_LIMIT_EXCEEDED, sentence)
    attributes = {
        **_common(a.namespace, namespace_id, completed_event_id),
        "workflow_execution": {"workflow_id": a.workflow_id, "run_id": a.run_id},
        "control": a.control,
        "child_workflow_only": a.child_workflow_only,
        "reason": a.reason,
    }
    event = step.emit(
        E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, attributes, **commands.extras(command)
    )
    ask(step, event)


def target_namespace_id(step: Step, name: str) -> str:
    """The id of the namespace that a command names. Where there is none the answer of the worker is refused as a whole, and its task goes on
    (workflow_task_completed_handler.go takes an error of the registry for one of the server)."""
    if name in ("", step.namespace.name):
        return step.namespace.id
    id = step.namespace.others.get(name)
    if id is None:
        raise Discard(lambda _: _refuse(name))
    return id


def _refuse(name: str) -> NoReturn:
    raise NamespaceNotFound(name)


def _common(namespace: str, namespace_id: str, completed_event_id: int) -> dict[str, Any]:
    return {
        "workflow_task_completed_event_id": completed_event_id,
        "namespace": namespace,
        "namespace_id": namespace_id,
    }


def _check_target(step: Step, cause: int, on: str, workflow_id: str, run_id: str, who: str) -> None:
    """`who` says what else the command names. Raises BadCommand."""
    size, limit = len(workflow_id.encode()), step.namespace.limits.id_length_max
    if not workflow_id:
        raise BadCommand(cause, f"WorkflowId is not set on {on}. {who}")
    id = f"WorkflowId={workflow_id}"
    if size > limit:
        raise BadCommand(cause, f"WorkflowId on {on} exceeds length limit. {id} Length={size} Limit={limit} {who}")
    if run_id and not UUID.fullmatch(run_id):
        raise BadCommand(cause, f"Invalid RunId set on {on}. {id} {who}")


def _too_many(what: str, count: int, limit: int) -> str:
    return f"the number of pending {what}, {count}, has reached the per-workflow limit of {limit}"


def ask(step: Step, event: HistoryEvent, request_id: str = "") -> None:
    """Sends what the initiated event says, and awaits the answer. The receiver takes a request id once; without one a new one is made."""
    cancels = event.event_type == E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED
    state = step.state
    record = (state.cancels_sent if cancels else state.signals_sent).edit(event.event_id)
    record.request_id = request_id or step.ids.run_id()
    kind = SEND_CANCEL if cancels else SEND_SIGNAL
    record.send_id = step.send(kind, initiated_event_id=event.event_id, request_id=record.request_id, event=event)


# Answers ---------------------------------------------------------------------------------------------------------------------------


def signal_answered(step: Step, note: Outgoing, failed_cause: int) -> None:
    """The signal arrived (`failed_cause` 0) or could not. No-op when the answer is not awaited any more."""
    if note.initiated_event_id not in step.state.signals_sent or not step.state.running:
        return
    a = note.event.signal_external_workflow_execution_initiated_event_attributes
    attributes = _answer(step, a, note, failed_cause) | {"control": a.control}
    failed = E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED
    step.emit(failed if failed_cause else E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED, attributes)


def cancel_answered(step: Step, note: Outgoing, failed_cause: int) -> None:
    """The cancel request arrived (`failed_cause` 0) or could not. No-op when the answer is not awaited any more."""
    if note.initiated_event_id not in step.state.cancels_sent or not step.state.running:
        return
    a = note.event.request_cancel_external_workflow_execution_initiated_event_attributes
    failed = E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED
    cancelled = E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED
    step.emit(failed if failed_cause else cancelled, _answer(step, a, note, failed_cause))


def _answer(step: Step, a: Any, note: Outgoing, failed_cause: int) -> dict[str, Any]:
    out = {
        "initiated_event_id": note.initiated_event_id,
        "namespace": a.namespace or step.namespace.name,
        "namespace_id": a.namespace_id,
        "workflow_execution": a.workflow_execution,
    }
    if failed_cause:
        out["cause"] = failed_cause
    return out


# Folds -----------------------------------------------------------------------------------------------------------------------------


def apply_signal_external_workflow_execution_initiated(state: State, event: HistoryEvent) -> None:
    state.signals_sent[event.event_id] = External(initiated_event_id=event.event_id)


def apply_signal_external_workflow_execution_failed(state: State, event: HistoryEvent) -> None:
    del state.signals_sent[event.signal_external_workflow_execution_failed_event_attributes.initiated_event_id]


def apply_external_workflow_execution_signaled(state: State, event: HistoryEvent) -> None:
    del state.signals_sent[event.external_workflow_execution_signaled_event_attributes.initiated_event_id]


def apply_request_cancel_external_workflow_execution_initiated(state: State, event: HistoryEvent) -> None:
    state.cancels_sent[event.event_id] = External(initiated_event_id=event.event_id)


def apply_request_cancel_external_workflow_execution_failed(state: State, event: HistoryEvent) -> None:
    del state.cancels_sent[event.request_cancel_external_workflow_execution_failed_event_attributes.initiated_event_id]


def apply_external_workflow_execution_cancel_requested(state: State, event: HistoryEvent) -> None:
    del state.cancels_sent[event.external_workflow_execution_cancel_requested_event_attributes.initiated_event_id]
