"""Snapshot: a read shows one moment, while another thread commits; and what was acknowledged is seen by every later read."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from drivers.base import Batch, Execution, History, Pending, RunKey
from drivers.conformance.make import NAMESPACE, key, visible
from drivers.conformance.rig import Contract, Database

_GENERATIONS = 150
T = TypeVar("T")


class Snapshot(Contract):
    def test_snapshot_of_a_run_is_of_one_moment(self, store: Database) -> None:
        reads = _while_writing(store, lambda: store.load("shard", key(1)))
        seen = set()
        for loaded in reads:
            assert loaded is not None
            assert {row.data for row in loaded.pending} == {loaded.core}, "core and pending rows of one generation"
            assert len(loaded.pending) == 20
            seen.add(loaded.core)
        assert seen

    def test_snapshot_of_a_history_page_is_of_one_moment(self, store: Database) -> None:
        for rows in _while_writing(store, lambda: store.history("shard", key(1), 1, 99, 99)):
            assert len({row.data for row in rows}) == 1

    def test_snapshot_of_a_list_is_of_one_moment(self, store: Database) -> None:
        for entries, _ in _while_writing(store, lambda: store.list_visible(NAMESPACE, None, b"", 99)):
            assert len({entry.memo for entry in entries}) == 1
            assert len(entries) == 5

    def test_snapshot_shows_what_was_acknowledged(self, store: Database, second: Database) -> None:
        range_id = store.acquire("shard", "me")
        with ThreadPoolExecutor(3) as pool:
            for number in range(50):
                assert store.commit([_generation(range_id, number)]) == [None]
                for loaded in pool.map(lambda one: one.load("shard", key(1)), (store, store, second)):
                    assert loaded is not None
                    assert loaded.core == str(number).encode()


def _while_writing(store: Database, read: Callable[[], T]) -> list[T]:
    """What `read` returned, called from two threads while a third commits."""
    range_id = store.acquire("shard", "me")
    store.commit([_generation(range_id, 0)])

    def write() -> None:
        for number in range(1, _GENERATIONS):
            assert store.commit([_generation(range_id, number)]) == [None]

    with ThreadPoolExecutor(3) as pool:
        writing = pool.submit(write)
        reading = [pool.submit(_read_until, writing, read) for _ in range(2)]
        writing.result(60)
        return [one for some in reading for one in some.result(60)]


def _read_until(writing: Future[None], read: Callable[[], T]) -> list[T]:
    found = [read()]
    while not writing.done():
        found.append(read())
    return found


def _generation(range_id: int, number: int) -> Batch:
    data = str(number).encode()
    pending = [Pending(1, str(row), data) for row in range(20)]
    history = [History(key(1), first, first, data) for first in range(1, 11)]
    entries = [visible(RunKey(NAMESPACE, f"w{n}", f"r{n}"), memo=data) for n in range(5)]
    return Batch(
        "shard", range_id, executions=[Execution(key(1), data, None, None, pending)], history=history, visible=entries
    )
