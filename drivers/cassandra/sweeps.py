"""Keeps tombstones in check where rows come and go like a queue: tasks, and the times at which runs wake.

Each deleted row leaves a tombstone for ten days, and a read from the beginning of a queue would meet them all: it is slow after thousands
and fails after a hundred thousand. So once in a while a commit looks for the first row that is left of a queue and deletes the whole range
before it: one tombstone then stands for all, and the next one for that. It is safe since only the holder of the lease writes, one
commit at a time, and since a write wins over a deletion of the same conditional batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from drivers.base import Batch
from drivers.cassandra import places
from drivers.keys import pack

EVERY = 1_000  # deleted rows of a lease


@dataclass(slots=True)
class _Lease:
    deleted: int = EVERY  # those before leave tombstones, too
    queues: set[bytes] = field(default_factory=set)


class Sweeps:
    """Counts what is deleted."""

    def __init__(self) -> None:
        self._leases: dict[str, _Lease] = {}

    def due(self, lease: str, batches: Iterable[Batch]) -> list[bytes]:
        """The prefixes of the queues to sweep with these batches."""
        counted = self._leases.setdefault(lease, _Lease())
        for queue in (queue for batch in batches for queue in _emptied(batch)):
            counted.queues.add(queue)
            counted.deleted += 1
        if counted.deleted < EVERY or not counted.queues:
            return []
        self._leases[lease] = _Lease(0)
        return list(counted.queues)

    def forget(self, lease: str) -> None:
        """Somebody else may have held it meanwhile."""
        self._leases.pop(lease, None)


def _emptied(batch: Batch) -> Iterator[bytes]:
    for kind, _ in batch.tasks_done:
        try:
            yield places.TASKS + pack(kind)
        except UnicodeEncodeError:
            continue
    for execution in batch.executions:
        if execution.wake_was is not None:
            yield places.WAKES
