"""Activities: scheduled and cancelled by commands, started by polls, ended by what workers answer or by time, tried again in between.

A started attempt is not in history: its started event is written together with the event that ends the activity, so that retries leave no
trace but the attempt's number and the last failure. Source: service/history/workflow/mutable_state_impl.go, timer_sequence.go,
service/history/api/respondactivitytask*, recordactivitytaskstarted, recordactivitytaskheartbeat.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import ActivityType, Payload, Payloads, WorkerVersionStamp, WorkflowExecution
from temporalio.api.enums.v1 import EventType, RetryState, TimeoutType
from temporalio.api.enums.v1 import WorkflowTaskFailedCause as Cause
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    PollActivityTaskQueueResponse,
    RecordActivityTaskHeartbeatByIdRequest,
    RecordActivityTaskHeartbeatRequest,
    RecordActivityTaskHeartbeatResponse,
    RespondActivityTaskCanceledByIdRequest,
    RespondActivityTaskCanceledRequest,
    RespondActivityTaskCompletedByIdRequest,
    RespondActivityTaskCompletedRequest,
    RespondActivityTaskFailedByIdRequest,
    RespondActivityTaskFailedRequest,
    RespondActivityTaskFailedResponse,
)

from server.core import failures, retry
from server.core.deadline import Deadline
from server.core.durations import duration
from server.core.outcome import ACTIVITY_TASK, Poll, timestamp
from server.core.rejected import BadCommand, FailedPrecondition, InvalidArgument, NotFound
from server.core.state import State
from server.core.state_pb2 import Activity, TaskToken
from server.core.workflow import activity_options, commands
from server.core.workflow.activity_options import scheduled_attributes

if TYPE_CHECKING:
    from server.core.step import Step

E = EventType
T = TimeoutType
COMPLETED = "workflow execution already completed"
GONE = "invalid activityID or activity already timed out or invoking workflow is completed"
BAD_ACTION = "invalid history builder state for action"
NO_TIME = "Not enough time to schedule next retry before activity ScheduleToClose timeout, giving up retrying"
NOT_STARTED = Payloads(payloads=[Payload(metadata={"encoding": b"json/plain"}, data=b'"ACTIVITY_ID_NOT_STARTED"')])
OUT_OF_TIME = {T.TIMEOUT_TYPE_SCHEDULE_TO_START, T.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE}
AT = itemgetter(0)
RETRY = TimeoutType.TIMEOUT_TYPE_UNSPECIFIED  # among the times of an activity: its backoff is over


# Commands --------------------------------------------------------------------------------------------------------------------------


def schedule_activity_task(step: Step, command: Command, completed_event_id: int) -> None:
    """An activity is scheduled and offered. Raises BadCommand."""
    bad = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES
    asked = commands.attributes(command, "schedule_activity_task", bad)
    state, limits = step.state, step.namespace.limits
    run_timeout = state.asked.workflow_run_timeout.ToNanoseconds()
    try:
        attributes = scheduled_attributes(asked, limits, run_timeout, state.asked.task_queue.name)
    except InvalidArgument as error:
        raise BadCommand(bad, error.message) from error
    too_large = "ScheduleActivityTaskCommandAttributes.Input exceeds size limit."
    commands.check_blob(step, asked.input.ByteSize(), bad, too_large)
    pending = len(state.activities)
    if pending >= limits.pending_activities_max > 0:
        msg = f"the number of pending activities, {pending}, has reached the per-workflow limit of {limits.pending_activities_max}"
        raise BadCommand(Cause.WORKFLOW_TASK_FAILED_CAUSE_PENDING_ACTIVITIES_LIMIT_EXCEEDED, msg)
    if asked.activity_id in state.activity_ids:
        msg = f"{BAD_ACTION}: add-activitytask-scheduled-event, ActivityID: {asked.activity_id}"
        raise BadCommand(Cause.WORKFLOW_TASK_FAILED_CAUSE_SCHEDULE_ACTIVITY_DUPLICATE_ID, msg)
    attributes.workflow_task_completed_event_id = completed_event_id
    event = step.emit(E.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, attributes, **commands.extras(command))
    _offer(step, event.event_id)


def request_cancel_activity_task(step: Step, command: Command, completed_event_id: int) -> None:
    """The workflow wants an activity cancelled: one that no worker holds is cancelled at once, the others learn of it with their next heartbeat.
    One that has ended unseen by the workflow changes nothing. Raises BadCommand."""
    bad = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES
    id = commands.attributes(command, "request_cancel_activity_task", bad).scheduled_event_id
    if id <= 0:
        raise BadCommand(bad, "ScheduledEventId is not set on RequestCancelActivityTaskCommand.")
    activity = step.state.activities.get(id)
    if activity.cancel_requested if activity is not None else not _ended_unseen(step, id):
        raise BadCommand(bad, f"{BAD_ACTION}: add-activitytask-cancel-requested-event, ScheduledEventID: {id}")
    more = {"workflow_task_completed_event_id": completed_event_id}
    request_cancel(step, id, step.completed_by(completed_event_id), more, **commands.extras(command))


def request_cancel(step: Step, id: int, identity: str, more: dict[str, Any] | None = None, **fields: Any) -> None:
    """The activity, if it has not ended, is to be cancelled."""
    activity = step.state.activities.get(id)
    attributes = {"scheduled_event_id": id, **(more or {})}
    event = step.emit(E.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED, attributes, **fields)
    if activity is not None and not activity.started_time:
        how = {"latest_cancel_requested_event_id": event.event_id, "details": NOT_STARTED, "identity": identity}
        _end(step, activity, E.EVENT_TYPE_ACTIVITY_TASK_CANCELED, how, late=True)


def _ended_unseen(step: Step, id: int) -> bool:
    """The activity's result is buffered, or was made by this very step."""
    ends = {
        E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "activity_task_completed_event_attributes",
        E.EVENT_TYPE_ACTIVITY_TASK_FAILED: "activity_task_failed_event_attributes",
        E.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: "activity_task_timed_out_event_attributes",
        E.EVENT_TYPE_ACTIVITY_TASK_CANCELED: "activity_task_canceled_event_attributes",
    }
    events = (*step.state.buffered, *step.late)
    return any(e.event_type in ends and getattr(e, ends[e.event_type]).scheduled_event_id == id for e in events)


def _offer(step: Step, id: int) -> None:
    """Offers the attempt that is due on the activity's queue, as soon as the run is not paused."""
    activity = step.state.activities.edit(id)
    activity.retry_at = 0
    if step.state.paused:
        return
    to_start = activity.schedule_to_start_timeout
    activity.dispatch_id = step.offer(
        ACTIVITY_TASK,
        activity.queue,
        id,
        attempt=activity.attempt,
        stamp=activity.stamp,
        expires_at=activity.attempt_scheduled_time + to_start if to_start else 0,
        priority=activity_options.priority(step.state, activity),
    )


def hold_back(step: Step, id: int) -> None:
    """The run has been paused: what is offered waits until it goes on."""
    if step.state.activities[id].dispatch_id:
        activity = step.state.activities.edit(id)
        step.withdraw(ACTIVITY_TASK, activity.queue, activity.dispatch_id)
        activity.dispatch_id = 0


def offer_held_back(step: Step, id: int) -> None:
    """The run goes on."""
    activity = step.state.activities[id]
    if not (activity.started_time or activity.retry_at or activity.paused):
        _offer(step, id)


def again(step: Step, activity: Activity, at: int) -> None:
    """The attempt, which no worker holds, is offered at that time and not before; what was offered of it is moot."""
    hold_back(step, activity.scheduled_event_id)
    activity.ClearField("last_failure")
    _tidy(activity)
    offer_at(step, activity, at)


def offer_at(step: Step, activity: Activity, at: int) -> None:
    """The attempt, of which nothing is offered, is offered at that time."""
    step.state.activities.edit(activity.scheduled_event_id)
    activity.retry_at, activity.attempt_scheduled_time = at, at
    if at <= step.now:
        _offer(step, activity.scheduled_event_id)


def _tidy(activity: Activity) -> None:
    """What was asked for while the attempt before ran holds for the next one."""
    if activity.reset_heartbeat:
        activity.heartbeat_time = 0
        activity.ClearField("heartbeat_details")
    activity.reset_activity = activity.reset_heartbeat = False


def begin_again(step: Step, id: int) -> None:
    """After a reset: it counts as scheduled just now."""
    activity = step.state.activities.edit(id)
    activity.scheduled_time = activity.attempt_scheduled_time = step.now
    if activity.schedule_to_close_timeout:
        activity.schedule_to_close_deadline = step.now + activity.schedule_to_close_timeout
    _offer(step, id)


# Starting --------------------------------------------------------------------------------------------------------------------------


def start_activity_task(
    step: Step, scheduled_event_id: int, attempt: int, stamp: int, poll: Poll
) -> PollActivityTaskQueueResponse:
    """A worker takes the attempt. The answer lacks input and header: the caller adds them. The same poll (by request id) may ask twice.
    Raises NotFound when the attempt is gone or someone else's."""
    state = step.state
    if not state.running:
        raise NotFound(COMPLETED)
    activity = state.activities.get(scheduled_event_id)
    if activity is None or activity.attempt != attempt or activity.stamp != stamp or activity.retry_at or state.paused:
        raise NotFound(GONE)
    if activity.started_time:
        if activity.request_id != poll.request_id:
            raise NotFound("Activity task already started.")
        return _started(step, activity)
    _take(step, activity, poll)
    return _started(step, activity)


def _take(step: Step, activity: Activity, poll: Poll) -> None:
    step.state.activities.edit(activity.scheduled_event_id)
    _withdraw(step, activity)
    activity.started_time = step.now
    activity.request_id, activity.identity = poll.request_id, poll.identity
    activity.worker_instance_key = poll.worker_instance_key


def _withdraw(step: Step, activity: Activity) -> None:
    step.withdraw(ACTIVITY_TASK, activity.queue, activity.dispatch_id)
    activity.dispatch_id = activity.retry_at = 0


def _started(step: Step, activity: Activity) -> PollActivityTaskQueueResponse:
    """What a worker gets for the started attempt, without input and header."""
    state, key = step.state, step.state.key
    token = TaskToken(
        version=1,
        namespace_id=key.namespace_id,
        workflow_id=key.workflow_id,
        run_id=key.run_id,
        scheduled_event_id=activity.scheduled_event_id,
        attempt=activity.attempt,
        activity_id=activity.activity_id,
        activity_type=activity.activity_type,
        stamp=activity.stamp,
        started_time=activity.started_time,
    )
    response = PollActivityTaskQueueResponse(
        task_token=token.SerializeToString(),
        workflow_namespace=step.namespace.name,
        workflow_type=state.asked.workflow_type,
        workflow_execution=WorkflowExecution(workflow_id=key.workflow_id, run_id=key.run_id),
        activity_type=ActivityType(name=activity.activity_type),
        activity_id=activity.activity_id,
        scheduled_time=timestamp(activity.scheduled_time),
        current_attempt_scheduled_time=timestamp(activity.attempt_scheduled_time),
        started_time=timestamp(activity.started_time),
        attempt=activity.attempt,
        schedule_to_close_timeout=duration(activity.schedule_to_close_timeout),
        start_to_close_timeout=duration(activity.start_to_close_timeout),
        heartbeat_timeout=duration(activity.heartbeat_timeout),
        retry_policy=activity.retry_policy,
        priority=activity_options.priority(state, activity),
    )
    if activity.HasField("heartbeat_details"):
        response.heartbeat_details.CopyFrom(activity.heartbeat_details)
    if state.standalone:
        response.ClearField("workflow_type")
        response.ClearField("workflow_execution")
        response.activity_run_id = key.run_id
    return response


# What workers answer ---------------------------------------------------------------------------------------------------------------


def complete_activity(
    step: Step, ref: TaskToken, request: RespondActivityTaskCompletedRequest | RespondActivityTaskCompletedByIdRequest
) -> None:
    """The activity has a result. By id this works for one that no worker has started as well. Raises NotFound, InvalidArgument."""
    activity = _named(step.state, ref)
    by_id = not ref.scheduled_event_id
    if not by_id:
        _check_held(activity, ref)
    if request.result.ByteSize() > step.namespace.limits.blob_size_bytes_max:
        return _fail(step, activity, failures.RESULT_TOO_LARGE, request.identity)
    if not activity.started_time:
        _take(step, activity, Poll(identity=request.identity, request_id=""))
    how: dict[str, Any] = {"identity": request.identity}
    if request.HasField("result"):
        how["result"] = request.result
    return _end(step, activity, E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, how, _stamp(request))


def fail_activity(
    step: Step, ref: TaskToken, request: RespondActivityTaskFailedRequest | RespondActivityTaskFailedByIdRequest
) -> RespondActivityTaskFailedResponse:
    """The attempt failed: another one waits for its backoff, or the activity has failed. Raises NotFound, InvalidArgument."""
    activity = _named(step.state, ref)
    _check_held(activity, ref)
    limits, reply = step.namespace.limits, RespondActivityTaskFailedResponse()
    if request.HasField("last_heartbeat_details"):
        if request.last_heartbeat_details.ByteSize() > limits.blob_size_bytes_max:
            reply.failures.append(failures.server_failure(failures.HEARTBEAT_TOO_LARGE, non_retryable=True))
        else:
            _beat(step, activity, request.last_heartbeat_details, request.identity)
    failure = request.failure if request.HasField("failure") else None
    instead = failures.too_large(request.failure, limits)
    if instead is not None:
        reply.failures.append(instead)
        failure = instead
    _attempt_failed(step, activity, failure, request.identity, _stamp(request))
    return reply


def cancel_activity(
    step: Step, ref: TaskToken, request: RespondActivityTaskCanceledRequest | RespondActivityTaskCanceledByIdRequest
) -> None:
    """The worker stopped because it was asked to. Raises NotFound, InvalidArgument and (of no workflow) FailedPrecondition when it was not."""
    activity = _named(step.state, ref)
    _check_held(activity, ref)
    if request.details.ByteSize() > step.namespace.limits.blob_size_bytes_max:
        return _fail(step, activity, failures.CANCEL_DETAILS_TOO_LARGE, request.identity)
    if not activity.cancel_requested:
        if step.state.standalone:
            raise FailedPrecondition("invalid transition from Started")
        raise InvalidArgument("unable to mark activity as canceled without activity being request canceled first")
    how: dict[str, Any] = {
        "latest_cancel_requested_event_id": activity.cancel_requested_event_id,
        "identity": request.identity,
    }
    if request.HasField("details"):
        how["details"] = request.details
    return _end(step, activity, E.EVENT_TYPE_ACTIVITY_TASK_CANCELED, how)


def heartbeat_activity(
    step: Step, ref: TaskToken, request: RecordActivityTaskHeartbeatRequest | RecordActivityTaskHeartbeatByIdRequest
) -> RecordActivityTaskHeartbeatResponse:
    """The worker is alive and leaves details for the next attempt. Raises NotFound, InvalidArgument."""
    activity = _named(step.state, ref)
    _check_held(activity, ref)
    if request.details.ByteSize() > step.namespace.limits.blob_size_bytes_max:
        _fail(step, activity, failures.HEARTBEAT_TOO_LARGE, request.identity)
        return RecordActivityTaskHeartbeatResponse(cancel_requested=True)
    _beat(step, activity, request.details if request.HasField("details") else None, request.identity)
    return RecordActivityTaskHeartbeatResponse(
        cancel_requested=activity.cancel_requested,
        activity_paused=activity.paused,
        activity_reset=activity.reset_activity,
    )


def find(state: State, activity_id: str) -> Activity | None:
    """The pending activity of that id."""
    id = state.activity_ids.get(activity_id)
    return None if id is None else state.activities[id]


def _named(state: State, ref: TaskToken) -> Activity:
    """The pending activity that a token, or an activity id (then `ref` has no event id), names. Raises NotFound, InvalidArgument."""
    if not state.running:
        raise NotFound(COMPLETED)
    if ref.scheduled_event_id:
        activity = state.activities.get(ref.scheduled_event_id)
        if activity is None:
            raise NotFound(GONE)
        return activity
    if not ref.activity_id:
        msg = "activityID cannot be empty"
        raise InvalidArgument(msg)
    activity = find(state, ref.activity_id)
    if activity is None:
        msg = f"cannot find pending activity with ActivityID {ref.activity_id}, check workflow execution history for more details"
        raise NotFound(msg)
    return activity


def _check_held(activity: Activity, ref: TaskToken) -> None:
    """A worker holds the activity, and where a token names it, it is the attempt that the token was made for. Raises NotFound."""
    if not activity.started_time or (ref.scheduled_event_id and ref.attempt != activity.attempt):
        raise NotFound(GONE)


def _beat(step: Step, activity: Activity, details: Payloads | None, identity: str) -> None:
    step.state.activities.edit(activity.scheduled_event_id)
    activity.heartbeat_time = step.now
    activity.ClearField("heartbeat_details")
    if details is not None:
        activity.heartbeat_details.CopyFrom(details)
    if identity:
        activity.last_worker_identity = identity


def _stamp(request: Any) -> WorkerVersionStamp | None:
    """The worker's version, from answers by token (those by id have none)."""
    has = "worker_version" in request.DESCRIPTOR.fields_by_name and request.HasField("worker_version")
    return request.worker_version if has else None


def _fail(step: Step, activity: Activity, message: str, identity: str) -> None:
    """What the worker sent cannot be taken, and trying again would not help."""
    if not activity.started_time:
        raise NotFound(GONE)
    _attempt_failed(step, activity, failures.server_failure(message, non_retryable=True), identity)


def _attempt_failed(
    step: Step, activity: Activity, failure: Failure | None, identity: str, stamp: WorkerVersionStamp | None = None
) -> None:
    step.state.activities.edit(activity.scheduled_event_id).last_attempt_complete_time = step.now
    verdict = _retry(step, activity, failure)
    if verdict == retry.IN_PROGRESS:
        return
    how: dict[str, Any] = {"retry_state": verdict, "identity": identity}
    if failure is not None:
        how["failure"] = failure
    _end(step, activity, E.EVENT_TYPE_ACTIVITY_TASK_FAILED, how, stamp)


def _retry(step: Step, activity: Activity, failure: Failure | None) -> RetryState.ValueType:
    """Another attempt waits for its backoff (RETRY_STATE_IN_PROGRESS), or there is a reason for none and nothing has changed."""
    if not activity.HasField("retry_policy"):
        return RetryState.RETRY_STATE_RETRY_POLICY_NOT_SET
    if activity.cancel_requested:
        return RetryState.RETRY_STATE_CANCEL_REQUESTED
    if failure is not None and failure.timeout_failure_info.timeout_type in OUT_OF_TIME:
        return RetryState.RETRY_STATE_TIMEOUT
    interval, verdict = retry.next_interval(
        activity.retry_policy,
        activity.attempt,
        step.now,
        activity.schedule_to_close_deadline,
        failure,
        delay_beyond_maximum=True,
    )
    waits = activity.paused and verdict != RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE
    if interval is None and not waits:
        return verdict
    step.state.activities.edit(activity.scheduled_event_id)
    activity.attempt += 1
    activity.started_time = 0
    activity.request_id = ""
    if not waits:
        assert interval is not None
        activity.retry_interval = interval
        activity.retry_at = activity.attempt_scheduled_time = step.now + interval
        _tidy(activity)
    activity.ClearField("last_failure")
    if failure is not None:
        activity.last_failure.CopyFrom(failures.kept(failure, step.namespace.limits.failure_size_bytes_max))
    return retry.IN_PROGRESS


def _end(
    step: Step,
    activity: Activity,
    event_type: int,
    how: dict[str, Any],
    stamp: WorkerVersionStamp | None = None,
    *,
    late: bool = False,
) -> None:
    """The event that ends the activity, after the started event of its last attempt if a worker had started that."""
    id, started_event_id = activity.scheduled_event_id, 0
    if activity.started_time:
        started: dict[str, Any] = {
            "scheduled_event_id": id,
            "identity": activity.identity,
            "request_id": activity.request_id,
            "attempt": activity.attempt,
        }
        if activity.HasField("last_failure"):
            started["last_failure"] = activity.last_failure
        if stamp is not None:
            started["worker_version"] = stamp
        started_event = step.emit(E.EVENT_TYPE_ACTIVITY_TASK_STARTED, started, at=activity.started_time)
        started_event_id = started_event.event_id
    _withdraw(step, activity)
    step.emit(event_type, {"scheduled_event_id": id, "started_event_id": started_event_id, **how}, late=late)


# Deadlines -------------------------------------------------------------------------------------------------------------------------


def due(state: State) -> Iterable[Deadline]:
    """The activity for which time does something first."""
    first = state.activities.first(_next)
    if first is not None:
        at, id = first
        _, kind = min(_times(state.activities[id]), key=AT)
        yield Deadline(at, f"activity/{id}/{kind}", _fire)


def _times(activity: Activity) -> Iterator[tuple[int, TimeoutType.ValueType]]:
    """When which of its timeouts is over, the one that counts of two at once before the other: a worker may start an activity in the very
    moment that it is scheduled. RETRY stands for its backoff. A paused activity has no times."""
    if activity.paused:
        return
    if activity.started_time:
        yield from _closing_time(activity)
        if activity.start_to_close_timeout:
            yield activity.started_time + activity.start_to_close_timeout, T.TIMEOUT_TYPE_START_TO_CLOSE
        if activity.heartbeat_timeout:
            last = max(activity.started_time, activity.heartbeat_time)
            yield last + activity.heartbeat_timeout, T.TIMEOUT_TYPE_HEARTBEAT
        return
    if activity.retry_at:
        yield activity.retry_at, RETRY
    if activity.schedule_to_start_timeout:
        yield activity.attempt_scheduled_time + activity.schedule_to_start_timeout, T.TIMEOUT_TYPE_SCHEDULE_TO_START
    yield from _closing_time(activity)


def _closing_time(activity: Activity) -> Iterator[tuple[int, TimeoutType.ValueType]]:
    if activity.schedule_to_close_deadline:
        yield activity.schedule_to_close_deadline, T.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE


def _next(activity: Activity) -> int:
    return min(_times(activity), key=AT, default=(0, 0))[0]


def _fire(step: Step, key: str) -> None:
    id, kind = (int(part) for part in key.split("/")[1:])
    if kind == RETRY:
        _offer(step, id)
    else:
        _time_out(step, step.state.activities[id], T.ValueType(kind))


def _time_out(step: Step, activity: Activity, kind: TimeoutType.ValueType) -> None:
    """The attempt is over; where no other follows for lack of time, it counts as the schedule-to-close timeout."""
    name = T.Name(kind).removeprefix("TIMEOUT_TYPE_").title().replace("_", "")
    failure = failures.timeout_failure(f"activity {name} timeout", kind)
    verdict = _retry(step, activity, failure)
    if verdict == retry.IN_PROGRESS:
        return
    if verdict == RetryState.RETRY_STATE_TIMEOUT and kind != T.TIMEOUT_TYPE_SCHEDULE_TO_START:
        failure = failures.timeout_failure(NO_TIME, T.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE)
    if activity.HasField("heartbeat_details"):
        failure.timeout_failure_info.last_heartbeat_details.CopyFrom(activity.heartbeat_details)
    if activity.HasField("last_failure"):
        failure.cause.CopyFrom(activity.last_failure)
    _end(step, activity, E.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT, {"failure": failure, "retry_state": verdict})


# Folds -----------------------------------------------------------------------------------------------------------------------------


def apply_activity_task_scheduled(state: State, event: HistoryEvent) -> None:
    a, now = event.activity_task_scheduled_event_attributes, event.event_time.ToNanoseconds()
    to_close = a.schedule_to_close_timeout.ToNanoseconds()
    activity = Activity(
        scheduled_event_id=event.event_id,
        activity_id=a.activity_id,
        activity_type=a.activity_type.name,
        queue=a.task_queue.name,
        scheduled_time=now,
        attempt_scheduled_time=now,
        schedule_to_start_timeout=a.schedule_to_start_timeout.ToNanoseconds(),
        schedule_to_close_timeout=to_close,
        schedule_to_close_deadline=now + to_close if to_close else 0,
        start_to_close_timeout=a.start_to_close_timeout.ToNanoseconds(),
        heartbeat_timeout=a.heartbeat_timeout.ToNanoseconds(),
        attempt=1,
        use_workflow_build_id=a.use_workflow_build_id,
    )
    for name in ("retry_policy", "priority"):
        if a.HasField(name):
            getattr(activity, name).CopyFrom(getattr(a, name))
    state.activities[event.event_id] = activity
    state.activity_ids[a.activity_id] = event.event_id


def apply_activity_task_started(_state: State, _event: HistoryEvent) -> None:
    """The event that ends the activity follows at once."""


def apply_activity_task_completed(state: State, event: HistoryEvent) -> None:
    _forget(state, event.activity_task_completed_event_attributes.scheduled_event_id)


def apply_activity_task_failed(state: State, event: HistoryEvent) -> None:
    _forget(state, event.activity_task_failed_event_attributes.scheduled_event_id)


def apply_activity_task_timed_out(state: State, event: HistoryEvent) -> None:
    _forget(state, event.activity_task_timed_out_event_attributes.scheduled_event_id)


def apply_activity_task_canceled(state: State, event: HistoryEvent) -> None:
    _forget(state, event.activity_task_canceled_event_attributes.scheduled_event_id)


def _forget(state: State, id: int) -> None:
    activity = state.activities[id]
    if state.standalone:
        state.core.ended_activity.CopyFrom(activity)
    if state.activity_ids[activity.activity_id] == id:  # else used again while the end of this one was buffered
        del state.activity_ids[activity.activity_id]
    del state.activities[id]


def apply_activity_task_cancel_requested(state: State, event: HistoryEvent) -> None:
    """The activity may have ended unseen."""
    id = event.activity_task_cancel_requested_event_attributes.scheduled_event_id
    if id in state.activities:
        activity = state.activities.edit(id)
        activity.cancel_requested, activity.cancel_requested_event_id = True, event.event_id
