"""The PostgreSQL driver keeps the contract, and what is its own: its URLs, what its errors mean."""

from __future__ import annotations

import pytest

from drivers.conformance import SchemaContract, StoreContract, VisibilityContract
from tests import stores
from tests.drivers.postgresql_rig import PostgresRig

pytestmark = stores.only("postgresql")


@pytest.fixture
def rig() -> PostgresRig:
    return PostgresRig()


class TestStore(StoreContract): ...


class TestSchema(SchemaContract): ...


class TestVisibility(VisibilityContract): ...
