"""A store in memory, as plain as can be: what the contract means when speed and durability do not matter. Others are compared with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from drivers.base import (
    Batch,
    Conflict,
    Current,
    Fault,
    Fenced,
    Filter,
    History,
    Loaded,
    Member,
    Pending,
    Record,
    Refused,
    RunKey,
    Store,
    Task,
    Visible,
    Wake,
)
from drivers.filters import field_of, holds


class Model:
    """The methods of Store and Visibility that a single process can show."""

    def __init__(self) -> None:
        self.ranges: dict[str, int] = {}
        self.pointers: dict[tuple[str, str, str], Current] = {}
        self.cores: dict[tuple[str, RunKey], tuple[bytes, int | None]] = {}
        self.pending: dict[tuple[str, RunKey], dict[tuple[int, str], bytes]] = {}
        self.rows: dict[tuple[str, RunKey], dict[int, History]] = {}
        self.waiting: dict[tuple[str, str, int], bytes] = {}
        self.visible: dict[tuple[str, RunKey], Visible] = {}
        self.small: dict[tuple[str, str], Record] = {}
        self.alive: dict[str, Member] = {}

    def acquire(self, lease: str, owner: str, above: int = 0) -> int:
        self.ranges[lease] = max(self.ranges.get(lease, 0), above) + 1
        return self.ranges[lease]

    def commit(self, batches: Sequence[Batch]) -> list[Fault | None]:
        return [self._commit(batch) for batch in batches]

    def _commit(self, batch: Batch) -> Fault | None:
        try:
            "".join(text for execution in batch.executions for text in execution.key).encode()
        except UnicodeEncodeError:
            return Refused()
        if self.ranges.get(batch.lease) != batch.range_id:
            return Fenced()
        moved = dict(self.pointers)
        for move in batch.current:
            name = (batch.lease, move.namespace_id, move.workflow_id)
            found = moved.pop(name, None)
            if (found.run_id if found else None) != move.expected:
                return Conflict(found)
            if move.current:
                moved[name] = move.current
        self.pointers = moved
        self._write(batch)
        return None

    def _write(self, batch: Batch) -> None:
        lease = batch.lease
        for execution in batch.executions:
            run = (lease, execution.key)
            if execution.core is None:
                for table in (self.cores, self.pending, self.rows, self.visible):
                    table.pop(run, None)
                continue
            self.cores[run] = (execution.core, execution.wake_at)
            for row in execution.pending:
                pending = self.pending.setdefault(run, {})
                pending.pop((row.kind, row.id), None)
                if row.data is not None:
                    pending[row.kind, row.id] = row.data
        for history in batch.history:
            self.rows.setdefault((lease, history.key), {})[history.first] = history
        self.waiting.update({(lease, task.kind, task.id): task.data for task in batch.tasks})
        for kind, id in batch.tasks_done:
            self.waiting.pop((lease, kind, id), None)
        self.visible.update({(lease, entry.key): entry for entry in batch.visible})

    def contents(self) -> dict[str, Any]:
        """All that a scan shows; a run's pending rows only while it has a core."""
        pending = {run: rows for run, rows in self.pending.items() if rows and run in self.cores}
        names = ("ranges", "pointers", "cores", "rows", "waiting", "visible", "small")
        return {"pending": pending} | {name: getattr(self, name) for name in names}

    def load(self, lease: str, key: RunKey) -> Loaded | None:
        if (lease, key) not in self.cores:
            return None
        rows = self.pending.get((lease, key), {})
        return Loaded(*self.cores[lease, key], [Pending(*name, rows[name]) for name in sorted(rows)])

    def current(self, lease: str, namespace_id: str, workflow_id: str) -> Current | None:
        return self.pointers.get((lease, namespace_id, workflow_id))

    def history(self, lease: str, key: RunKey, first: int, last: int, limit: int) -> list[History]:
        rows = sorted(self.rows.get((lease, key), {}).values(), key=lambda row: row.first)
        return [row for row in rows if row.first <= last and row.last >= first][:limit]

    def tasks(self, lease: str, kind: str | None, after: tuple[str, int], limit: int) -> list[Task]:
        names = sorted(
            name for name in self.waiting if name[0] == lease and name[1:] > after and kind in (None, name[1])
        )
        return [Task(*name[1:], self.waiting[name]) for name in names][:limit]

    def wakes(self, lease: str, after: Wake | None, limit: int) -> list[Wake]:
        wakes = sorted(Wake(at, run[1]) for run, (_, at) in self.cores.items() if run[0] == lease and at is not None)
        return [wake for wake in wakes if after is None or wake > after][:limit]

    def record(self, kind: str, id: str) -> Record | None:
        return self.small.get((kind, id))

    def records(self, kind: str, after: str, limit: int) -> list[Record]:
        return [self.small[name] for name in sorted(self.small) if name[0] == kind and name[1] > after][:limit]

    def put_record(self, kind: str, id: str, data: bytes | None, expected: int) -> int:
        found = self.small.get((kind, id))
        if (found.version if found else 0) != expected:
            raise Conflict(found)
        if data is None:
            self.small.pop((kind, id), None)
            return 0
        self.small[kind, id] = Record(kind, id, expected + 1, data)
        return expected + 1

    def beat(self, member: Member, ttl_seconds: float) -> None:
        """As if no time went by."""
        self.alive.pop(member.id, None)
        if ttl_seconds > 0:
            self.alive[member.id] = member

    def members(self) -> list[Member]:
        return sorted(self.alive.values())

    def list_visible(self, namespace_id: str, filter: Filter | None) -> list[Visible]:
        """All of them, without pages."""
        found = [
            entry for entry in self.visible.values() if entry.key.namespace_id == namespace_id and holds(filter, entry)
        ]
        return sorted(
            found, key=lambda entry: (entry.close_time or 2**63, entry.start_time, entry.key.run_id), reverse=True
        )

    def count_visible(self, namespace_id: str, filter: Filter | None, group_by: str = "") -> list[tuple[object, int]]:
        values = [field_of(entry, group_by) if group_by else None for entry in self.list_visible(namespace_id, filter)]
        return list(Counter(values).items()) if group_by else [(None, len(values))]


def parts_of(store: Store, limit: int) -> list[Batch | list[Record]]:
    """All parts of a scan."""
    part, after = store.scan(b"", limit)
    parts = [part]
    while after:
        part, after = store.scan(after, limit)
        parts.append(part)
    return parts


def rebuilt(store: Store, limit: int) -> Model:
    """A model that was given the parts of a scan."""
    model = Model()
    for part in parts_of(store, limit):
        if isinstance(part, Batch):
            model.ranges[part.lease] = part.range_id
            assert model.commit([part]) == [None]
        else:
            model.small.update({(record.kind, record.id): record for record in part})
    return model
