"""The steps of one commit: what stands there is read, the rows of histories are written where nobody sees them yet, then one conditional batch
for each lease makes all of it count, or nothing. The steps of all leases go out together.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from cassandra.query import BatchStatement, BatchType, BoundStatement

from drivers.base import Batch, Fault, Refused
from drivers.cassandra import places
from drivers.cassandra.changes import Change, Judge, named
from drivers.cassandra.session import Row, Session
from drivers.cassandra.sweeps import Sweeps
from drivers.keys import behind, pack

RANGE = "SELECT range_id FROM {keyspace}.shard WHERE lease = ? LIMIT 1"
_FENCE = "UPDATE {keyspace}.shard SET range_id = ? WHERE lease = ? IF range_id = ?"
_POINTERS = "SELECT place, data FROM {keyspace}.shard WHERE lease = ? AND place IN ?"
_FIRST = "SELECT place FROM {keyspace}.shard WHERE lease = ? AND place >= ? AND place < ? LIMIT 1"
_PUT = "INSERT INTO {keyspace}.shard (lease, place, data) VALUES (?, ?, ?)"
_PUT_CORE = "INSERT INTO {keyspace}.shard (lease, place, data, wake_at) VALUES (?, ?, ?, ?)"
_DELETE = "DELETE FROM {keyspace}.shard WHERE lease = ? AND place = ?"
_DELETE_RANGE = "DELETE FROM {keyspace}.shard WHERE lease = ? AND place >= ? AND place < ?"
_PUT_HISTORY = "INSERT INTO {keyspace}.history (run, first, write, data) VALUES (?, ?, ?, ?)"
_DELETE_HISTORY = "DELETE FROM {keyspace}.history WHERE run = ?"
PIECE_BYTES = 1 << 20  # of one conditional batch, unless a single batch is larger

log = logging.getLogger(__name__)
Question = tuple[BoundStatement, Callable[[list[Row]], None]]


@dataclass(slots=True)
class Part:
    """What one lease has in a call of commit, each batch with its number in the call."""

    name: str
    batches: list[tuple[int, Batch]] = field(default_factory=list)
    key: bytes = b""
    range_id: int | None = None
    pointers: dict[bytes, bytes] = field(default_factory=dict)
    swept: list[tuple[bytes, bytes]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


class Turn:
    """One call of commit. A batch without an entry in `results` was applied."""

    def __init__(self, session: Session, batches: Sequence[Batch]) -> None:
        self._session = session
        self.batches = batches
        self.results: dict[int, Fault] = {}
        self.parts: dict[str, Part] = {}
        for number, batch in enumerate(batches):
            self.parts.setdefault(batch.lease, Part(batch.lease)).batches.append((number, batch))
        for part in list(self.parts.values()):
            self._name(part)

    def _name(self, part: Part) -> None:
        try:
            part.key = pack(part.name)
        except UnicodeEncodeError as error:
            del self.parts[part.name]
            self.results.update(
                (number, Refused(f"This is no name of a lease: {error}.")) for number, _ in part.batches
            )

    def judge(self, held: dict[str, int], sweeps: Sweeps) -> None:
        """Decides on each batch, with one wave of reads. Raises Unavailable."""
        questions = [question for part in self.parts.values() for question in self._questions(part, held, sweeps)]
        answers = self._session.reads([statement for statement, _ in questions])
        for (_, take), rows in zip(questions, answers, strict=True):
            take(rows)
        for part in self.parts.values():
            pointers = {place: places.read_current(data) for place, data in part.pointers.items()}
            judge = Judge(part.name, part.range_id, pointers, PIECE_BYTES)
            judge.walk(part.batches)
            self.results.update(judge.results)
            # Where nothing is to be written the fence is checked all the same: what was read is then true.
            part.changes = judge.changes or [Change()] * (part.range_id is not None)

    def _questions(self, part: Part, held: dict[str, int], sweeps: Sweeps) -> Iterator[Question]:
        batches = [batch for _, batch in part.batches]
        part.range_id = held.get(part.name)
        if any(batch.range_id != part.range_id for batch in batches):
            yield self._session.bind(RANGE, part.key), partial(_take_range, part)
        else:
            for queue in sweeps.due(part.name, batches):
                yield (
                    self._session.bind(_FIRST, part.key, queue, behind(queue)),
                    partial(_take_first, part, queue),
                )
        if pointers := list(dict.fromkeys(named(batches))):
            yield self._session.bind(_POINTERS, part.key, pointers), part.pointers.update

    def prepare(self) -> None:
        """Writes the rows of histories. Raises Unavailable, Refused."""
        if statements := [
            one for part in self.parts.values() for change in part.changes for one in self._history(change)
        ]:
            self._session.write(statements)

    def _history(self, change: Change) -> Iterator[BoundStatement | BatchStatement]:
        """Rows of one run in one batch, which touches one partition: no log, no limit but that of a request."""
        waiting: list[BoundStatement] = []
        run, size = b"", 0
        for row in sorted(change.history):
            if waiting and (row[0] != run or size + len(row[3]) > PIECE_BYTES):
                yield self._together(waiting)
                waiting, size = [], 0
            waiting.append(self._session.bind(_PUT_HISTORY, *row))
            run, size = row[0], size + len(row[3])
        if waiting:
            yield self._together(waiting)

    def _together(self, statements: list[BoundStatement]) -> BoundStatement | BatchStatement:
        return statements[0] if len(statements) == 1 else self._session.batch(statements, BatchType.UNLOGGED)

    def conditional(self, part: Part, change: Change) -> BatchStatement:
        """The statement that makes a change count, if the fence still stands."""
        return self._session.batch(self._statements(part, change))

    def _statements(self, part: Part, change: Change) -> Iterator[BoundStatement]:
        bind, key = self._session.bind, part.key
        yield bind(_FENCE, part.range_id, key, part.range_id)
        for prefix in change.wiped:
            yield bind(_DELETE_RANGE, key, prefix, behind(prefix))
        while part.swept:
            yield bind(_DELETE_RANGE, key, *part.swept.pop())
        for place, cell in change.cells():
            if cell is None:
                yield bind(_DELETE, key, place)
            elif cell[1] is None:
                yield bind(_PUT, key, place, cell[0])
            else:
                yield bind(_PUT_CORE, key, place, *cell)

    def stop(self, part: Part, fault: Fault, since: Change) -> None:
        """Nothing of this lease is applied from that change on."""
        later = part.changes[part.changes.index(since) :]
        self.results.update((number, fault) for change in later for number in change.batches)
        if since is part.changes[0]:
            self.results.update((number, fault) for number, _ in part.batches if number not in self._refused())
        part.changes = []

    def _refused(self) -> set[int]:
        return {number for number, fault in self.results.items() if isinstance(fault, Refused)}

    def clean(self) -> None:
        """Deletes the histories of runs that are gone. If that fails their rows stay, and mean nothing."""
        gone = [
            self._session.bind(_DELETE_HISTORY, part.key + prefix)
            for part in self.parts.values()
            for change in part.changes
            for prefix in change.wiped
            if prefix not in change.runs
        ]
        try:
            if gone:
                self._session.write(gone)
        except Fault as fault:
            log.warning("histories of %d deleted runs were left behind: %s", len(gone), fault)


def _take_first(part: Part, queue: bytes, rows: list[Row]) -> None:
    part.swept.append((queue, rows[0][0] if rows else behind(queue)))


def _take_range(part: Part, rows: list[Row]) -> None:
    part.range_id = rows[0][0] if rows else None
