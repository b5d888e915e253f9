"""What the batches of one lease come to: they are walked in order against what stands there, and the rows of those accepted are merged,
the last write of a row winning. Nothing here touches the database.

Within one conditional batch Cassandra lets writes win over deletions, so a run that is deleted and begun again is a deletion of its whole
range, and then its new rows.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from drivers.base import Batch, Conflict, Current, Execution, Fault, Fenced, Refused, RunKey
from drivers.cassandra import places
from drivers.keys import pack

ROW_BYTES_MAX = 15 << 20  # Cassandra takes requests of 16 MiB
_ROW_OVERHEAD = 128
Cell = tuple[bytes, int | None]  # the column data, and wake_at of a core row


@dataclass(slots=True)
class Change:
    """Rows for one conditional batch. `runs` are the rows of each run by its prefix, `rows` all others; None deletes."""

    batches: list[int] = field(default_factory=list)
    runs: dict[bytes, dict[bytes, Cell | None]] = field(default_factory=dict)
    rows: dict[bytes, Cell | None] = field(default_factory=dict)
    wiped: set[bytes] = field(default_factory=set)
    history: list[tuple[bytes, int, int, bytes]] = field(default_factory=list)
    size: int = 0

    def cells(self) -> Iterator[tuple[bytes, Cell | None]]:
        """Every row."""
        yield from self.rows.items()
        for rows in self.runs.values():
            yield from rows.items()

    def merge(self, number: int, later: Change) -> None:
        """Adds the change that one batch is."""
        self.batches.append(number)
        for prefix in later.wiped:
            self.runs.pop(prefix, None)
        self.wiped |= later.wiped
        self.rows |= later.rows
        for prefix, rows in later.runs.items():
            self.runs.setdefault(prefix, {}).update(rows)
        self.history += later.history
        self.size += later.size


class Judge:
    """One result for each batch of a lease, and the changes of those accepted, in pieces that Cassandra can take at once."""

    def __init__(self, lease: str, range_id: int | None, pointers: dict[bytes, Current], piece_bytes: int) -> None:
        self._range_id = range_id
        self._pointers: dict[bytes, Current | None] = dict(pointers)
        self._lease = pack(lease)
        self._piece_bytes = piece_bytes
        self.results: dict[int, Fault] = {}
        self.changes: list[Change] = []

    def walk(self, batches: Iterable[tuple[int, Batch]]) -> None:
        """Takes the batches, each with its number, in order."""
        for number, batch in batches:
            fault = self._judge(number, batch)
            if fault is not None:
                self.results[number] = fault

    def _judge(self, number: int, batch: Batch) -> Fault | None:
        if batch.range_id != self._range_id:
            return Fenced(f"The lease {batch.lease!r} is not held under range_id {batch.range_id}.")
        try:
            moved, change = self._moved(batch), Change()
            if isinstance(moved, Conflict):
                return moved
            for place, current in moved.items():
                change.rows[place] = (places.joined(current.data, current.run_id), None) if current else None
            self._fill(change, batch)
        except places.UNSTORABLE as error:
            return Refused(f"This cannot be stored: {error}.")
        change.size = _size(change)
        if change.size > ROW_BYTES_MAX or any(len(row[3]) > ROW_BYTES_MAX for row in change.history):
            return Refused(f"Cassandra takes {ROW_BYTES_MAX} bytes at once; these are {change.size}.")
        self._pointers.update(moved)
        self._add(number, change)
        return None

    def _add(self, number: int, change: Change) -> None:
        if not self.changes or self.changes[-1].size + change.size > self._piece_bytes:
            self.changes.append(Change())
        self.changes[-1].merge(number, change)

    def _moved(self, batch: Batch) -> dict[bytes, Current | None] | Conflict:
        moved: dict[bytes, Current | None] = {}
        for move in batch.current:
            place = places.pointer(move.namespace_id, move.workflow_id)
            found = moved[place] if place in moved else self._pointers.get(place)
            if (found.run_id if found else None) != move.expected:
                return Conflict(found)
            moved[place] = move.current
        return moved

    def _fill(self, change: Change, batch: Batch) -> None:
        for execution in batch.executions:
            self._execute(change, execution)
        for history in batch.history:
            prefix, write = places.run(history.key), secrets.randbits(63)
            row = (places.joined(b"", history.last, write), None)
            change.runs.setdefault(prefix, {})[prefix + pack(places.HISTORY, history.first)] = row
            change.history.append((self._lease + prefix, history.first, write, history.data))
        for task in batch.tasks:
            change.rows[places.task(task.kind, task.id)] = (task.data, None)
        for kind, id in batch.tasks_done:
            change.rows[places.task(kind, id)] = None
        for entry in batch.visible:
            change.rows[places.visible(entry.key)] = (places.write_visible(entry), None)

    def _execute(self, change: Change, execution: Execution) -> None:
        key, prefix = RunKey(*execution.key), places.run(execution.key)
        if execution.wake_was is not None:
            change.rows[places.wake(execution.wake_was, key)] = None
        if execution.core is None:
            change.wiped.add(prefix)
            change.runs.pop(prefix, None)
            change.rows[places.visible(key)] = None
            return
        rows = change.runs.setdefault(prefix, {})
        at = places.NEVER if execution.wake_at is None else execution.wake_at
        rows[prefix + pack(places.CORE)] = (execution.core, at)
        if execution.wake_at is not None:
            change.rows[places.wake(execution.wake_at, key)] = (b"", None)
        for kind, id, data in execution.pending:
            rows[prefix + pack(places.PENDING, kind, id)] = None if data is None else (data, None)


def _size(change: Change) -> int:
    return sum(len(place) + (len(cell[0]) if cell else 0) + _ROW_OVERHEAD for place, cell in change.cells())


def named(batches: Iterable[Batch]) -> Iterator[bytes]:
    """The pointers that the batches name, but for those that cannot be stored."""
    for batch in batches:
        for move in batch.current:
            try:
                yield places.pointer(move.namespace_id, move.workflow_id)
            except UnicodeEncodeError:
                continue
