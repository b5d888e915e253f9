"""What the stories do not tell of activities: answers to polls, defaults, limits, sizes. Sentences are the official server's."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Priority, RetryPolicy
from temporalio.api.enums.v1 import RetryState as R
from temporalio.api.enums.v1 import TaskQueueKind, TimeoutType
from temporalio.api.enums.v1 import WorkflowTaskFailedCause as Cause
from temporalio.api.failure.v1 import Failure
from temporalio.api.workflowservice.v1 import (
    RecordActivityTaskHeartbeatRequest,
    RespondActivityTaskCanceledRequest,
    RespondActivityTaskCompletedRequest,
    RespondActivityTaskFailedRequest,
    RespondWorkflowTaskCompletedRequest,
)

from server.core.limits import Limits
from server.core.outcome import ACTIVITY_TASK, Namespace, Poll
from server.core.rejected import InvalidArgument, NotFound
from server.core.state_pb2 import TaskToken
from server.core.workflow import activities, completion
from tests.core.checks import check
from tests.core.commands import failure, payloads, schedule, seconds
from tests.core.harness import NAMESPACE, SECOND, Run, start_request, token

BIG = "x" * (NAMESPACE.limits.blob_size_bytes_max + 1)


def started(*commands: Command, namespace: Namespace = NAMESPACE, **fields: Any) -> Run:
    """A run whose first workflow task gave these commands."""
    run = Run(start_request(**fields), namespace)
    work(run, *commands)
    return run


def work(run: Run, *commands: Command) -> None:
    request = RespondWorkflowTaskCompletedRequest(commands=commands, identity="worker")
    ref = token(run.poll_workflow())
    run.do(lambda step: completion.complete_workflow_task(step, ref, request))
    check(run)


def attributes(run: Run, event: int = -1) -> Any:
    last = run.history[event]
    return getattr(last, last.WhichOneof("attributes") or "")


def activity(run: Run) -> Any:
    [only] = run.state.activities.values()
    return only


# Scheduling ------------------------------------------------------------------------------------------------------------------------


def test_what_is_not_asked_for_is_filled_in() -> None:
    run = started(schedule(start_to_close=5))
    told = attributes(run)
    assert told.schedule_to_close_timeout.ToNanoseconds() == told.schedule_to_start_timeout.ToNanoseconds() == 0
    assert told.HasField("schedule_to_close_timeout") and told.HasField("schedule_to_start_timeout")
    assert told.heartbeat_timeout == seconds(0) and told.HasField("heartbeat_timeout")
    assert told.task_queue.kind == TaskQueueKind.TASK_QUEUE_KIND_NORMAL
    expected = RetryPolicy(initial_interval=seconds(1), backoff_coefficient=2, maximum_interval=seconds(100))
    assert told.retry_policy == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"schedule_to_close": 9}, (9, 9, 9, 0)),
        ({"schedule_to_close": 9, "schedule_to_start": 20, "start_to_close": 30, "heartbeat": 40}, (9, 9, 9, 9)),
        ({"schedule_to_close": 9, "schedule_to_start": 2, "start_to_close": 3, "heartbeat": 1}, (9, 2, 3, 1)),
        ({"start_to_close": 3}, (0, 0, 3, 0)),
        ({"start_to_close": 3, "schedule_to_start": 2}, (0, 2, 3, 0)),
        ({"start_to_close": 400 * 365 * 86400}, (0, 0, 100 * 365 * 86400, 0)),
    ],
)
def test_timeouts_follow_from_each_other(asked: dict[str, float], expected: tuple[int, ...]) -> None:
    told = attributes(started(schedule(**asked)))
    assert expected == (
        told.schedule_to_close_timeout.seconds,
        told.schedule_to_start_timeout.seconds,
        told.start_to_close_timeout.seconds,
        told.heartbeat_timeout.seconds,
    )


def bad(**changes: Any) -> Command:
    out = schedule(start_to_close=1)
    asked = out.schedule_activity_task_command_attributes
    for name, value in changes.items():
        if value is None:
            asked.ClearField(name)
        elif isinstance(value, str | bool):
            setattr(asked, name, value)
        else:
            getattr(asked, name).CopyFrom(value)
    return out


def on_queue(name: str, **more: Any) -> Command:
    out = bad(**more)
    out.schedule_activity_task_command_attributes.task_queue.name = name
    return out


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (Command(command_type=1), "ScheduleActivityTaskCommandAttributes is not set on ScheduleActivityTaskCommand."),
        (bad(activity_id=""), "activityId is not set"),
        (bad(activity_type=None), "activityType is not set"),
        (bad(activity_id="é" * 501), "activityId exceeds length limit. Length=1002 Limit=1000"),
        (bad(task_queue=None), "taskQueue is not set"),
        (on_queue(""), "missing task queue name"),
        (on_queue("q" * 1001), "taskQueue length exceeds limit"),
        (on_queue("/_sys/q"), "task queue name cannot start with reserved prefix /_sys/"),
        (
            on_queue("temporal-sys-per-ns-tq"),
            "cannot use internal per-namespace task queue:temporal-sys-per-ns-tq (in parent component task queue: queue)",
        ),
        (
            on_queue("other", use_workflow_build_id=True),
            "Activity with UseCompatibleVersion cannot run on different task queue.",
        ),
        (
            bad(start_to_close_timeout=None),
            "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity. ActivityId=a ActivityType=Work",
        ),
        (bad(start_to_close_timeout=seconds(-1)), "invalid StartToCloseTimeout: negative duration"),
        (bad(heartbeat_timeout=seconds(-1)), "invalid HeartbeatTimeout: negative duration"),
        (bad(retry_policy=RetryPolicy(maximum_attempts=-1)), "MaximumAttempts cannot be negative on retry policy."),
        (bad(priority=Priority(priority_key=-1)), "invalid priorities: priority key can't be negative"),
        (bad(priority=Priority(fairness_key="k" * 65)), "invalid priorities: fairness key length exceeds limit"),
        (bad(priority=Priority(fairness_weight=-1)), "invalid priorities: must be greater than zero"),
    ],
)
def test_what_cannot_be_scheduled_fails_the_task(command: Command, sentence: str) -> None:
    run = Run()
    with pytest.raises(InvalidArgument) as caught:
        work(run, command)
    assert caught.value.message == f"BadScheduleActivityAttributes: {sentence}"
    assert attributes(run).cause == Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES


def test_only_so_many_are_pending() -> None:
    namespace = Namespace("ns-id", "default", 1, Limits(pending_activities_max=2))
    run = Run(namespace=namespace)
    with pytest.raises(InvalidArgument) as caught:
        work(run, *(schedule(name, start_to_close=1) for name in "abc"))
    message = "the number of pending activities, 2, has reached the per-workflow limit of 2"
    assert caught.value.message == f"PendingActivitiesLimitExceeded: {message}"


def test_an_input_that_is_too_large_ends_the_run() -> None:
    run = Run()
    with pytest.raises(InvalidArgument, match="ScheduleActivityTaskCommandAttributes.Input exceeds size limit."):
        work(run, bad(input=payloads(BIG)))
    assert not run.state.running


# Starting --------------------------------------------------------------------------------------------------------------------------


def test_a_poll_is_told_what_the_worker_needs() -> None:
    run = started(schedule(queue="other", schedule_to_close=30, heartbeat=3))
    run.now += SECOND
    told = run.poll_activity()
    assert (told.activity_id, told.activity_type.name, told.attempt) == ("a", "Work", 1)
    assert (told.workflow_namespace, told.workflow_type.name) == ("default", "Type")
    assert (told.workflow_execution.workflow_id, told.workflow_execution.run_id) == ("wf", run.key.run_id)
    assert told.scheduled_time == told.current_attempt_scheduled_time == run.history[-1].event_time
    assert told.started_time.ToNanoseconds() == run.now
    timeouts = told.schedule_to_close_timeout, told.start_to_close_timeout, told.heartbeat_timeout
    assert timeouts == (seconds(30), seconds(30), seconds(3))
    assert told.retry_policy == attributes(run).retry_policy


def test_a_poll_may_ask_twice_and_another_may_not() -> None:
    run = started(schedule(start_to_close=5))
    poll = Poll("worker", "request")

    def start(poll: Poll, attempt: int = 1, stamp: int = 0) -> Any:
        return run.do(lambda step: activities.start_activity_task(step, 5, attempt, stamp, poll))

    first = start(poll)
    run.now += SECOND
    assert start(poll) == first
    for wrong in ((Poll("worker", "other"), 1, 0), (poll, 2, 0), (poll, 1, 1)):
        with pytest.raises(NotFound):
            start(*wrong)
    with pytest.raises(NotFound):
        run.do(lambda step: activities.start_activity_task(step, 6, 1, 0, poll))


def test_an_attempt_that_backs_off_cannot_be_started() -> None:
    run = started(schedule(start_to_close=5))
    fail(run, token(run.poll_activity()))
    assert activity(run).attempt == 2 and not run.rows.waiting
    with pytest.raises(NotFound):
        run.do(lambda step: activities.start_activity_task(step, 5, 2, 0, Poll("worker", "r")))


def test_the_offer_says_until_when_and_how_urgent() -> None:
    command = bad(schedule_to_start_timeout=seconds(4), priority=Priority(priority_key=2, fairness_weight=3))
    run = started(command, priority=Priority(priority_key=5, fairness_key="tenant"))
    [offer] = (d for d in run.rows.waiting.values() if d.kind == ACTIVITY_TASK)
    assert (offer.queue, offer.attempt, offer.expires_at) == ("queue", 1, run.now + 4 * SECOND)
    assert offer.priority == Priority(priority_key=2, fairness_key="tenant", fairness_weight=3)
    assert run.poll_activity().priority == offer.priority


def test_the_workflow_gives_its_priority() -> None:
    run = started(schedule(start_to_close=1), priority=Priority(priority_key=5))
    assert run.poll_activity().priority.priority_key == 5
    assert not started(schedule(start_to_close=1)).poll_activity().HasField("priority")


# Answers ---------------------------------------------------------------------------------------------------------------------------


def fail(run: Run, ref: TaskToken, told: Failure | None = None, **fields: Any) -> Any:
    request = RespondActivityTaskFailedRequest(identity="w", failure=told or failure(), **fields)
    return run.do(lambda step: activities.fail_activity(step, ref, request))


def test_details_go_on_to_the_next_attempt() -> None:
    run = started(schedule(start_to_close=5))
    ref = token(run.poll_activity())
    run.do(
        lambda step: activities.heartbeat_activity(step, ref, RecordActivityTaskHeartbeatRequest(details=payloads("1")))
    )
    fail(run, ref)
    run.pass_time(1)
    second = run.poll_activity()
    assert second.heartbeat_details == payloads("1") and second.attempt == 2
    assert second.current_attempt_scheduled_time.ToNanoseconds() == run.now
    fail(run, token(second), last_heartbeat_details=payloads("2"))
    run.pass_time(2)
    assert run.poll_activity().heartbeat_details == payloads("2")
    check(run)


def test_a_heartbeat_without_details_clears_them() -> None:
    run = started(schedule(start_to_close=5))
    ref = token(run.poll_activity())
    for request in (RecordActivityTaskHeartbeatRequest(details=payloads("1")), RecordActivityTaskHeartbeatRequest()):
        run.do(lambda step, request=request: activities.heartbeat_activity(step, ref, request))
    assert not activity(run).HasField("heartbeat_details")


def test_what_a_worker_sends_may_be_too_large() -> None:
    too_large = {
        "Complete result exceeds size limit.": lambda step, ref: activities.complete_activity(
            step, ref, RespondActivityTaskCompletedRequest(result=payloads(BIG))
        ),
        "Cancel details exceed size limit.": lambda step, ref: activities.cancel_activity(
            step, ref, RespondActivityTaskCanceledRequest(details=payloads(BIG))
        ),
        "Heartbeat details exceed size limit.": lambda step, ref: activities.heartbeat_activity(
            step, ref, RecordActivityTaskHeartbeatRequest(details=payloads(BIG))
        ),
    }
    for sentence, decide in too_large.items():
        run = started(schedule(start_to_close=5))
        ref = token(run.poll_activity())
        run.do(lambda step, decide=decide, ref=ref: decide(step, ref))
        told = attributes(run, -2)
        assert told.failure.message == sentence and told.failure.server_failure_info.non_retryable
        assert told.retry_state == R.RETRY_STATE_NON_RETRYABLE_FAILURE
        check(run)


def test_a_failure_that_is_too_large_is_told_to_the_worker() -> None:
    run = started(schedule(start_to_close=5))
    huge = failure()
    huge.message = BIG
    reply = fail(run, token(run.poll_activity()), huge, last_heartbeat_details=payloads(BIG))
    assert [f.message for f in reply.failures] == [
        "Heartbeat details exceed size limit.",
        "Failure exceeds size limit.",
    ]
    told = attributes(run, -2).failure
    assert told.message == "Failure exceeds size limit." and told.server_failure_info.non_retryable
    assert 0 < len(told.cause.message) <= NAMESPACE.limits.blob_size_bytes_warn


def test_a_large_failure_is_remembered_in_short() -> None:
    run = started(schedule(start_to_close=5))
    large = failure("X")
    large.message = "m" * 6000
    fail(run, token(run.poll_activity()), large)
    kept = activity(run).last_failure
    assert kept.message == "Failure exceeds size limit." and not kept.server_failure_info.non_retryable
    assert len(kept.cause.message) == 4083 and kept.cause.application_failure_info.type == "X"


def test_the_started_event_says_who_held_the_last_attempt_and_when() -> None:
    run = started(schedule(start_to_close=50))
    ref, at = token(run.poll_activity()), run.now
    run.now += SECOND
    request = RespondActivityTaskCompletedRequest(identity="w", worker_version={"build_id": "b1"})
    run.do(lambda step: activities.complete_activity(step, ref, request))
    begun, ended = run.history[-3], run.history[-2]
    assert begun.event_time.ToNanoseconds() == at and ended.event_time.ToNanoseconds() == run.now
    told = begun.activity_task_started_event_attributes
    assert (told.identity, told.worker_version.build_id, told.attempt) == ("worker", "b1", 1)
    assert told.request_id.startswith("poll-")


def test_an_id_must_be_given() -> None:
    run = started(schedule(start_to_close=5))
    with pytest.raises(InvalidArgument, match="activityID cannot be empty"):
        run.do(lambda step: activities.complete_activity(step, TaskToken(), RespondActivityTaskCompletedRequest()))


def test_an_activity_is_found_by_its_id() -> None:
    run = started(schedule("a", start_to_close=5), schedule("b", start_to_close=5))
    found = activities.find(run.state, "b")
    assert found is not None and found.scheduled_event_id == 6
    assert activities.find(run.rows.load(run.key), "a") == run.state.activities[5]
    assert activities.find(run.state, "c") is None


def test_thousands_pending_are_looked_at_when_touched_only() -> None:
    run = started(*(schedule(f"a{n}", start_to_close=5 + n, schedule_to_close=100 + n) for n in range(300)))
    asked: list[int] = []

    def when(record: Any) -> int:
        asked.append(record.scheduled_event_id)
        return int(record.schedule_to_close_deadline)

    table = run.rows.load(run.key).activities
    assert table.first(when) == (run.now + 100 * SECOND, 5)
    asked.clear()
    table.edit(7).schedule_to_close_deadline = 1
    assert table.first(when) == (1, 7)
    del table[7]
    assert table.first(when) == (run.now + 100 * SECOND, 5)
    assert asked == [7]


def test_an_activity_started_as_it_is_scheduled_is_too_late_for_its_schedule_first() -> None:
    run = started(schedule(schedule_to_close=3))
    run.poll_activity()
    run.pass_time(3)
    told = next(e for e in run.history if e.HasField("activity_task_timed_out_event_attributes"))
    failure = told.activity_task_timed_out_event_attributes.failure
    assert failure.timeout_failure_info.timeout_type == TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE
