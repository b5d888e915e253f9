"""Atomic: a batch is there with all its rows or not at all, wherever the connection breaks; a refused one leaves its neighbours alone."""

from __future__ import annotations

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
    Unavailable,
    Unknown,
)
from drivers.conformance.make import NAMESPACE, begin, contents, core, key
from drivers.conformance.rig import Contract, Database, Rig, need


class Atomic(Contract):
    def test_atomic_everything_of_a_batch_is_there(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        assert store.commit([begin("shard", range_id, key(1), 7)]) == [None]
        loaded = store.load("shard", key(1))
        assert loaded is not None
        assert (loaded.core, loaded.wake_at, len(loaded.pending)) == (b"core", 1007, 2)
        assert store.current("shard", NAMESPACE, "workflow-1") == Current("run-1", b"pointer")
        assert [row.data for row in store.history("shard", key(1), 1, 2, 9)] == [b"events 1-2"]
        assert [task.id for task in store.tasks("shard", "queue", ("", 0), 9)] == [7]
        assert [wake.at for wake in store.wakes("shard", None, 9)] == [1007]
        assert [entry.key for entry in store.list_visible(NAMESPACE, None, b"", 9)[0]] == [key(1)]

    def test_atomic_nothing_is_there_when_the_connection_breaks_at_any_statement(
        self, rig: Rig, store: Database
    ) -> None:
        need(rig.requirements.broken_connections)
        keys = [key(n) for n in range(1, 31)]
        range_id = store.acquire("shard", "me")
        batches = [begin("shard", range_id, of, n) for n, of in enumerate(keys)]
        before, cuts = contents(store, "shard", keys), 0
        while True:
            rig.cut(store, cuts)
            try:
                results = store.commit(batches)
                break
            except (Unavailable, Unknown):
                cuts += 1
                assert contents(store, "shard", keys) == before
        assert rig.heal(store), "the last try is one that was not cut"
        assert cuts >= 3, "a transaction begins, writes and commits"
        assert results == [None] * len(keys)
        assert all(store.load("shard", of) for of in keys)

    def test_atomic_a_deleted_run_leaves_nothing(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        store.commit([begin("shard", range_id, key(1)), begin("shard", range_id, key(2))])
        gone = begin("shard", range_id, key(1))
        gone.executions[0].core = None
        gone.executions[0].pending = ()
        gone.current, gone.history, gone.visible = ([SetCurrent(NAMESPACE, "workflow-1", "run-1", None)], [], [])
        gone.tasks, gone.tasks_done = [], [("queue", 0)]
        assert store.commit([gone]) == [None]
        left = contents(store, "shard", [key(1)])
        assert left[f"load {key(1)}"] is left[f"current {key(1)}"] is None
        assert left[f"history {key(1)}"] == left["tasks"] == []
        assert [wake.key for wake in left["wakes"]] == [key(2)]
        assert [entry.key for entry in left[f"visible {NAMESPACE}"][0]] == [key(2)]
        assert store.commit([begin("shard", range_id, key(1))]) == [None], "and it can begin again"

    def test_conflict_says_what_stands_there(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        store.commit([begin("shard", range_id, key(1))])
        other = RunKey(NAMESPACE, "workflow-1", "other")
        taken = begin("shard", range_id, other)
        absent = begin("shard", range_id, key(2))
        absent.current[0] = absent.current[0]._replace(expected="never was")
        before = contents(store, "shard", [key(1), key(2), other])
        assert _found(store.commit([taken, absent])) == [Current("run-1", b"pointer"), None]
        assert contents(store, "shard", [key(1), key(2), other]) == before

    def test_conflict_on_the_second_pointer_undoes_the_first(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        batch = begin("shard", range_id, key(1))
        batch.current.append(SetCurrent(NAMESPACE, "workflow-2", "expected", None))
        assert _found(store.commit([batch])) == [None]
        assert store.current("shard", NAMESPACE, "workflow-1") is None

    def test_neighbours_of_refused_batches_are_applied(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        fenced = begin("shard", range_id + 5, key(2), 2)
        conflict = begin("shard", range_id, key(1)._replace(run_id="other"), 3)
        unstorable = begin("shard", range_id, RunKey(NAMESPACE, "lone surrogate \ud800", "run"), 4)
        batches = [
            begin("shard", range_id, key(1), 1),
            fenced,
            conflict,
            unstorable,
            begin("shard", range_id, key(5), 5),
        ]
        results = store.commit(batches)
        assert [type(result) for result in results] == [type(None), Fenced, Conflict, Refused, type(None)]
        assert [task.id for task in store.tasks("shard", None, ("", 0), 9)] == [1, 5]
        assert [entry.start_time for entry in store.list_visible(NAMESPACE, None, b"", 9)[0]] == [5, 1]
        assert store.commit([core("shard", range_id, key(1), b"next")]) == [None]

    @pytest.mark.parametrize("place", ["namespace", "pointer", "pending", "task", "type", "attribute"])
    def test_neighbours_of_text_that_cannot_be_stored(self, store: Database, place: str) -> None:
        """Wherever in the batch the text is, nothing of the batch stays."""
        range_id = store.acquire("shard", "me")
        before = contents(store, "shard", [key(1)])
        results = store.commit([_unstorable(range_id, place, key(1)), begin("shard", range_id, key(2), 2)])
        assert [type(result) for result in results] == [Refused, type(None)]
        after = contents(store, "shard", [key(1)])
        assert after.pop("tasks") == store.tasks("shard", "queue", ("queue", 1), 9) != []
        assert [wake.key for wake in after.pop("wakes")] == [key(2)]
        assert [entry.key for entry in after.pop(f"visible {NAMESPACE}")[0]] == [key(2)]
        assert after.items() <= before.items()

    def test_neighbours_of_a_refused_batch_may_delete(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        store.commit([begin("shard", range_id, key(1))])
        delete = Batch("shard", range_id, executions=[Execution(key(1), None)])
        assert [type(result) for result in store.commit([delete, _unstorable(range_id, "task", key(2))])] == [
            type(None),
            Refused,
        ]
        later = Batch("shard", range_id, history=[History(key(1), 1, 1, b"later")])
        assert store.commit([later]) == [None]
        assert store.history("shard", key(1), 1, 9, 9) == later.history
        assert store.load("shard", key(1)) is None

    @pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
    def test_refused_numbers_beyond_64_bits(self, store: Database, value: int) -> None:
        range_id = store.acquire("shard", "me")
        batch = begin("shard", range_id, key(1))
        batch.executions[0].wake_at = value
        assert [type(result) for result in store.commit([batch])] == [Refused]
        assert store.load("shard", key(1)) is None

    def test_an_empty_commit_is_no_error(self, store: Database) -> None:
        assert store.commit([]) == []


def _unstorable(range_id: int, place: str, of: RunKey) -> Batch:
    batch, wrong = begin("shard", range_id, of, 1), "lone surrogate \udc80"
    match place:
        case "namespace":
            batch.history[0] = batch.history[0]._replace(key=of._replace(namespace_id=wrong))
        case "pointer":
            batch.current[0] = batch.current[0]._replace(current=Current(wrong, b""))
        case "pending":
            batch.executions[0].pending = [Pending(1, wrong, b"")]
        case "task":
            batch.tasks.append(Task(wrong, 1, b""))
        case "type":
            batch.visible[0].workflow_type = wrong
        case "attribute":
            batch.visible[0].search_attributes = {"Keyword": wrong}
    return batch


def _found(results: list[Fault | None]) -> list[object]:
    assert all(isinstance(result, Conflict) for result in results)
    return [result.found for result in results if isinstance(result, Conflict)]
