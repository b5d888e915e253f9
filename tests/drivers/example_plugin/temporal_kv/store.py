"""The contract of drivers.base on an ordered key-value store. Values are JSON, in which bytes are written as Latin-1. Keys are

    ("l", lease)                                     its range_id
    ("l", lease, "p", namespace, workflow)           where a workflow id points
    ("l", lease, "r", *run, CORE | PENDING, kind, id | HISTORY, first | VISIBLE)
    ("l", lease, "t", kind, id)                      a task
    ("l", lease, "w", at, *run)                      when a run wakes: an index
    ("m", id), ("s", kind, id)                       members, small records
    ("v", namespace, lease, *run)                    which runs are listed: an index

What belongs to a run stands together, so that deleting it is deleting a prefix; what belongs to a lease does, too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from drivers.base import (
    Batch,
    Conflict,
    Current,
    Execution,
    Fault,
    Fenced,
    Filter,
    History,
    Loaded,
    Member,
    Migration,
    Pending,
    Record,
    Refused,
    RunKey,
    SetCurrent,
    Task,
    Visible,
    Wake,
)
from drivers.filters import check, field_of, holds
from drivers.keys import behind, pack, unpack

from .database import SCHEMA, UNSTORABLE, Database

MIGRATIONS = [Migration(1, "keys and values", [SCHEMA])]
_VERSION = pack("schema")
CORE, PENDING, HISTORY, VISIBLE = range(4)


class KvStore:
    """A Store and a Visibility."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def acquire(self, lease: str, owner: str, above: int = 0) -> int:
        with self._db.transaction(write=True):
            range_id = max(_load(self._db.get(pack("l", lease))) or 0, above) + 1
            self._db.put(pack("l", lease), _dump(range_id))
        return range_id

    # Writing ------------------------------------------------------------------------------------------------------------------------

    def commit(self, batches: Sequence[Batch]) -> list[Fault | None]:
        with self._db.transaction(write=True):
            return [self._commit(batch) for batch in batches]

    def _commit(self, batch: Batch) -> Fault | None:
        if _load(self._db.get(pack("l", batch.lease))) != batch.range_id:
            return Fenced(f"The lease {batch.lease!r} is not held under range_id {batch.range_id}.")
        try:
            with self._db.part():
                self._apply(batch)
        except Conflict as conflict:
            return conflict
        except UNSTORABLE as error:
            return Refused(f"This cannot be stored: {error}.")
        return None

    def _apply(self, batch: Batch) -> None:
        lease = batch.lease
        for move in batch.current:
            key = pack("l", lease, "p", move.namespace_id, move.workflow_id)
            found = _current(self._db.get(key))
            if (found.run_id if found else None) != move.expected:
                raise Conflict(found)
            self._db.put(key, _dump(move.current) if move.current else None)
        for execution in batch.executions:
            self._execute(lease, execution)
        for history in batch.history:
            self._db.put(pack("l", lease, "r", *history.key, HISTORY, history.first), _dump(history[2:]))
        for task in batch.tasks:
            self._db.put(pack("l", lease, "t", task.kind, task.id), _dump(task.data))
        for kind, id in batch.tasks_done:
            self._db.put(pack("l", lease, "t", kind, id), None)
        for visible in batch.visible:
            self._db.put(pack("l", lease, "r", *visible.key, VISIBLE), _dump(asdict(visible)))
            self._db.put(pack("v", visible.key.namespace_id, lease, *visible.key), b"")

    def _execute(self, lease: str, execution: Execution) -> None:
        run = pack("l", lease, "r", *execution.key)
        old = _load(self._db.get(run + pack(CORE)))
        if old and old[1] is not None:
            self._db.put(pack("l", lease, "w", old[1], *execution.key), None)
        if execution.core is None:
            self._db.clear(run, behind(run))
            self._db.put(pack("v", execution.key.namespace_id, lease, *execution.key), None)
            return
        self._db.put(run + pack(CORE), _dump((execution.core, execution.wake_at)))
        if execution.wake_at is not None:
            self._db.put(pack("l", lease, "w", execution.wake_at, *execution.key), b"")
        for kind, id, data in execution.pending:
            self._db.put(run + pack(PENDING, kind, id), None if data is None else _dump(data))

    # Reading ------------------------------------------------------------------------------------------------------------------------

    def load(self, lease: str, key: RunKey) -> Loaded | None:
        run = pack("l", lease, "r", *key)
        with self._db.transaction(write=False):
            core = _load(self._db.get(run + pack(CORE)))
            return Loaded(_bytes(core[0]), core[1], self._pending(run)) if core else None

    def _pending(self, run: bytes) -> list[Pending]:
        rows = self._db.range(run + pack(PENDING), behind(run + pack(PENDING)))
        return [Pending(kind, id, _bytes(_load(value))) for (*_, kind, id), value in _unpacked(rows)]

    def current(self, lease: str, namespace_id: str, workflow_id: str) -> Current | None:
        with self._db.transaction(write=False):
            return _current(self._db.get(pack("l", lease, "p", namespace_id, workflow_id)))

    def history(self, lease: str, key: RunKey, first: int, last: int, limit: int) -> list[History]:
        run = pack("l", lease, "r", *key, HISTORY)
        with self._db.transaction(write=False):
            holds_first = self._db.last(run, run + pack(first))
            low = holds_first[0] if holds_first else run
            rows = [_history(key, *row) for row in self._db.range(low, behind(run + pack(last)), limit + 1)]
        return [row for row in rows if row.last >= first][:limit]

    def tasks(self, lease: str, kind: str | None, after: tuple[str, int], limit: int) -> list[Task]:
        of_kind = pack("l", lease, "t") if kind is None else pack("l", lease, "t", kind)
        with self._db.transaction(write=False):
            low = max(of_kind, behind(pack("l", lease, "t", *after)))
            rows = self._db.range(low, behind(of_kind), limit)
        return [_task(*row) for row in rows]

    def wakes(self, lease: str, after: Wake | None, limit: int) -> list[Wake]:
        prefix = pack("l", lease, "w")
        with self._db.transaction(write=False):
            low = behind(prefix + pack(after.at, *after.key)) if after else prefix
            rows = self._db.range(low, behind(prefix), limit)
        return [Wake(at, RunKey(*key)) for (_, _, _, at, *key), _ in _unpacked(rows)]

    # Small records and members ------------------------------------------------------------------------------------------------------

    def record(self, kind: str, id: str) -> Record | None:
        with self._db.transaction(write=False):
            return _record(kind, id, self._db.get(pack("s", kind, id)))

    def records(self, kind: str, after: str, limit: int) -> list[Record]:
        with self._db.transaction(write=False):
            rows = self._db.range(behind(pack("s", kind, after)), behind(pack("s", kind)), limit)
        return [record for (_, kind, id), value in _unpacked(rows) if (record := _record(kind, id, value))]

    def put_record(self, kind: str, id: str, data: bytes | None, expected: int) -> int:
        with self._db.transaction(write=True):
            found = _record(kind, id, self._db.get(pack("s", kind, id)))
            if (found.version if found else 0) != expected:
                raise Conflict(found)
            self._db.put(pack("s", kind, id), None if data is None else _dump((expected + 1, data)))
        return 0 if data is None else expected + 1

    def beat(self, member: Member, ttl_seconds: float) -> None:
        with self._db.transaction(write=True):
            self._db.put(pack("m", member.id), _dump((self._db.clock() + ttl_seconds, member.data)))

    def members(self) -> list[Member]:
        with self._db.transaction(write=False):
            rows, now = self._db.range(pack("m"), behind(pack("m"))), self._db.clock()
        found = [(str(unpack(key)[1]), *_load(value)) for key, value in rows]
        return [Member(id, _bytes(data)) for id, expires_at, data in found if expires_at > now]

    # Lists: every entry of a namespace is looked at -----------------------------------------------------------------------------------

    def list_visible(
        self, namespace_id: str, filter: Filter | None, after: bytes, limit: int
    ) -> tuple[list[Visible], bytes]:
        found = sorted(self._listed(namespace_id, filter), key=_age, reverse=True)
        if after:
            place = _place(after)
            found = [entry for entry in found if _age(entry) < place]
        page = found[:limit]
        return page, json.dumps(_age(page[-1])).encode() if len(found) > limit else b""

    def count_visible(self, namespace_id: str, filter: Filter | None, group_by: str = "") -> list[tuple[object, int]]:
        groups = Counter(
            field_of(entry, group_by) if group_by else None for entry in self._listed(namespace_id, filter)
        )
        return list(groups.items()) if group_by else [(None, groups[None])]

    def _listed(self, namespace_id: str, filter: Filter | None) -> Iterator[Visible]:
        check(filter)
        prefix = pack("v", namespace_id)
        with self._db.transaction(write=False):
            rows = [unpack(key) for key, _ in self._db.range(prefix, behind(prefix))]
            values = [self._db.get(pack("l", lease, "r", *key, VISIBLE)) or b"" for _, _, lease, *key in rows]
        return (entry for entry in map(_visible, values) if holds(filter, entry))

    # Everything: the order of the keys ------------------------------------------------------------------------------------------------

    def scan(self, after: bytes, limit: int) -> tuple[Batch | list[Record], bytes]:
        try:
            unpack(after)
        except (ValueError, IndexError) as error:
            raise Refused("The place to go on from is not one of this store.") from error
        with self._db.transaction(write=False):
            if after < pack("m"):
                low = after + b"\0" if after else pack("l")
                rows = self._db.range(low, behind(pack("l")), limit + 1)
                if rows:
                    return self._scan_lease(rows[:limit])
            rows = self._db.range(max(after + b"\0", pack("s")), behind(pack("s")), limit)
        records = [record for (_, kind, id), value in _unpacked(rows) if (record := _record(kind, id, value))]
        return records, rows[-1][0] if len(rows) == limit else b""

    def _scan_lease(self, rows: list[tuple[bytes, bytes]]) -> tuple[Batch, bytes]:
        lease = str(unpack(rows[0][0])[1])
        batch, last = Batch(lease, _load(self._db.get(pack("l", lease)))), b""
        for key, value in rows:
            _, of, *place = unpack(key)
            if of != lease:
                break
            last = key
            self._scan_row(batch, place, value)
        return batch, last

    def _scan_row(self, batch: Batch, place: list[Any], value: bytes) -> None:
        match place:
            case ["p", namespace_id, workflow_id]:
                batch.current.append(SetCurrent(namespace_id, workflow_id, None, _current(value)))
            case ["r", *key, 0]:
                core, wake_at = _load(value)
                pending = self._pending(pack("l", batch.lease, "r", *key))
                batch.executions.append(Execution(RunKey(*key), _bytes(core), wake_at, None, pending))
            case ["r", namespace_id, workflow_id, run_id, 2, _]:
                run = RunKey(namespace_id, workflow_id, run_id)
                batch.history.append(_history(run, pack(*place), value))
            case ["r", *_, 3]:
                batch.visible.append(_visible(value))
            case ["t", *_]:
                batch.tasks.append(_task(pack(*place), value))

    # The schema -----------------------------------------------------------------------------------------------------------------------

    def schema_version(self) -> int:
        with self._db.transaction(write=False):
            return self._version()

    def _version(self) -> int:
        return _load(self._db.get(_VERSION)) or 0 if self._db.exists() else 0

    def migrate(self, target: int | None = None) -> int:
        goal = len(MIGRATIONS) if target is None else target
        with self._db.transaction(write=True):
            version = self._version()
            if not version <= goal <= len(MIGRATIONS):
                raise Refused(
                    f"The schema is at version {version}, newer than {goal}, or this driver has no version {goal}."
                )
            if version < goal:
                self._db.create()
                self._db.put(_VERSION, _dump(goal))
        return goal

    def close(self) -> None:
        self._db.close()


def _dump(value: Any) -> bytes:
    """Raises UnicodeEncodeError for text that is none."""
    return json.dumps(value, ensure_ascii=False, default=lambda data: data.decode("latin-1")).encode()


def _load(value: bytes | None) -> Any:
    return None if value is None else json.loads(value)


def _unpacked(rows: list[tuple[bytes, bytes]]) -> Iterator[tuple[list[Any], bytes]]:
    return ((list(unpack(key)), value) for key, value in rows)


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")


def _current(value: bytes | None) -> Current | None:
    found = _load(value)
    return Current(found[0], _bytes(found[1])) if found else None


def _record(kind: str, id: str, value: bytes | None) -> Record | None:
    found = _load(value)
    return Record(kind, id, found[0], _bytes(found[1])) if found else None


def _history(key: RunKey, row: bytes, value: bytes) -> History:
    last, data = _load(value)
    return History(key, int(unpack(row)[-1]), last, _bytes(data))


def _task(row: bytes, value: bytes) -> Task:
    kind, id = unpack(row)[-2:]
    return Task(str(kind), int(id), _bytes(_load(value)))


def _visible(value: bytes) -> Visible:
    fields = _load(value)
    fields["key"] = RunKey(*fields["key"])
    return Visible(**fields | {name: _bytes(fields[name]) for name in ("memo", "attributes")})


def _age(entry: Visible) -> tuple[int, int, str]:
    return entry.close_time or 2**63, entry.start_time, entry.key.run_id


def _place(after: bytes) -> tuple[int, int, str]:
    try:
        closed, start_time, run_id = json.loads(after)
        return int(closed), int(start_time), str(run_id)
    except (ValueError, TypeError) as error:
        raise Refused("The page token is not one of this store.") from error
