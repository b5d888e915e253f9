"""The contract between the server and a database: two protocols, the rows they move, and five errors.

A store knows rows and fences, never workflows. Every method is all-or-nothing and is called from ordinary threads, several at
once for reads and one at a time for `commit`; results come back in the order of the request; the caller retries, never the driver.

    Fault
    ├── Unavailable   nothing happened: the caller may try again
    ├── Unknown       it may or may not have happened: raise the fence with acquire(), then reload
    ├── Fenced        another owner holds the lease: nothing happened and never will under this range_id
    ├── Conflict      a compare-and-set did not find what it expected; `found` is what stands there
    └── Refused       too big or not storable: never try again
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import pluggy

ENTRY_POINTS = "temporal.drivers"
hookspec = pluggy.HookspecMarker("temporal")
hookimpl = pluggy.HookimplMarker("temporal")


class Fault(Exception):
    """The base of everything a driver raises on purpose."""


class Unavailable(Fault):
    """Nothing happened; the same call may succeed later."""


class Unknown(Fault):
    """The answer was lost: the write may have happened."""


class Fenced(Fault):
    """The lease has a newer range_id than the one the batch carried; nothing was written."""


class Conflict(Fault):
    """What was expected does not stand there; nothing was written."""

    def __init__(self, found: object = None) -> None:
        super().__init__("the stored value is not the expected one")
        self.found = found


class Refused(Fault):
    """The store can never take this (too big, not encodable)."""


class RunKey(NamedTuple):
    """Names one execution. Ids are any text without a lone surrogate, case-sensitive, up to 1,000 bytes in UTF-8."""

    namespace_id: str
    workflow_id: str
    run_id: str


class Pending(NamedTuple):
    """One row beside an execution: a pending activity, timer, buffered event…; `data` None deletes it."""

    kind: int
    id: str
    data: bytes | None


@dataclass(slots=True)
class Execution:
    """Replaces the core row of one run and only the named pending rows. `core` None deletes the run with all its rows:
    pending, history and visibility. `wake_at` is nanoseconds since 1970, None for never; `wake_was` is the value stored before."""

    key: RunKey
    core: bytes | None
    wake_at: int | None = None
    wake_was: int | None = None
    pending: Sequence[Pending] = ()


class History(NamedTuple):
    """Events `first` to `last` of a run, opaque. Rows of one run never overlap; writing the same `first` again replaces the row."""

    key: RunKey
    first: int
    last: int
    data: bytes


class Current(NamedTuple):
    """Which run a workflow id names now, with opaque `data`."""

    run_id: str
    data: bytes


class SetCurrent(NamedTuple):
    """Moves the pointer of a workflow id from the run `expected` (None: no pointer) to `current` (None: remove it)."""

    namespace_id: str
    workflow_id: str
    expected: str | None
    current: Current | None


class Task(NamedTuple):
    """A row of work that waits, ordered by (kind, id) within a lease. `data` is opaque."""

    kind: str
    id: int
    data: bytes


SearchValue = str | int | float | bool | list[str]


@dataclass(slots=True)
class Visible:
    """What a list of workflows shows of one run. Times are nanoseconds since 1970, 0 for none; `status` is the protocol's number.
    `search_attributes` holds the custom ones by name; datetimes are ints (ns). `memo` and `attributes` are opaque bytes given back."""

    key: RunKey
    workflow_type: str
    task_queue: str
    status: int
    start_time: int
    execution_time: int
    close_time: int = 0
    history_length: int = 0
    history_size_bytes: int = 0
    state_transition_count: int = 0
    parent_workflow_id: str = ""
    parent_run_id: str = ""
    root_workflow_id: str = ""
    root_run_id: str = ""
    memo: bytes = b""
    attributes: bytes = b""
    search_attributes: Mapping[str, SearchValue] = field(default_factory=dict)


@dataclass(slots=True)
class Batch:
    """One atomic change under one lease. Parts are applied in the order of the fields. What is written under a lease is read under it."""

    lease: str
    range_id: int
    current: list[SetCurrent] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    history: list[History] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    tasks_done: list[tuple[str, int]] = field(default_factory=list)
    visible: list[Visible] = field(default_factory=list)


class Loaded(NamedTuple):
    """One consistent snapshot of a run."""

    core: bytes
    wake_at: int | None
    pending: list[Pending]


class Wake(NamedTuple):
    """A run that asks to be woken at `at` (ns since 1970)."""

    at: int
    key: RunKey


class Record(NamedTuple):
    """A small versioned value: a namespace, an endpoint, a task queue's user data. `version` starts at 1."""

    kind: str
    id: str
    version: int
    data: bytes


class Migration(NamedTuple):
    """A step of the schema, from version - 1 to `version`. `statements` are what it runs, for people to read."""

    version: int
    name: str
    statements: Sequence[str]


class Member(NamedTuple):
    """A process of the cluster. `data` is opaque (roles, address)."""

    id: str
    data: bytes


# The list filter, as a tree. Field names are the official ones (WorkflowId, ExecutionStatus, CustomKeywordField…); values are typed
# already: text, int (ExecutionStatus: the protocol's number; times: ns since 1970), float, bool. Every comparison with an absent value
# is false, = and != included; Not of it is true. A list equals a value when one of its words does, and is != when none does.
class Compare(NamedTuple):
    """`field op value` with op one of = != < <= > >= ; STARTS_WITH and its negation as 'starts' and 'not starts'."""

    field: str
    op: str
    value: str | int | float | bool


class OneOf(NamedTuple):
    """`field IN (values)`, negated when `negated`."""

    field: str
    values: tuple[str | int | float | bool, ...]
    negated: bool = False


class IsNull(NamedTuple):
    """`field IS NULL`, negated for IS NOT NULL."""

    field: str
    negated: bool = False


class Junction(NamedTuple):
    """All (`AND`) or any (`OR`) of the parts."""

    op: str
    parts: tuple[Filter, ...]


class Not(NamedTuple):
    """The part does not hold."""

    part: Filter


Filter = Compare | OneOf | IsNull | Junction | Not


class Store(Protocol):
    """A database that keeps executions, their history, tasks and small records."""

    def acquire(self, lease: str, owner: str, above: int = 0) -> int:
        """Takes `lease` and returns its new range_id, higher than any before and than `above`; afterwards every commit under an
        older one is Fenced, one under way included. Raises Unavailable, Unknown."""

    def commit(self, batches: Sequence[Batch]) -> list[Fault | None]:
        """Applies each batch atomically and durably, batches of one lease in order; a later batch sees an earlier one. The result of a
        batch is None (applied), Fenced or Conflict(found: Current | None) or Refused; a refused batch leaves its neighbours alone.
        Where leases are stored apart, Unavailable and Unknown are results, too, of all batches of a lease from some batch on.
        Raises Unavailable (none was applied) or Unknown (each may have been)."""

    def load(self, lease: str, key: RunKey) -> Loaded | None:
        """The run as last committed, or None. Raises Unavailable."""

    def current(self, lease: str, namespace_id: str, workflow_id: str) -> Current | None:
        """Where the workflow id points, or None. Raises Unavailable."""

    def history(self, lease: str, key: RunKey, first: int, last: int, limit: int) -> list[History]:
        """Up to `limit` rows that hold any event from `first` to `last` inclusive, in order, without a gap. Raises Unavailable."""

    def tasks(self, lease: str, kind: str | None, after: tuple[str, int], limit: int) -> list[Task]:
        """Up to `limit` rows after (kind, id) `after` in order, of one kind or (None) of all. Raises Unavailable."""

    def wakes(self, lease: str, after: Wake | None, limit: int) -> list[Wake]:
        """Up to `limit` runs that ask to be woken, ordered by (at, key), those after `after`. Raises Unavailable."""

    def record(self, kind: str, id: str) -> Record | None:
        """One small record. Raises Unavailable."""

    def records(self, kind: str, after: str, limit: int) -> list[Record]:
        """Up to `limit` records of a kind with an id above `after`, ordered by the id's UTF-8 bytes. Raises Unavailable."""

    def put_record(self, kind: str, id: str, data: bytes | None, expected: int) -> int:
        """Writes (None: deletes) the record if its version is `expected` (0: absent) and returns the new version (0 when deleted).
        A record made anew after a delete has a version never used before for that id only if the store can; callers do not rely on it.
        Raises Conflict(found: Record | None), Unavailable, Unknown, Refused."""

    def beat(self, member: Member, ttl_seconds: float) -> None:
        """Says that a process lives, until `ttl_seconds` from now by the database's clock. Raises Unavailable."""

    def members(self) -> list[Member]:
        """The processes whose time has not run out, by the database's clock, ordered by id. Raises Unavailable."""

    def scan(self, after: bytes, limit: int) -> tuple[Batch | list[Record], bytes]:
        """Everything that stands, part by part, for a store that nobody writes to meanwhile. A part is either up to `limit` rows of one
        lease, as the batch that would write them to an empty store, its range_id the lease's own (pending rows and the list entry
        come with their run's core row and do not count; a lease without rows is an empty batch); or up to `limit` records of any kind.
        The bytes name the place behind the part, for `after` (empty: the beginning), and are empty at the end; they outlive the
        process. The order is the store's own, and always the same. Raises Unavailable, Refused (`after` is not of this store)."""

    def schema_version(self) -> int:
        """The schema's version; 0 for an empty database. Raises Unavailable."""

    def migrate(self, target: int | None = None) -> int:
        """Brings the schema to `target` (None: the newest this driver ships) and returns the version. Safe to run twice, by two at
        once, and after a crash in the middle. Raises Unavailable, Refused (the schema is newer than the driver)."""

    def close(self) -> None:
        """Releases every connection; later calls raise Unavailable."""


class Visibility(Protocol):
    """A database that lists workflows. A Store that is one too applies `Batch.visible` in the same transaction."""

    def list_visible(
        self, namespace_id: str, filter: Filter | None, after: bytes, limit: int
    ) -> tuple[list[Visible], bytes]:
        """Up to `limit` runs, newest first as the real server sorts (close_time descending with open runs first, then start_time
        descending, then run_id descending), and a page token (empty: no more). Raises Unavailable, Refused (filter not supported)."""

    def count_visible(self, namespace_id: str, filter: Filter | None, group_by: str = "") -> list[tuple[object, int]]:
        """The number of runs by value of the field `group_by`; one row keyed None when it is empty. Raises Unavailable, Refused."""


class Hooks:
    """The extension surface: what a driver package implements with `@hookimpl`. Its entry point's name is the URL scheme."""

    @hookspec(firstresult=True)
    def open_store(self, url: str, options: Mapping[str, str]) -> Store | None:
        """Opens the database of `url` without touching its schema. Raises Unavailable (not reachable), Refused (URL is wrong)."""

    @hookspec(firstresult=True)
    def migrations(self, url: str) -> Sequence[Migration] | None:
        """Every step of the schema that this driver ships, in order, from version 1."""
