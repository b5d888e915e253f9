"""Fence: whoever holds the newest range_id of a lease writes, nobody else does, however two writers interleave."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from drivers.base import Batch, Execution, Fenced, History, Unavailable
from drivers.conformance.make import begin, contents, core, key
from drivers.conformance.rig import Contract, Database


class Fence(Contract):
    def test_fence_rises(self, store: Database) -> None:
        ranges = [store.acquire("shard", "me") for _ in range(3)]
        assert ranges == sorted(set(ranges))
        assert store.acquire("other", "me") > 0

    def test_fence_keeps_out_older_unknown_and_invented_range_ids(self, store: Database) -> None:
        old = store.acquire("shard", "me")
        new = store.acquire("shard", "you")
        before = contents(store, "shard", [key(1)])
        batches = [begin("shard", old, key(1)), begin("shard", new + 1, key(1)), begin("never acquired", 1, key(1))]
        assert [type(result) for result in store.commit(batches)] == [Fenced] * 3
        assert contents(store, "shard", [key(1)]) == before
        assert store.commit([begin("shard", new, key(1))]) == [None]

    def test_fence_of_one_lease_leaves_others(self, store: Database) -> None:
        one, two = store.acquire("one", "me"), store.acquire("two", "me")
        store.acquire("one", "you")
        results = store.commit([core("one", one, key(1), b"1"), core("two", two, key(2), b"2")])
        assert [type(result) for result in results] == [Fenced, type(None)]

    @pytest.mark.parametrize("seed", [1, 2])
    def test_fence_holds_when_two_writers_interleave(self, store: Database, second: Database, seed: int) -> None:
        """Each writer believes in the range_id that it got; after every step the row is the last one of the rightful holder."""
        chance, stores = random.Random(seed), (store, second)
        held, newest, written = [0, 0], 0, b""
        for step in range(1_000):
            who = chance.randrange(2)
            if chance.random() < 0.2:
                held[who] = stores[who].acquire("shard", f"writer {who}")
                assert held[who] > newest
                newest = held[who]
                continue
            data = f"{step} by {who}".encode()
            results = stores[who].commit(
                [core("shard", held[who], key(chance.randrange(3)), data), core("shard", held[who], key(9), data)]
            )
            rightful = held[who] == newest != 0
            assert [type(result) for result in results] == [type(None) if rightful else Fenced] * 2, (
                f"seed {seed}, step {step}"
            )
            written = data if rightful else written
            if chance.random() < 0.2:
                loaded = stores[1 - who].load("shard", key(9))
                assert (loaded.core if loaded else b"") == written

    def test_fence_stops_a_writer_at_work(self, store: Database, second: Database) -> None:
        """When acquire has returned, nothing of the former holder appears any more, not even what was on its way."""
        for turn in range(10):
            range_id = store.acquire("shard", "former")
            started, over = threading.Event(), threading.Event()
            with ThreadPoolExecutor(1) as pool:
                written = pool.submit(_write_until_fenced, store, range_id, started, over)
                try:
                    assert started.wait(10)
                    _acquire(second)
                    at_takeover = second.load("shard", key(1))
                finally:
                    over.set()
                assert written.result(10) > 0, turn
            assert second.load("shard", key(1)) == at_takeover

    def test_fence_hands_over_what_the_other_owner_did(self, store: Database, second: Database) -> None:
        first = store.acquire("shard", "first")
        assert store.commit([begin("shard", first, key(1))]) == [None]
        middle = second.acquire("shard", "second")
        assert second.commit([Batch("shard", middle, executions=[Execution(key(1), None)])]) == [None]
        again = store.acquire("shard", "first")
        rows = [History(key(1), 1, 2, b"new")]
        assert store.commit([Batch("shard", again, history=rows)]) == [None]
        for one in (store, second):
            assert one.load("shard", key(1)) is None
            assert one.history("shard", key(1), 1, 9, 9) == rows

    def test_fence_gives_racing_owners_different_ranges(self, store: Database, second: Database) -> None:
        with ThreadPoolExecutor(4) as pool:
            ranges = list(pool.map(lambda n: (store, second)[n % 2].acquire("shard", str(n)), range(40)))
        assert len(set(ranges)) == 40


def _acquire(store: Database) -> int:
    """Against a writer at work a store may find the database busy for long."""
    for _ in range(10):
        with suppress(Unavailable):
            return store.acquire("shard", "next")
    raise AssertionError("never acquired")


def _write_until_fenced(store: Database, range_id: int, started: threading.Event, over: threading.Event) -> int:
    number = 0
    while True:
        last = over.is_set()
        [result] = store.commit([core("shard", range_id, key(1), str(number).encode())])
        if result is not None:
            assert isinstance(result, Fenced)
            return number
        assert not last, "not fenced after the takeover"
        number += 1
        started.set()
        for _ in range(5):
            store.load("shard", key(1))
