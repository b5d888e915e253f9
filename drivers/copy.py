"""Moves house: copies everything that one store holds to another, of any kind, through the Store protocol alone.

The source is only read, and nobody may be using it. The destination must be empty; while a copy is unfinished it holds the record
`MARK`, with which no server starts, and which says how far the copy has come. A part may be written twice, so a copy that was
interrupted anywhere goes on with the part that it had come to. At the end the destination is read again and compared with the source.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

from drivers.base import Batch, Conflict, Execution, Fenced, Record, Refused, Store

MARK = ("copy", "unfinished")  # kind and id of the record
ROWS_MAX = 200  # of a part
PENDING_MAX = 100  # rows beside a run that are written at once
BYTES_MAX = 1 << 20  # of a batch, unless a single row is larger
_SUM_BYTES = 16
_TWO = "Another process writes to the destination."

Progress = Callable[[str, int, int | None], None]  # what is being done, rows done, rows in all where that is known


@dataclass(slots=True)
class Sums:
    """How many rows of each kind a store holds, and a checksum of each that does not depend on their order."""

    counts: dict[str, int] = field(default_factory=dict)
    sums: dict[str, int] = field(default_factory=dict)
    ranges: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, row: object) -> None:
        """Counts the row; `repr` tells rows of a kind apart."""
        digest = int.from_bytes(blake2b(repr(row).encode(), digest_size=_SUM_BYTES).digest())
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.sums[kind] = (self.sums.get(kind, 0) + digest) % (1 << 8 * _SUM_BYTES)

    def add_part(self, part: Batch | list[Record]) -> None:
        """Counts the rows of a part; versions of records and range_ids are not copied, so they do not count."""
        if not isinstance(part, Batch):
            for record in part:
                if record[:2] != MARK:
                    self.add("records", (record.kind, record.id, record.data))
            return
        self.ranges[part.lease] = part.range_id
        for kind, rows in _rows_of(part).items():
            for row in rows:
                self.add(kind, (part.lease, row))

    @property
    def rows(self) -> int:
        """Of every kind."""
        return sum(self.counts.values())

    def check(self, copied: Sums) -> None:
        """Raises Refused when what was copied is not what is here."""
        wrong = [kind for kind in {**self.sums, **copied.sums} if self._of(kind) != copied._of(kind)]
        if self.ranges.keys() != copied.ranges.keys() or any(
            copied.ranges[one] <= self.ranges[one] for one in self.ranges
        ):
            wrong.append("leases")
        if wrong:
            told = ", ".join(f"{kind} ({self._of(kind)[0]} there, {copied._of(kind)[0]} copied)" for kind in wrong)
            raise Refused(f"The copy is not what the source holds: {told}; empty the destination and copy again.")

    def _of(self, kind: str) -> tuple[int, int]:
        return self.counts.get(kind, 0), self.sums.get(kind, 0)


class Copy:
    """One copy from `source` to `destination`, both with the newest schema; `name` is the source's for people to read."""

    def __init__(self, source: Store, destination: Store, name: str, progress: Progress) -> None:
        self._from, self._to = source, destination
        self._name = name
        self._progress = progress
        self._ranges: dict[str, int] = {}

    def run(self) -> Mapping[str, int]:
        """Copies, or goes on with a copy that was interrupted; returns the number of rows by kind. Raises Refused when that is not
        allowed or went wrong, Unavailable or Unknown when it was interrupted and may be run again."""
        for store, which in ((self._from, "source"), (self._to, "destination")):
            _refuse_when_used(store, which)
        mark = self._begin()
        here = self._sum(self._from, "reading", None)
        self._copy(mark, here.rows)
        here.check(self._sum(self._to, "comparing", here.rows))
        _refuse_when_used(self._from, "source")
        stands = self._to.record(*MARK)
        self._to.put_record(*MARK, None, stands.version if stands else 0)
        return here.counts

    def _begin(self) -> Record:
        mark = self._to.record(*MARK)
        if mark is None:
            if self._to.scan(b"", 1) != ([], b""):
                raise Refused("The destination is not empty.")
            return self._note(Record(*MARK, 0, b""), b"", 0)
        found = json.loads(mark.data)["from"]
        if found != self._name:
            raise Refused(f"The destination holds a part of a copy of {found}, not of {self._name}.")
        return mark

    def _note(self, mark: Record, after: bytes, rows: int) -> Record:
        place = base64.b64encode(after).decode()
        data = json.dumps({"from": self._name, "after": place, "rows": rows}).encode()
        try:
            return mark._replace(version=self._to.put_record(*MARK, data, mark.version), data=data)
        except Conflict as conflict:
            raise Refused(_TWO) from conflict

    def _copy(self, mark: Record, rows: int) -> None:
        came_to = json.loads(mark.data)
        done, after = came_to["rows"], base64.b64decode(came_to["after"])
        for part, place in _parts(self._from, after):
            if isinstance(part, Batch):
                self._write(part)
                done += sum(map(len, _rows_of(part).values()))
            else:
                for record in part:
                    self._put(record)
                done += len(part)
            mark = self._note(mark, place or after, done)
            after = place
            self._progress("copying", done, rows)

    def _write(self, part: Batch) -> None:
        if part.lease not in self._ranges:
            self._ranges[part.lease] = self._to.acquire(part.lease, "copy", part.range_id)
        for batch in _pieces(part, self._ranges[part.lease]):
            [result] = self._to.commit([batch])
            if isinstance(result, Conflict):  # written before an interruption
                moves = [(move, self._to.current(part.lease, *move[:2])) for move in batch.current]
                batch.current = [move._replace(expected=found.run_id if found else None) for move, found in moves]
                [result] = self._to.commit([batch])
            if isinstance(result, Fenced):
                raise Refused(_TWO) from result
            if result is not None:
                raise result

    def _put(self, record: Record) -> None:
        try:
            self._to.put_record(record.kind, record.id, record.data, 0)
        except Conflict as conflict:  # written before an interruption
            if not isinstance(conflict.found, Record) or conflict.found.data != record.data:
                raise

    def _sum(self, store: Store, what: str, rows: int | None) -> Sums:
        sums = Sums()
        for part, _ in _parts(store, b""):
            sums.add_part(part)
            self._progress(what, sums.rows, rows)
        return sums


def _refuse_when_used(store: Store, which: str) -> None:
    if members := store.members():
        count = f"{len(members)} server{'s' if len(members) > 1 else ''}"
        raise Refused(f"The {which} is in use by {count}: stop them first, and wait some seconds after a kill.")


def _parts(store: Store, after: bytes) -> Iterator[tuple[Batch | list[Record], bytes]]:
    """The parts from a place on, each with the place behind it; empty at the end."""
    while True:
        part, after = store.scan(after, ROWS_MAX)
        yield part, after
        if not after:
            return


def _rows_of(part: Batch) -> dict[str, list[Any]]:
    return {
        "runs": [(run.key, run.core, run.wake_at) for run in part.executions],
        "pending": [(run.key, row) for run in part.executions for row in run.pending],
        "history": part.history,
        "workflow ids": [(*move[:2], move.current) for move in part.current],
        "tasks": part.tasks,
        "list entries": [
            replace(one, search_attributes=dict(sorted(one.search_attributes.items()))) for one in part.visible
        ],
    }


def _pieces(part: Batch, range_id: int) -> Iterator[Batch]:
    """The part as batches that are not too large, at least one."""
    piece, size = Batch(part.lease, range_id), 0
    for field_name, row, row_bytes in _sized(part):
        if size and size + row_bytes > BYTES_MAX:
            yield piece
            piece, size = Batch(part.lease, range_id), 0
        getattr(piece, field_name).append(row)
        size += row_bytes
    yield piece


def _sized(part: Batch) -> Iterator[tuple[str, Any, int]]:
    for move in part.current:
        yield "current", move, len(move.current.data) if move.current else 0
    for run in part.executions:
        for start in range(0, max(1, len(run.pending)), PENDING_MAX):
            rows = run.pending[start : start + PENDING_MAX]
            size = len(run.core or b"") + sum(len(row.data or b"") for row in rows)
            yield "executions", Execution(run.key, run.core, run.wake_at, None, rows), size
    for history in part.history:
        yield "history", history, len(history.data)
    for task in part.tasks:
        yield "tasks", task, len(task.data)
    for visible in part.visible:
        yield "visible", visible, len(visible.memo) + len(visible.attributes)
