"""Lists and counts of runs: every entry of the namespace is read, from every lease, and looked at here. That is right for every filter, and as
slow as the namespace is large.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from drivers.base import Filter, Refused, Visible
from drivers.cassandra import places
from drivers.cassandra.session import Session
from drivers.filters import check, field_of, holds
from drivers.keys import behind, pack

LEASES = "SELECT DISTINCT lease FROM {keyspace}.shard"
_ENTRIES = "SELECT place, data FROM {keyspace}.shard WHERE lease = ? AND place >= ? AND place < ?"
_PAGE_ROWS = 2_000
Age = tuple[int, int, str]


class CassandraVisibility:
    """The half of the store that lists."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list_visible(
        self, namespace_id: str, filter: Filter | None, after: bytes, limit: int
    ) -> tuple[list[Visible], bytes]:
        place = _place(after) if after else None
        found = [entry for entry in self._listed(namespace_id, filter) if place is None or _age(entry) < place]
        found.sort(key=_age, reverse=True)
        return found[:limit], json.dumps(_age(found[limit - 1])).encode() if len(found) > limit else b""

    def count_visible(self, namespace_id: str, filter: Filter | None, group_by: str = "") -> list[tuple[object, int]]:
        groups = Counter(
            field_of(entry, group_by) if group_by else None for entry in self._listed(namespace_id, filter)
        )
        return list(groups.items()) if group_by else [(None, groups[None])]

    def _listed(self, namespace_id: str, filter: Filter | None) -> Iterator[Visible]:
        check(filter)
        prefix = places.VISIBLES + pack(namespace_id)
        for (lease,) in self._session.read(LEASES, fetch_size=_PAGE_ROWS):
            for row in self._session.read(_ENTRIES, lease, prefix, behind(prefix), fetch_size=_PAGE_ROWS):
                entry = places.read_visible(*row)
                if holds(filter, entry):
                    yield entry


def _age(entry: Visible) -> Age:
    return entry.close_time or 2**63, entry.start_time, entry.key.run_id


def _place(after: bytes) -> Age:
    try:
        closed, start_time, run_id = json.loads(after)
        return int(closed), int(start_time), str(run_id)
    except (ValueError, TypeError) as error:
        raise Refused("The page token is not one of this store.") from error
