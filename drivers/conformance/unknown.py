"""Unknown: when the answer to COMMIT is lost the caller is told so; raising the fence then settles what happened."""

from __future__ import annotations

import pytest

from drivers.base import Fenced, Unavailable, Unknown
from drivers.conformance.make import begin, contents, core, key
from drivers.conformance.rig import Contract, Database, Rig, need


class Lost(Contract):
    @pytest.mark.parametrize("landed", [True, False])
    def test_unknown_commit(self, rig: Rig, store: Database, landed: bool) -> None:
        range_id = store.acquire("shard", "me")
        _lose(rig, store, landed)
        with pytest.raises(Unknown):
            store.commit([begin("shard", range_id, key(1)), begin("shard", range_id, key(2), 1)])
        newer = store.acquire("shard", "me")
        assert [store.load("shard", key(n)) is not None for n in (1, 2)] == [landed, landed]
        assert [type(result) for result in store.commit([core("shard", range_id, key(3), b"late")])] == [Fenced]
        assert store.commit([core("shard", newer, key(1), b"next"), core("shard", newer, key(3), b"new")]) == [
            None,
            None,
        ]
        loaded = store.load("shard", key(1))
        assert loaded is not None
        assert loaded.core == b"next"
        assert len(loaded.pending) == (2 if landed else 0), "the rows hang on the run that landed"

    @pytest.mark.parametrize("landed", [True, False])
    def test_unknown_acquire(self, rig: Rig, store: Database, landed: bool) -> None:
        range_id = store.acquire("shard", "me")
        _lose(rig, store, landed)
        with pytest.raises(Unknown):
            store.acquire("shard", "me")
        [result] = store.commit([core("shard", range_id, key(1), b"x")])
        assert isinstance(result, Fenced) == landed
        assert store.acquire("shard", "me") > range_id

    @pytest.mark.parametrize("landed", [True, False])
    def test_unknown_record(self, rig: Rig, store: Database, landed: bool) -> None:
        _lose(rig, store, landed)
        with pytest.raises(Unknown):
            store.put_record("namespace", "a", b"1", 0)
        assert (store.record("namespace", "a") is not None) == landed

    def test_unavailable_before_commit(self, rig: Rig, store: Database) -> None:
        need(rig.requirements.broken_connections)
        range_id = store.acquire("shard", "me")
        before = contents(store, "shard", [key(1)])
        rig.cut(store, 1)
        with pytest.raises(Unavailable):
            store.commit([begin("shard", range_id, key(1))])
        assert contents(store, "shard", [key(1)]) == before
        assert store.commit([begin("shard", range_id, key(1))]) == [None], "the next call has a new connection"

    def test_unavailable_after_close(self, rig: Rig) -> None:
        store = rig.open()
        store.migrate()
        range_id = store.acquire("shard", "me")
        store.close()
        calls = [
            lambda: store.acquire("shard", "me"),
            lambda: store.commit([core("shard", range_id, key(1), b"x")]),
            lambda: store.load("shard", key(1)),
            lambda: store.put_record("k", "i", b"", 0),
            lambda: store.list_visible("n", None, b"", 1),
            store.members,
            store.migrate,
            store.schema_version,
        ]
        for call in calls:
            with pytest.raises(Unavailable):
                call()
        store.close()


def _lose(rig: Rig, store: Database, landed: bool) -> None:
    need(rig.requirements.broken_connections)
    (rig.lose_answer if landed else rig.lose_commit)(store)
