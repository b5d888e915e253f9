"""The Clockwork against a table of wake-ups that lives beside it: everything is woken, nothing early, and memory stays bounded."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from drivers.base import RunKey, Wake
from server.core.limits import SECOND
from server.core.rejected import Unavailable
from server.history.clockwork import Clockwork

pytestmark = pytest.mark.asyncio


class Alarm:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Virtual:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.time = 1
        self.alarms: list[tuple[int, Alarm, Callable[[], None]]] = []

    def now(self) -> int:
        return self.time

    def call_at(self, when: int, callback: Callable[[], None]) -> Alarm:
        alarm = Alarm()
        self.alarms.append((when, alarm, callback))
        return alarm

    async def turn(self, time: int) -> None:
        self.time = time
        for _ in range(200):
            due = [entry for entry in self.alarms if entry[0] <= time]
            self.alarms = [entry for entry in self.alarms if entry[0] > time]
            for _, alarm, callback in due:
                if not alarm.cancelled:
                    callback()
            await asyncio.sleep(0)


class World:
    """The store's table of wake-ups, and a Clockwork on it."""

    def __init__(self, window: int = 100) -> None:
        self.environment = Virtual()
        self.stored: dict[RunKey, int] = {}
        self.woken: list[tuple[int, RunKey]] = []
        self.reads = 0
        self.failing = 0
        self.clockwork = Clockwork(self.environment, self.read, self.wake, window)  # type: ignore[arg-type]

    async def read(self, after: Wake | None, limit: int) -> list[Wake]:
        self.reads += 1
        if self.failing:
            self.failing -= 1
            raise Unavailable("no")
        rows = sorted(Wake(at, key) for key, at in self.stored.items())
        page = [row for row in rows if after is None or row > after][:limit]
        await asyncio.sleep(0)
        return page

    async def wake(self, key: RunKey) -> None:
        await asyncio.sleep(0)
        if self.failing:
            self.failing -= 1
            raise Unavailable("no")
        at = self.stored.get(key)
        if at is None or at > self.environment.time:
            return
        self.woken.append((self.environment.time, key))
        self.set(key, None)

    def set(self, key: RunKey, at: int | None) -> None:
        """Commits, then notes."""
        if at is None:
            self.stored.pop(key, None)
        else:
            self.stored[key] = at
        self.clockwork.note(key, at)


def key(number: int) -> RunKey:
    return RunKey("n", f"w{number}", "r")


async def test_each_is_woken_once_and_in_time() -> None:
    world = World()
    for number in range(10):
        world.stored[key(number)] = 100 + number * 10
    world.clockwork.start()
    for time in range(90, 210):
        await world.environment.turn(time)
    assert world.woken == [(100 + n * 10, key(n)) for n in range(10)]
    assert world.reads == 1


async def test_memory_stays_within_the_window() -> None:
    world = World(16)
    for number in range(500):
        world.stored[key(number)] = 1000 + number
    world.clockwork.start()
    await world.environment.turn(10)
    assert len(world.clockwork._heap) <= 16
    for number in range(500, 900):
        world.set(key(number), 500 + number)
        assert len(world.clockwork._heap) <= 48
    await world.environment.turn(5000)
    assert sorted(k for _, k in world.woken) == sorted(map(key, range(900)))


async def test_random_changes_lose_nothing() -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance, world = random.Random(seed), World(8)
    for number in range(30):
        world.stored[key(number)] = chance.randrange(1, 1000)
    world.clockwork.start()
    for time in range(1, 1000):
        for _ in range(chance.randrange(3)):
            name = key(chance.randrange(40))
            world.set(name, None if chance.random() < 0.3 else time + chance.randrange(1, 300))
        await world.environment.turn(time)
        late = [name for name, at in world.stored.items() if at <= time]
        assert not late, (time, late)


async def test_a_failed_wake_or_read_is_tried_again() -> None:
    world = World()
    world.stored[key(1)] = 50
    world.failing = 1
    world.clockwork.start()
    await world.environment.turn(60)
    assert world.woken == []
    world.failing = 1
    await world.environment.turn(70 + SECOND)
    assert world.woken == []
    await world.environment.turn(80 + 2 * SECOND)
    assert [k for _, k in world.woken] == [key(1)]


async def test_after_a_new_start_everything_is_read_again() -> None:
    world = World()
    world.clockwork.start()
    await world.environment.turn(5)
    world.stored[key(1)] = 50  # committed unseen
    await world.environment.turn(60)
    assert world.woken == []
    world.clockwork.start()
    await world.environment.turn(61)
    assert [k for _, k in world.woken] == [key(1)]


async def test_a_closed_clockwork_wakes_nobody() -> None:
    world = World()
    world.stored[key(1)] = 50
    world.clockwork.start()
    await world.environment.turn(5)
    await world.clockwork.close()
    await world.environment.turn(60)
    assert world.woken == []
