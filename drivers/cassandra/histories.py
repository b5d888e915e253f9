"""Histories: the lease's partition says which rows count, the table `history` holds what is in them."""

from __future__ import annotations

from drivers.base import History, RunKey, Unavailable
from drivers.cassandra import places
from drivers.cassandra.session import Session
from drivers.keys import behind, pack

_LAST_BEFORE = """
SELECT place FROM {keyspace}.shard WHERE lease = ? AND place > ? AND place <= ? ORDER BY place DESC LIMIT 1"""
_COUNTING = "SELECT place, data FROM {keyspace}.shard WHERE lease = ? AND place >= ? AND place < ? LIMIT ?"
_DATA = "SELECT first, write, data FROM {keyspace}.history WHERE run = ? AND first >= ? AND first <= ?"
_PAGE_ROWS = 100  # a row can be megabytes
_TURNS_MAX = 10
Entry = tuple[int, int, int]  # first, last, write


def histories(session: Session, lease: bytes, key: RunKey, events: tuple[int, int], limit: int) -> list[History]:
    """The rows that hold any of the events. Raises Unavailable."""
    for _ in range(_TURNS_MAX):
        entries = _entries(session, lease, key, events, limit)
        rows = filled(session, lease, key, entries)
        if len(rows) == len(entries):
            return rows
    raise Unavailable("The history is deleted while it is read.")


def _entries(session: Session, lease: bytes, key: RunKey, events: tuple[int, int], limit: int) -> list[Entry]:
    first, last = events
    prefix = places.run(key) + pack(places.HISTORY)
    low = prefix + pack(first)
    if first > 1 and (holding := session.read(_LAST_BEFORE, lease, prefix, low)):
        low = holding[0][0]
    high = behind(prefix + pack(last))
    rows = session.read(_COUNTING, lease, low, high, limit + 1) if low < high else []
    return [found for row in rows if (found := entry(*row))[1] >= first][:limit]


def entry(place: bytes, data: bytes) -> Entry:
    """What a row of the partition says of a row of the history."""
    [last, write], _ = places.apart(data)
    return places.parts(place)[-1], last, write


def filled(session: Session, lease: bytes, key: RunKey, entries: list[Entry]) -> list[History]:
    """The rows themselves; fewer when the run is being deleted. Raises Unavailable."""
    if not entries:
        return []
    run = lease + places.run(key)
    rows = session.read(_DATA, run, entries[0][0], entries[-1][0], fetch_size=_PAGE_ROWS)
    data = {(first, write): data for first, write, data in rows}
    return [
        History(key, first, last, data[first, write] or b"") for first, last, write in entries if (first, write) in data
    ]
