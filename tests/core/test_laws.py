"""Each law refuses a history that breaks it, with a sentence; a good one passes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType as E
from temporalio.api.history.v1 import HistoryEvent

from server.core import laws
from server.core.outcome import timestamp
from server.core.step import ATTRIBUTES
from tests.core.harness import SECOND

Change = Callable[[list[HistoryEvent]], None]


def event(name: str, at: float = 0, **attributes: Any) -> HistoryEvent:
    kind = E.Value("EVENT_TYPE_" + name)
    return HistoryEvent(
        event_type=kind, event_time=timestamp(int((1000 + at) * SECOND)), **{ATTRIBUTES[kind]: attributes}
    )


def numbered(*events: HistoryEvent) -> list[HistoryEvent]:
    for n, e in enumerate(events, 1):
        e.event_id = n
    return list(events)


def task(scheduled: int, ended: str = "COMPLETED", at: float = 0, attempt: int = 1) -> list[HistoryEvent]:
    started = scheduled + 1
    return [
        event("WORKFLOW_TASK_SCHEDULED", at, attempt=attempt),
        event("WORKFLOW_TASK_STARTED", at, scheduled_event_id=scheduled),
        event(f"WORKFLOW_TASK_{ended}", at, scheduled_event_id=scheduled, started_event_id=started),
    ]


def good() -> list[HistoryEvent]:
    """Start, a task (2-4), activity 5, timer 6, signal 7, activity started 8, done 9, fired 10, cancel asked 11, task (12-14), closed 15."""
    return numbered(
        event("WORKFLOW_EXECUTION_STARTED", workflow_type={"name": "T"}, task_queue={"name": "q"}),
        *task(2),
        event(
            "ACTIVITY_TASK_SCHEDULED",
            activity_id="a",
            workflow_task_completed_event_id=4,
            retry_policy={"maximum_attempts": 2},
        ),
        event("TIMER_STARTED", timer_id="t", workflow_task_completed_event_id=4, start_to_fire_timeout={"seconds": 5}),
        event("WORKFLOW_EXECUTION_SIGNALED", 1, request_id="r"),
        event("ACTIVITY_TASK_STARTED", 1, scheduled_event_id=5, attempt=1),
        event("ACTIVITY_TASK_COMPLETED", 2, scheduled_event_id=5, started_event_id=8),
        event("TIMER_FIRED", 5, timer_id="t", started_event_id=6),
        event("WORKFLOW_EXECUTION_CANCEL_REQUESTED", 5),
        *task(12, at=5),
        event("WORKFLOW_EXECUTION_COMPLETED", 6, workflow_task_completed_event_id=14),
    )


def test_good_histories_pass() -> None:
    history = good()
    laws.check(history, open=False)
    for length in range(8, len(history) + 1):
        if length != 8:  # the started event of an activity never stands alone
            laws.check(history[:length])
    laws.check(history[:13], open=True)
    laws.check([])


def set_(n: int, **attributes: Any) -> Change:
    def change(history: list[HistoryEvent]) -> None:
        target = getattr(history[n - 1], ATTRIBUTES[history[n - 1].event_type])
        for name, value in attributes.items():
            setattr(target, name, value)

    return change


def insert(n: int, *events: HistoryEvent) -> Change:
    """Puts events before event `n`; the ids that follow move, the references to them do not."""

    def change(history: list[HistoryEvent]) -> None:
        history[n - 1 : n - 1] = [copy.deepcopy(e) for e in events]
        numbered(*history)

    return change


def drop(n: int) -> Change:
    def change(history: list[HistoryEvent]) -> None:
        del history[n - 1]
        numbered(*history)

    return change


def at(n: int, seconds: float) -> Change:
    return lambda history: history[n - 1].event_time.CopyFrom(timestamp(int((1000 + seconds) * SECOND)))


def id_(n: int, value: int) -> Change:
    def change(history: list[HistoryEvent]) -> None:
        history[n - 1].event_id = value

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (id_(5, 6), "event 6 (ACTIVITY_TASK_SCHEDULED): its id does not follow 4"),
        (drop(1), "begins with the start"),
        (insert(5, event("WORKFLOW_EXECUTION_STARTED")), "begins with the start, once"),
        (insert(16, event("WORKFLOW_EXECUTION_SIGNALED")), "follows the event that closed the run"),
        (lambda h: h[6].ClearField("workflow_execution_signaled_event_attributes"), "no attributes"),
        (lambda h: h[6].ClearField("event_time"), "no time"),
        (
            insert(4, event("WORKFLOW_EXECUTION_SIGNALED")),
            "has an id although a worker holds the workflow task started by event 3",
        ),
        (at(14, -1), "its time is before that of an event that came earlier"),
        (at(15, 4), "its time is before that of an event that came earlier"),
        (set_(12, attempt=0), "attempt is not counted"),
        (set_(12, attempt=2), "attempt 2 follows no failed one"),
        (insert(12, event("WORKFLOW_TASK_SCHEDULED", 5, attempt=1)), "workflow task of event 12 is pending already"),
        (set_(13, scheduled_event_id=2), "names event 2, not 12"),
        (drop(12), "no workflow task is scheduled"),
        (set_(14, started_event_id=3), "says started by 3, not 13"),
        (set_(14, scheduled_event_id=2), "names event 2, not 12"),
        (drop(13), "not 0"),
        (set_(5, workflow_task_completed_event_id=2), "it names 2 as its workflow task, where 4 was just completed"),
        (insert(6, event("WORKFLOW_EXECUTION_SIGNALED", 1)), "where none was just completed"),
        (set_(8, scheduled_event_id=4), "event 4 opened nothing"),
        (set_(8, attempt=0), "attempt is not counted"),
        (set_(8, attempt=3), "attempt 3 is more than the 2 allowed"),
        (at(8, -1), "started before event 5 opened it"),
        (insert(9, event("ACTIVITY_TASK_STARTED", 1, scheduled_event_id=5, attempt=1)), "has started before"),
        (drop(8), "was never started"),
        (set_(9, started_event_id=7), "it says started by 7, not 8"),
        (set_(9, scheduled_event_id=6), "event 6 opened no activity"),
        (
            insert(10, event("ACTIVITY_TASK_TIMED_OUT", 2, scheduled_event_id=5)),
            "had ended before, by ACTIVITY_TASK_COMPLETED",
        ),
        (at(9, 0.5), "ended before it began"),
        (set_(10, started_event_id=5), "what event 5 opened had ended before"),
        (at(10, 4.9), "fired early"),
        (insert(10, event("TIMER_FIRED", 5, started_event_id=6)), "had ended before, by TIMER_FIRED"),
        (
            insert(8, event("WORKFLOW_EXECUTION_SIGNALED", 1, request_id="r")),
            "the signal of request 'r' is there twice",
        ),
        (insert(12, event("WORKFLOW_EXECUTION_CANCEL_REQUESTED", 5)), "was asked to cancel before"),
    ],
)
def test_a_broken_law_is_told(change: Change, sentence: str) -> None:
    history = good()
    change(history)
    with pytest.raises(AssertionError) as caught:
        laws.check(history)
    assert sentence in str(caught.value)


def test_a_started_activity_ends() -> None:
    with pytest.raises(
        AssertionError, match="event 8 says that the activity of event 5 started, and nothing says how it ended"
    ):
        laws.check(good()[:8])


def test_news_waits_for_a_workflow_task() -> None:
    with pytest.raises(AssertionError, match="stuck"):
        laws.check(good()[:11], open=True)
    laws.check(good()[:12], open=True)


def test_a_failed_task_and_a_delayed_start_are_not_stuck() -> None:
    started = good()[0]
    failed = numbered(started, *task(2, "FAILED"), event("WORKFLOW_EXECUTION_SIGNALED", 1))
    laws.check(failed, open=True)
    started.workflow_execution_started_event_attributes.first_workflow_task_backoff.seconds = 5
    laws.check(numbered(started, event("WORKFLOW_EXECUTION_SIGNALED", 1)), open=True)


def test_a_run_is_closed_or_open_as_told() -> None:
    with pytest.raises(AssertionError, match="ends with event 15 closed"):
        laws.check(good(), open=True)
    with pytest.raises(AssertionError, match="ends with event 13 open"):
        laws.check(good()[:13], open=False)
    with pytest.raises(AssertionError, match="no history"):
        laws.check([], open=True)


def test_news_keeps_a_worker_from_closing() -> None:
    history = numbered(*good()[:4], event("WORKFLOW_EXECUTION_SIGNALED", 1), event("WORKFLOW_EXECUTION_COMPLETED", 1))
    with pytest.raises(AssertionError, match="none was just completed"):
        laws.check(history)


def test_a_cancellation_names_its_request() -> None:
    asked = event("ACTIVITY_TASK_CANCEL_REQUESTED", scheduled_event_id=5, workflow_task_completed_event_id=4)
    canceled = event("ACTIVITY_TASK_CANCELED", 1, scheduled_event_id=5, latest_cancel_requested_event_id=6)
    history = numbered(*good()[:5], asked, canceled)
    laws.check(history)
    history[-1].activity_task_canceled_event_attributes.latest_cancel_requested_event_id = 5
    with pytest.raises(AssertionError, match="event 5 is no request to cancel the activity of event 5"):
        laws.check(history)


def test_a_name_is_open_once() -> None:
    again = event("TIMER_STARTED", timer_id="t", workflow_task_completed_event_id=4)
    history = numbered(*good()[:6], again, *task(8)[:2])
    with pytest.raises(AssertionError, match="timer 't' is open twice, by events 6 and 7"):
        laws.check(history)


def test_children_and_what_goes_to_others_open_and_end() -> None:
    initiated = event("START_CHILD_WORKFLOW_EXECUTION_INITIATED", workflow_task_completed_event_id=4)
    signal = event("SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED", workflow_task_completed_event_id=4)
    begun = event("CHILD_WORKFLOW_EXECUTION_STARTED", 1, initiated_event_id=5)
    ended = event("CHILD_WORKFLOW_EXECUTION_COMPLETED", 2, initiated_event_id=5, started_event_id=7)
    signaled = event("EXTERNAL_WORKFLOW_EXECUTION_SIGNALED", 1, initiated_event_id=6)
    laws.check(numbered(*good()[:4], initiated, signal, begun, ended, signaled))
    with pytest.raises(AssertionError, match="the child workflow of event 5 was never started"):
        laws.check(numbered(*good()[:4], initiated, signal, ended))
    with pytest.raises(AssertionError, match="event 5 opened no signal to another workflow"):
        laws.check(
            numbered(*good()[:4], initiated, event("EXTERNAL_WORKFLOW_EXECUTION_SIGNALED", 1, initiated_event_id=5))
        )
