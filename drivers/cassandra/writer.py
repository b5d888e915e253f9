"""The one that commits, for one store: one conditional batch for each lease of a call, more when it is too large for Cassandra."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import zip_longest

from drivers.base import Batch, Fault, Fenced, Refused, Unavailable, Unknown
from drivers.cassandra.changes import Change
from drivers.cassandra.session import Row, Session
from drivers.cassandra.sweeps import Sweeps
from drivers.cassandra.turn import Part, Turn


class Writer:
    """Knows which leases its store holds, so that most commits need not ask."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._held: dict[str, int] = {}
        self._sweeps = Sweeps()
        self._lock = threading.Lock()

    def hold(self, lease: str, range_id: int | None) -> None:
        """This store has acquired the lease, or (None) does not know who holds it."""
        self._sweeps.forget(lease)
        self._held.pop(lease, None)
        if range_id is not None:
            self._held[lease] = range_id

    def commit(self, batches: Sequence[Batch]) -> list[Fault | None]:
        """One result for each batch. What keeps all of them from being applied is raised, what keeps those of one lease is their result."""
        with self._lock:
            results = self._commit(batches)
        down = [result for result in results if isinstance(result, Unavailable | Unknown)]
        if down and None not in results:
            raise next((fault for fault in down if isinstance(fault, Unknown)), down[0])
        return results

    def _commit(self, batches: Sequence[Batch]) -> list[Fault | None]:
        turn = Turn(self._session, batches)
        try:
            turn.judge(self._held, self._sweeps)
            turn.prepare()
        except Refused as refused:  # by the database: which one it was is found out by trying
            return [refused] if len(batches) == 1 else self._apart(batches)
        except Unavailable as fault:
            return [fault] * len(batches)
        for pieces in zip_longest(*([(part, change) for change in part.changes] for part in turn.parts.values())):
            self._decide(turn, [piece for piece in pieces if piece and piece[0].changes])
        turn.clean()
        return [turn.results.get(number) for number in range(len(batches))]

    def _apart(self, batches: Sequence[Batch]) -> list[Fault | None]:
        return [result for batch in batches for result in self._commit([batch])]

    def _decide(self, turn: Turn, pieces: Sequence[tuple[Part, Change]]) -> None:
        """One conditional batch for each lease that has had no trouble."""
        answers = self._session.decide([turn.conditional(part, change) for part, change in pieces])
        for (part, change), answer in zip(pieces, answers, strict=True):
            if isinstance(answer, Refused):
                results = (
                    [answer] if len(change.batches) < 2 else self._apart([turn.batches[n] for n in change.batches])
                )
                turn.results.update((n, fault) for n, fault in zip(change.batches, results, strict=True) if fault)
            elif fault := _fault(part, answer):
                self.hold(part.name, None)
                turn.stop(part, fault, change)


def _fault(part: Part, answer: Row | Fault) -> Fault | None:
    if isinstance(answer, Fault):
        return answer
    return (
        None if answer[0] else Fenced(f"The lease {part.name!r} is not held under range_id {part.range_id} any more.")
    )
