"""Everything that a store holds, part by part: the leases in the order of their tokens, each in the order of its places, then the records."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from drivers.base import Batch, Execution, Record, Refused, RunKey, SetCurrent
from drivers.cassandra import places, records
from drivers.cassandra.histories import entry, filled
from drivers.cassandra.session import Row, Session
from drivers.keys import behind, pack, unpack

_FIRST_LEASE = "SELECT DISTINCT lease, range_id FROM {keyspace}.shard LIMIT 1"
_NEXT_LEASE = "SELECT DISTINCT lease, range_id FROM {keyspace}.shard WHERE token(lease) > token(?) LIMIT 1"
_LEASE = "SELECT lease, range_id FROM {keyspace}.shard WHERE lease = ? LIMIT 1"
_ROWS = "SELECT place, data, wake_at FROM {keyspace}.shard WHERE lease = ? AND place > ? AND place < ? LIMIT ?"
_PENDING = "SELECT place, data FROM {keyspace}.shard WHERE lease = ? AND place >= ? AND place < ?"
_KINDS = "SELECT DISTINCT kind FROM {keyspace}.record"
_END = b"\xff"


class Scanner:
    """The places it names are ("l", lease, place in hexadecimal) and ("s", kind, id)."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def part(self, after: bytes, limit: int) -> tuple[Batch | list[Record], bytes]:
        """As Store.scan."""
        match places.place_of(after):
            case []:
                return self._lease(self._session.read(_FIRST_LEASE), b"", limit)
            case ["l", str(lease), str(place)]:
                return self._lease(self._session.read(_LEASE, pack(lease)), bytes.fromhex(place), limit)
            case ["s", str(kind), str(id)]:
                return self._records(kind, id, limit)
        raise Refused("The place to go on from is not one of this store.")

    def _lease(self, found: list[Row], place: bytes, limit: int) -> tuple[Batch | list[Record], bytes]:
        if not found:
            return self._records("", "", limit)
        [(key, range_id)] = found
        rows = self._session.read(_ROWS, key, place, places.WAKES, limit) if place < _END else []
        if place and not rows:
            return self._lease(self._session.read(_NEXT_LEASE, key), b"", limit)
        lease = str(unpack(key)[0])
        last = self._behind_pending(rows[-1][0]) if len(rows) == limit else _END
        return self._batch(Batch(lease, range_id), key, rows), pack("l", lease, last.hex())

    def _behind_pending(self, place: bytes) -> bytes:
        """Pending rows come with their core row, however many there are."""
        match unpack(place):
            case ["r", str(namespace_id), str(workflow_id), str(run_id), int(part), *_] if part <= places.PENDING:
                return behind(places.run(RunKey(namespace_id, workflow_id, run_id)) + pack(places.PENDING))
        return place

    def _batch(self, batch: Batch, lease: bytes, rows: list[Row]) -> Batch:
        for (section, *name), some in groupby(rows, lambda row: _group(unpack(row[0]))):
            match section:
                case "p":
                    moves = ((*name, None, places.read_current(data)) for _, data, _ in some)
                    batch.current += [SetCurrent(*move) for move in moves]
                case "t":
                    batch.tasks += [places.read_task(place, data) for place, data, _ in some]
                case "v":
                    batch.visible += [places.read_visible(place, data) for place, data, _ in some]
                case "r":
                    self._run(batch, lease, RunKey(*name[:3]), int(name[3]), list(some))
        return batch

    def _run(self, batch: Batch, lease: bytes, key: RunKey, part: int, rows: list[Row]) -> None:
        if part == places.CORE:
            [(_, core, at)] = rows
            prefix = places.run(key) + pack(places.PENDING)
            pending = self._session.read(_PENDING, lease, prefix, behind(prefix))
            wake_at = None if at == places.NEVER else at
            found = [places.read_pending(*row) for row in pending]
            batch.executions.append(Execution(key, core, wake_at, None, found))
        if part == places.HISTORY:
            entries = [entry(place, data) for place, data, _ in rows]
            batch.history += filled(self._session, lease, key, entries)

    def _records(self, kind: str, id: str, limit: int) -> tuple[list[Record], bytes]:
        kinds = sorted(str(unpack(name)[0]) for (name,) in self._session.read(_KINDS))
        found: list[Record] = []
        for one in kinds:
            if one >= kind and len(found) < limit:
                found += records.records(self._session, one, id if one == kind else "", limit - len(found))
        return found, pack("s", found[-1].kind, found[-1].id) if len(found) == limit else b""


def _group(parts: list[Any]) -> tuple[Any, ...]:
    """Rows of one history are read together; every other row is its own."""
    return tuple(parts[:5]) if parts[0] == "r" and parts[4] == places.HISTORY else tuple(parts)
