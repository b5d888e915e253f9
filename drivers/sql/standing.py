"""Reads what stands in the database of all that some batches name, with one statement for leases, one for runs not known already,
and one for pointers; none waits for another when the leases are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from drivers.base import Batch, Current, RunKey
from drivers.sql import statements as s
from drivers.sql.changes import Changes, Lease, Pointer, Standing
from drivers.sql.connections import Session
from drivers.sql.dialect import Columns
from drivers.sql.writer import Writer

_RUNS_CACHED_MAX = 20_000
_KEY = Columns(("lease", "namespace_id", "workflow_id", "run_id"), "ittt")


@dataclass(slots=True)
class _Held:
    """What is known while a range_id stands: only its holder adds or deletes runs under it."""

    runs: int  # numbers given out
    numbers: dict[RunKey, int] = field(default_factory=dict)


class Standings:
    """Remembers the numbers of leases and runs; after a failed commit they must be forgotten."""

    def __init__(self, writer: Writer, locking: str) -> None:
        self._writer = writer
        self._locking = locking
        self._leases: dict[str, int] = {}
        self._held: dict[tuple[int, int], _Held] = {}

    def read(self, session: Session, batches: Sequence[Batch]) -> Standing:
        """What stands now, locked until the transaction ends."""
        names = sorted(
            {batch.lease for batch in batches}
        )  # in one order, so that two stores do not wait for each other
        leases: Iterable[Any] = self._writer.ask(
            session, s.LEASES, s.LEASE_NAME, [(name,) for name in names], self._locking
        )
        if not self._leases.keys() >= set(names):
            leases = list(leases)
            self._leases.update((name, number) for name, number, _, _ in leases)
        named = [(self._leases[batch.lease], batch) for batch in batches if batch.lease in self._leases]
        pointers, runs = self._ask_pointers(session, named), self._ask_runs(session, named)
        return Standing({name: self._lease(*row) for name, *row in leases}, dict(pointers), dict(runs))

    def _lease(self, number: int, range_id: int, reserved: int) -> Lease:
        held = self._held.get((number, range_id))
        return Lease(number, range_id, held.runs if held else reserved, reserved)

    def _ask_pointers(self, session: Session, named: Iterable[tuple[int, Batch]]) -> Iterator[tuple[Pointer, Current]]:
        names = dict.fromkeys(
            (number, move.namespace_id, move.workflow_id) for number, batch in named for move in batch.current
        )
        rows = self._writer.ask(session, s.POINTERS, s.POINTER.key, list(names))
        return (((row[0], row[1], row[2]), Current(row[3], row[4])) for row in rows)

    def _ask_runs(
        self, session: Session, named: Iterable[tuple[int, Batch]]
    ) -> Iterator[tuple[tuple[int, RunKey], int]]:
        known: dict[tuple[int, RunKey], int] = {}
        unknown: dict[tuple[int, str, str, str], None] = {}
        for lease, batch in named:
            held = self._held.get((lease, batch.range_id))
            numbers = held.numbers if held else {}
            for key in _keys(batch):
                if number := numbers.get(key):
                    known[lease, key] = number
                else:
                    unknown[lease, *key] = None
        rows = self._writer.ask(session, s.RUNS, _KEY, list(unknown))
        return chain(known.items(), (((row[1], RunKey(*row[2:])), row[0]) for row in rows))

    def remember(self, standing: Standing, changes: Changes) -> None:
        """After the commit of these changes."""
        if sum(len(held.numbers) for held in self._held.values()) > _RUNS_CACHED_MAX:
            self._held.clear()
        leases = {lease.number: lease for lease in standing.leases.values()}
        for (number, key), run in changes.runs.items():
            lease = leases[number]
            held = self._held.setdefault((number, lease.range_id), _Held(lease.runs))
            held.runs = lease.runs
            if run.stays:
                held.numbers[key] = run.number
            else:
                held.numbers.pop(key, None)

    def forget(self) -> None:
        """Whether the last changes were committed is not known."""
        self._leases.clear()
        self._held.clear()


def _keys(batch: Batch) -> Iterator[RunKey]:
    for execution in batch.executions:
        yield execution.key
    for history in batch.history:
        yield history.key
    for visible in batch.visible:
        yield visible.key
