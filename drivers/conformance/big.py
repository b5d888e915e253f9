"""Big: blobs, histories, pending rows and batches at the limits of the server."""

from __future__ import annotations

import os

from drivers.base import Batch, Execution, History, Pending
from drivers.conformance.make import begin, key
from drivers.conformance.rig import Contract, Database

_BLOB = os.urandom(1024) * 4096


class Big(Contract):
    def test_big_blob_of_four_megabytes_in_every_place(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        batch = begin("shard", range_id, key(1))
        batch.executions = [Execution(key(1), _BLOB, None, None, [Pending(1, "a", _BLOB)])]
        batch.history = [History(key(1), 1, 1, _BLOB)]
        assert store.commit([batch]) == [None]
        assert store.load("shard", key(1)) == (_BLOB, None, [Pending(1, "a", _BLOB)])
        assert store.history("shard", key(1), 1, 1, 9)[0].data == _BLOB
        store.put_record("kind", "id", _BLOB, 0)
        record = store.record("kind", "id")
        assert record is not None
        assert record.data == _BLOB

    def test_big_history_of_fifty_thousand_events(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        rows = [History(key(1), first, first + 4, str(first).encode() * 20) for first in range(1, 50_001, 5)]
        for start in range(0, len(rows), 2_500):
            assert store.commit([Batch("shard", range_id, history=rows[start : start + 2_500])]) == [None]
        assert store.history("shard", key(1), 49_998, 50_000, 10) == rows[-1:]
        read: list[History] = []
        while page := store.history("shard", key(1), read[-1].last + 1 if read else 1, 50_000, 1_000):
            read += page
        assert read == rows
        assert store.commit([Batch("shard", range_id, executions=[Execution(key(1), None)])]) == [None]
        assert store.history("shard", key(1), 1, 50_000, 1) == []

    def test_big_run_with_two_thousand_pending_rows(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        rows = {str(n): b"first" for n in range(2_000)}
        pending = [Pending(1, id, data) for id, data in rows.items()]
        assert store.commit([Batch("shard", range_id, executions=[Execution(key(1), b"1", None, None, pending)])]) == [
            None
        ]
        change = [Pending(1, "7", b"second"), Pending(1, "8", None), Pending(1, "2000", b"new")]
        assert store.commit([Batch("shard", range_id, executions=[Execution(key(1), b"2", None, None, change)])]) == [
            None
        ]
        rows.update({"7": b"second", "2000": b"new"})
        del rows["8"]
        loaded = store.load("shard", key(1))
        assert loaded is not None
        assert {row.id: row.data for row in loaded.pending} == rows

    def test_big_call_of_a_thousand_batches(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        assert store.commit([begin("shard", range_id, key(n), n) for n in range(1_000)]) == [None] * 1_000
        assert len(store.tasks("shard", None, ("", 0), 2_000)) == 1_000
        assert len(store.wakes("shard", None, 2_000)) == 1_000
