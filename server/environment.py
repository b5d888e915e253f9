"""What the server takes from the outside world: a clock, names, chance, alarms, and threads for the database. Nothing else in history and
matching looks at a clock or starts a thread, so that a simulated Environment can replace them all.

Waiting itself is asyncio's: a simulation brings its own event loop along.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

READERS_MAX = 4  # threads that read from the store at the same time
ALARM_SECONDS_MAX = 24 * 3600.0  # asyncio refuses far timers; whoever set one looks at the clock again

T = TypeVar("T")


class Handle(Protocol):
    """An alarm that has been set."""

    def cancel(self) -> None:
        """It will not ring. May be called at any time."""


class Environment(Protocol):
    """Where time, names, chance and threads come from."""

    def now(self) -> int:
        """Nanoseconds since 1970. Never goes back, whatever the system's clock does."""

    def monotonic(self) -> float:
        """Seconds on a clock that only measures spans."""

    def run_id(self) -> str:
        """A new UUID, of version 7 as the official server's: later ones sort higher."""

    def random(self) -> float:
        """From 0 (inclusive) to 1."""

    def call_at(self, when: int, callback: Callable[[], None]) -> Handle:
        """Calls back once at `when` (nanoseconds since 1970) or earlier when it is far away: the callee looks at the clock."""

    async def blocking(self, fn: Callable[..., T], *args: object) -> T:
        """Runs a blocking read in one of several threads."""

    async def writing(self, fn: Callable[..., T], *args: object) -> T:
        """Runs a blocking write in the one thread that writes, after those asked for earlier."""


async def pause(environment: Environment, nanoseconds: int) -> None:
    """Returns after that time."""
    over = asyncio.Event()
    alarm = environment.call_at(environment.now() + nanoseconds, over.set)
    try:
        await over.wait()
    finally:
        alarm.cancel()


def uuid7(milliseconds: int, chance: int) -> int:
    """A UUID of version 7 (RFC 9562) from a time and 74 random bits."""
    return milliseconds << 80 | 0x7 << 76 | (chance >> 62) << 64 | 0b10 << 62 | chance & (1 << 62) - 1


class System:
    """The Environment of production: the system's clocks, asyncio's alarms, real threads."""

    def __init__(self) -> None:
        self._last = 0
        self._readers = ThreadPoolExecutor(READERS_MAX, thread_name_prefix="reader")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")

    def now(self) -> int:
        self._last = max(self._last, time.time_ns())
        return self._last

    def monotonic(self) -> float:
        return time.monotonic()

    def run_id(self) -> str:
        return str(uuid.UUID(int=uuid7(time.time_ns() // 1_000_000, random.getrandbits(74))))

    def random(self) -> float:
        return random.random()

    def call_at(self, when: int, callback: Callable[[], None]) -> Handle:
        delay = min(max(0.0, (when - self.now()) / 1e9), ALARM_SECONDS_MAX)
        return asyncio.get_running_loop().call_later(delay, callback)

    async def blocking(self, fn: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, fn, *args)

    async def writing(self, fn: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, fn, *args)

    def close(self) -> None:
        """Ends the threads once they have finished what was asked for."""
        self._readers.shutdown()
        self._writer.shutdown()
