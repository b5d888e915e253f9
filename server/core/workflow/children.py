"""Child workflows: asked by a command, started and closed outside of the run, told to the parent; and what a closing parent does to them.

Source: service/history/api/command_attr_validator.go (ValidateStartChildExecutionAttributes), transfer_queue_active_task_executor.go
(processStartChildExecution, processCloseExecution, applyParentClosePolicy), api/recordchildworkflowcompleted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import EventType, ParentClosePolicy, TaskQueueKind, WorkflowIdReusePolicy
from temporalio.api.enums.v1 import WorkflowTaskFailedCause as Cause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import VersioningOverride
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest

from server.core import cron, payloads, retry, search_attributes
from server.core.durations import capped, duration
from server.core.outcome import SEND_CHILD_CLOSED, SEND_NEXUS_START, SEND_PARENT_CLOSED, SEND_START_CHILD
from server.core.rejected import BadCommand, InvalidArgument, NotFound
from server.core.state import State
from server.core.state_pb2 import Child, Outgoing
from server.core.workflow import activity_options, close, commands, describe, start, versioning
from server.core.workflow.external import target_namespace_id

if TYPE_CHECKING:
    from server.core.step import Step

E = EventType
ON = "StartChildWorkflowExecutionCommand"
P = ParentClosePolicy
BAD = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_START_CHILD_EXECUTION_ATTRIBUTES


# The command -----------------------------------------------------------------------------------------------------------------------


def start_child_workflow_execution(step: Step, command: Command, completed_event_id: int) -> None:
    """Asks to start a child."""
    a = commands.attributes(command, "start_child_workflow_execution", BAD)
    namespace_id = target_namespace_id(step, a.namespace)
    _check(step, a)
    attributes: dict[str, Any] = {
        "workflow_task_completed_event_id": completed_event_id,
        "namespace": a.namespace or step.namespace.name,
        "namespace_id": namespace_id,
        "workflow_id": a.workflow_id,
        "workflow_type": a.workflow_type,
        "parent_close_policy": a.parent_close_policy or P.PARENT_CLOSE_POLICY_TERMINATE,
        "workflow_id_reuse_policy": a.workflow_id_reuse_policy
        or WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
        "control": a.control,
        "cron_schedule": a.cron_schedule,
        "inherit_build_id": a.inherit_build_id,
        **_defaults(step, a),
    }
    for name in ("input", "header", "priority"):
        if a.HasField(name):  # type: ignore[arg-type]
            attributes[name] = getattr(a, name)
    if a.HasField("versioning_override"):
        attributes["versioning_override"] = versioning.today(a.versioning_override)
    event = step.emit(E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED, attributes, **commands.extras(command))
    ask(step, event)


def ask(step: Step, event: HistoryEvent, request_id: str = "") -> None:
    """Sends what the initiated event says. A request id starts one child, however often it is sent; without one it tells whose child
    this is (transfer_queue_active_task_executor.go childRequestID)."""
    child = step.state.children.edit(event.event_id)
    child.request_id = request_id or f"{step.state.key.run_id}:{event.event_id}:0"
    child.send_id = step.send(
        SEND_START_CHILD,
        initiated_event_id=event.event_id,
        request_id=child.request_id,
        event=event,
        source_namespace=step.namespace.name,
        root=describe.root_of(step.state),
        priority=step.state.core.priority if step.state.core.HasField("priority") else None,
        versioning_override=_override(step.state, event),
    )


def _override(state: State, event: HistoryEvent) -> VersioningOverride | None:
    """The version that the child is to run on: what the command says, or that which its parent is made to run on, on the same queue."""
    a = event.start_child_workflow_execution_initiated_event_attributes
    if a.HasField("versioning_override"):
        return a.versioning_override
    own = state.core.versioning_info.versioning_override
    beside = a.namespace_id == state.key.namespace_id and a.task_queue.name == state.asked.task_queue.name
    return own if beside and versioning.target(own) is not None else None


def _check(step: Step, a: Any) -> None:
    """Raises BadCommand (command_attr_validator.go ValidateStartChildExecutionAttributes)."""
    limits, kind, ns = step.namespace.limits, a.workflow_type.name, a.namespace or step.namespace.name
    if not a.workflow_id:
        raise BadCommand(BAD, f"Required field WorkflowId is not set on {ON}. WorkflowType={kind} Namespace={ns}")
    if not kind:
        raise BadCommand(
            BAD, f"Required field WorkflowType is not set on {ON}. WorkflowId={a.workflow_id} Namespace={ns}"
        )
    id, most = f"WorkflowId={a.workflow_id}", limits.id_length_max
    if (size := len(a.workflow_id.encode())) > most:
        told = f"{id} Length={size} Limit={most} WorkflowType={kind}"
        raise BadCommand(BAD, f"WorkflowId on {ON} exceeds length limit. {told} Namespace={ns}")
    if (size := len(kind.encode())) > most:
        told = f"{id} WorkflowType={kind} Length={size} Limit={most}"
        raise BadCommand(BAD, f"WorkflowType on {ON} exceeds length limit. {told} Namespace={ns}")
    _check_options(step, a, f". {id} WorkflowType={kind} Namespace={ns}")
    head = "StartChildWorkflowExecutionCommandAttributes."
    commands.check_blob(step, a.input.ByteSize(), BAD, f"{head} Input exceeds size limit.")
    commands.check_memo(step, a.memo.ByteSize(), BAD, f"{head}Memo exceeds size limit.")
    if len(step.state.children) >= limits.pending_children_max:
        sentence = f"the number of pending child workflow executions, {len(step.state.children)}, has reached the per-workflow limit of {limits.pending_children_max}"
        raise BadCommand(Cause.WORKFLOW_TASK_FAILED_CAUSE_PENDING_CHILD_WORKFLOWS_LIMIT_EXCEEDED, sentence)


def _check_options(step: Step, a: Any, where: str) -> None:
    """Raises BadCommand, whose sentence ends with `where`."""
    limits, queue = step.namespace.limits, a.task_queue.name
    for name in ("execution", "run", "task"):
        _try(
            capped,
            getattr(a, f"workflow_{name}_timeout"),
            f"Invalid Workflow{name.title()}Timeout on {ON}",
            after=where,
        )
    if a.HasField("retry_policy"):
        policy = retry.defaulted(a.retry_policy, limits)
        _try(retry.validate, policy, before=f"invalid WorkflowRetryPolicy on {ON}: ", after=where)
    _try(cron.validate, a.cron_schedule, before=f"invalid CronSchedule on {ON}: ", after=where)
    commands.check_search_attributes(
        step,
        a.search_attributes,
        a.search_attributes,
        BAD,
        lambda wrong: f"invalid SearchAttributes on StartChildWorkflowCommand: {wrong}{where}",
    )
    _try(activity_options.check_priority, a.priority)
    if a.HasField("versioning_override"):
        _try(versioning.check, a.versioning_override)
    inherited, told = step.state.asked.task_queue.name, f'{where} TaskQueue=name:"{queue}"  kind:TASK_QUEUE_KIND_NORMAL'
    before = f"invalid TaskQueue on {ON}: "
    _try(activity_options.check_queue, queue or inherited, limits, inherited, before=before, after=told)


def _try(check: Callable[..., object], *args: object, before: str = "", after: str = "") -> None:
    """Runs a check that clients' requests have as well. Raises BadCommand, with what to say before and after its sentence."""
    try:
        check(*args)
    except InvalidArgument as wrong:
        raise BadCommand(BAD, f"{before}{wrong.message}{after}") from wrong


def _defaults(step: Step, a: Any) -> dict[str, Any]:
    """Queue, timeouts and retry policy, filled in from the parent."""
    execution, run, task = (
        duration(capped(given, ""))
        for given in (a.workflow_execution_timeout, a.workflow_run_timeout, a.workflow_task_timeout)
    )
    run = duration(start.run_timeout_of(run, execution))
    out: dict[str, Any] = {
        "task_queue": {
            "name": a.task_queue.name or step.state.asked.task_queue.name,
            "kind": TaskQueueKind.TASK_QUEUE_KIND_NORMAL,
        },
        "workflow_run_timeout": run,
        "workflow_task_timeout": duration(start.task_timeout_of(step, task, run.ToNanoseconds())),
        "memo": payloads.memo(a.memo),
        "search_attributes": payloads.search_attributes(
            search_attributes.typed(a.search_attributes, step.namespace.search_attributes)
        ),
    }
    if a.HasField("workflow_execution_timeout"):
        out["workflow_execution_timeout"] = execution
    if a.HasField("retry_policy"):
        out["retry_policy"] = retry.defaulted(a.retry_policy, step.namespace.limits)
    return out


def begin_child(current: Step | None, new: Step, note: Outgoing) -> str:
    """Starts the child that the message asks for, once; returns its run id. Raises AlreadyStarted."""
    a = note.event.start_child_workflow_execution_initiated_event_attributes
    request = StartWorkflowExecutionRequest(
        workflow_id=a.workflow_id,
        workflow_type=a.workflow_type,
        task_queue=a.task_queue,
        workflow_run_timeout=a.workflow_run_timeout,
        workflow_task_timeout=a.workflow_task_timeout,
        request_id=note.request_id,
        workflow_id_reuse_policy=a.workflow_id_reuse_policy,
        cron_schedule=a.cron_schedule,
    )
    for name in ("workflow_execution_timeout", "input", "header", "retry_policy", "memo", "search_attributes"):
        if a.HasField(name):  # type: ignore[arg-type]
            getattr(request, name).CopyFrom(getattr(a, name))
    if note.event.HasField("user_metadata"):
        request.user_metadata.CopyFrom(note.event.user_metadata)
    if a.HasField("priority") or note.HasField("priority"):
        request.priority.MergeFrom(note.priority)
        request.priority.MergeFrom(a.priority)
    if note.HasField("versioning_override"):
        request.versioning_override.CopyFrom(note.versioning_override)
    parent: dict[str, Any] = {
        "parent_workflow_namespace": note.source_namespace,
        "parent_workflow_namespace_id": note.source_namespace_id,
        "parent_workflow_execution": {"workflow_id": note.source_workflow_id, "run_id": note.source_run_id},
        "parent_initiated_event_id": note.initiated_event_id,
        "root_workflow_execution": note.root,
    }
    if note.versioning_override.HasField("pinned") and not a.HasField("versioning_override"):
        parent["inherited_pinned_version"] = note.versioning_override.pinned.version
    return start.start_workflow_execution(current, new, request, **parent).run_id


# What is told to the parent --------------------------------------------------------------------------------------------------------


def child_answered(step: Step, note: Outgoing, run_id: str, cause: int) -> None:
    """The child runs, or could not be started: `cause` is a StartChildWorkflowExecutionFailedCause number then. Raises NotFound when the
    parent does not wait for it any more."""
    child = _awaited(step.state, note.initiated_event_id)
    if child.started:
        return
    if cause:
        _start_failed(step, note, cause)
    else:
        _started(step, child, run_id, note.event)


def _started(step: Step, child: Child, run_id: str, initiated: HistoryEvent) -> None:
    a = initiated.start_child_workflow_execution_initiated_event_attributes
    attributes: dict[str, Any] = {
        "namespace": child.namespace,
        "namespace_id": child.namespace_id,
        "initiated_event_id": child.initiated_event_id,
        "workflow_execution": {"workflow_id": child.workflow_id, "run_id": run_id},
        "workflow_type": {"name": child.workflow_type},
    }
    if a.HasField("header"):
        attributes["header"] = a.header
    step.emit(E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED, attributes)


def _start_failed(step: Step, note: Outgoing, cause: int) -> None:
    a = note.event.start_child_workflow_execution_initiated_event_attributes
    attributes = {
        "initiated_event_id": note.initiated_event_id,
        "namespace": a.namespace,
        "namespace_id": a.namespace_id,
        "workflow_id": a.workflow_id,
        "workflow_type": a.workflow_type,
        "control": a.control,
        "cause": cause,
    }
    step.emit(E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED, attributes)


# How a run closed → what its parent is told, and which of the closing attributes go along.
CLOSED: dict[int, tuple[int, str, tuple[str, ...]]] = {
    E.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: (
        E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED,
        "workflow_execution_completed_event_attributes",
        ("result",),
    ),
    E.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: (
        E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED,
        "workflow_execution_failed_event_attributes",
        ("failure", "retry_state"),
    ),
    E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: (
        E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED,
        "workflow_execution_canceled_event_attributes",
        ("details",),
    ),
    E.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: (
        E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT,
        "workflow_execution_timed_out_event_attributes",
        ("retry_state",),
    ),
    E.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: (
        E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED,
        "workflow_execution_terminated_event_attributes",
        (),
    ),
}

RESULTS = {result for result, _, _ in CLOSED.values()}


def child_closed(step: Step, note: Outgoing) -> None:
    """A child tells how it closed. Raises NotFound when the parent does not wait for it."""
    child = _awaited(step.state, note.initiated_event_id)
    if child.workflow_id != note.source_workflow_id or (child.started and child.run_id != note.first_run_id):
        msg = "Pending child execution not found."
        raise NotFound(msg)
    if not child.started:
        _started(step, child, note.first_run_id, HistoryEvent())
    event_type, field, names = CLOSED[note.event.event_type]
    attributes: dict[str, Any] = {
        "namespace": child.namespace,
        "namespace_id": child.namespace_id,
        "workflow_execution": {"workflow_id": child.workflow_id, "run_id": note.source_run_id},
        "workflow_type": {"name": child.workflow_type},
        "initiated_event_id": note.initiated_event_id,
        "started_event_id": child.started_event_id,
    }
    closed = getattr(note.event, field)
    filled = {f.name for f, _ in closed.ListFields()}
    attributes |= {name: getattr(closed, name) for name in names if name in filled}
    step.emit(event_type, attributes)


def _awaited(state: State, initiated_event_id: int) -> Child:
    if not state.running:
        msg = "workflow execution already completed"
        raise NotFound(msg)
    child = state.children.get(initiated_event_id)
    if child is None:
        msg = "Pending child execution not found."
        raise NotFound(msg)
    return child


# A run that has just closed --------------------------------------------------------------------------------------------------------


def on_close(step: Step) -> None:
    """The parent hears of it, unless another run carries on; the children get what their parent close policy says. Settle calls this."""
    state = step.state
    asked = state.asked
    closing = step.events[-1]
    if state.core.reset_run_id and close.is_reset(closing):
        return  # its reset carries on, with the same parent and the same children
    if asked.parent_workflow_execution.workflow_id and not state.core.new_run_id and closing.event_type in CLOSED:
        step.send(
            SEND_CHILD_CLOSED,
            initiated_event_id=asked.parent_initiated_event_id,
            target_namespace_id=asked.parent_workflow_namespace_id,
            target_workflow_id=asked.parent_workflow_execution.workflow_id,
            target_run_id=asked.parent_workflow_execution.run_id,
            first_run_id=state.core.first_run_id,
            event=closing,
        )
    too_late = (SEND_START_CHILD, SEND_NEXUS_START)
    step.sends = [send for send in step.sends if send[1].kind not in too_late]
    for child in state.children.values():
        if child.started and child.parent_close_policy != P.PARENT_CLOSE_POLICY_ABANDON:
            step.send(
                SEND_PARENT_CLOSED,
                initiated_event_id=child.initiated_event_id,
                target_namespace_id=child.namespace_id,
                target_workflow_id=child.workflow_id,
                first_run_id=child.run_id,
                parent_close_policy=child.parent_close_policy,
            )


# Folds -----------------------------------------------------------------------------------------------------------------------------


def apply_start_child_workflow_execution_initiated(state: State, event: HistoryEvent) -> None:
    a = event.start_child_workflow_execution_initiated_event_attributes
    state.children[event.event_id] = Child(
        initiated_event_id=event.event_id,
        namespace=a.namespace,
        namespace_id=a.namespace_id,
        workflow_id=a.workflow_id,
        workflow_type=a.workflow_type.name,
        parent_close_policy=a.parent_close_policy,
    )


def apply_child_workflow_execution_started(state: State, event: HistoryEvent) -> None:
    """The event has no id yet where it is buffered; Step.flush fills it in."""
    a = event.child_workflow_execution_started_event_attributes
    child = state.children.edit(a.initiated_event_id)
    child.started, child.run_id, child.started_event_id = True, a.workflow_execution.run_id, event.event_id


def apply_start_child_workflow_execution_failed(state: State, event: HistoryEvent) -> None:
    del state.children[event.start_child_workflow_execution_failed_event_attributes.initiated_event_id]


def apply_child_workflow_execution_completed(state: State, event: HistoryEvent) -> None:
    del state.children[event.child_workflow_execution_completed_event_attributes.initiated_event_id]


def apply_child_workflow_execution_failed(state: State, event: HistoryEvent) -> None:
    del state.children[event.child_workflow_execution_failed_event_attributes.initiated_event_id]


def apply_child_workflow_execution_canceled(state: State, event: HistoryEvent) -> None:
    del state.children[event.child_workflow_execution_canceled_event_attributes.initiated_event_id]


def apply_child_workflow_execution_timed_out(state: State, event: HistoryEvent) -> None:
    del state.children[event.child_workflow_execution_timed_out_event_attributes.initiated_event_id]


def apply_child_workflow_execution_terminated(state: State, event: HistoryEvent) -> None:
    del state.children[event.child_workflow_execution_terminated_event_attributes.initiated_event_id]
