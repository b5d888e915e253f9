"""Schema: migrations apply once, in order, whoever runs them and however often; a newer schema is left alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from drivers.base import Refused, Unavailable, Unknown
from drivers.conformance.make import begin, key
from drivers.conformance.rig import Contract, Database, Rig, need


class Schema(Contract):
    @pytest.fixture
    def empty(self, rig: Rig) -> Database:
        return rig.open()

    def test_schema_is_made_and_running_it_again_changes_nothing(self, rig: Rig, empty: Database) -> None:
        assert empty.schema_version() == 0
        latest = empty.migrate()
        assert latest == empty.schema_version() > 0
        made = rig.schema()
        assert empty.migrate() == empty.migrate(latest) == latest
        assert rig.schema() == made
        empty.close()

    def test_schema_is_missing(self, empty: Database) -> None:
        with pytest.raises(Unavailable):
            empty.load("shard", key(1))
        with pytest.raises(Unavailable):
            empty.acquire("shard", "me")
        empty.close()

    def test_schema_one_version_at_a_time_equals_all_at_once(self, rig: Rig, empty: Database) -> None:
        fresh = rig.fresh()
        at_once = fresh.open()
        latest = at_once.migrate()
        at_once.close()
        for version in range(1, latest + 1):
            assert empty.migrate(version) == empty.schema_version() == version
        assert rig.schema() == fresh.schema()
        empty.close()

    def test_schema_refuses_what_it_does_not_know(self, rig: Rig, empty: Database) -> None:
        latest = empty.migrate()
        for wrong in (latest + 1, latest - 1, -1):
            with pytest.raises(Refused):
                empty.migrate(wrong)
        rig.pretend_version(latest + 1)
        assert empty.schema_version() == latest + 1
        with pytest.raises(Refused, match="newer"):
            empty.migrate()
        empty.close()

    def test_schema_by_four_at_once(self, rig: Rig) -> None:
        need(rig.requirements.second_store)
        with ThreadPoolExecutor(4) as pool:
            stores = list(pool.map(lambda _: rig.open(), range(4)))
            versions = set(pool.map(lambda store: store.migrate(), stores))
        assert versions == {stores[0].schema_version()}
        for store in stores:
            store.close()

    def test_schema_is_resumed_after_a_break_at_any_statement(self, rig: Rig, empty: Database) -> None:
        need(rig.requirements.broken_connections)
        cuts = 0
        while True:
            rig.cut(empty, cuts)
            try:
                latest = empty.migrate()
                break
            except (Unavailable, Unknown):
                cuts += 1
        assert rig.heal(empty)
        assert cuts > 3
        assert empty.schema_version() == latest
        range_id = empty.acquire("shard", "me")
        assert empty.commit([begin("shard", range_id, key(1))]) == [None]
        empty.close()
