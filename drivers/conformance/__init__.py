"""The contract of drivers.base as pytest classes. A driver's test file supplies one fixture and three empty classes:

    @pytest.fixture
    def rig(tmp_path): return MyRig(tmp_path)      # drivers.conformance.rig.Rig: opens stores on one empty database, breaks connections

    class TestStore(StoreContract): ...
    class TestSchema(SchemaContract): ...
    class TestVisibility(VisibilityContract): ...

What a driver cannot do it states in its rig's Requirements, with a reason; those tests are skipped with that reason.
"""

from pkgutil import iter_modules

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))

from drivers.conformance.contracts import SchemaContract, StoreContract, VisibilityContract  # noqa: E402
from drivers.conformance.rig import Database, Plan, Requirements, Rig  # noqa: E402

__all__ = ["Database", "Plan", "Requirements", "Rig", "SchemaContract", "StoreContract", "VisibilityContract"]
