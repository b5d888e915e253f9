"""Records: small values changed by compare-and-set."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from drivers.base import Conflict, Record, Refused
from drivers.conformance.rig import Contract, Database


class Records(Contract):
    def test_record_is_created_changed_and_deleted(self, store: Database) -> None:
        assert store.record("kind", "a") is None
        assert store.put_record("kind", "a", b"1", 0) == 1
        assert store.put_record("kind", "a", b"2", 1) == 2
        assert store.record("kind", "a") == Record("kind", "a", 2, b"2")
        assert store.put_record("kind", "a", None, 2) == 0
        assert store.record("kind", "a") is None
        assert store.put_record("kind", "a", b"3", 0) >= 1

    @pytest.mark.parametrize("data", [b"new", None])
    @pytest.mark.parametrize("expected", [0, 1, 3])
    def test_record_conflict_says_what_stands_there(self, store: Database, data: bytes | None, expected: int) -> None:
        store.put_record("kind", "a", b"1", 0)
        store.put_record("kind", "a", b"2", 1)
        with pytest.raises(Conflict) as conflict:
            store.put_record("kind", "a", data, expected)
        assert conflict.value.found == store.record("kind", "a") == Record("kind", "a", 2, b"2")

    def test_record_conflict_says_that_nothing_stands_there(self, store: Database) -> None:
        with pytest.raises(Conflict) as conflict:
            store.put_record("kind", "a", b"1", 7)
        assert conflict.value.found is None

    def test_record_refused_when_it_cannot_be_stored(self, store: Database) -> None:
        with pytest.raises(Refused):
            store.put_record("kind", "lone surrogate \udfff", b"1", 0)
        assert store.put_record("kind", "a", b"1", 0) == 1

    def test_records_of_one_kind_in_order(self, store: Database) -> None:
        for id in ("b", "B", "\U0001f600", "\uffff", "a"):
            store.put_record("kind", id, id.encode(), 0)
            store.put_record("other kind", id, b"", 0)
        assert [record.id for record in store.records("kind", "", 99)] == ["B", "a", "b", "\uffff", "\U0001f600"]
        assert [record.id for record in store.records("kind", "a", 2)] == ["b", "\uffff"]

    def test_record_race_has_one_winner(self, store: Database, second: Database) -> None:
        def put(number: int) -> int:
            try:
                return (store, second)[number % 2].put_record("kind", "a", str(number).encode(), version)
            except Conflict:
                return -1

        with ThreadPoolExecutor(4) as pool:
            for version in range(10):
                results = list(pool.map(put, range(8)))
                assert sorted(results) == [-1] * 7 + [version + 1]
                winner = store.record("kind", "a")
                assert winner is not None
                assert winner.data == str(results.index(version + 1)).encode()
