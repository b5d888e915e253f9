"""What a run looks like from outside: the answer of DescribeWorkflowExecution, and the row that lists show.

Source: service/history/api/describeworkflow/api.go, service/history/workflow/activity.go GetPendingActivityInfo.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.common.v1 import ActivityType, SearchAttributes, WorkflowExecution
from temporalio.api.enums.v1 import (
    EventType,
    PendingActivityState,
    PendingNexusOperationState,
    PendingWorkflowTaskState,
    TaskQueueKind,
)
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import (
    CallbackInfo,
    NexusOperationCancellationInfo,
    PendingActivityInfo,
    PendingChildExecutionInfo,
    PendingNexusOperationInfo,
    PendingWorkflowTaskInfo,
    RequestIdInfo,
    WorkflowExecutionConfig,
    WorkflowExecutionExtendedInfo,
    WorkflowExecutionInfo,
)
from temporalio.api.workflow.v1 import WorkflowExecutionPauseInfo as PauseInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from server.core import search_attributes
from server.core.durations import duration
from server.core.outcome import Namespace, timestamp
from server.core.state import State
from server.core.state_pb2 import Activity, Callback, Child, NexusCalls, NexusOperation
from server.core.workflow import activity_edits, versioning

A = PendingActivityState
P = PendingNexusOperationState
NEVER = Timestamp(seconds=-62135596800)  # the year 1: how the official server shows that a run has no timeout
SIGNALED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
STARTED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED


def describe(state: State, now: int, namespace: Namespace) -> DescribeWorkflowExecutionResponse:
    """Everything that the official server says of a run, at `now`."""
    known = namespace.search_attributes
    response = DescribeWorkflowExecutionResponse(
        execution_config=_config(state),
        workflow_execution_info=_info(state),
        pending_activities=[pending_activity(a, now) for a in state.activities.values()],
        pending_children=[_child(c) for c in state.children.values()],
        pending_nexus_operations=[pending_operation(o) for o in state.nexus.values()],
        callbacks=[_callback(state, c) for c in state.callbacks.values()],
        workflow_extended_info=_extended(state),
    )
    shown = response.workflow_execution_info
    shown.search_attributes.CopyFrom(search_attributes.typed(state.core.search_attributes, known))
    if state.core.HasField("task"):
        response.pending_workflow_task.CopyFrom(_task(state))
    return response


def root_of(state: State) -> WorkflowExecution:
    """The run at the top of the tree of parents: this one, where it has none."""
    if state.asked.HasField("root_workflow_execution"):
        return state.asked.root_workflow_execution
    return WorkflowExecution(workflow_id=state.key.workflow_id, run_id=state.key.run_id)


def _config(state: State) -> WorkflowExecutionConfig:
    asked = state.asked
    assert state.started is not None
    config = WorkflowExecutionConfig(
        task_queue=TaskQueue(name=asked.task_queue.name, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL),
        default_workflow_task_timeout=duration(state.core.workflow_task_timeout),
    )
    for name in ("workflow_execution_timeout", "workflow_run_timeout"):
        if asked.HasField(name):  # type: ignore[arg-type]
            getattr(config, name).CopyFrom(getattr(asked, name))
    if state.started.HasField("user_metadata"):
        config.user_metadata.CopyFrom(state.started.user_metadata)
    return config


def _info(state: State) -> WorkflowExecutionInfo:
    core, asked = state.core, state.asked
    info = WorkflowExecutionInfo(
        execution=WorkflowExecution(workflow_id=state.key.workflow_id, run_id=state.key.run_id),
        type=asked.workflow_type,
        start_time=timestamp(core.start_time),
        status=core.status,  # type: ignore[arg-type]
        history_length=core.next_event_id - 1,
        execution_time=timestamp(core.execution_time),
        memo=core.memo,
        auto_reset_points=core.auto_reset_points,
        task_queue=asked.task_queue.name,
        state_transition_count=core.state_transition_count,
        history_size_bytes=core.history_size_bytes,
        root_execution=root_of(state),
        first_run_id=core.first_run_id,
        worker_deployment_name=core.worker_deployment_name,
    )
    for name in ("most_recent_worker_version_stamp", "priority"):
        if core.HasField(name):  # type: ignore[arg-type]
            getattr(info, name).CopyFrom(getattr(core, name))
    if core.HasField("versioning_info"):
        info.versioning_info.CopyFrom(versioning.shown(core.versioning_info))
    if asked.HasField("parent_workflow_execution"):
        info.parent_execution.CopyFrom(asked.parent_workflow_execution)
        info.parent_namespace_id = asked.parent_workflow_namespace_id
    if core.close_time:
        info.close_time.CopyFrom(timestamp(core.close_time))
        info.execution_duration.FromNanoseconds(core.close_time - core.execution_time)
    return info


def _extended(state: State) -> WorkflowExecutionExtendedInfo:
    core = state.core
    assert state.started is not None
    info = WorkflowExecutionExtendedInfo(
        run_expiration_time=timestamp(core.run_deadline) if core.run_deadline else NEVER,
        original_start_time=state.started.event_time,
        cancel_requested=core.cancel_requested,
        reset_run_id=core.reset_run_id,
    )
    if core.base_run_id:
        info.last_reset_time.CopyFrom(timestamp(core.start_time))
    if core.HasField("pause"):
        pause = core.pause
        info.pause_info.CopyFrom(
            PauseInfo(identity=pause.identity, paused_time=timestamp(pause.time), reason=pause.reason)
        )
    if core.execution_deadline:
        info.execution_expiration_time.CopyFrom(timestamp(core.execution_deadline))
    for id, request in state.requests.items():
        if request.event_type != SIGNALED:
            buffered = request.event_id == 0
            shown = RequestIdInfo(event_type=request.event_type, event_id=request.event_id, buffered=buffered)  # type: ignore[arg-type]
            info.request_id_infos[id].CopyFrom(shown)
    return info


def _task(state: State) -> PendingWorkflowTaskInfo:
    task = state.core.task
    info = PendingWorkflowTaskInfo(
        state=PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED,
        scheduled_time=timestamp(task.scheduled_time),
        original_scheduled_time=timestamp(task.original_scheduled_time),
        attempt=task.attempt,
    )
    if task.started_time:
        info.state = PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED
        info.started_time.CopyFrom(timestamp(task.started_time))
    return info


def pending_operation(o: NexusOperation) -> PendingNexusOperationInfo:
    info = PendingNexusOperationInfo(
        endpoint=o.endpoint,
        service=o.service,
        operation=o.operation,
        operation_id=o.operation_token,
        operation_token=o.operation_token,
        scheduled_event_id=o.scheduled_event_id,
        scheduled_time=timestamp(o.scheduled_time),
        state=P.PENDING_NEXUS_OPERATION_STATE_STARTED if o.started_time else P.PENDING_NEXUS_OPERATION_STATE_SCHEDULED,
    )
    for name in ("schedule_to_close_timeout", "schedule_to_start_timeout", "start_to_close_timeout"):
        if ns := getattr(o, name):
            getattr(info, name).CopyFrom(duration(ns))
    if o.start.next_attempt_time:
        info.state = P.PENDING_NEXUS_OPERATION_STATE_BACKING_OFF
    _calls(info, o.start)
    if o.HasField("cancellation"):
        info.cancellation_info.state = o.cancellation.state  # type: ignore[assignment]
        if o.cancellation.requested_time:
            info.cancellation_info.requested_time.CopyFrom(timestamp(o.cancellation.requested_time))
        _calls(info.cancellation_info, o.cancellation.calls)
    return info


def _callback(state: State, c: Callback) -> CallbackInfo:
    started = (id for id, request in state.requests.items() if request.event_type == STARTED)
    info = CallbackInfo(
        callback=c.callback,
        trigger=_trigger(c),
        registration_time=timestamp(c.registration_time),
        state=c.state,  # type: ignore[arg-type]
        request_id=c.request_id or next(started, ""),
    )
    _calls(info, c.calls)
    return info


def _trigger(c: Callback) -> CallbackInfo.Trigger:
    if not c.update_id:
        return CallbackInfo.Trigger(workflow_closed=CallbackInfo.WorkflowClosed())
    completed = CallbackInfo.UpdateWorkflowExecutionCompleted(update_id=c.update_id)
    return CallbackInfo.Trigger(update_workflow_execution_completed=completed)


def _calls(info: PendingNexusOperationInfo | NexusOperationCancellationInfo | CallbackInfo, calls: NexusCalls) -> None:
    """How the calls went."""
    info.attempt = calls.attempt
    if calls.last_attempt_complete_time:
        info.last_attempt_complete_time.CopyFrom(timestamp(calls.last_attempt_complete_time))
    if calls.next_attempt_time:
        info.next_attempt_schedule_time.CopyFrom(timestamp(calls.next_attempt_time))
    if calls.HasField("last_attempt_failure"):
        info.last_attempt_failure.CopyFrom(calls.last_attempt_failure)


def pending_activity(a: Activity, now: int) -> PendingActivityInfo:
    info = PendingActivityInfo(
        activity_id=a.activity_id,
        activity_type=ActivityType(name=a.activity_type),
        state=_activity_state(a),
        attempt=a.attempt,
        maximum_attempts=a.retry_policy.maximum_attempts,
        scheduled_time=timestamp(a.attempt_scheduled_time),
        last_worker_identity=a.identity or a.last_worker_identity,
        paused=a.paused,
        activity_options=_options(a),
    )
    if a.heartbeat_time:
        info.last_heartbeat_time.CopyFrom(timestamp(a.heartbeat_time))
        info.heartbeat_details.CopyFrom(a.heartbeat_details)
    for field, time in (
        ("last_started_time", a.started_time),
        ("expiration_time", a.schedule_to_close_deadline),
        ("last_attempt_complete_time", a.last_attempt_complete_time),
    ):
        if time:
            getattr(info, field).CopyFrom(timestamp(time))
    if a.retry_at > now and not a.paused:
        info.next_attempt_schedule_time.CopyFrom(timestamp(a.retry_at))
        info.current_retry_interval.CopyFrom(duration(a.retry_interval))
    for name in ("last_failure", "priority"):
        if a.HasField(name):  # type: ignore[arg-type]
            getattr(info, name).CopyFrom(getattr(a, name))
    if a.paused:
        manual = PendingActivityInfo.PauseInfo.Manual(identity=a.pause_identity, reason=a.pause_reason)
        info.pause_info.CopyFrom(PendingActivityInfo.PauseInfo(pause_time=timestamp(a.pause_time), manual=manual))
    if a.use_workflow_build_id:
        info.use_workflow_build_id.CopyFrom(Empty())
    return info


def _child(c: Child) -> PendingChildExecutionInfo:
    return PendingChildExecutionInfo(
        workflow_id=c.workflow_id,
        run_id=c.run_id,
        workflow_type_name=c.workflow_type,
        initiated_id=c.initiated_event_id,
        parent_close_policy=c.parent_close_policy,  # type: ignore[arg-type]
    )


def _activity_state(a: Activity) -> PendingActivityState.ValueType:
    if a.cancel_requested:
        return A.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED
    if a.paused:
        return A.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED if a.started_time else A.PENDING_ACTIVITY_STATE_PAUSED
    return A.PENDING_ACTIVITY_STATE_STARTED if a.started_time else A.PENDING_ACTIVITY_STATE_SCHEDULED


def _options(a: Activity) -> ActivityOptions:
    """As the official server shows them."""
    options = activity_edits.options(a)
    options.task_queue.normal_name = a.queue
    del options.retry_policy.non_retryable_error_types[:]
    return options


# Lists -----------------------------------------------------------------------------------------------------------------------------


def visible(state: State) -> dict[str, Any]:
    """What lists show of the run: the fields of drivers.base.Visible besides its key."""
    core, asked = state.core, state.asked
    root = root_of(state)
    return {
        "workflow_type": asked.workflow_type.name,
        "task_queue": asked.task_queue.name,
        "status": core.status,
        "start_time": core.start_time,
        "execution_time": core.execution_time,
        "close_time": core.close_time,
        "history_length": core.next_event_id - 1 if core.close_time else 0,
        "history_size_bytes": core.history_size_bytes if core.close_time else 0,
        "state_transition_count": core.state_transition_count if core.close_time else 0,
        "parent_workflow_id": asked.parent_workflow_execution.workflow_id,
        "parent_run_id": asked.parent_workflow_execution.run_id,
        "root_workflow_id": root.workflow_id,
        "root_run_id": root.run_id,
        "memo": core.memo.SerializeToString(),
        "attributes": core.search_attributes.SerializeToString(),
        "search_attributes": values(core.search_attributes) | _of_operation(state),
    }


def _of_operation(state: State) -> dict[str, Any]:
    """What a Nexus operation of no workflow is found by, beside."""
    operations = [*state.nexus.values(), state.core.ended_operation] if state.standalone else []
    return {"Service": operations[0].service} if operations and operations[0].service else {}


def values(attributes: SearchAttributes) -> dict[str, Any]:
    """The values by name, each of the type that its payload says."""
    found: dict[str, Any] = {}
    for name, payload in attributes.indexed_fields.items():
        kind = search_attributes.TYPES.get(payload.metadata["type"].decode()) if "type" in payload.metadata else None
        if kind is not None:
            with suppress(ValueError):
                found[name] = search_attributes.value_of(payload, kind)
    return found
