"""Scan: the parts of a scan, written to an empty store, make the same contents, whatever their size and wherever it was interrupted."""

from __future__ import annotations

import random

import pytest

from drivers.base import Batch, History, Record, Refused
from drivers.conformance.differential import Comparison
from drivers.conformance.make import begin, key
from drivers.conformance.model import parts_of, rebuilt
from drivers.conformance.rig import Contract, Database, Rig


class Scan(Contract):
    def test_scan_of_an_empty_store(self, store: Database) -> None:
        assert store.scan(b"", 100) == ([], b"")

    def test_scan_shows_leases_without_rows_and_their_range_ids(self, store: Database) -> None:
        ranges = {"one": store.acquire("one", "me"), "two": store.acquire("two", "me", 41)}
        ranges["two"] = store.acquire("two", "me")
        assert ranges["two"] > 42
        assert rebuilt(store, 7).ranges == ranges

    @pytest.mark.parametrize("limit", [1, 2, 5, 1_000])
    def test_scan_shows_everything_once(self, store: Database, limit: int) -> None:
        run = Comparison(store, random.Random(limit))
        for _ in range(150):
            run.step()
        assert rebuilt(store, limit).contents() == run.model.contents()

    def test_scan_goes_on_in_another_store(self, rig: Rig, store: Database, second: Database) -> None:
        range_id = store.acquire("shard", "me")
        store.commit([begin("shard", range_id, key(n), n) for n in range(40)])
        parts: list[Batch | list[Record]] = []
        after = b""
        while True:
            part, after = (store, second)[len(parts) % 2].scan(after, 3)
            parts.append(part)
            if not after:
                break
        assert parts == parts_of(store, 3) == parts_of(second, 3)

    def test_scan_of_long_histories_stays_in_parts(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        rows = [History(key(n), first, first, b"x") for n in range(3) for first in range(1, 101)]
        store.commit([Batch("shard", range_id, history=rows)])
        pages = [part.history for part in parts_of(store, 30) if isinstance(part, Batch)]
        assert max(map(len, pages)) <= 30
        assert sorted(row for page in pages for row in page) == sorted(rows)

    def test_scan_refuses_a_place_that_is_not_its_own(self, store: Database) -> None:
        with pytest.raises(Refused):
            store.scan(b"nowhere", 10)
