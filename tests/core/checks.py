"""What must hold for a run between any two decisions, whatever happened to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from server.core import laws, tables
from server.core.state import State
from server.core.state_pb2 import Activity, NexusOperation
from server.core.workflow import activity_edits
from tests.core.harness import Run, snapshot

# What history alone says; the rest is who holds what, and when.
TASK_EVENTS = laws.TASK_UNDONE | {laws.TASK_SCHEDULED, laws.TASK_STARTED, laws.TASK_DONE}
CORE_FIELDS = (
    "status",
    "next_event_id",
    "start_time",
    "execution_time",
    "run_deadline",
    "execution_deadline",
    "cancel_requested",
    "signal_count",
    "memo",
    "last_started_event_id",
    "close_time",
    "first_run_id",
)
VOLATILE = (
    "attempt",
    "attempt_scheduled_time",
    "started_time",
    "request_id",
    "identity",
    "heartbeat_time",
    "heartbeat_details",
    "last_failure",
    "last_worker_identity",
    "retry_at",
    "dispatch_id",
    "last_attempt_complete_time",
    "retry_interval",
    "worker_instance_key",
    "stamp",
    "paused",
    "pause_time",
    "pause_identity",
    "pause_reason",
    "pause_request_id",
    "reset_activity",
    "reset_heartbeat",
)
# Of one whose options were changed by hand, beside.
EDITED = ("queue", "retry_policy", "priority", "schedule_to_close_deadline", "original", *activity_edits.TIMEOUTS)
UNANSWERED = {
    "children": ("request_id", "send_id"),
    "signals_sent": ("request_id", "send_id"),
    "cancels_sent": ("request_id", "send_id"),
    "nexus": ("start", "cancellation"),
}


def check(run: Run) -> None:
    """The laws hold; what is stored loads to an equal state; the fold of the history is the state; what waits has its row, and the other way
    round; the run wakes when something is due."""
    laws.check(run.history, open=run.state.running)
    for outcome in run.followed_by:
        laws.check(outcome.events, open=True)
    loaded = run.rows.load(run.key)
    assert snapshot(loaded) == snapshot(run.state)
    waiting = {a.dispatch_id for a in run.state.activities.values()} | {run.state.core.task.dispatch_id}
    assert waiting - {0} == set(run.rows.waiting)
    assert tables.next_wake(loaded) == tables.next_wake(run.state) == run.wake_at
    assert run.state.running or not run.state.buffered, "closed over news"
    assert not (run.state.paused and run.rows.waiting), "something is offered although the run is paused"
    heard = run.state.core.HasField("task") or run.state.paused
    assert not run.state.admitted or heard, "an update waits and no worker will hear of it"
    last_task = next((e.event_type for e in reversed(run.history) if e.event_type in TASK_EVENTS), 0)
    if run.state.running and not run.state.paused and last_task in laws.TASK_UNDONE:
        assert run.state.core.HasField("task"), "a workflow task failed and is not tried again"
    if run.state.running:  # one that has closed may lack results that nobody was to see any more
        folded = State(run.key)
        tables.replay(folded, run.history)
        for event in run.state.buffered:
            tables.apply(folded, event)
        assert of_history(folded) == of_history(run.state)
        assert run.wake_at == min(deadlines(run.state), default=None)


def deadlines(state: State) -> Iterator[int]:
    """Everything that time will do, told the long way."""
    core, task = state.core, state.core.task
    yield from (timer.fire_at for timer in state.timers.values())
    for activity in state.activities.values():
        if not activity.paused:  # then it has no times
            yield from activity_deadlines(activity, state.paused)
    for operation in state.nexus.values():
        yield from operation_deadlines(operation)
    if task.started_time:
        yield task.started_time + task.timeout
    elif task.schedule_to_start_timeout:
        yield task.scheduled_time + task.schedule_to_start_timeout
    elif core.first_task_at and not core.HasField("task"):
        yield core.first_task_at
    yield from filter(None, [core.run_deadline])


def activity_deadlines(activity: Activity, paused: bool) -> Iterator[int]:
    if activity.schedule_to_close_timeout:
        yield activity.scheduled_time + activity.schedule_to_close_timeout
    waits = activity.retry_at or activity.dispatch_id or (paused and not activity.started_time)
    assert bool(waits) != bool(activity.started_time), "an activity is offered, backs off or is held: one of them"
    if activity.retry_at:
        yield activity.retry_at
    if waits and activity.schedule_to_start_timeout:
        yield activity.attempt_scheduled_time + activity.schedule_to_start_timeout
    if not waits and activity.start_to_close_timeout:
        yield activity.started_time + activity.start_to_close_timeout
    if not waits and activity.heartbeat_timeout:
        yield max(activity.started_time, activity.heartbeat_time) + activity.heartbeat_timeout


def operation_deadlines(operation: NexusOperation) -> Iterator[int]:
    if operation.schedule_to_close_timeout:
        yield operation.scheduled_time + operation.schedule_to_close_timeout
    if operation.schedule_to_start_timeout and not operation.started_time:
        yield operation.scheduled_time + operation.schedule_to_start_timeout
    if operation.start_to_close_timeout and operation.started_time:
        yield operation.started_time + operation.start_to_close_timeout


def without(record: Any, names: Iterable[str]) -> Any:
    """A copy that lacks these fields."""
    copy = type(record)()
    copy.CopyFrom(record)
    for name in names:
        copy.ClearField(name)
    return copy


def of_history(state: State) -> dict[str, Any]:
    """The part of a state that history determines."""
    return {
        **{name: getattr(state.core, name) for name in CORE_FIELDS},
        "activities": {id: without(each, VOLATILE + EDITED) for id, each in state.activities.items()},
        "asked": {
            name: {id: without(each, fields) for id, each in getattr(state, name).items()}
            for name, fields in UNANSWERED.items()
        },
        "activity_ids": dict(state.activity_ids),
        "search_attributes": {
            name: value
            for name, value in state.core.search_attributes.indexed_fields.items()
            if name != "TemporalPauseInfo"  # of activities, whose pauses are not in history
        },
        "timers": dict(state.timers),
        "updates": dict(state.updates),
        "requests": set(state.requests) - {"start"},  # the request id of a start is not in its event
    }
