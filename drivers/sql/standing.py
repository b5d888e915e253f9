"""Reads what stands in the database of all that some batches name, with one statement for leases, one for runs not known already,
and one for pointers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drivers.base import Batch, Current, RunKey
from drivers.sql import statements as s
from drivers.sql.changes import Changes, Lease, Pointer, Standing
from drivers.sql.dialect import Cursor
from drivers.sql.writer import Writer

_RUNS_CACHED_MAX = 20_000
_KEY = ("lease", "namespace_id", "workflow_id", "run_id")


class Standings:
    """Remembers the numbers of runs. Only the holder of a range_id adds or deletes runs under it, so they are true while it stands;
    after a failed commit they must be forgotten."""

    def __init__(self, writer: Writer, locking: str) -> None:
        self._writer = writer
        self._locking = locking
        self._numbers: dict[tuple[int, int], dict[RunKey, int]] = {}

    def read(self, cursor: Cursor, batches: Sequence[Batch]) -> Standing:
        """What stands now, locked until the transaction ends."""
        names = dict.fromkeys((batch.lease,) for batch in batches)
        found = self._writer.select(cursor, s.LEASES, ("name",), list(names), self._locking)
        leases = {name: Lease(number, range_id, runs) for name, number, range_id, runs in found}
        held = [
            (lease, batch)
            for batch in batches
            if (lease := leases.get(batch.lease)) and lease.range_id == batch.range_id
        ]
        return Standing(leases, dict(self._pointers(cursor, held)), self._runs(cursor, held))

    def _pointers(self, cursor: Cursor, held: Sequence[tuple[Lease, Batch]]) -> Iterator[tuple[Pointer, Current]]:
        names = dict.fromkeys(
            (lease.number, move.namespace_id, move.workflow_id) for lease, batch in held for move in batch.current
        )
        for lease, namespace_id, workflow_id, run_id, data in self._writer.select(
            cursor, s.POINTERS, _KEY[:3], list(names)
        ):
            yield (lease, namespace_id, workflow_id), Current(run_id, data)

    def _runs(self, cursor: Cursor, held: Sequence[tuple[Lease, Batch]]) -> dict[tuple[int, RunKey], int]:
        runs: dict[tuple[int, RunKey], int] = {}
        unknown: dict[tuple[int, str, str, str], None] = {}
        for lease, batch in held:
            numbers = self._numbers.get((lease.number, lease.range_id), {})
            for key in _keys(batch):
                if number := numbers.get(key):
                    runs[lease.number, key] = number
                else:
                    unknown[lease.number, *key] = None
        for number, lease_number, *key_found in self._writer.select(cursor, s.RUNS, _KEY, list(unknown)):
            runs[lease_number, RunKey(*key_found)] = number
        return runs

    def remember(self, standing: Standing, changes: Changes) -> None:
        """After the commit of these changes."""
        if sum(map(len, self._numbers.values())) > _RUNS_CACHED_MAX:
            self._numbers.clear()
        ranges = {lease.number: lease.range_id for lease in standing.leases.values()}
        for (lease, key), run in changes.runs.items():
            numbers = self._numbers.setdefault((lease, ranges[lease]), {})
            if run.stays:
                numbers[key] = run.number
            else:
                numbers.pop(key, None)

    def forget(self) -> None:
        """Whether the last changes were committed is not known."""
        self._numbers.clear()


def _keys(batch: Batch) -> Iterator[RunKey]:
    for execution in batch.executions:
        yield execution.key
    for history in batch.history:
        yield history.key
    for visible in batch.visible:
        yield visible.key
