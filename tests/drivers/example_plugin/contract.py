"""The contract, run against the installed driver: `pytest contract.py`."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporal_kv.rig import KvRig

from drivers.conformance import SchemaContract, StoreContract, VisibilityContract


@pytest.fixture
def rig(tmp_path: Path) -> KvRig:
    return KvRig(tmp_path)


class TestStore(StoreContract): ...


class TestSchema(SchemaContract): ...


class TestVisibility(VisibilityContract): ...
