"""The MySQL driver keeps the contract, and what is its own: its URLs, what its errors mean."""

from __future__ import annotations

import pytest

from drivers.conformance import SchemaContract, StoreContract, VisibilityContract
from tests import stores
from tests.drivers.mysql_rig import MysqlRig

pytestmark = stores.only("mysql")


@pytest.fixture
def rig() -> MysqlRig:
    return MysqlRig()


class TestStore(StoreContract): ...


class TestSchema(SchemaContract): ...


class TestVisibility(VisibilityContract): ...
