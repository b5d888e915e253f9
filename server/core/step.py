"""Step: one decision in progress. It is the only thing that handlers write through: it makes events, numbers them or buffers them,
folds them into the state at once, and collects what is to be offered to workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import Message
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from server.core import tables
from server.core.outcome import (
    Dispatch,
    Ids,
    Namespace,
    Outcome,
    Updated,
    encode,
    row_kind,
    timestamp,
)
from server.core.state import State
from server.core.state_pb2 import Outgoing, WorkflowTask
from server.core.workflow import tasks

# The field of HistoryEvent that carries the attributes of a type.
ATTRIBUTES: dict[int, str] = {
    value: name.removeprefix("EVENT_TYPE_").lower() + "_event_attributes" for name, value in EventType.items() if value
}
OPTIONS_UPDATED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED


class Step:
    """Handlers check first and emit after: one that raises has called nothing here that writes."""

    def __init__(self, state: State, now: int, namespace: Namespace, ids: Ids) -> None:
        self.state = state
        self.now = now
        self.namespace = namespace
        self.ids = ids
        self.events: list[HistoryEvent] = []
        self.dispatches: list[Dispatch] = []
        self.lapsed: list[tuple[str, int]] = []
        self.sends: list[tuple[int, Outgoing]] = []
        self.updates: list[Updated] = []
        self.kept: Sequence[
            tuple[int, int, bytes]
        ] = ()  # of a reset: the history it begins with (first and last id, encoded)
        self.late: list[HistoryEvent] = []  # what commands caused besides their own events: numbered by the next flush
        self.listed = False  # what lists show has changed, beside what events tell
        self.was_status = state.core.status
        self._was_speculative = state.core.task.kind == WorkflowTask.SPECULATIVE
        self.next: Step | None = None  # the first step of the run that follows this one, committed with it

    def emit(
        self,
        event_type: int,
        attributes: Message | dict[str, Any],
        at: int = 0,
        *,
        late: bool = False,
        **fields: Any,
    ) -> HistoryEvent:
        """Makes an event, gives it the next id (or buffers it while a worker holds a workflow task), and folds it into the state.
        `at` is its time (0: now); a `late` one gets its id after all others of this step; `fields` are further fields of HistoryEvent
        (user_metadata, links)."""
        if event_type in tables.BUFFERED and self.state.core.task.kind == WorkflowTask.SPECULATIVE:
            tasks.record(self)  # news: the task that history does not hold yet comes before it
        event = HistoryEvent(
            event_type=event_type,  # type: ignore[arg-type]
            event_time=timestamp(at or self.now),
            task_id=self.ids.task_id(),
            **{ATTRIBUTES[event_type]: attributes},  # type: ignore[arg-type]
            **fields,
        )
        if late:
            self.late.append(event)
        elif event_type in tables.BUFFERED and self.held:
            self.state.buffered.append(event)
        else:
            self._number(event)
        tables.apply(self.state, event)
        return event

    @property
    def held(self) -> bool:
        """A worker holds a workflow task, so news must wait."""
        core = self.state.core
        return core.HasField("task") and core.task.started_time != 0

    def _number(self, event: HistoryEvent) -> None:
        core = self.state.core
        event.event_id = core.next_event_id
        core.next_event_id += 1
        self.events.append(event)

    def flush(self) -> None:
        """Numbers the buffered events: news first, results of pending things last, each result after its own started event."""
        started: dict[int, int] = {}
        events = self.state.take_buffered() + self.late
        self.late = []
        for event in sorted(events, key=lambda e: e.event_type in tables.RESULTS):
            self._number(event)
            self._link(event, started)

    def _link(self, event: HistoryEvent, started: dict[int, int]) -> None:
        """A result names its own started event, which may have got its id just now; `started` collects those."""
        field = tables.OPENED_BY.get(event.event_type)
        attributes = getattr(event, ATTRIBUTES[event.event_type])
        if event.event_type == OPTIONS_UPDATED:
            for each in filter(
                lambda each: each.attached_request_id, (attributes, *attributes.workflow_update_options)
            ):
                self.state.requests.edit(each.attached_request_id).event_id = event.event_id
        if field is None:
            return
        opened = getattr(attributes, field)
        if event.event_type in tables.RESULTS:
            attributes.started_event_id = started.get(opened, attributes.started_event_id)
        else:
            started[opened] = event.event_id
            if opened in self.state.children:
                self.state.children.edit(opened).started_event_id = event.event_id

    def completed_by(self, completed_event_id: int) -> str:
        """The identity of the worker whose commands run: it completed the workflow task in this step."""
        event = self.events[completed_event_id - self.events[0].event_id]
        return event.workflow_task_completed_event_attributes.identity

    def offer(self, kind: int, queue: str, scheduled_event_id: int, **more: Any) -> int:
        """Notes that a task waits for a worker of `queue`; returns the id of its row."""
        id = self.ids.task_id()
        fields: dict[str, Any] = {
            "attempt": 1,
            "stamp": 0,
            "scheduled_time": self.now,
            **more,
        }
        self.dispatches.append(Dispatch(kind, queue, scheduled_event_id, id=id, **fields))
        return id

    def withdraw(self, kind: int, queue: str, dispatch_id: int) -> None:
        """The task waits no more (started, or moot). No-op for id 0."""
        if not dispatch_id:
            return
        kept = [d for d in self.dispatches if d.id != dispatch_id]
        if len(kept) < len(self.dispatches):
            self.dispatches = kept
        else:
            self.lapsed.append((row_kind(kind, self.state.key.namespace_id, queue), dispatch_id))

    def send(self, kind: int, **fields: Any) -> int:
        """Notes a message to another workflow; returns the id of its row. `fields` are those of Outgoing."""
        id, key = self.ids.task_id(), self.state.key
        message = Outgoing(
            kind=kind,
            source_namespace_id=key.namespace_id,
            source_workflow_id=key.workflow_id,
            source_run_id=key.run_id,
            **fields,
        )
        self.sends.append((id, message))
        return id

    def finish(self) -> Outcome:
        """Closes the step after the last `settle`; the state's next deadline goes with it."""
        state = self.state
        data = encode(self.events) if self.events else b""
        state.core.history_size_bytes += len(data)
        speculative = self._was_speculative or state.core.task.kind == WorkflowTask.SPECULATIVE
        if self.events or not speculative:  # what may leave no trace is not counted either
            state.core.state_transition_count += 1
        return Outcome(
            state,
            self.events,
            data,
            self.dispatches,
            self.lapsed,
            tables.next_wake(state),
            self.was_status,
            self.sends,
            self.updates,
        )
