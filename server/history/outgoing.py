"""Messages from one run to another workflow: start a child, signal, cancel, tell a parent, apply a parent close policy.

Each is a row that is durable with the decision that sends it, is delivered at least once, in this process or the next, and is deleted with the
answer. The receiver knows a repetition by its request id, or finds nothing left to do.
Source: service/history/transfer_queue_active_task_executor.go.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import CancelExternalWorkflowExecutionFailedCause as CancelFailed
from temporalio.api.enums.v1 import ParentClosePolicy
from temporalio.api.enums.v1 import SignalExternalWorkflowExecutionFailedCause as SignalFailed
from temporalio.api.enums.v1 import StartChildWorkflowExecutionFailedCause as StartFailed
from temporalio.api.workflowservice.v1 import (
    RequestCancelWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
)

from server.core.outcome import (
    SEND_CANCEL,
    SEND_CHILD_CLOSED,
    SEND_PARENT_CLOSED,
    SEND_SIGNAL,
    SEND_START_CHILD,
    Namespace,
)
from server.core.rejected import AlreadyStarted, NamespaceNotFound, NotFound, Rejected, Unavailable
from server.core.state_pb2 import Outgoing
from server.core.step import Step
from server.core.workflow import cancel, children, close, external, signals

if TYPE_CHECKING:
    from server.history.shard import Shard

ROW = "x"
SERVER = "history-service"

log = logging.getLogger(__name__)


async def deliver(shard: Shard, id: int, note: Outgoing) -> None:
    """Delivers a message, however long it takes, and deletes its row. `shard` is the sender's."""
    while True:
        try:
            await _DELIVER[note.kind](shard, id, note)
            return
        except Unavailable as fault:
            log.info("a message of workflow %s waits: %s", note.source_workflow_id, fault)
            await shard.pause()
        except Rejected as rejected:
            log.warning("a message of workflow %s was dropped: %s", note.source_workflow_id, rejected)
            shard.forget_message(note, id)
            return


def _source(note: Outgoing) -> WorkflowExecution:
    return WorkflowExecution(workflow_id=note.source_workflow_id, run_id=note.source_run_id)


def _namespace(shard: Shard, id: str) -> Namespace:
    return shard.parts.namespaces.by_id(id)


async def _tell(shard: Shard, namespace: Namespace, at: WorkflowExecution, decide: Callable[[Step], None]) -> None:
    """Runs the decision on a run, or on what it was reset to (api/recordchildworkflowcompleted follows them, too). Raises NotFound."""
    run_id = ""

    def told(step: Step) -> None:
        nonlocal run_id
        run_id = "" if step.state.running else step.state.core.reset_run_id
        if not run_id:
            decide(step)

    await shard.run(namespace, at.workflow_id, at.run_id, told)
    if run_id:
        await _tell(shard, namespace, WorkflowExecution(workflow_id=at.workflow_id, run_id=run_id), decide)


async def _answer(shard: Shard, id: int, note: Outgoing, decide: Callable[[Step], None]) -> bool:
    """Tells the sender; False when it is not there to be told any more. The row goes with the answer."""

    def answered(step: Step) -> None:
        decide(step)
        step.lapsed.append((ROW, id))

    try:
        namespace = _namespace(shard, note.source_namespace_id)
        await _tell(shard, namespace, _source(note), answered)
    except NotFound:
        shard.forget_message(note, id)
        return False
    return True


# Children --------------------------------------------------------------------------------------------------------------------------


async def _start_child(shard: Shard, id: int, note: Outgoing) -> None:
    a = note.event.start_child_workflow_execution_initiated_event_attributes
    cause, run_id = 0, ""
    try:
        target = _namespace(shard, a.namespace_id)
        begin = partial(children.begin_child, note=note)
        run_id = await shard.parts.of(target.id, a.workflow_id).begin(target, a.workflow_id, begin, likely=False)
    except AlreadyStarted:
        cause = StartFailed.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS
    except NamespaceNotFound:
        cause = StartFailed.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_NAMESPACE_NOT_FOUND
    told = await _answer(shard, id, note, partial(children.child_answered, note=note, run_id=run_id, cause=cause))
    if not told and run_id and a.parent_close_policy != ParentClosePolicy.PARENT_CLOSE_POLICY_ABANDON:
        await _end_child(shard, a.namespace_id, a.workflow_id, run_id, a.parent_close_policy, _source(note))


async def _child_closed(shard: Shard, id: int, note: Outgoing) -> None:
    try:
        namespace = _namespace(shard, note.target_namespace_id)
        parent = shard.parts.of(namespace.id, note.target_workflow_id)
        decide = partial(children.child_closed, note=note)
        at = WorkflowExecution(workflow_id=note.target_workflow_id, run_id=note.target_run_id)
        await _tell(parent, namespace, at, decide)
    except NotFound:
        log.debug("the parent of %s waits no more", note.source_workflow_id)
    shard.forget_message(note, id)


async def _parent_closed(shard: Shard, id: int, note: Outgoing) -> None:
    where = (note.target_namespace_id, note.target_workflow_id, note.first_run_id)
    await _end_child(shard, *where, note.parent_close_policy, _source(note))
    shard.forget_message(note, id)


async def _end_child(
    shard: Shard, namespace_id: str, workflow_id: str, first_run_id: str, policy: int, parent: WorkflowExecution
) -> None:
    """Terminates the child, or asks it to cancel, whatever run of its chain it has come to."""
    decide: Callable[[Step], object]
    if policy == ParentClosePolicy.PARENT_CLOSE_POLICY_REQUEST_CANCEL:
        ask = RequestCancelWorkflowExecutionRequest(first_execution_run_id=first_run_id, identity=SERVER)
        decide = partial(cancel.request_cancel_workflow_execution, request=ask, sender=parent)
    else:
        end = TerminateWorkflowExecutionRequest(first_execution_run_id=first_run_id, reason="by parent close policy")
        decide = partial(close.terminate_workflow_execution, request=end, identity=SERVER)
    try:
        namespace = _namespace(shard, namespace_id)
        await shard.parts.of(namespace_id, workflow_id).run(namespace, workflow_id, "", decide)
    except NotFound:
        log.debug("child %s has ended already", workflow_id)


# Signals and cancel requests -------------------------------------------------------------------------------------------------------


async def _signal(shard: Shard, id: int, note: Outgoing) -> None:
    a = note.event.signal_external_workflow_execution_initiated_event_attributes
    request = SignalWorkflowExecutionRequest(
        signal_name=a.signal_name, identity=SERVER, request_id=note.request_id, control=a.control
    )
    if a.HasField("input"):
        request.input.CopyFrom(a.input)
    if a.HasField("header"):
        request.header.CopyFrom(a.header)
    cause = 0
    try:
        decide = partial(signals.signal_workflow_execution, request=request, sender=_source(note))
        await _reach(shard, note, a.namespace_id, a.workflow_execution, a.child_workflow_only, decide)
    except NamespaceNotFound:
        cause = SignalFailed.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_NAMESPACE_NOT_FOUND
    except NotFound:
        cause = SignalFailed.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND
    except Unavailable:
        raise
    except Rejected:
        cause = SignalFailed.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_SIGNAL_COUNT_LIMIT_EXCEEDED
    await _answer(shard, id, note, partial(external.signal_answered, note=note, failed_cause=cause))


async def _cancel(shard: Shard, id: int, note: Outgoing) -> None:
    a = note.event.request_cancel_external_workflow_execution_initiated_event_attributes
    request = RequestCancelWorkflowExecutionRequest(identity=SERVER, request_id=note.request_id, reason=a.reason)
    cause = 0
    try:
        decide = partial(
            cancel.request_cancel_workflow_execution,
            request=request,
            sender=_source(note),
            initiated_event_id=note.initiated_event_id,
        )
        await _reach(shard, note, a.namespace_id, a.workflow_execution, a.child_workflow_only, decide)
    except NamespaceNotFound:
        cause = CancelFailed.CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_NAMESPACE_NOT_FOUND
    except NotFound:
        cause = CancelFailed.CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND
    await _answer(shard, id, note, partial(external.cancel_answered, note=note, failed_cause=cause))


async def _reach(
    shard: Shard,
    note: Outgoing,
    namespace_id: str,
    at: WorkflowExecution,
    child_only: bool,
    decide: Callable[[Step], object],
) -> None:
    """Runs the decision on the target; a workflow cannot reach itself. Raises NotFound."""
    if (namespace_id, at.workflow_id) == (note.source_namespace_id, note.source_workflow_id):
        raise NotFound("a workflow cannot reach itself")

    def reached(step: Step) -> None:
        if child_only and step.state.asked.parent_workflow_execution != _source(note):
            raise NotFound("workflow parent does not match")
        decide(step)

    namespace = _namespace(shard, namespace_id)
    await shard.parts.of(namespace_id, at.workflow_id).run(namespace, at.workflow_id, at.run_id, reached)


_DELIVER: dict[int, Callable[[Shard, int, Outgoing], Awaitable[None]]] = {
    SEND_START_CHILD: _start_child,
    SEND_CHILD_CLOSED: _child_closed,
    SEND_PARENT_CLOSED: _parent_closed,
    SEND_SIGNAL: _signal,
    SEND_CANCEL: _cancel,
}
