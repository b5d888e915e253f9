"""Workflow tasks: scheduled when news waits, started by a poll, failed or timed out; completion.py has what the worker answers.

A first attempt is in history. A repeated one (transient) is not, until it completes: its scheduled and started events have the next two ids
only as the worker sees them. News that comes while it waits for a worker makes it a first attempt again. One that is for updates alone
(speculative) is not in history either, until the worker accepts one or news comes: when all are rejected, nothing of it remains.
Source: service/history/workflow/workflow_task_state_machine.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import WorkerVersionStamp, WorkflowExecution
from temporalio.api.enums.v1 import (
    EventType,
    TaskQueueKind,
    TimeoutType,
    WorkflowTaskFailedCause,
)
from temporalio.api.enums.v1 import SuggestContinueAsNewReason as Reason
from temporalio.api.history.v1 import (
    HistoryEvent,
    WorkflowTaskScheduledEventAttributes,
    WorkflowTaskStartedEventAttributes,
)
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PollWorkflowTaskQueueResponse

from server.core.deadline import Deadline
from server.core.limits import SECOND
from server.core.outcome import WORKFLOW_TASK, Poll, timestamp
from server.core.rejected import NotFound
from server.core.state import State
from server.core.state_pb2 import TaskToken, WorkflowTask
from server.core.workflow import builds, updates

if TYPE_CHECKING:
    from server.core.step import Step

E = EventType
Cause = WorkflowTaskFailedCause
NOT_FOUND = "Workflow task not found."
NO_REQUEST = "emptyUuid"
INLINE_REQUEST_ID = "request-from-RespondWorkflowTaskCompleted"
PATIENT_ATTEMPTS = 3  # later ones get more time, doubling: workflow_task_state_machine.go getStartToCloseTimeout
PATIENCE_FIRST = 5 * SECOND
SPECULATIVE_PATIENCE = 5 * SECOND  # then it becomes a normal one: tasks.SpeculativeWorkflowTaskScheduleToStartTimeout
VIRTUAL = (WorkflowTask.TRANSIENT, WorkflowTask.SPECULATIVE)  # history does not hold their events


# Scheduling ------------------------------------------------------------------------------------------------------------------------


def schedule(step: Step, *, speculative: bool = False) -> None:
    """Makes the run's one workflow task and offers it. Only settle calls this. A `speculative` one is for updates alone."""
    core = step.state.core
    attempt = max(core.task_attempt, 1)
    timeout = core.workflow_task_timeout + patience(attempt, step.namespace.limits.workflow_task_retry_max_interval)
    if attempt == 1 and not speculative:
        step.emit(
            E.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
            scheduled_attributes(step.state, timeout, attempt),
        )
    else:
        core.task.CopyFrom(
            WorkflowTask(
                kind=WorkflowTask.SPECULATIVE if attempt == 1 else WorkflowTask.TRANSIENT,
                scheduled_event_id=core.next_event_id,
                attempt=attempt,
                scheduled_time=step.now,
                timeout=timeout,
                queue=queue_of(step.state),
                sticky=core.HasField("sticky"),
                schedule_to_start_timeout=SPECULATIVE_PATIENCE if attempt == 1 else 0,
            )
        )
    task = core.task
    task.original_scheduled_time = core.task_heartbeat_since or step.now
    offer(step)


def offer(step: Step) -> None:
    """Offers the pending workflow task on its queue."""
    core, task = step.state.core, step.state.core.task
    more: dict[str, Any] = {
        "attempt": task.attempt,
        "priority": core.priority if core.HasField("priority") else None,
    }
    if task.sticky:
        task.schedule_to_start_timeout = core.sticky.schedule_to_start_timeout
        more["normal_queue"] = step.state.asked.task_queue.name
        more["expires_at"] = (
            task.scheduled_time + task.schedule_to_start_timeout if task.schedule_to_start_timeout else 0
        )
    task.dispatch_id = step.offer(WORKFLOW_TASK, task.queue, task.scheduled_event_id, **more)


def offer_again(step: Step) -> None:
    """What the waiting task was offered with has changed: its queue, where there is no sticky one any more, or its priority."""
    core, task = step.state.core, step.state.core.task
    if core.HasField("task") and not task.started_time:
        step.withdraw(WORKFLOW_TASK, task.queue, task.dispatch_id)
        task.queue, task.sticky = queue_of(step.state), core.HasField("sticky")
        if not task.sticky:
            task.schedule_to_start_timeout = 0
        offer(step)


def patience(attempt: int, longest: int) -> int:
    """The extra time that a repeatedly failing task gets, nanoseconds."""
    beyond = attempt - PATIENT_ATTEMPTS
    return 0 if beyond <= 0 else min(PATIENCE_FIRST * 2 ** min(beyond - 1, 30), longest)


def queue_of(state: State) -> str:
    """Where the next workflow task goes: the sticky queue when there is one."""
    return state.core.sticky.queue if state.core.HasField("sticky") else state.asked.task_queue.name


def task_queue(state: State) -> TaskQueue:
    """`queue_of` as events have it."""
    normal = state.asked.task_queue.name
    if state.core.HasField("sticky"):
        return TaskQueue(
            name=state.core.sticky.queue,
            kind=TaskQueueKind.TASK_QUEUE_KIND_STICKY,
            normal_name=normal,
        )
    return TaskQueue(name=normal, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL)


def scheduled_attributes(state: State, timeout: int, attempt: int) -> dict[str, Any]:
    """Attributes of a scheduled event."""
    return {
        "task_queue": task_queue(state),
        "start_to_close_timeout": Duration(seconds=timeout // SECOND, nanos=timeout % SECOND),
        "attempt": attempt,
    }


# Starting --------------------------------------------------------------------------------------------------------------------------


def start_workflow_task(step: Step, scheduled_event_id: int, attempt: int, poll: Poll) -> PollWorkflowTaskQueueResponse:
    """A worker takes the task. The answer lacks history, queries and the task's earlier pages: the caller adds them. The same poll (by
    request id) may ask twice. Raises NotFound when the task is gone or someone else's."""
    core, task = step.state.core, _pending(step.state, scheduled_event_id, attempt)
    if task.started_time:
        if task.request_id == poll.request_id != INLINE_REQUEST_ID:
            response = started_response(step.state)
            updates.send(step.state, response)
            return response
        raise NotFound(NOT_FOUND)
    step.withdraw(WORKFLOW_TASK, task.queue, task.dispatch_id)
    task.dispatch_id = 0
    if task.sticky and poll.queue and poll.queue != task.queue:
        core.ClearField("sticky")  # the sticky worker was gone; this one needs the whole history
    if task.kind == WorkflowTask.TRANSIENT and task.scheduled_event_id != core.next_event_id:
        _renew(step)
    _note_history_size(step, [] if poll.request_id == INLINE_REQUEST_ID else step.events)
    started = {
        **started_attributes(core.task),
        "identity": poll.identity,
        "request_id": poll.request_id,
    }
    if poll.build_id:
        started["worker_version"] = WorkerVersionStamp(build_id=poll.build_id, use_versioning=poll.use_versioning)
        core.task.worker_version.CopyFrom(started["worker_version"])
    if core.task.kind in VIRTUAL:
        task.request_id, task.identity, task.started_time = poll.request_id, poll.identity, step.now
        task.started_event_id = task.scheduled_event_id + 1
        core.unseen = core.unseen and task.kind == WorkflowTask.SPECULATIVE
    else:
        step.emit(E.EVENT_TYPE_WORKFLOW_TASK_STARTED, started)
    core.task.worker_instance_key = poll.worker_instance_key
    response = started_response(step.state)
    updates.send(step.state, response, again=poll.request_id != INLINE_REQUEST_ID)
    return response


def _pending(state: State, scheduled_event_id: int, attempt: int) -> WorkflowTask:
    """The task that waits or is held. Raises NotFound when it is another one, or none."""
    task = state.core.task
    named = state.core.HasField("task") and (task.scheduled_event_id, task.attempt) == (scheduled_event_id, attempt)
    if not state.running or not named:
        raise NotFound(NOT_FOUND)
    return task


def _renew(step: Step) -> None:
    """News came since the repeated attempt was scheduled: it becomes a first attempt, with its scheduled event now."""
    core = step.state.core
    timeout, since = core.task.timeout, core.task.original_scheduled_time
    core.task_attempt = 1
    step.emit(
        E.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
        scheduled_attributes(step.state, timeout, 1),
    )
    core.task.original_scheduled_time = since


def record(step: Step, identity: str = "") -> None:
    """Writes the events of a task that history does not hold: from now on it is a normal one, for whoever has or will have it. `identity` is
    that of who causes it: the started event names no other."""
    core, task = step.state.core, WorkflowTask()
    task.CopyFrom(core.task)
    task.kind = WorkflowTask.NORMAL
    scheduled = scheduled_attributes(step.state, task.timeout, task.attempt)
    event = step.emit(E.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, scheduled, at=task.scheduled_time)
    task.scheduled_event_id = event.event_id
    if task.started_time:
        started = {**started_attributes(task), "identity": identity}
        event = step.emit(E.EVENT_TYPE_WORKFLOW_TASK_STARTED, started, at=task.started_time)
        task.started_event_id = event.event_id
    elif not task.sticky:
        task.schedule_to_start_timeout = 0
    core.task.CopyFrom(task)


def _note_history_size(step: Step, new: Sequence[HistoryEvent]) -> None:
    """What the started event says of the history so far, and whether the workflow had better continue as new. The `new` events count too:
    only a task that goes back with an answer is started by the official server in the transaction that makes them."""
    core, limits = step.state.core, step.namespace.limits
    core.task.history_size_bytes = core.history_size_bytes + sum(event.ByteSize() for event in new)
    del core.task.suggest_continue_as_new_reasons[:]
    if core.task.history_size_bytes >= limits.history_size_bytes_suggest:
        core.task.suggest_continue_as_new_reasons.append(Reason.SUGGEST_CONTINUE_AS_NEW_REASON_HISTORY_SIZE_TOO_LARGE)
    if core.next_event_id >= limits.history_count_suggest:
        core.task.suggest_continue_as_new_reasons.append(Reason.SUGGEST_CONTINUE_AS_NEW_REASON_TOO_MANY_HISTORY_EVENTS)
    if updates.are_many(step.state, limits):
        core.task.suggest_continue_as_new_reasons.append(Reason.SUGGEST_CONTINUE_AS_NEW_REASON_TOO_MANY_UPDATES)
    core.task.suggest_continue_as_new = bool(core.task.suggest_continue_as_new_reasons)


def started_attributes(task: WorkflowTask) -> dict[str, Any]:
    """Attributes of a started event, from the record."""
    out: dict[str, Any] = {
        "scheduled_event_id": task.scheduled_event_id,
        "identity": task.identity,
        "request_id": task.request_id,
        "suggest_continue_as_new": task.suggest_continue_as_new,
        "suggest_continue_as_new_reasons": task.suggest_continue_as_new_reasons,
        "history_size_bytes": task.history_size_bytes,
    }
    if task.HasField("worker_version"):
        out["worker_version"] = task.worker_version
    return out


def started_response(state: State) -> PollWorkflowTaskQueueResponse:
    """What a worker gets for the started task, without history and queries."""
    core, task = state.core, state.core.task
    token = TaskToken(
        version=1,
        namespace_id=state.key.namespace_id,
        workflow_id=state.key.workflow_id,
        run_id=state.key.run_id,
        scheduled_event_id=task.scheduled_event_id,
        started_event_id=task.started_event_id,
        attempt=task.attempt,
        started_time=task.started_time,
    )
    return PollWorkflowTaskQueueResponse(
        task_token=token.SerializeToString(),
        workflow_execution=WorkflowExecution(workflow_id=state.key.workflow_id, run_id=state.key.run_id),
        workflow_type=state.asked.workflow_type,
        previous_started_event_id=core.last_started_event_id,
        started_event_id=task.started_event_id,
        attempt=task.attempt,
        workflow_execution_task_queue=TaskQueue(
            name=state.asked.task_queue.name, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL
        ),
        scheduled_time=timestamp(task.scheduled_time),
        started_time=timestamp(task.started_time),
    )


def first_event_to_show(state: State) -> int:
    """Where the history that goes with the started task begins: a sticky worker has the rest, and so has one that gets its next task at once."""
    knows = state.core.HasField("sticky") or state.core.task.request_id == INLINE_REQUEST_ID
    return state.core.last_started_event_id + 1 if knows else 1


def virtual_events(state: State, identity: str = "") -> list[HistoryEvent]:
    """The scheduled (and started) events of a task that history does not hold; empty otherwise. Only its worker is shown its `identity`."""
    task = state.core.task
    if not state.core.HasField("task") or task.kind not in VIRTUAL:
        return []
    scheduled = HistoryEvent(
        event_id=task.scheduled_event_id,
        event_time=timestamp(task.scheduled_time),
        event_type=E.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
        workflow_task_scheduled_event_attributes=WorkflowTaskScheduledEventAttributes(
            **scheduled_attributes(state, task.timeout, task.attempt)
        ),
    )
    if not task.started_time:
        return [scheduled]
    started = HistoryEvent(
        event_id=task.started_event_id,
        event_time=timestamp(task.started_time),
        event_type=E.EVENT_TYPE_WORKFLOW_TASK_STARTED,
        workflow_task_started_event_attributes=WorkflowTaskStartedEventAttributes(
            **{**started_attributes(task), "identity": identity}
        ),
    )
    return [scheduled, started]


# Failing ---------------------------------------------------------------------------------------------------------------------------


def failed(step: Step, cause: int, **fields: Any) -> None:
    """The held task fails: an event for a first attempt, a note in the state for a repeated one."""
    core = step.state.core
    core.task_last_failure_cause = camel(Cause.Name(cause), "WORKFLOW_TASK_FAILED_CAUSE_")  # type: ignore[arg-type]
    if core.task.kind == WorkflowTask.TRANSIENT:
        _drop(step.state)
        core.unseen = True
        return
    if core.task.kind == WorkflowTask.SPECULATIVE:
        if not core.task.started_time:  # both its events are made, whether a worker has it or not
            core.task.started_time, core.task.request_id = step.now, NO_REQUEST
        record(step, fields.get("identity", ""))
    attributes = {
        "scheduled_event_id": core.task.scheduled_event_id,
        "started_event_id": core.task.started_event_id,
        "cause": cause,
        **fields,
    }
    step.emit(E.EVENT_TYPE_WORKFLOW_TASK_FAILED, attributes)


def camel(name: str, prefix: str) -> str:
    """An enum's name as the official sentences have it: COMMAND_TYPE_START_TIMER → StartTimer."""
    return name.removeprefix(prefix).title().replace("_", "")


def abandon(step: Step) -> None:
    """Before a run is closed from outside: the task that a worker holds fails, and what was buffered gets its ids."""
    if step.held:
        failed(
            step,
            Cause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
            identity="history-service",
        )
    if step.state.buffered:
        step.flush()


def reset_sticky(step: Step) -> None:
    """Tasks to come go to the normal queue."""
    step.state.core.ClearField("sticky")


# Deadlines -------------------------------------------------------------------------------------------------------------------------


def due(state: State) -> Iterable[Deadline]:
    """The workflow task's own: start to close, schedule to start of a sticky one, and the first one's delay."""
    core, task = state.core, state.core.task
    if core.HasField("task"):
        if task.started_time:
            yield Deadline(task.started_time + task.timeout, "task", _start_to_close)
        elif task.schedule_to_start_timeout:
            yield Deadline(
                task.scheduled_time + task.schedule_to_start_timeout,
                "task",
                _schedule_to_start,
            )
    elif core.first_task_at:
        yield Deadline(core.first_task_at, "first-task", _first_task)


def _start_to_close(step: Step, _key: str) -> None:
    if step.held and not _for_nobody(step.state):
        timed_out(step, TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE)


def _schedule_to_start(step: Step, _key: str) -> None:
    task = step.state.core.task
    if step.state.core.HasField("task") and not task.started_time:
        step.withdraw(WORKFLOW_TASK, task.queue, task.dispatch_id)
        if not _for_nobody(step.state):
            timed_out(step, TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START)


def _for_nobody(state: State) -> bool:
    """The updates that the task was made for are not in memory any more: it is dropped without a word."""
    lost = state.core.task.kind == WorkflowTask.SPECULATIVE and not state.admitted
    if lost:
        state.core.ClearField("task")
    return lost


def _first_task(step: Step, _key: str) -> None:
    step.state.core.first_task_at = 0


def timed_out(step: Step, kind: TimeoutType.ValueType) -> None:
    """The pending task is over: an event for a first attempt, a note in the state for a repeated one."""
    core = step.state.core
    if core.task.kind == WorkflowTask.TRANSIENT:
        _drop(step.state)
        core.unseen = True
        return
    if core.task.kind == WorkflowTask.SPECULATIVE:
        record(step)
    attributes = {
        "scheduled_event_id": core.task.scheduled_event_id,
        "started_event_id": core.task.started_event_id,
        "timeout_type": kind,
    }
    step.emit(E.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT, attributes)


# Folds -----------------------------------------------------------------------------------------------------------------------------


def apply_workflow_task_scheduled(state: State, event: HistoryEvent) -> None:
    attributes = event.workflow_task_scheduled_event_attributes
    now = event.event_time.ToNanoseconds()
    state.core.first_task_at = 0
    state.core.task_attempt = attributes.attempt
    state.core.task.CopyFrom(
        WorkflowTask(
            scheduled_event_id=event.event_id,
            attempt=attributes.attempt,
            scheduled_time=now,
            original_scheduled_time=now,
            timeout=attributes.start_to_close_timeout.ToNanoseconds(),
            queue=attributes.task_queue.name,
            sticky=attributes.task_queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY,
        )
    )


def apply_workflow_task_started(state: State, event: HistoryEvent) -> None:
    attributes, task = event.workflow_task_started_event_attributes, state.core.task
    task.started_event_id = event.event_id
    task.started_time = event.event_time.ToNanoseconds()
    task.request_id, task.identity = attributes.request_id, attributes.identity
    state.core.unseen = False


def apply_workflow_task_completed(state: State, event: HistoryEvent) -> None:
    attributes, core = event.workflow_task_completed_event_attributes, state.core
    core.last_started_event_id = attributes.started_event_id
    core.task_attempt = 1
    core.ClearField("most_recent_worker_version_stamp")
    if attributes.HasField("worker_version"):
        core.most_recent_worker_version_stamp.CopyFrom(attributes.worker_version)
    core.ClearField("task")
    builds.note_completed(state, event)


def apply_workflow_task_failed(state: State, event: HistoryEvent) -> None:
    reset = event.workflow_task_failed_event_attributes.cause == Cause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW
    _drop(state, repeats=not reset)


def apply_workflow_task_timed_out(state: State, event: HistoryEvent) -> None:
    unstarted = (
        event.workflow_task_timed_out_event_attributes.timeout_type == TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START
    )
    _drop(state, repeats=not unstarted)


def _drop(state: State, *, repeats: bool = True) -> None:
    """The task is gone without result. One from a sticky queue is tried on the normal one before it counts as a repetition."""
    core = state.core
    core.task_attempt = 1 if core.HasField("sticky") or not repeats else max(core.task_attempt, 1) + 1
    core.ClearField("sticky")
    core.ClearField("task")
