"""The contract of drivers.base as pytest classes. A driver's test file supplies one fixture and three empty classes:

    @pytest.fixture
    def rig(tmp_path): return MyRig(tmp_path)      # drivers.conformance.rig.Rig: opens stores on one empty database, breaks connections

    class TestStore(StoreContract): ...
    class TestSchema(SchemaContract): ...
    class TestVisibility(VisibilityContract): ...

What a driver cannot do it states in its rig's Requirements, with a reason; those tests are skipped with that reason.
"""

import pytest

_MODULES = (
    "atomic",
    "big",
    "crash",
    "differential",
    "fence",
    "make",
    "members",
    "odd",
    "order",
    "paging",
    "records",
    "schema",
    "unknown",
)
pytest.register_assert_rewrite(
    *(f"{__name__}.{module}" for module in _MODULES),
    f"{__name__}.lists",
    f"{__name__}.snapshot",
)

from drivers.conformance.contracts import (
    SchemaContract,
    StoreContract,
    VisibilityContract,
)
from drivers.conformance.rig import Database, Requirements, Rig

__all__ = [
    "Database",
    "Requirements",
    "Rig",
    "SchemaContract",
    "StoreContract",
    "VisibilityContract",
]
