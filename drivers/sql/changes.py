"""What a call of commit comes to: the batches are walked in order against what stands in the database, and the rows of those accepted
are merged, the last write of a row winning. Nothing here touches the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from drivers.base import Batch, Conflict, Current, Execution, Fault, Fenced, History, RunKey, SetCurrent, Visible

Row = tuple[Any, ...]
Pointer = tuple[int, str, str]  # lease number, namespace id, workflow id
RUNS_OF_A_LEASE_BITS = 40
RUNS_RESERVED = 64


@dataclass(slots=True)
class Lease:
    """A lease as the database has it. `runs` run numbers were given out, and `reserved` are noted as given out, so that most commits
    need not note it."""

    number: int
    range_id: int
    runs: int
    reserved: int
    grown: bool = False

    def new_run(self) -> int:
        """A run number never given before."""
        self.runs += 1
        if self.runs > self.reserved:
            self.reserved += RUNS_RESERVED
            self.grown = True
        return self.number << RUNS_OF_A_LEASE_BITS | self.runs


@dataclass(slots=True)
class Run:
    """What becomes of one run: `wiped` before anything else is written, `present` when it has an entry in the table of runs."""

    number: int
    lease: Lease
    key: RunKey
    present: bool
    wiped: bool = False
    execution: Execution | None = None
    pending: dict[tuple[int, str], bytes | None] = field(default_factory=dict)
    history: dict[int, History] = field(default_factory=dict)
    visible: Visible | None = None

    @property
    def stays(self) -> bool:
        """It has an entry in the table of runs afterwards."""
        return self.row() is not None or (self.present and not self.wiped)

    def row(self) -> Row | None:
        """Its row in the table of runs, when that must be written."""
        if self.execution is not None:
            return (self.number, self.lease.number, *self.key, self.execution.core, self.execution.wake_at)
        if (self.wiped or not self.present) and (self.pending or self.history or self.visible):
            return (self.number, self.lease.number, *self.key, None, None)
        return None


class Standing(NamedTuple):
    """What stands in the database of all that the batches name."""

    leases: dict[str, Lease]
    pointers: dict[Pointer, Current]
    runs: dict[tuple[int, RunKey], int]


class Changes:
    """The merged rows of the accepted batches, and one result for each batch."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self.results: list[Fault | None] = []
        self.pointers: dict[Pointer, Current | None] = {}
        self.runs: dict[tuple[int, RunKey], Run] = {}
        self.tasks: dict[tuple[int, str, int], bytes | None] = {}

    def walk(self, batches: Iterable[Batch]) -> None:
        """Takes the batches in order."""
        for batch in batches:
            lease = self._standing.leases.get(batch.lease)
            if lease is None or lease.range_id != batch.range_id:
                self.results.append(Fenced(f"The lease {batch.lease!r} is not held under range_id {batch.range_id}."))
                continue
            conflict = self._move_pointers(lease, batch.current)
            if conflict is None:
                self._merge(lease, batch)
            self.results.append(conflict)

    def _move_pointers(self, lease: Lease, moves: Sequence[SetCurrent]) -> Conflict | None:
        moved: dict[Pointer, Current | None] = {}
        for move in moves:
            pointer = (lease.number, move.namespace_id, move.workflow_id)
            found = moved[pointer] if pointer in moved else self._pointed(pointer)
            if (found.run_id if found else None) != move.expected:
                return Conflict(found)
            moved[pointer] = move.current
        self.pointers.update(moved)
        return None

    def _pointed(self, pointer: Pointer) -> Current | None:
        if pointer in self.pointers:
            return self.pointers[pointer]
        return self._standing.pointers.get(pointer)

    def _merge(self, lease: Lease, batch: Batch) -> None:
        for execution in batch.executions:
            self._merge_execution(lease, execution)
        for history in batch.history:
            self._run(lease, history.key).history[history.first] = history
        for task in batch.tasks:
            self.tasks[lease.number, task.kind, task.id] = task.data
        for kind, id in batch.tasks_done:
            self.tasks[lease.number, kind, id] = None
        for visible in batch.visible:
            self._run(lease, visible.key).visible = visible

    def _merge_execution(self, lease: Lease, execution: Execution) -> None:
        run = self._run(lease, execution.key)
        if execution.core is None:
            self.runs[lease.number, run.key] = Run(run.number, lease, run.key, run.present, wiped=True)
            return
        run.execution = execution
        for kind, id, data in execution.pending:
            run.pending[kind, id] = data

    def _run(self, lease: Lease, key: RunKey) -> Run:
        run = self.runs.get((lease.number, key))
        if run is None:
            number = self._standing.runs.get((lease.number, key))
            run = Run(number or lease.new_run(), lease, key, number is not None)
            self.runs[lease.number, key] = run
        return run
