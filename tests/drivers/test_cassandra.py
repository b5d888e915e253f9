"""The Cassandra driver keeps the contract, and what is its own: its URLs, its sweeps, what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drivers.base import Batch, Execution, History, Refused, RunKey, Task, Unavailable, Unknown
from drivers.cassandra import sweeps
from drivers.cassandra.session import Session
from drivers.conformance import SchemaContract, StoreContract, VisibilityContract
from drivers.conformance.make import core, key
from drivers.registry import open_store
from tests import stores
from tests.drivers.cassandra_rig import CassandraRig, shared

pytestmark = stores.only("cassandra")


@pytest.fixture
def rig() -> Iterator[CassandraRig]:
    rig = shared()
    yield rig
    rig.empty()


class TestStore(StoreContract): ...


class TestSchema(SchemaContract):
    @pytest.fixture
    def rig(self) -> Iterator[CassandraRig]:
        rig = CassandraRig()
        yield rig
        rig.drop()


class TestVisibility(VisibilityContract): ...


def test_a_queue_leaves_no_heap_of_tombstones(rig: CassandraRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deletions are gathered into one range, and what stands or comes meanwhile stays."""
    monkeypatch.setattr(sweeps, "EVERY", 20)
    store = rig.open()
    range_id = store.acquire("shard", "me")
    for first in range(0, 200, 10):
        ids = range(first, first + 10)
        store.commit([Batch("shard", range_id, tasks=[Task("q", id, b"") for id in ids])])
        done = [("q", id) for id in ids if id != 77]
        store.commit([Batch("shard", range_id, tasks=[Task("q", first, b"again")], tasks_done=done)])
        for id in ids:
            run = Execution(RunKey("n", f"w{id}", "r"), b"", id + 1, id or None)
            store.commit([Batch("shard", range_id, executions=[run])])
    assert [task.id for task in store.tasks("shard", None, ("", 0), 99)] == [77]
    assert [wake.at for wake in store.wakes("shard", None, 999)] == list(range(1, 201))
    store.close()


def test_batches_too_large_for_one_request(rig: CassandraRig) -> None:
    """What Cassandra cannot take at once goes in pieces, what it can never take is refused alone."""
    store = rig.open()
    range_id = store.acquire("shard", "me")
    batches = [core("shard", range_id, key(n), b"x" * (4 << 20)) for n in range(6)]
    batches.insert(3, core("shard", range_id, key(9), b"x" * (17 << 20)))
    batches.insert(5, Batch("shard", range_id, history=[History(key(9), 1, 1, b"x" * (17 << 20))]))
    results = store.commit(batches)
    assert [type(result) for result in results] == [type(None)] * 3 + [Refused, type(None), Refused] + [type(None)] * 2
    assert all(store.load("shard", key(n)) for n in range(6))
    with pytest.raises(Refused):
        store.put_record("kind", "id", b"x" * (17 << 20), 0)
    store.close()


def test_trouble_of_one_lease_leaves_others(rig: CassandraRig, monkeypatch: pytest.MonkeyPatch) -> None:
    store = rig.open()
    batches = [core(name, store.acquire(name, "me"), key(1), b"1") for name in ("one", "two")]
    decide = Session.decide
    monkeypatch.setattr(Session, "decide", lambda *args: [Unknown(), *decide(*args)[1:]])
    assert [type(result) for result in store.commit(batches)] == [Unknown, type(None)]
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "cassandra://host",
        "cassandra://host/key-space",
        "cassandra://host/k?consistency=MOST",
        "cassandra://host/k?serial_consistency=QUORUM",
        "cassandra://host/k?replication=many",
        "cassandra://host/k?local_rack=r1",
        "cassandra://a:1,b:2/k",
        "cassandra://host/k?pool_size=3",
        "cassandra://host/k?ssl_ca=/nowhere",
    ],
)
def test_urls_refused(url: str) -> None:
    with pytest.raises(Refused):
        open_store(url)


def test_unavailable_when_nobody_listens() -> None:
    with pytest.raises(Unavailable, match="not reachable"):
        open_store("cassandra://127.0.0.1:1/k?connect_timeout=1")
