"""A deadline: something that happens to a run by itself when its time comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from server.core.step import Step


class Deadline(NamedTuple):
    """At `at` (ns) `fire(step, key)` is called, which ends this deadline. Ties run in the order of `key`."""

    at: int
    key: str
    fire: Callable[[Step, str], None]
