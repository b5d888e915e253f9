"""The three classes that a driver inherits, each the sum of its promises."""

from __future__ import annotations

from drivers.conformance.atomic import Atomic
from drivers.conformance.big import Big
from drivers.conformance.crash import Crash
from drivers.conformance.differential import Differential
from drivers.conformance.fence import Fence
from drivers.conformance.lists import Lists
from drivers.conformance.members import Members
from drivers.conformance.odd import Odd
from drivers.conformance.order import Order
from drivers.conformance.paging import Paging
from drivers.conformance.records import Records
from drivers.conformance.scan import Scan
from drivers.conformance.schema import Schema
from drivers.conformance.snapshot import Snapshot
from drivers.conformance.unknown import Lost


class StoreContract(
    Atomic, Big, Crash, Differential, Fence, Lost, Members, Odd, Order, Paging, Records, Scan, Snapshot
):
    """What every Store keeps."""


class SchemaContract(Schema):
    """What `migrate` keeps."""


class VisibilityContract(Lists):
    """What every Visibility keeps."""
