"""CassandraStore keeps the contract of drivers.base on Cassandra 4.1 or later.

A lease is one partition: the fence and all that hangs on it change with one conditional batch, and a read of the partition is of one moment.
Histories alone stand elsewhere, for their size; what the partition says of them is what counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from drivers.base import (
    Batch,
    Current,
    Fault,
    History,
    Loaded,
    Member,
    Record,
    RunKey,
    Task,
    Unavailable,
    Wake,
)
from drivers.cassandra import places, records
from drivers.cassandra.histories import histories
from drivers.cassandra.lists import CassandraVisibility
from drivers.cassandra.migrate import Schema
from drivers.cassandra.scan import Scanner
from drivers.cassandra.session import Row, Session
from drivers.cassandra.turn import RANGE
from drivers.cassandra.writer import Writer
from drivers.keys import behind, pack

_TAKE = "UPDATE {keyspace}.shard SET range_id = ?, owner = ? WHERE lease = ? IF range_id = ?"
_ROW = "SELECT data FROM {keyspace}.shard WHERE lease = ? AND place = ?"
_ROWS = "SELECT place, data, wake_at FROM {keyspace}.shard WHERE lease = ? AND place >= ? AND place < ?"
_SOME = "SELECT place, data FROM {keyspace}.shard WHERE lease = ? AND place > ? AND place < ? LIMIT ?"
_WAKES_AT = "SELECT place, wake_at FROM {keyspace}.shard WHERE lease = ? AND place IN ?"
_TAKE_TURNS_MAX = 100


class CassandraStore(CassandraVisibility):
    """A Store and a Visibility."""

    def __init__(self, session: Session, schema: Schema) -> None:
        super().__init__(session)
        self._writer = Writer(session)
        self._scanner = Scanner(session)
        self._schema = schema

    def acquire(self, lease: str, owner: str, above: int = 0) -> int:
        key = pack(lease)
        for _ in range(_TAKE_TURNS_MAX):
            rows = self._session.read(RANGE, key)
            stands = rows[0][0] if rows else None
            range_id = max(stands or 0, above) + 1
            self._writer.hold(lease, None)
            if self._session.decide_one(self._session.bind(_TAKE, range_id, owner, key, stands)):
                self._writer.hold(lease, range_id)
                return range_id
        raise Unavailable(f"The lease {lease!r} is taken by others again and again.")

    def commit(self, batches: Sequence[Batch]) -> list[Fault | None]:
        return self._writer.commit(batches)

    def load(self, lease: str, key: RunKey) -> Loaded | None:
        return load(self._session, pack(lease), key)

    def current(self, lease: str, namespace_id: str, workflow_id: str) -> Current | None:
        rows = self._session.read(_ROW, pack(lease), places.pointer(namespace_id, workflow_id))
        return places.read_current(rows[0][0]) if rows else None

    def history(self, lease: str, key: RunKey, first: int, last: int, limit: int) -> list[History]:
        return histories(self._session, pack(lease), key, (first, last), limit)

    def tasks(self, lease: str, kind: str | None, after: tuple[str, int], limit: int) -> list[Task]:
        queue = places.TASKS if kind is None else places.TASKS + pack(kind)
        rows = self._some(lease, max(queue, places.task(*after)), behind(queue), limit)
        return [places.read_task(*row) for row in rows]

    def _some(self, lease: str, above: bytes, below: bytes, limit: int) -> list[Row]:
        return self._session.read(_SOME, pack(lease), above, below, limit) if above < below else []

    def wakes(self, lease: str, after: Wake | None, limit: int) -> list[Wake]:
        found: list[Wake] = []
        above = places.wake(*after) if after else places.WAKES
        while rows := self._some(lease, above, behind(places.WAKES), limit):
            found += self._true_ones(lease, [places.read_wake(place) for place, _ in rows])
            if len(found) >= limit or len(rows) < limit:
                break
            above = rows[-1][0]
        return found[:limit]

    def _true_ones(self, lease: str, wakes: list[Wake]) -> list[Wake]:
        """Those that the runs themselves know: the writer may not have known which one it replaced."""
        cores = {places.run(wake.key) + pack(places.CORE): wake.key for wake in wakes}
        rows = self._session.read(_WAKES_AT, pack(lease), list(cores))
        at = {cores[place]: at for place, at in rows}
        return [wake for wake in wakes if at.get(wake.key) == wake.at]

    def record(self, kind: str, id: str) -> Record | None:
        return records.record(self._session, kind, id)

    def records(self, kind: str, after: str, limit: int) -> list[Record]:
        return records.records(self._session, kind, after, limit)

    def put_record(self, kind: str, id: str, data: bytes | None, expected: int) -> int:
        return records.put_record(self._session, kind, id, data, expected)

    def beat(self, member: Member, ttl_seconds: float) -> None:
        records.beat(self._session, member, ttl_seconds)

    def members(self) -> list[Member]:
        return records.members(self._session)

    def scan(self, after: bytes, limit: int) -> tuple[Batch | list[Record], bytes]:
        return self._scanner.part(after, limit)

    def schema_version(self) -> int:
        return self._schema.version(self._session)

    def migrate(self, target: int | None = None) -> int:
        return self._schema.migrate(self._session, target)

    def close(self) -> None:
        self._session.close()


def load(session: Session, lease: bytes, key: RunKey) -> Loaded | None:
    """A run, read as one slice of its partition: Cassandra shows a batch in it whole or not at all."""
    prefix = places.run(key)
    rows = session.read(_ROWS, lease, prefix, behind(prefix + pack(places.PENDING)))
    if not rows or rows[0][0] != prefix + pack(places.CORE):
        return None
    [(_, core, at), *pending] = rows
    found = [places.read_pending(place, data) for place, data, _ in pending]
    return Loaded(core, None if at == places.NEVER else at, found)
