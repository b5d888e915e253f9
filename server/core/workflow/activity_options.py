"""What a worker may ask of an activity: checks with the official sentences, and what is filled in where it asks for nothing.

Source: service/history/api/command_attr_validator.go, chasm/lib/activity/validator.go, common/tqid, common/priorities.
"""

from __future__ import annotations

from temporalio.api.command.v1 import ScheduleActivityTaskCommandAttributes
from temporalio.api.common.v1 import Priority
from temporalio.api.enums.v1 import TaskQueueKind
from temporalio.api.history.v1 import ActivityTaskScheduledEventAttributes
from temporalio.api.taskqueue.v1 import TaskQueue

from server.core import retry
from server.core.durations import capped, duration
from server.core.limits import Limits
from server.core.rejected import InvalidArgument
from server.core.state import State
from server.core.state_pb2 import Activity

RESERVED_QUEUES = "/_sys/"
SYSTEM_QUEUE = "temporal-sys-per-ns-tq"
FAIRNESS_KEY_BYTES_MAX = 64
PASSED_ON = ("header", "input", "priority")


def scheduled_attributes(
    asked: ScheduleActivityTaskCommandAttributes, limits: Limits, run_timeout: int, workflow_queue: str
) -> ActivityTaskScheduledEventAttributes:
    """The scheduled event for what the command asks; `run_timeout` is the workflow's in nanoseconds, 0 for none. Raises InvalidArgument."""
    queue = _queue(asked, limits, workflow_queue)
    _check_names(asked)
    policy = retry.defaulted(asked.retry_policy, limits)
    retry.validate(policy)
    _check_lengths(asked, limits)
    if asked.HasField("priority"):
        try:
            check_priority(asked.priority)
        except InvalidArgument as wrong:
            raise InvalidArgument(f"invalid priorities: {wrong.message}") from wrong
    to_close, to_start, work, beat = _timeouts(asked, run_timeout)
    if asked.use_workflow_build_id and queue.name != workflow_queue:
        msg = "Activity with UseCompatibleVersion cannot run on different task queue."
        raise InvalidArgument(msg)
    return ActivityTaskScheduledEventAttributes(
        activity_id=asked.activity_id,
        activity_type=asked.activity_type,
        task_queue=queue,
        schedule_to_close_timeout=duration(to_close),
        schedule_to_start_timeout=duration(to_start),
        start_to_close_timeout=duration(work),
        heartbeat_timeout=duration(beat),
        retry_policy=policy,
        use_workflow_build_id=asked.use_workflow_build_id,
        **{name: getattr(asked, name) for name in PASSED_ON if asked.HasField(name)},  # type: ignore[arg-type]
    )


def _queue(asked: ScheduleActivityTaskCommandAttributes, limits: Limits, workflow_queue: str) -> TaskQueue:
    if not asked.HasField("task_queue"):
        msg = "taskQueue is not set"
        raise InvalidArgument(msg)
    queue = TaskQueue()
    queue.CopyFrom(asked.task_queue)
    queue.kind = queue.kind or TaskQueueKind.TASK_QUEUE_KIND_NORMAL
    check_queue(queue.name, limits, workflow_queue)
    return queue


def check_queue(name: str, limits: Limits, workflow_queue: str) -> None:
    """A worker may name this queue (common/tqid). Raises InvalidArgument."""
    if not name:
        msg = "missing task queue name"
    elif len(name.encode()) > limits.id_length_max:
        msg = "taskQueue length exceeds limit"
    elif name.startswith(RESERVED_QUEUES):
        msg = f"task queue name cannot start with reserved prefix {RESERVED_QUEUES}"
    elif name == SYSTEM_QUEUE != workflow_queue:
        msg = f"cannot use internal per-namespace task queue:{name} (in parent component task queue: {workflow_queue})"
    else:
        return
    raise InvalidArgument(msg)


def _check_names(asked: ScheduleActivityTaskCommandAttributes) -> None:
    for name, value in (("activityId", asked.activity_id), ("activityType", asked.activity_type.name)):
        if not value:
            msg = f"{name} is not set"
            raise InvalidArgument(msg)


def _check_lengths(asked: ScheduleActivityTaskCommandAttributes, limits: Limits) -> None:
    for name, value in (("activityId", asked.activity_id), ("activityType", asked.activity_type.name)):
        length = len(value.encode())
        if length > limits.id_length_max:
            msg = f"{name} exceeds length limit. Length={length} Limit={limits.id_length_max}"
            raise InvalidArgument(msg)


def check_priority(priority: Priority) -> None:
    """Raises InvalidArgument."""
    if priority.priority_key < 0:
        msg = "priority key can't be negative"
    elif len(priority.fairness_key.encode()) > FAIRNESS_KEY_BYTES_MAX:
        msg = "fairness key length exceeds limit"
    elif priority.fairness_weight < 0:
        msg = "must be greater than zero"
    else:
        return
    raise InvalidArgument(msg)


def _timeouts(asked: ScheduleActivityTaskCommandAttributes, run_timeout: int) -> tuple[int, int, int, int]:
    """Schedule to close, schedule to start, start to close and heartbeat, in nanoseconds: one of the first and third must be given, the others
    follow from it, and none is longer than the run's."""
    to_close = capped(asked.schedule_to_close_timeout, "invalid ScheduleToCloseTimeout")
    to_start = capped(asked.schedule_to_start_timeout, "invalid ScheduleToStartTimeout")
    work = capped(asked.start_to_close_timeout, "invalid StartToCloseTimeout")
    beat = capped(asked.heartbeat_timeout, "invalid HeartbeatTimeout")
    if to_close:
        to_start, work = min(to_start or to_close, to_close), min(work or to_close, to_close)
    elif work:
        to_close, to_start = run_timeout, to_start or run_timeout
    else:
        msg = "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity. "
        raise InvalidArgument(msg + f"ActivityId={asked.activity_id} ActivityType={asked.activity_type.name}")
    if run_timeout:
        to_close, to_start, work = min(to_close, run_timeout), min(to_start, run_timeout), min(work, run_timeout)
    return to_close, to_start, work, min(beat, work)


def priority(state: State, activity: Activity) -> Priority | None:
    """The activity's own, with the workflow's for what it leaves open: common/priorities."""
    if not state.core.HasField("priority"):
        return activity.priority if activity.HasField("priority") else None
    base, own = state.core.priority, activity.priority
    return Priority(
        priority_key=own.priority_key or base.priority_key,
        fairness_key=own.fairness_key or base.fairness_key,
        fairness_weight=own.fairness_weight or base.fairness_weight,
    )
