"""What must be true of every history, told without looking at the machine that writes them: this file knows the protocol, not tables.py.

Property tests, simulations and crash tests call `check`, and so can anybody who doubts a history.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from temporalio.api.enums.v1 import EventType as E
from temporalio.api.history.v1 import HistoryEvent

# What begins and ends later by another event that names the first one's id.
OPENS = {
    E.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: "activity",
    E.EVENT_TYPE_TIMER_STARTED: "timer",
    E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: "child workflow",
    E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: "signal to another workflow",
    E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: "cancel request to another workflow",
    E.EVENT_TYPE_NEXUS_OPERATION_SCHEDULED: "Nexus operation",
    E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: "update",
}
# The name that the workflow gave it, unique among what is open.
NAMES = {E.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: "activity_id", E.EVENT_TYPE_TIMER_STARTED: "timer_id"}
# A worker, or another workflow, has taken it on: the field that names what.
BEGINS = {
    E.EVENT_TYPE_ACTIVITY_TASK_STARTED: "scheduled_event_id",
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED: "initiated_event_id",
    E.EVENT_TYPE_NEXUS_OPERATION_STARTED: "scheduled_event_id",
}


class End(NamedTuple):
    """How a type of event ends something: what, the field that names it, and whether only what has begun can end so."""

    kind: str
    field: str
    begun: bool = False


CHILD = End("child workflow", "initiated_event_id", begun=True)
NEXUS = End("Nexus operation", "scheduled_event_id")
SIGNAL = End("signal to another workflow", "initiated_event_id")
CANCEL = End("cancel request to another workflow", "initiated_event_id")
ENDS = {
    E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: End("activity", "scheduled_event_id", begun=True),
    E.EVENT_TYPE_ACTIVITY_TASK_FAILED: End("activity", "scheduled_event_id", begun=True),
    E.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: End("activity", "scheduled_event_id"),
    E.EVENT_TYPE_ACTIVITY_TASK_CANCELED: End("activity", "scheduled_event_id"),
    E.EVENT_TYPE_TIMER_FIRED: End("timer", "started_event_id"),
    E.EVENT_TYPE_TIMER_CANCELED: End("timer", "started_event_id"),
    E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED: End("child workflow", "initiated_event_id"),
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED: CHILD,
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED: CHILD,
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED: CHILD,
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT: CHILD,
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED: CHILD,
    E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED: SIGNAL,
    E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED: SIGNAL,
    E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED: CANCEL,
    E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED: CANCEL,
    E.EVENT_TYPE_NEXUS_OPERATION_COMPLETED: NEXUS,
    E.EVENT_TYPE_NEXUS_OPERATION_FAILED: NEXUS,
    E.EVENT_TYPE_NEXUS_OPERATION_CANCELED: NEXUS,
    E.EVENT_TYPE_NEXUS_OPERATION_TIMED_OUT: NEXUS,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED: End("update", "accepted_event_id"),
}
CLOSED_BY_WORKER = {
    E.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
}
CLOSES = CLOSED_BY_WORKER | {
    E.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
}
# Written for a command of the workflow task that has just been completed.
COMMANDED = CLOSED_BY_WORKER | {
    E.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
    E.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED,
    E.EVENT_TYPE_TIMER_STARTED,
    E.EVENT_TYPE_TIMER_CANCELED,
    E.EVENT_TYPE_MARKER_RECORDED,
    E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED,
    E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
    E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
    E.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
    E.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED,
    E.EVENT_TYPE_NEXUS_OPERATION_SCHEDULED,
    E.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUESTED,
}
# Written for a message that came with the completed workflow task.
BROUGHT = {
    E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_REJECTED,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED,
}
TASK_SCHEDULED, TASK_STARTED = E.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, E.EVENT_TYPE_WORKFLOW_TASK_STARTED
TASK_DONE = E.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
TASK_UNDONE = {E.EVENT_TYPE_WORKFLOW_TASK_FAILED, E.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT}
# What a worker must be shown.
NEWS = (set(ENDS) - COMMANDED - BROUGHT) | {
    E.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED,
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED,
    E.EVENT_TYPE_NEXUS_OPERATION_STARTED,
    E.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED,
    E.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUEST_FAILED,
}
PAUSES = {E.EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED: True, E.EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED: False}
# Gets its id the moment it happens, whatever a worker holds.
PROMPT = COMMANDED | CLOSES | TASK_UNDONE | {TASK_DONE}


def check(history: Sequence[HistoryEvent], open: bool | None = None) -> None:
    """Raises AssertionError with a sentence when the history (whole, from event 1) breaks a law. With `open` True the run must be running and
    waiting for something, with False it must be closed; None takes a history as it is, a beginning included."""
    reading = _Reading()
    for event in history:
        try:
            reading.read(event)
        except AssertionError as error:
            name = E.Name(event.event_type).removeprefix("EVENT_TYPE_")
            msg = f"event {event.event_id} ({name}): {error}"
            raise AssertionError(msg) from None
    reading.end(open)


def _must(condition: object, sentence: str) -> None:
    if not condition:
        raise AssertionError(sentence)


class _Reading:
    """What the events so far amount to."""

    def __init__(self) -> None:
        self.last = 0
        self.closed = False
        self.open: dict[int, HistoryEvent] = {}
        self.begun: dict[int, HistoryEvent] = {}
        self.ended: dict[int, str] = {}
        self.cancels: dict[int, int] = {}  # cancel requests: what they are for
        self.asked_to_cancel = False
        self.signals: set[str] = set()
        self.prompt_time = 0
        self.unseen = False
        self.paused = False
        self.delayed = False  # the first workflow task waits for its time
        self.scheduled = self.started = 0  # of the pending workflow task
        self.undone = False  # the last workflow task had no result
        self.completed = 0  # the workflow task whose commands are being written

    def read(self, event: HistoryEvent) -> None:
        kind = event.event_type
        _must(event.event_id == self.last + 1, f"its id does not follow {self.last}")
        self.last = event.event_id
        _must(not self.closed, "something follows the event that closed the run")
        _must(
            (kind == E.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED) == (self.last == 1),
            "a history begins with the start, once",
        )
        attributes = getattr(event, event.WhichOneof("attributes") or "", None)
        _must(attributes is not None, "it has no attributes")
        self._check_holder(kind)
        self._check_time(event)
        self._follow_task(event, attributes)
        self._follow_pending(event, attributes)
        self._follow_run(event, attributes)

    def _check_holder(self, kind: int) -> None:
        """While a worker holds a workflow task, nothing else gets an id."""
        over = kind == TASK_DONE or kind in TASK_UNDONE
        _must(
            not self.started or over,
            f"it has an id although a worker holds the workflow task started by event {self.started}",
        )

    def _check_time(self, event: HistoryEvent) -> None:
        now = event.event_time.ToNanoseconds()
        _must(now > 0, "it has no time")
        if event.event_type in PROMPT:
            _must(now >= self.prompt_time, "its time is before that of an event that came earlier")
            self.prompt_time = now

    # Workflow tasks ----------------------------------------------------------------------------------------------------------------

    def _follow_task(self, event: HistoryEvent, attributes: Any) -> None:
        kind = event.event_type
        if kind == TASK_SCHEDULED:
            _must(not self.scheduled, f"the workflow task of event {self.scheduled} is pending already")
            _must(not self.paused, "the run is paused")
            _must(attributes.attempt >= 1, "its attempt is not counted")
            _must(attributes.attempt == 1 or self.undone, f"attempt {attributes.attempt} follows no failed one")
            self.scheduled, self.delayed = event.event_id, False
        elif kind == TASK_STARTED:
            _must(self.scheduled, "no workflow task is scheduled")
            _must(
                attributes.scheduled_event_id == self.scheduled,
                f"it names event {attributes.scheduled_event_id}, not {self.scheduled}",
            )
            self.started, self.unseen = event.event_id, False
            self._check_names()
        elif kind == TASK_DONE or kind in TASK_UNDONE:
            self._end_task(kind, attributes)
            self.completed = event.event_id if kind == TASK_DONE else 0
        elif kind in COMMANDED:
            given = attributes.workflow_task_completed_event_id
            _must(
                self.completed and given == self.completed,
                f"it names {given} as its workflow task, where {self.completed or 'none'} was just completed",
            )
        elif kind not in BROUGHT:
            self.completed = 0

    def _end_task(self, kind: int, attributes: Any) -> None:
        _must(self.scheduled, "no workflow task is pending")
        _must(
            attributes.scheduled_event_id == self.scheduled,
            f"it names event {attributes.scheduled_event_id}, not {self.scheduled}",
        )
        _must(
            attributes.started_event_id == self.started,
            f"it says started by {attributes.started_event_id}, not {self.started}",
        )
        _must(self.started or kind in TASK_UNDONE, "it was never started")
        self.scheduled = self.started = 0
        self.undone = kind in TASK_UNDONE

    def _check_names(self) -> None:
        """Everything that happened before has its id now, so no name can be open twice."""
        names: dict[tuple[str, str], int] = {}
        for id, event in self.open.items():
            field = NAMES.get(event.event_type)
            if field is not None:
                key = OPENS[event.event_type], getattr(getattr(event, event.WhichOneof("attributes") or ""), field)
                _must(key not in names, f"{key[0]} {key[1]!r} is open twice, by events {names.get(key)} and {id}")
                names[key] = id

    # Pending things ----------------------------------------------------------------------------------------------------------------

    def _follow_pending(self, event: HistoryEvent, attributes: Any) -> None:
        kind = event.event_type
        if kind in OPENS:
            self.open[event.event_id] = event
        elif kind in BEGINS:
            self._begin(event, getattr(attributes, BEGINS[kind]))
        elif kind in ENDS:
            self._end(event, attributes, ENDS[kind])
        elif kind == E.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED:
            id = attributes.scheduled_event_id
            _must(id in self.open, f"no activity of event {id} is open")
            self.cancels[event.event_id] = id

    def _begin(self, event: HistoryEvent, id: int) -> None:
        _must(id in self.open, f"event {id} opened nothing that is still open")
        _must(id not in self.begun, f"what event {id} opened has started before")
        opened, now = self.open[id], event.event_time.ToNanoseconds()
        _must(now >= opened.event_time.ToNanoseconds(), f"it started before event {id} opened it")
        if event.event_type == E.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            attempt = event.activity_task_started_event_attributes.attempt
            most = opened.activity_task_scheduled_event_attributes.retry_policy.maximum_attempts
            _must(attempt >= 1, "its attempt is not counted")
            _must(not most or attempt <= most, f"attempt {attempt} is more than the {most} allowed")
        self.begun[id] = event

    def _end(self, event: HistoryEvent, attributes: Any, end: End) -> None:
        id = getattr(attributes, end.field)
        _must(id not in self.ended, f"what event {id} opened had ended before, by {self.ended.get(id)}")
        _must(id in self.open and OPENS[self.open[id].event_type] == end.kind, f"event {id} opened no {end.kind}")
        opened, begun = self.open.pop(id), self.begun.pop(id, None)
        _must(begun or not end.begun, f"the {end.kind} of event {id} was never started")
        if end.kind != "timer" and hasattr(attributes, "started_event_id"):
            said, is_ = attributes.started_event_id, begun.event_id if begun else 0
            _must(said == is_, f"it says started by {said}, not {is_}")
        now = event.event_time.ToNanoseconds()
        _must(
            now >= (begun or opened).event_time.ToNanoseconds(), f"the {end.kind} of event {id} ended before it began"
        )
        if event.event_type == E.EVENT_TYPE_TIMER_FIRED:
            asked = opened.timer_started_event_attributes.start_to_fire_timeout.ToNanoseconds()
            _must(now >= opened.event_time.ToNanoseconds() + asked, f"the timer of event {id} fired early")
        if event.event_type == E.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
            asked_by = attributes.latest_cancel_requested_event_id
            _must(
                self.cancels.get(asked_by) == id, f"event {asked_by} is no request to cancel the activity of event {id}"
            )
        self.ended[id] = E.Name(event.event_type).removeprefix("EVENT_TYPE_")

    # The run -----------------------------------------------------------------------------------------------------------------------

    def _follow_run(self, event: HistoryEvent, attributes: Any) -> None:
        kind = event.event_type
        if kind == E.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
            _must(
                attributes.workflow_type.name and attributes.task_queue.name, "it has no workflow type or no task queue"
            )
            self.delayed = attributes.first_workflow_task_backoff.ToNanoseconds() > 0
        elif kind == E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
            id = attributes.request_id
            _must(not id or id not in self.signals, f"the signal of request {id!r} is there twice")
            self.signals.add(id)
        elif kind == E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
            _must(not self.asked_to_cancel, "the run was asked to cancel before")
            self.asked_to_cancel = True
        elif kind in PAUSES:
            _must(self.paused != PAUSES[kind], "it changes nothing")
            self.paused = PAUSES[kind]
        elif kind in CLOSES:
            _must(kind not in CLOSED_BY_WORKER or not self.unseen, "it closes the run over an event that no worker saw")
            self.closed = True
        self.unseen = self.unseen or kind in NEWS

    def end(self, open: bool | None) -> None:
        for id, event in self.begun.items():
            _must(
                event.event_type != E.EVENT_TYPE_ACTIVITY_TASK_STARTED,
                f"event {event.event_id} says that the activity of event {id} started, and nothing says how it ended",
            )
        if open is None:
            return
        _must(self.last, "there is no history")
        _must(self.closed != open, f"the history ends with event {self.last} {'closed' if self.closed else 'open'}")
        waits = self.scheduled or self.undone or self.delayed or self.paused
        _must(
            not open or waits or not self.unseen, "stuck: an event waits to be seen and no workflow task is scheduled"
        )
