"""State: what the fold of a run's history is, plus the facts that history does not hold (who started an attempt, heartbeats).

One Core record and one Table for each kind of pending thing. Only `apply`, `settle` and the handlers of a Step change it, in place;
a state whose commit failed is thrown away and loaded again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Generic, NamedTuple, TypeVar

from google.protobuf.message import Message
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.history.v1 import (
    HistoryEvent,
    WorkflowExecutionStartedEventAttributes,
)
from temporalio.api.update.v1 import Request as UpdateRequest

from server.core.state_pb2 import Activity, Callback, Child, Core, External, NexusOperation, Request, Timer, Update

RUNNING = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
PAUSED = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED

K = TypeVar("K", int, str)
V = TypeVar("V", bound=Message)


class Table(dict[K, V], Generic[K, V]):
    """A dictionary of pending records that remembers which keys were touched since the last `changes`, and when each record is due."""

    __slots__ = ("_due", "_stale", "kind", "touched")

    def __init__(self, kind: int) -> None:
        super().__init__()
        self.kind = kind
        self.touched: set[K] = set()
        self._due: dict[K, int] = {}
        self._stale: dict[K, None] = {}  # in order: of two that are due at once, the older is first

    def __setitem__(self, key: K, value: V) -> None:
        self._touch(key)
        dict.__setitem__(self, key, value)

    def __delitem__(self, key: K) -> None:
        self._touch(key)
        dict.__delitem__(self, key)

    def edit(self, key: K) -> V:
        """The record, to be changed in place. Raises KeyError."""
        self._touch(key)
        return self[key]

    def _touch(self, key: K) -> None:
        self.touched.add(key)
        self._stale[key] = None

    def first(self, when: Callable[[V], int]) -> tuple[int, K] | None:
        """When the record that is due first is due, and its key. `when` (ns, 0 for never; always the same function) is asked again only for
        records touched since: with thousands pending, this is called after every step."""
        for key in self._stale:
            record = self.get(key)
            at = 0 if record is None else when(record)
            if at:
                self._due[key] = at
            else:
                self._due.pop(key, None)
        self._stale.clear()
        if not self._due:
            return None
        key, at = min(self._due.items(), key=itemgetter(1))
        return at, key

    def changes(self) -> list[tuple[int, str, bytes | None]]:
        """(kind, id, record or None) of every touched key, and forgets them."""
        out = [(self.kind, str(k), self[k].SerializeToString() if k in self else None) for k in self.touched]
        self.touched.clear()
        return out


# Kinds of pending rows. Numbers are stored: never reuse one.
ACTIVITY, TIMER, REQUEST, BUFFERED, STARTED, CHILD, SIGNAL_SENT, CANCEL_SENT, UPDATE, REAPPLIED, NEXUS, CALLBACK = (
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    12,
    11,
)


@dataclass(slots=True)
class Admitted:
    """An update that no worker has answered yet, and what others want to be called back for; one without request was admitted by an event (State.reapplied), which is where workers
    find it. `sent`: the worker that holds the workflow task has it."""

    request: UpdateRequest | None
    sent: bool = False
    others: list[UpdateRequest] = field(default_factory=list)


class Key(NamedTuple):
    """Names one run."""

    namespace_id: str
    workflow_id: str
    run_id: str


class State:
    """One run. `started` is event 1 (its attributes are what the caller asked for: input, policies, parents); None before start.
    `buffered` holds events that happened while a worker holds a workflow task: applied, but without an id yet. `admitted` (in the order of
    arrival; but for those also in `reapplied`) and `close_attempted` (the worker wanted to end the run but had not seen all news) are in memory only."""

    __slots__ = (
        "activities",
        "activity_ids",
        "admitted",
        "buffered",
        "buffered_gone",
        "buffered_saved",
        "callbacks",
        "cancels_sent",
        "children",
        "close_attempted",
        "core",
        "key",
        "nexus",
        "reapplied",
        "requests",
        "signals_sent",
        "standalone",
        "started",
        "started_saved",
        "timers",
        "updates",
    )

    def __init__(self, key: Key) -> None:
        self.key = key
        self.standalone = "/" in key.namespace_id  # an activity, or a Nexus operation, of no workflow
        self.core = Core(next_event_id=1, task_attempt=1)
        self.started: HistoryEvent | None = None
        self.started_saved = False
        self.activities: Table[int, Activity] = Table(ACTIVITY)
        self.activity_ids: dict[str, int] = {}  # of the same records, by the id that the workflow gave
        self.timers: Table[str, Timer] = Table(TIMER)
        self.requests: Table[str, Request] = Table(REQUEST)
        self.children: Table[int, Child] = Table(CHILD)
        self.signals_sent: Table[int, External] = Table(SIGNAL_SENT)
        self.cancels_sent: Table[int, External] = Table(CANCEL_SENT)
        self.updates: Table[str, Update] = Table(UPDATE)
        self.reapplied: Table[str, Update] = Table(REAPPLIED)  # updates that a reset took along, not accepted again yet
        self.nexus: Table[int, NexusOperation] = Table(NEXUS)
        self.callbacks: Table[str, Callback] = Table(CALLBACK)
        self.admitted: dict[str, Admitted] = {}
        self.close_attempted = False
        self.buffered: list[HistoryEvent] = []
        self.buffered_saved: list[int] = []  # row numbers of the stored prefix of `buffered`
        self.buffered_gone: list[int] = []  # row numbers of events that have their id now

    @property
    def running(self) -> bool:
        return self.core.status in (RUNNING, PAUSED)

    @property
    def paused(self) -> bool:
        """It is running, but workers get nothing new."""
        return self.core.status == PAUSED

    @property
    def tables(self) -> tuple[Table[Any, Any], ...]:
        """Every kind of pending record."""
        return (
            self.activities,
            self.timers,
            self.requests,
            self.children,
            self.signals_sent,
            self.cancels_sent,
            self.updates,
            self.reapplied,
            self.nexus,
            self.callbacks,
        )

    @property
    def asked(self) -> WorkflowExecutionStartedEventAttributes:
        """What the run was started with. Only for a run that has started."""
        assert self.started is not None
        return self.started.workflow_execution_started_event_attributes

    def changes(self) -> list[tuple[int, str, bytes | None]]:
        """Every pending row that differs from the store, as (kind, id, bytes or None to delete); afterwards they count as stored."""
        out = [row for table in self.tables for row in table.changes()]
        if self.started is not None and not self.started_saved:
            out.append((STARTED, "", self.started.SerializeToString()))
            self.started_saved = True
        out += [(BUFFERED, f"{n:019}", None) for n in self.buffered_gone]
        self.buffered_gone.clear()
        for event in self.buffered[len(self.buffered_saved) :]:
            self.core.buffered_seq += 1
            self.buffered_saved.append(self.core.buffered_seq)
            out.append((BUFFERED, f"{self.core.buffered_seq:019}", event.SerializeToString()))
        return out

    def take_buffered(self) -> list[HistoryEvent]:
        """Empties the buffer, for the events to get their ids."""
        events, self.buffered = self.buffered, []
        self.buffered_gone += self.buffered_saved
        self.buffered_saved = []
        return events

    def drop_buffered(self, index: int) -> None:
        """One buffered event will not happen."""
        del self.buffered[index]
        if index < len(self.buffered_saved):
            self.buffered_gone.append(self.buffered_saved.pop(index))

    @classmethod
    def load(cls, key: Key, core: bytes, rows: Iterable[tuple[int, str, bytes | None]]) -> State:
        """The state as stored; the inverse of `core` and all `changes` so far."""
        state = cls(key)
        state.core = Core.FromString(core)
        for kind, id, data in rows:
            assert data is not None
            _LOAD[kind](state, id, data)
        for table in state.tables:
            table.touched.clear()
        order = sorted(range(len(state.buffered)), key=state.buffered_saved.__getitem__)
        state.buffered = [state.buffered[i] for i in order]
        state.buffered_saved.sort()
        return state


def _load_activity(state: State, id: str, data: bytes) -> None:
    activity = Activity.FromString(data)
    state.activities[int(id)] = activity
    state.activity_ids[activity.activity_id] = int(id)


def _load_timer(state: State, id: str, data: bytes) -> None:
    state.timers[id] = Timer.FromString(data)


def _load_request(state: State, id: str, data: bytes) -> None:
    state.requests[id] = Request.FromString(data)


def _load_child(state: State, id: str, data: bytes) -> None:
    state.children[int(id)] = Child.FromString(data)


def _load_signal_sent(state: State, id: str, data: bytes) -> None:
    state.signals_sent[int(id)] = External.FromString(data)


def _load_cancel_sent(state: State, id: str, data: bytes) -> None:
    state.cancels_sent[int(id)] = External.FromString(data)


def _load_update(state: State, id: str, data: bytes) -> None:
    state.updates[id] = Update.FromString(data)


def _load_reapplied(state: State, id: str, data: bytes) -> None:
    state.reapplied[id] = Update.FromString(data)
    state.admitted[id] = Admitted(None)


def _load_nexus(state: State, id: str, data: bytes) -> None:
    state.nexus[int(id)] = NexusOperation.FromString(data)


def _load_callback(state: State, id: str, data: bytes) -> None:
    state.callbacks[id] = Callback.FromString(data)


def _load_buffered(state: State, id: str, data: bytes) -> None:
    state.buffered.append(HistoryEvent.FromString(data))
    state.buffered_saved.append(int(id))


def _load_started(state: State, _id: str, data: bytes) -> None:
    state.started = HistoryEvent.FromString(data)
    state.started_saved = True


_LOAD = {
    ACTIVITY: _load_activity,
    TIMER: _load_timer,
    REQUEST: _load_request,
    BUFFERED: _load_buffered,
    STARTED: _load_started,
    CHILD: _load_child,
    SIGNAL_SENT: _load_signal_sent,
    CANCEL_SENT: _load_cancel_sent,
    UPDATE: _load_update,
    REAPPLIED: _load_reapplied,
    NEXUS: _load_nexus,
    CALLBACK: _load_callback,
}
