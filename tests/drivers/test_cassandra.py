"""The Cassandra driver keeps the contract, and what is its own: its URLs, its sweeps, what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drivers.conformance import SchemaContract, StoreContract, VisibilityContract
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
