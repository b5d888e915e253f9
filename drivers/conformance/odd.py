"""Odd: every byte comes back as it was, and ids that differ in any way are different ids."""

from __future__ import annotations

import pytest

from drivers.base import Batch, Compare, Current, Execution, History, Pending, RunKey, SetCurrent, Task
from drivers.conformance.make import NAMESPACE, key, visible
from drivers.conformance.rig import Contract, Database, Rig, need

DATA = [b"", b"\0", bytes(range(256)), b"\xff\xfe invalid UTF-8 \xc3", b"a\0b", "naïve 😀".encode()]
IDS = [
    "id",
    "ID",
    "Id",
    "id ",  # some collations ignore case, accents, and blanks at the end
    " id",
    "",
    "é",
    "e\u0301",
    "e",
    "ß",
    "ss",
    "😀",
    "😁",
    "\uffff",
    "\ue000",
    "%",
    "_",
    "?",
    "%s",
    "\\",
    "'; DROP TABLE run; --",
    '"',
    "\n",
    "\x7f",
    "a" * 1000,
    "a" * 999 + "b",
    "é" * 500,
    "😀" * 250,
]


class Odd(Contract):
    @pytest.mark.parametrize("data", DATA)
    def test_odd_bytes_come_back(self, store: Database, data: bytes) -> None:
        range_id = store.acquire("shard", "me")
        batch = Batch("shard", range_id, [SetCurrent(NAMESPACE, "w", None, Current("r", data))])
        batch.executions = [Execution(key(1), data, None, None, [Pending(1, "a", data)])]
        batch.history, batch.tasks = [History(key(1), 1, 1, data)], [Task("q", 1, data)]
        batch.visible = [visible(key(1), memo=data, attributes=data)]
        assert store.commit([batch]) == [None]
        store.put_record("kind", "id", data, 0)
        assert store.load("shard", key(1)) == (data, None, [Pending(1, "a", data)])
        assert store.current("shard", NAMESPACE, "w") == Current("r", data)
        assert store.history("shard", key(1), 1, 1, 9) == batch.history
        assert store.tasks("shard", None, ("", 0), 9) == batch.tasks
        assert store.list_visible(NAMESPACE, None, b"", 9) == (batch.visible, b"")
        assert [record.data for record in store.records("kind", "", 9)] == [data]

    def test_odd_ids_are_told_apart(self, store: Database) -> None:
        _tell_apart(store, IDS)

    def test_odd_ids_with_nul(self, rig: Rig, store: Database) -> None:
        need(rig.requirements.nul_in_ids)
        _tell_apart(store, ["a", "a\0", "a\0b", "\0", ""])

    def test_odd_lease_names_are_told_apart(self, store: Database) -> None:
        ranges = {name: store.acquire(name, "me") for name in IDS for _ in range(2)}
        assert set(ranges.values()) == {store.acquire("one more", "me") + 1}


def _tell_apart(store: Database, ids: list[str]) -> None:
    """Each id in every place that has one: a namespace, a workflow, a run, a pending row, a kind of tasks, a record."""
    range_id = store.acquire("shard", "me")
    keys = [
        *(RunKey(id, "w", "r") for id in ids),
        *(RunKey("n", id, "r") for id in ids),
        *(RunKey("n", "w", id) for id in ids),
    ]
    for number, of in enumerate(keys):
        pending = [Pending(1, id, f"{number} {id}".encode()) for id in ids]
        batch = Batch("shard", range_id, executions=[Execution(of, str(number).encode(), None, None, pending)])
        batch.history, batch.visible = ([History(of, 1, 1, str(number).encode())], [visible(of)])
        assert store.commit([batch]) == [None]
    for number, of in enumerate(keys):
        loaded = store.load("shard", of)
        assert loaded is not None
        assert loaded.core == str(number).encode()
        assert [row.id for row in loaded.pending] == sorted(ids)
        assert [row.data for row in store.history("shard", of, 1, 1, 9)] == [loaded.core]
        [entry] = store.list_visible(of.namespace_id, _exactly(of), b"", 9)[0]
        assert entry.key == of
    _tell_small_rows_apart(store, range_id, ids)


def _exactly(of: RunKey) -> Compare:
    return Compare("WorkflowId", "=", of.workflow_id) if of.run_id == "r" else Compare("RunId", "=", of.run_id)


def _tell_small_rows_apart(store: Database, range_id: int, ids: list[str]) -> None:
    moves = [SetCurrent("n", id, None, Current(id, id.encode())) for id in ids]
    assert store.commit([Batch("shard", range_id, moves, tasks=[Task(id, 1, id.encode()) for id in ids])]) == [None]
    for id in ids:
        store.put_record("kind", id, id.encode(), 0)
    for id in ids:
        assert store.current("shard", "n", id) == Current(id, id.encode())
        assert [task.data for task in store.tasks("shard", id, (id, 0), 9)] == [id.encode()]
        record = store.record("kind", id)
        assert record is not None
        assert record.data == id.encode()
    assert [task.kind for task in store.tasks("shard", None, ("", 0), 99)] == sorted(ids)
    assert [record.id for record in store.records("kind", "", 99)] == sorted(id for id in ids if id)
