"""Differential: one random stream of calls to the store and to the model, compared after each, until every kind of result was seen."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import pytest

from drivers.base import (
    Batch,
    Conflict,
    Current,
    Execution,
    Fault,
    Fenced,
    History,
    Pending,
    Refused,
    RunKey,
    SetCurrent,
    Task,
)
from drivers.conformance.lists import random_visible
from drivers.conformance.model import Model
from drivers.conformance.rig import Contract, Database

_LEASES = ("shard-1", "shard-2")
_STEPS_MIN, _STEPS_MAX = 200, 2_000
T = TypeVar("T")
_RESULTS = {
    "applied",
    "Fenced",
    "Conflict",
    "Refused",
    "load",
    "no load",
    "current",
    "no current",
    "history",
    "no history",
}
_RESULTS |= {"tasks", "no tasks", "wakes", "no wakes", "put", "put Conflict", "deleted", "records", "list"}


class Differential(Contract):
    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_differential(self, store: Database, seed: int) -> None:
        run = Comparison(store, random.Random(seed))
        for step in range(_STEPS_MAX):
            try:
                run.step()
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, step {step}: {error}") from error
            if step >= _STEPS_MIN and run.seen.keys() >= _RESULTS:
                return
        raise AssertionError(f"seed {seed}: never seen: {_RESULTS - run.seen.keys()}")


class Comparison:
    """Draws calls from a small world, so that they meet the same rows often."""

    def __init__(self, store: Database, chance: random.Random) -> None:
        self.store, self.model, self.chance = store, Model(), chance
        self.seen: Counter[str] = Counter()
        self.held = {lease: self._acquire(lease) for lease in _LEASES}

    def step(self) -> None:
        """One call that writes, and one of each that reads."""
        draw = self.chance.random()
        if draw < 0.05:
            lease = self.chance.choice(_LEASES)
            newer = self._acquire(lease)
            self.held[lease] = newer if self.chance.random() < 0.7 else newer - 1
        elif draw < 0.2:
            self._put_record()
        else:
            batches = [self._batch() for _ in range(self.chance.randint(1, 8))]
            self._commit(batches[:2] + self._unstorable() + batches[2:])
        self._read()

    def _both(self, call: Callable[[Database | Model], T]) -> T:
        ours, expected = call(self.store), call(self.model)
        assert ours == expected, f"{ours!r} instead of {expected!r}"
        return ours

    def _acquire(self, lease: str) -> int:
        return self._both(lambda one: one.acquire(lease, "me"))

    def _commit(self, batches: list[Batch]) -> None:
        ours, expected = (list(map(_described, one.commit(batches))) for one in (self.store, self.model))
        assert ours == expected, f"{ours} instead of {expected}"
        self.seen.update(name for name, _ in ours)

    def _put_record(self) -> None:
        kind, id, version = "kind", self.chance.choice("abc"), self.chance.randrange(3)
        data = self.chance.choice([b"data", None])
        results: list[object] = []
        for one in (self.store, self.model):
            try:
                results.append(one.put_record(kind, id, data, version))
            except Conflict as conflict:
                results.append(("put Conflict", conflict.found))
        assert results[0] == results[1]
        self.seen["put Conflict" if isinstance(results[0], tuple) else "put" if data else "deleted"] += 1

    def _read(self) -> None:
        lease, chance = self.chance.choice(_LEASES), self.chance
        key = self._key(lease)
        first = chance.randrange(12)
        last, limit, kind = (first + chance.randrange(12), chance.randrange(1, 5), chance.choice(["a", "b", None]))
        after = (chance.choice(["", "a", "b"]), chance.randrange(9))
        self._see("load", lambda one: one.load(lease, key))
        self._see("current", lambda one: one.current(lease, key.namespace_id, key.workflow_id))
        self._see("history", lambda one: one.history(lease, key, first, last, limit))
        self._see("tasks", lambda one: one.tasks(lease, kind, after, limit))
        wakes = self._see("wakes", lambda one: one.wakes(lease, None, limit))
        if wakes:
            self._see("wakes", lambda one: one.wakes(lease, wakes[0], limit))
        self._see("records", lambda one: one.records("kind", after[0], limit))
        assert self.store.list_visible(key.namespace_id, None, b"", 99)[0] == self.model.list_visible(
            key.namespace_id, None
        )
        self.seen["list"] += 1

    def _see(self, name: str, call: Callable[[Database | Model], T]) -> T:
        found = self._both(call)
        self.seen[name if found else f"no {name}"] += 1
        return found

    def _key(self, lease: str) -> RunKey:
        """Run ids differ between workflows: the order of a list is not told further."""
        number = self.chance.randrange(6)
        return RunKey(f"n{number % 2}", f"w{number // 2}", f"{number}{self.chance.choice('xyz')} of {lease}")

    def _batch(self) -> Batch:
        lease = self.chance.choice(_LEASES)
        batch, key = Batch(lease, self.held[lease]), self._key(lease)
        for part in self.chance.sample(
            (self._point, self._execute, self._record, self._task, self._show), self.chance.randint(1, 4)
        ):
            part(batch, key)
        return batch

    def _unstorable(self) -> list[Batch]:
        """Sometimes one that is wrong in that way alone: a store may look at fences first, or at text."""
        lease = self.chance.choice(_LEASES)
        if self.chance.random() > 0.1 or self.held[lease] != self.model.ranges[lease]:
            return []
        return [Batch(lease, self.held[lease], executions=[Execution(RunKey("n", "\ud8ff", "r"), b"")])]

    def _point(self, batch: Batch, key: RunKey) -> None:
        stands = self.model.current(batch.lease, key.namespace_id, key.workflow_id)
        expected = (
            (stands.run_id if stands else None) if self.chance.random() < 0.8 else self.chance.choice([None, "x", "y"])
        )
        new = Current(key.run_id, self._data()) if self.chance.random() < 0.7 else None
        batch.current.append(SetCurrent(key.namespace_id, key.workflow_id, expected, new))

    def _execute(self, batch: Batch, key: RunKey) -> None:
        if self.chance.random() < 0.15:
            batch.executions.append(Execution(key, None))
            return
        rows = [
            Pending(self.chance.randrange(2), self.chance.choice("abc"), self.chance.choice([None, self._data()]))
            for _ in range(3)
        ]
        batch.executions.append(Execution(key, self._data(), self.chance.choice([None, 1, 2, 3]), None, rows))

    def _record(self, batch: Batch, key: RunKey) -> None:
        block = self.chance.randrange(4)
        batch.history.append(History(key, block * 3 + 1, block * 3 + 3, self._data()))

    def _task(self, batch: Batch, key: RunKey) -> None:
        batch.tasks.append(Task(self.chance.choice("ab"), self.chance.randrange(9), self._data()))
        if self.chance.random() < 0.5:
            batch.tasks_done.append((self.chance.choice("ab"), self.chance.randrange(9)))

    def _show(self, batch: Batch, key: RunKey) -> None:
        batch.visible.append(random_visible(self.chance, key))

    def _data(self) -> bytes:
        return self.chance.randbytes(self.chance.randrange(1, 20))


def _described(result: Fault | None) -> tuple[str, object]:
    """The kind of a result, and what a conflict found; sentences differ between stores."""
    assert result is None or isinstance(result, (Fenced, Conflict, Refused))
    return ("applied" if result is None else type(result).__name__, getattr(result, "found", None))
