"""Order: batches of one call apply in order, a later one seeing an earlier one; reads come in the order that the contract names."""

from __future__ import annotations

from itertools import pairwise

from drivers.base import Batch, Conflict, Current, Execution, History, Pending, RunKey, SetCurrent, Task, Wake
from drivers.conformance.make import NAMESPACE, begin, core, key, visible
from drivers.conformance.rig import Contract, Database


class Order(Contract):
    def test_order_the_last_write_of_a_row_wins(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        batches = [core("shard", range_id, key(1), str(n).encode()) for n in range(50)]
        for n, batch in enumerate(batches):
            batch.executions[0].wake_at = n
            batch.executions[0].pending = [
                Pending(1, "a", None if n % 2 else b"even"),
                Pending(1, "b", None if n % 2 == 0 else b"odd"),
            ]
            batch.history.append(History(key(1), 1, n + 1, str(n).encode()))
            batch.visible.append(visible(key(1), start_time=n))
        assert store.commit(batches) == [None] * 50
        loaded = store.load("shard", key(1))
        assert loaded == (b"49", 49, [Pending(1, "b", b"odd")])
        assert store.history("shard", key(1), 1, 99, 9) == [History(key(1), 1, 50, b"49")]
        assert [entry.start_time for entry in store.list_visible(NAMESPACE, None, b"", 9)[0]] == [49]

    def test_order_pointers_move_within_a_call(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        runs: list[str | None] = [None, "a", "b", "c", None, "d"]
        moves = [SetCurrent(NAMESPACE, "w", old, Current(new, b"") if new else None) for old, new in pairwise(runs)]
        assert store.commit([Batch("shard", range_id, current=[move]) for move in moves]) == [None] * 5
        assert store.current("shard", NAMESPACE, "w") == Current("d", b"")
        again = store.commit([Batch("shard", range_id, current=[move]) for move in (moves[4], moves[3])])
        assert [result.found for result in again if isinstance(result, Conflict)] == [Current("d", b"")] * 2

    def test_order_parts_of_a_batch_apply_in_order_of_the_fields(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        store.commit([begin("shard", range_id, key(1))])
        batch = Batch("shard", range_id, executions=[Execution(key(1), None)], history=[History(key(1), 8, 9, b"new")])
        batch.executions.append(Execution(key(2), b"core"))
        batch.tasks, batch.tasks_done = [Task("queue", 5, b"")], [("queue", 5)]
        assert store.commit([batch]) == [None]
        assert store.load("shard", key(1)) is None
        assert store.history("shard", key(1), 1, 99, 9) == [History(key(1), 8, 9, b"new")]
        assert [task.id for task in store.tasks("shard", None, ("", 0), 9)] == [0]

    def test_order_a_run_deleted_and_begun_again_in_one_call(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        store.commit([begin("shard", range_id, key(1))])
        again = core("shard", range_id, key(1), b"again")
        again.executions[0].pending = [Pending(3, "c", b"3")]
        assert store.commit([Batch("shard", range_id, executions=[Execution(key(1), None)]), again]) == [None, None]
        assert store.load("shard", key(1)) == (b"again", None, [Pending(3, "c", b"3")])
        assert store.history("shard", key(1), 1, 9, 9) == []
        assert store.list_visible(NAMESPACE, None, b"", 9)[0] == []

    def test_order_leases_do_not_see_each_other(self, store: Database) -> None:
        one, two = store.acquire("one", "me"), store.acquire("two", "me")
        assert store.commit([begin("one", one, key(1), 1), begin("two", two, key(2), 2)]) == [None, None]
        assert [task.id for task in store.tasks("one", None, ("", 0), 9)] == [1]
        assert [task.id for task in store.tasks("two", None, ("", 0), 9)] == [2]
        assert [wake.key for wake in store.wakes("two", None, 9)] == [key(2)]

    def test_order_of_tasks(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        kinds = ["a", "B", "ä", "b", "a/1", "\uffff", "\U0001f600"]  # UTF-8 and UTF-16 order the last two differently
        names = sorted((kind, id) for kind in kinds for id in (3, 1, -7, 2**62))
        tasks = [Task(kind, id, f"{kind}{id}".encode()) for kind, id in names]
        store.commit([Batch("shard", range_id, tasks=tasks[::-1])])
        assert store.tasks("shard", None, ("", 0), 100) == tasks
        assert store.tasks("shard", None, ("a/1", 1), 3) == tasks[names.index(("a/1", 1)) + 1 :][:3]
        assert [task.id for task in store.tasks("shard", "b", ("", 0), 100)] == [-7, 1, 3, 2**62]
        assert [task.id for task in store.tasks("shard", "b", ("b", 1), 1)] == [3]
        assert store.tasks("shard", "b", ("c", 0), 100) == []
        store.commit([Batch("shard", range_id, tasks_done=[("b", 3), ("b", 99)])])
        assert [task.id for task in store.tasks("shard", "b", ("", 0), 100)] == [-7, 1, 2**62]

    def test_order_of_wakes(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        wakes = sorted(
            Wake(at, RunKey(NAMESPACE, name, "r"))
            for at, name in [(5, "b"), (5, "B"), (2**62, "z"), (1, "z2"), (5, "ä")]
        )
        executions = [Execution(wake.key, b"core", wake.at) for wake in wakes]
        store.commit([Batch("shard", range_id, executions=[*executions, Execution(key(1), b"never wakes")])])
        assert store.wakes("shard", None, 9) == wakes
        assert store.wakes("shard", wakes[1], 2) == wakes[2:4]
        moved = [Execution(wakes[0].key, b"core", 7, wakes[0].at), Execution(wakes[1].key, b"core", None, wakes[1].at)]
        store.commit([Batch("shard", range_id, executions=moved)])
        assert store.wakes("shard", None, 9) == [*wakes[2:4], Wake(7, wakes[0].key), wakes[4]]

    def test_order_of_pending_rows(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        rows = [Pending(kind, id, b"x") for kind in (1, 2, 10) for id in ("", "10", "9", "B", "a", "ä")]
        store.commit([Batch("shard", range_id, executions=[Execution(key(1), b"core", None, None, rows[::-1])])])
        loaded = store.load("shard", key(1))
        assert loaded is not None
        assert loaded.pending == rows
