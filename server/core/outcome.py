"""What a decision is made with and what it comes to. An Outcome says what must become durable and what may be seen afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Priority
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.update.v1 import Outcome as UpdateOutcome

from server.core.limits import Limits
from server.core.rejected import Rejected
from server.core.state import State
from server.core.state_pb2 import Outgoing

WORKFLOW_TASK, ACTIVITY_TASK, NEXUS_TASK = 1, 2, 3
_LETTERS = {WORKFLOW_TASK: "w", ACTIVITY_TASK: "a", NEXUS_TASK: "n"}  # in the stored kind of a waiting row
# Kinds of messages to other workflows. Numbers are stored: never reuse one.
SEND_START_CHILD, SEND_CHILD_CLOSED, SEND_PARENT_CLOSED, SEND_SIGNAL, SEND_CANCEL = 1, 2, 3, 4, 5
SEND_CALLBACK, SEND_NEXUS_START, SEND_NEXUS_CANCEL, SEND_NEXUS_COMPLETED = 6, 7, 8, 9


@dataclass(frozen=True, slots=True)
class Namespace:
    """What decisions need to know of a namespace. `retention` is nanoseconds; `search_attributes` maps every known name,
    system and custom, to its IndexedValueType number; `others` maps the names of all namespaces to their ids, `endpoints` those of all Nexus
    endpoints."""

    id: str
    name: str
    retention: int
    limits: Limits = field(default_factory=Limits)
    search_attributes: Mapping[str, int] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    endpoints: Mapping[str, str] = field(default_factory=dict)


class Ids(Protocol):
    """Where new names come from; the shard's in production, a counter in tests."""

    def run_id(self) -> str:
        """A new UUID."""

    def task_id(self) -> int:
        """A number higher than any this shard gave before."""

    def random(self) -> float:
        """From 0 (inclusive) to 1."""


class Poll(NamedTuple):
    """A worker's poll that takes a task. `request_id` is new for every poll; `queue` is the one it polled."""

    identity: str
    request_id: str
    queue: str = ""
    worker_instance_key: str = ""
    build_id: str = ""
    use_versioning: bool = False
    deployment_name: str = ""


class Dispatch(NamedTuple):
    """Effect: offer this task to a worker. `queue` is the queue's name; `normal_queue` is set when `queue` is sticky. `id` orders
    tasks within the shard and names the waiting row. `expires_at` is nanoseconds, 0 for never."""

    kind: int
    queue: str
    scheduled_event_id: int
    attempt: int
    stamp: int
    id: int
    scheduled_time: int
    normal_queue: str = ""
    expires_at: int = 0
    priority: Priority | None = None


class Updated(NamedTuple):
    """What has become of an update: accepted (no outcome), completed or rejected (with an outcome), or not to be served (an error)."""

    id: str
    outcome: UpdateOutcome | None = None
    error: Rejected | None = None


class Outcome(NamedTuple):
    """One run after one decision. Durable together: `events` (their encoding `data` is a History message; ids from `first`),
    state's changed rows, a waiting row for each of `dispatches`, a row for each of `sends` (row id, message), removal of the rows named by `lapsed` (row kind, id). Then, and only
    then: the reply, the dispatches in order, the messages, and everybody who waits for history is told."""

    state: State
    events: list[HistoryEvent]
    data: bytes
    dispatches: list[Dispatch]
    lapsed: list[tuple[str, int]]
    wake_at: int | None
    was_status: int  # the status before the step
    sends: Sequence[tuple[int, Outgoing]] = ()
    updates: Sequence[Updated] = ()

    @property
    def first(self) -> int:
        return self.events[0].event_id

    @property
    def last(self) -> int:
        return self.events[-1].event_id


def activities_of(namespace_id: str) -> str:
    """The namespace id in the keys of activities of no workflow."""
    return f"{namespace_id}/a"


def operations_of(namespace_id: str) -> str:
    """The namespace id in the keys of Nexus operations of no workflow."""
    return f"{namespace_id}/n"


def base_of(namespace_id: str) -> str:
    """The id of the namespace, whatever kind of entity a key is of."""
    return namespace_id.partition("/")[0]


def row_kind(kind: int, namespace_id: str, queue: str) -> str:
    """The kind of a waiting row: all tasks of one queue share it."""
    return f"{_LETTERS[kind]}/{base_of(namespace_id)}/{queue}"


def timestamp(ns: int) -> Timestamp:
    """Nanoseconds since 1970 as the protocol's message."""
    return Timestamp(seconds=ns // 1_000_000_000, nanos=ns % 1_000_000_000)


def encode(events: list[HistoryEvent]) -> bytes:
    """The events as a serialized History message. Encodings may be joined: the result is the History of all."""
    parts: list[bytes] = []
    for event in events:
        data = event.SerializeToString()
        parts.append(b"\x0a" + varint(len(data)))
        parts.append(data)
    return b"".join(parts)


def varint(value: int) -> bytes:
    """A protobuf varint of a non-negative number."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
