"""Messages from one run to another workflow: start a child, signal, cancel, tell a parent, apply a parent close policy.

Each is a row that is durable with the decision that sends it, is delivered at least once, in this process or the next, and is deleted with the
answer. The receiver, which may live in another process, knows a repetition by its request id, or finds nothing left to do.
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
    SEND_CALLBACK,
    SEND_CANCEL,
    SEND_CHILD_CLOSED,
    SEND_NEXUS_CANCEL,
    SEND_NEXUS_COMPLETED,
    SEND_NEXUS_START,
    SEND_PARENT_CLOSED,
    SEND_SIGNAL,
    SEND_START_CHILD,
    Namespace,
)
from server.core.rejected import AlreadyStarted, NamespaceNotFound, NotFound, Rejected, Unavailable
from server.core.state_pb2 import Outgoing
from server.core.step import Step
from server.core.workflow import callbacks, cancel, children, close, external, signals
from server.core.workflow.nexus import completed
from server.faces import Reached
from server.history import callbacks as callback_calls
from server.history import nexus, system_nexus
from server.history.calling import Caller

if TYPE_CHECKING:
    from server.history.loader import Parts
    from server.history.shard import Shard

ROW = "x"
SERVER = "history-service"

log = logging.getLogger(__name__)


async def deliver(shard: Shard, id: int, note: Outgoing) -> None:
    """Delivers a message, however long it takes, and deletes its row. `shard` is the sender's."""
    while True:
        try:
            await _deliver(shard, id, note)
            return
        except Unavailable as fault:
            log.info("a message of workflow %s waits: %s", note.source_workflow_id, fault)
            await shard.pause()
        except Rejected as rejected:
            log.warning("a message of workflow %s was dropped: %s", note.source_workflow_id, rejected)
            shard.forget_message(note, id)
            return


async def _deliver(shard: Shard, id: int, note: Outgoing) -> None:
    calls = _CALLS.get(note.kind)
    if calls is not None:
        namespace = shard.parts.namespaces.by_id(note.source_namespace_id)
        caller = Caller(shard, namespace, note, lambda step: step.lapsed.append((ROW, id)))
        if not await calls(caller):
            shard.forget_message(note, id)
        return
    reached = await shard.parts.reach(note)
    await _ANSWER.get(note.kind, _no_answer)(shard, id, note, reached)


def receiver(note: Outgoing) -> tuple[str, str]:
    """The id of the namespace and the workflow id that a message is for."""
    if note.kind == SEND_START_CHILD:
        child = note.event.start_child_workflow_execution_initiated_event_attributes
        return child.namespace_id, child.workflow_id
    if note.kind == SEND_SIGNAL:
        signal = note.event.signal_external_workflow_execution_initiated_event_attributes
        return signal.namespace_id, signal.workflow_execution.workflow_id
    if note.kind == SEND_CANCEL:
        stop = note.event.request_cancel_external_workflow_execution_initiated_event_attributes
        return stop.namespace_id, stop.workflow_execution.workflow_id
    if note.kind == SEND_NEXUS_START:
        return system_nexus.receiver(note)
    return note.target_namespace_id, note.target_workflow_id


async def receive(parts: Parts, note: Outgoing) -> Reached:
    """What a message does to its receiver, whose shard is in this process, once it is durable. Raises Unavailable."""
    return await _RECEIVE[note.kind](parts, note)


def _source(note: Outgoing) -> WorkflowExecution:
    return WorkflowExecution(workflow_id=note.source_workflow_id, run_id=note.source_run_id)


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


async def _no_answer(shard: Shard, id: int, note: Outgoing, _reached: Reached) -> None:
    shard.forget_message(note, id)


async def _answer(shard: Shard, id: int, note: Outgoing, decide: Callable[[Step], None]) -> bool:
    """Tells the sender; False when it is not there to be told any more. The row goes with the answer."""

    def answered(step: Step) -> None:
        decide(step)
        step.lapsed.append((ROW, id))

    try:
        namespace = shard.parts.namespaces.by_id(note.source_namespace_id)
        await _tell(shard, namespace, _source(note), answered)
    except NotFound:
        shard.forget_message(note, id)
        return False
    return True


# Children --------------------------------------------------------------------------------------------------------------------------


async def _start_child(parts: Parts, note: Outgoing) -> Reached:
    namespace_id, workflow_id = receiver(note)
    try:
        target = parts.namespaces.by_id(namespace_id)
        begin = partial(children.begin_child, note=note)
        return Reached(await parts.of(target.id, workflow_id).begin(target, workflow_id, begin, likely=False))
    except AlreadyStarted:
        return Reached(cause=StartFailed.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS)
    except NamespaceNotFound:
        return Reached(cause=StartFailed.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_NAMESPACE_NOT_FOUND)


async def _child_answered(shard: Shard, id: int, note: Outgoing, reached: Reached) -> None:
    """A child whose parent has gone meanwhile gets what its parent close policy says."""
    run_id, cause = reached
    told = await _answer(shard, id, note, partial(children.child_answered, note=note, run_id=run_id, cause=cause))
    policy = note.event.start_child_workflow_execution_initiated_event_attributes.parent_close_policy
    if not told and run_id and policy != ParentClosePolicy.PARENT_CLOSE_POLICY_ABANDON:
        namespace_id, workflow_id = receiver(note)
        end = Outgoing(
            kind=SEND_PARENT_CLOSED,
            source_namespace_id=note.source_namespace_id,
            source_workflow_id=note.source_workflow_id,
            source_run_id=note.source_run_id,
            target_namespace_id=namespace_id,
            target_workflow_id=workflow_id,
            first_run_id=run_id,
            parent_close_policy=policy,
        )
        await shard.parts.reach(end)


async def _child_closed(parts: Parts, note: Outgoing) -> Reached:
    try:
        namespace = parts.namespaces.by_id(note.target_namespace_id)
        parent = parts.of(namespace.id, note.target_workflow_id)
        at = WorkflowExecution(workflow_id=note.target_workflow_id, run_id=note.target_run_id)
        await _tell(parent, namespace, at, partial(children.child_closed, note=note))
    except NotFound:
        log.debug("the parent of %s waits no more", note.source_workflow_id)
    return Reached()


async def _parent_closed(parts: Parts, note: Outgoing) -> Reached:
    """Terminates the child, or asks it to cancel, whatever run of its chain it has come to."""
    decide: Callable[[Step], object]
    first_run_id = note.first_run_id
    if note.parent_close_policy == ParentClosePolicy.PARENT_CLOSE_POLICY_REQUEST_CANCEL:
        ask = RequestCancelWorkflowExecutionRequest(first_execution_run_id=first_run_id, identity=SERVER)
        decide = partial(cancel.request_cancel_workflow_execution, request=ask, sender=_source(note))
    else:
        end = TerminateWorkflowExecutionRequest(first_execution_run_id=first_run_id, reason="by parent close policy")
        decide = partial(close.terminate_workflow_execution, request=end, identity=SERVER)
    try:
        namespace = parts.namespaces.by_id(note.target_namespace_id)
        child = parts.of(namespace.id, note.target_workflow_id)
        await child.run(namespace, note.target_workflow_id, "", decide)
    except NotFound:
        log.debug("child %s has ended already", note.target_workflow_id)
    return Reached()


# Signals and cancel requests -------------------------------------------------------------------------------------------------------


async def _signal(parts: Parts, note: Outgoing) -> Reached:
    a = note.event.signal_external_workflow_execution_initiated_event_attributes
    request = SignalWorkflowExecutionRequest(
        signal_name=a.signal_name, identity=SERVER, request_id=note.request_id, control=a.control
    )
    if a.HasField("input"):
        request.input.CopyFrom(a.input)
    if a.HasField("header"):
        request.header.CopyFrom(a.header)
    try:
        decide = partial(signals.signal_workflow_execution, request=request, sender=_source(note))
        await _reach(parts, note, a.workflow_execution.run_id, a.child_workflow_only, decide)
    except NamespaceNotFound:
        return Reached(cause=SignalFailed.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_NAMESPACE_NOT_FOUND)
    except NotFound:
        return Reached(
            cause=SignalFailed.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND
        )
    except Unavailable:
        raise
    except Rejected:
        return Reached(cause=SignalFailed.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_SIGNAL_COUNT_LIMIT_EXCEEDED)
    return Reached()


async def _signal_answered(shard: Shard, id: int, note: Outgoing, reached: Reached) -> None:
    await _answer(shard, id, note, partial(external.signal_answered, note=note, failed_cause=reached.cause))


async def _cancel(parts: Parts, note: Outgoing) -> Reached:
    a = note.event.request_cancel_external_workflow_execution_initiated_event_attributes
    request = RequestCancelWorkflowExecutionRequest(identity=SERVER, request_id=note.request_id, reason=a.reason)
    try:
        decide = partial(
            cancel.request_cancel_workflow_execution,
            request=request,
            sender=_source(note),
            initiated_event_id=note.initiated_event_id,
        )
        await _reach(parts, note, a.workflow_execution.run_id, a.child_workflow_only, decide)
    except NamespaceNotFound:
        return Reached(cause=CancelFailed.CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_NAMESPACE_NOT_FOUND)
    except NotFound:
        return Reached(
            cause=CancelFailed.CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND
        )
    return Reached()


async def _cancel_answered(shard: Shard, id: int, note: Outgoing, reached: Reached) -> None:
    await _answer(shard, id, note, partial(external.cancel_answered, note=note, failed_cause=reached.cause))


async def _reach(parts: Parts, note: Outgoing, run_id: str, child_only: bool, decide: Callable[[Step], object]) -> None:
    """Runs the decision on the target; a workflow cannot reach itself. Raises NotFound."""
    namespace_id, workflow_id = receiver(note)
    if (namespace_id, workflow_id) == (note.source_namespace_id, note.source_workflow_id):
        raise NotFound("a workflow cannot reach itself")

    def reached(step: Step) -> None:
        if child_only and step.state.asked.parent_workflow_execution != _source(note):
            raise NotFound("workflow parent does not match")
        decide(step)

    namespace = parts.namespaces.by_id(namespace_id)
    await parts.of(namespace_id, workflow_id).run(namespace, workflow_id, run_id, reached)


# Nexus operations ------------------------------------------------------------------------------------------------------------------


async def _nexus_completed(parts: Parts, note: Outgoing) -> Reached:
    """An operation that a run waits for has ended; `cause` 1 says that none does."""
    said = callbacks.came_to(note.event)._replace(token=note.operation_token, links=list(note.links))
    try:
        namespace = parts.namespaces.by_id(note.target_namespace_id)
        caller = parts.of(namespace.id, note.target_workflow_id)
        at = WorkflowExecution(workflow_id=note.target_workflow_id, run_id=note.target_run_id)

        def decide(step: Step) -> None:
            completed(step, note.initiated_event_id, note.request_id, note.start_time, said)

        await _tell(caller, namespace, at, decide)
    except NotFound:
        return Reached(cause=1)
    return Reached()


# Messages that are calls to others: `deliver` of each.
_CALLS: dict[int, Callable[[Caller], Awaitable[bool]]] = {
    SEND_NEXUS_START: nexus.deliver,
    SEND_NEXUS_CANCEL: nexus.deliver,
    SEND_CALLBACK: callback_calls.deliver,
}
_RECEIVE: dict[int, Callable[[Parts, Outgoing], Awaitable[Reached]]] = {
    SEND_START_CHILD: _start_child,
    SEND_CHILD_CLOSED: _child_closed,
    SEND_PARENT_CLOSED: _parent_closed,
    SEND_SIGNAL: _signal,
    SEND_CANCEL: _cancel,
    SEND_NEXUS_COMPLETED: _nexus_completed,
    SEND_NEXUS_START: system_nexus.receive,  # of the cluster's own service
}
# The others have none.
_ANSWER: dict[int, Callable[[Shard, int, Outgoing, Reached], Awaitable[None]]] = {
    SEND_START_CHILD: _child_answered,
    SEND_SIGNAL: _signal_answered,
    SEND_CANCEL: _cancel_answered,
}
