"""Differential: one random stream of calls to the store and to the model, compared after each, until every kind of result was seen.

Connections break meanwhile, where the driver's rig can break them. What `Unknown` stood for is found out as a server does: the fence is
raised, then what stands there is read, and it must be what the call would have made, or what stood there before.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import combinations
from typing import Any, NamedTuple, TypeVar

import pytest

from drivers.base import (
    Batch,
    Conflict,
    Current,
    Execution,
    Fault,
    Fenced,
    History,
    Member,
    Pending,
    Refused,
    RunKey,
    SetCurrent,
    Task,
    Unavailable,
    Unknown,
)
from drivers.conformance.lists import random_filter, random_visible
from drivers.conformance.model import Model, rebuilt
from drivers.conformance.rig import Contract, Database, Rig

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
_RESULTS |= {"tasks", "no tasks", "wakes", "no wakes", "put", "put Conflict", "deleted", "records", "no records"}
_RESULTS |= {"record", "no record", "list", "no list", "count", "groups", "members", "no members", "all"}
_CALLS = ("commit", "acquire", "put_record")
_BROKEN = {f"{call} {what}" for call in _CALLS for what in ("Unavailable", "landed", "did not land")}


class Differential(Contract):
    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_differential(self, rig: Rig, store: Database, seed: int) -> None:
        breaks = not rig.requirements.broken_connections
        run = Comparison(store, random.Random(seed), rig if breaks else None)
        wanted = _RESULTS | (_BROKEN if breaks else set())
        for step in range(_STEPS_MAX):
            try:
                run.step()
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, step {step}: {error}") from error
            if step >= _STEPS_MIN and run.seen.keys() >= wanted:
                return
        raise AssertionError(f"seed {seed}: never seen: {wanted - run.seen.keys()}")


class Call(NamedTuple):
    """A call that writes."""

    name: str
    arguments: tuple[Any, ...]

    def on(self, one: Database | Model) -> object:
        """What it comes to, comparable."""
        try:
            result = getattr(one, self.name)(*self.arguments)
        except Conflict as conflict:
            return "Conflict", conflict.found
        return list(map(_described, result)) if self.name == "commit" else result

    def parts(self) -> Iterator[tuple[str, Call]]:
        """Of a commit: some of its batches, in order."""
        batches = self.arguments[0] if self.name == "commit" else []
        for size in range(1, len(batches)):
            for some in combinations(batches, size):
                yield "landed in part", Call(self.name, (some,))


class Comparison:
    """Draws calls from a small world, so that they meet the same rows often; `rig` breaks connections of the store."""

    def __init__(self, store: Database, chance: random.Random, rig: Rig | None = None) -> None:
        self.store, self.model, self.chance, self.rig = store, Model(), chance, rig
        self.seen: Counter[str] = Counter()
        self.held = {lease: self._acquire(lease) for lease in _LEASES}

    def step(self) -> None:
        """One call that writes, and one of each that reads."""
        draw = self.chance.random()
        if draw < 0.05:
            lease = self.chance.choice(_LEASES)
            newer = self._acquire(lease, self.chance.choice([0, 0, self.model.ranges[lease] + 3]))
            self.held[lease] = newer if self.chance.random() < 0.7 else newer - 1
        elif draw < 0.2:
            self._put_record()
        elif draw < 0.25:
            self._beat()
        elif draw < 0.4 and self.rig:
            self._break(self.rig)
        else:
            batches = [self._batch() for _ in range(self.chance.randint(1, 8))]
            self._commit(batches[:2] + self._unstorable() + batches[2:])
        self._read()
        if self.chance.random() < 0.05:
            self._everything()

    def _both(self, call: Callable[[Database | Model], T]) -> T:
        ours, expected = call(self.store), call(self.model)
        assert ours == expected, f"{ours!r} instead of {expected!r}"
        return ours

    def _acquire(self, lease: str, above: int = 0) -> int:
        return self._both(lambda one: one.acquire(lease, "me", above))

    def _commit(self, batches: list[Batch]) -> None:
        ours, expected = (list(map(_described, one.commit(batches))) for one in (self.store, self.model))
        assert ours == expected, f"{ours} instead of {expected}"
        self.seen.update(name for name, _ in ours)

    def _put_record(self) -> None:
        kind, id, data, version = self._record_drawn()
        results: list[object] = []
        for one in (self.store, self.model):
            try:
                results.append(one.put_record(kind, id, data, version))
            except Conflict as conflict:
                results.append(("put Conflict", conflict.found))
        assert results[0] == results[1]
        self.seen["put Conflict" if isinstance(results[0], tuple) else "put" if data else "deleted"] += 1

    def _record_drawn(self) -> tuple[str, str, bytes | None, int]:
        """Mostly of the version that stands, so that records go on changing."""
        id, data = self.chance.choice("abc"), self.chance.choice([self._data(), None])
        stands = self.model.record("kind", id)
        version = self.chance.choice([stands.version if stands else 0, self.chance.randrange(3)])
        return "kind", id, data, version

    def _beat(self) -> None:
        member, seconds = Member(self.chance.choice("xy"), self._data()), self.chance.choice([600.0, 0.0])
        self._both(lambda one: one.beat(member, seconds))

    def _break(self, rig: Rig) -> None:
        """One call on a connection that breaks."""
        name, how = self.chance.choice(_CALLS), self.chance.choice(["cut", "commit", "answer"])
        call = self._drawn(name)
        if how == "cut":
            rig.cut(self.store, self.chance.randrange(3))
        else:
            (rig.lose_commit if how == "commit" else rig.lose_answer)(self.store)
        try:
            self._both(call.on)
            rig.heal(self.store)  # what it came to was known before the break
        except Unavailable:
            self.seen[f"{name} Unavailable"] += 1
        except Unknown:
            self._resolve(name, call)

    def _drawn(self, name: str) -> Call:
        if name == "acquire":
            return Call(name, (self.chance.choice(_LEASES), "me"))
        if name == "put_record":
            return Call(name, self._record_drawn())
        return Call(name, ([self._batch() for _ in range(self.chance.randint(1, 3))],))

    def _resolve(self, name: str, call: Call) -> None:
        """Raises the fence of every lease: what the lost call sent has then arrived, or is refused for ever."""
        self.held = {lease: self.store.acquire(lease, "me") for lease in _LEASES}
        found = rebuilt(self.store, 100).contents()
        for what, model in self._possible(call):
            if {lease: model.acquire(lease, "me") for lease in _LEASES} == self.held and model.contents() == found:
                self.model = model
                self.seen[f"{name} {what}"] += 1
                return
        raise AssertionError(f"after a lost {name} stands neither what stood there nor what should")

    def _possible(self, call: Call) -> Iterator[tuple[str, Model]]:
        """What a lost call may have left: nothing, all, or some of its batches."""
        for what, part in (("did not land", None), ("landed", call), *call.parts()):
            model = deepcopy(self.model)
            if part:
                part.on(model)
            yield what, model

    def _everything(self) -> None:
        assert rebuilt(self.store, self.chance.randrange(1, 40)).contents() == self.model.contents()
        self.seen["all"] += 1

    def _read(self) -> None:
        lease, chance = self.chance.choice(_LEASES), self.chance
        key = self._key(lease)
        first = chance.randrange(12)
        last, limit, kind = (first + chance.randrange(12), chance.randrange(1, 5), chance.choice(["a", "b", None]))
        after, id = (chance.choice(["", "a", "b"]), chance.randrange(9)), chance.choice("abc")
        self._see("load", lambda one: one.load(lease, key))
        self._see("current", lambda one: one.current(lease, key.namespace_id, key.workflow_id))
        self._see("history", lambda one: one.history(lease, key, first, last, limit))
        self._see("tasks", lambda one: one.tasks(lease, kind, after, limit))
        wakes = self._see("wakes", lambda one: one.wakes(lease, None, limit))
        if wakes:
            self._see("wakes", lambda one: one.wakes(lease, wakes[0], limit))
        self._see("record", lambda one: one.record("kind", id))
        self._see("records", lambda one: one.records("kind", after[0], limit))
        self._see("members", lambda one: one.members())
        self._list(key.namespace_id)

    def _list(self, namespace_id: str) -> None:
        filter = self.chance.choice([None, random_filter(self.chance, 2)])
        group_by = self.chance.choice(["", "", "ExecutionStatus", "WorkflowType"])
        listed = self.store.list_visible(namespace_id, filter, b"", 99)[0]
        assert listed == self.model.list_visible(namespace_id, filter), filter
        self.seen["list" if listed else "no list"] += 1
        ours, expected = (dict(one.count_visible(namespace_id, filter, group_by)) for one in (self.store, self.model))
        assert ours == expected, f"{ours!r} instead of {expected!r}"
        self.seen["groups" if group_by else "count"] += 1

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
