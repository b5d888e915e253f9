"""Paging: pages join without a gap or a double while rows are written behind and before the reader."""

from __future__ import annotations

from drivers.base import Batch, History, RunKey, Task, Wake
from drivers.conformance.make import NAMESPACE, core, key, visible
from drivers.conformance.rig import Contract, Database


class Paging(Contract):
    def test_paging_of_history_while_it_grows(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        rows = [History(key(1), n * 3 + 1, n * 3 + 3, str(n).encode()) for n in range(60)]
        store.commit([Batch("shard", range_id, history=rows[:40])])
        read: list[History] = []
        written = 40
        while page := store.history("shard", key(1), read[-1].last + 1 if read else 1, 2**40, 7):
            read += page
            store.commit([Batch("shard", range_id, history=rows[written : written + 2])])
            written += 2
        assert read == rows[: len(read)]
        assert len(read) > 40

    def test_paging_of_history_finds_the_row_that_holds_an_event(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        rows = [History(key(1), n * 10 + 1, n * 10 + 10, str(n).encode()) for n in range(10)]
        store.commit([Batch("shard", range_id, history=rows)])
        assert store.history("shard", key(1), 15, 15, 9) == rows[1:2]
        assert store.history("shard", key(1), 20, 21, 9) == rows[1:3]
        assert store.history("shard", key(1), 100, 999, 9) == rows[9:]
        assert store.history("shard", key(1), 101, 999, 9) == []
        assert store.history("shard", key(1), 0, 0, 9) == []
        assert store.history("shard", key(2), 1, 999, 9) == []

    def test_paging_of_tasks_while_they_are_done_and_added(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        store.commit([Batch("shard", range_id, tasks=[Task("q", n, b"") for n in range(1, 101)])])
        read: list[int] = []
        while page := store.tasks("shard", "q", ("q", read[-1] if read else 0), 8):
            read += [task.id for task in page]
            added = [Task("q", 100 + len(read), b"")] if len(read) < 100 else []
            store.commit([Batch("shard", range_id, tasks=added, tasks_done=[("q", task.id) for task in page])])
        assert read == sorted(set(read))
        assert set(range(1, 101)) < set(read)
        assert store.tasks("shard", None, ("", 0), 9) == []

    def test_paging_of_wakes_while_runs_move(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        batch = Batch("shard", range_id)
        for n in range(50):
            one = core("shard", range_id, key(n), b"")
            one.executions[0].wake_at = n // 3
            batch.executions += one.executions
        store.commit([batch])
        read: list[Wake] = []
        while page := store.wakes("shard", read[-1] if read else None, 7):
            read += page
            batch = core("shard", range_id, page[0].key, b"")
            batch.executions[0].wake_at = 0  # moves before the reader
            store.commit([batch])
        assert len({wake.key for wake in read}) == len(read) == 50
        assert read == sorted(read)

    def test_paging_of_records(self, store: Database) -> None:
        for n in range(30):
            store.put_record("namespace", f"{n:02}", str(n).encode(), 0)
        read: list[str] = []
        while page := store.records("namespace", read[-1] if read else "", 7):
            read += [record.id for record in page]
            store.put_record("namespace", page[0].id, None, 1)
        assert read == [f"{n:02}" for n in range(30)]

    def test_paging_of_lists_while_runs_begin_and_close(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        closed = [
            visible(RunKey(NAMESPACE, f"w{n}", f"r{n:02}"), 2, start_time=n // 4, close_time=100 + n // 3)
            for n in range(40)
        ]
        store.commit([Batch("shard", range_id, visible=closed)])
        read: list[RunKey] = []
        token = b""
        while True:
            page, token = store.list_visible(NAMESPACE, None, token, 6)
            read += [entry.key for entry in page]
            opened = visible(RunKey(NAMESPACE, "new", f"new {len(read)}"), start_time=len(read))
            store.commit([Batch("shard", range_id, visible=[opened])])
            if not token:
                break
        by_age = sorted(closed, key=lambda entry: (entry.close_time, entry.start_time, entry.key.run_id), reverse=True)
        assert read == [entry.key for entry in by_age]
