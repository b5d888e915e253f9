"""Members: a process is listed until its time has run out by the database's clock; clocks of the processes do not matter."""

from __future__ import annotations

import time

import pytest

from drivers.base import Member
from drivers.conformance.rig import Contract, Database


class Members(Contract):
    def test_members_are_listed_by_id(self, store: Database) -> None:
        for id in ("b", "a", "B"):
            store.beat(Member(id, id.encode()), 60)
        assert store.members() == [Member("B", b"B"), Member("a", b"a"), Member("b", b"b")]

    def test_member_beats_again_with_other_data(self, store: Database) -> None:
        store.beat(Member("a", b"starting"), 60)
        store.beat(Member("a", b"ready"), 60)
        assert store.members() == [Member("a", b"ready")]

    def test_member_whose_time_has_run_out_is_gone(self, store: Database) -> None:
        store.beat(Member("a", b""), 60)
        store.beat(Member("b", b""), -0.001)
        assert store.members() == [Member("a", b"")]
        store.beat(Member("a", b""), 0)
        assert store.members() == []
        store.beat(Member("b", b"back"), 60)
        assert store.members() == [Member("b", b"back")]

    def test_member_s_time_runs_out_by_itself(self, store: Database) -> None:
        store.beat(Member("a", b""), 0.2)
        store.beat(Member("b", b""), 60)
        deadline = time.monotonic() + 10
        while len(store.members()) == 2:
            assert time.monotonic() < deadline
        assert store.members() == [Member("b", b"")]

    def test_member_clock_is_the_database_s(
        self, store: Database, second: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store.beat(Member("a", b""), 60)
        for wrong in (0.0, 4e9):
            monkeypatch.setattr(time, "time", lambda wrong=wrong: wrong)
            assert second.members() == [Member("a", b"")]
            second.beat(Member("a", b""), 60)
