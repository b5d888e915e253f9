"""Durations of the protocol and the nanoseconds that the core reckons in."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from server.core.limits import DAY, SECOND
from server.core.rejected import InvalidArgument

LONGEST = 100 * 365 * DAY  # common/primitives/timestamp/duration.go caps what callers give


def duration(ns: int) -> Duration:
    """Nanoseconds as the protocol's message."""
    return Duration(seconds=ns // SECOND, nanos=ns % SECOND)


def capped(given: Duration, name: str) -> int:
    """Nanoseconds of a duration that a caller gave, at most a hundred years. Raises InvalidArgument, which begins with `name`."""
    if given.seconds > 0 > given.nanos or given.seconds < 0 < given.nanos:
        msg = f"{name}: duration has seconds and nanos with different signs"
        raise InvalidArgument(msg)
    ns = given.ToNanoseconds()
    if ns < 0:
        msg = f"{name}: negative duration"
        raise InvalidArgument(msg)
    return min(ns, LONGEST)
