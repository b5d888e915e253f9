"""Wakes the runs of one shard in time. The store knows every wake-up; here are only the next ones, within a window that ends at `_horizon`, so
that a million timers take no memory and a restart reads one page.

A run has at most one wake-up, the one last noted; an older entry of the heap is recognised by that and skipped.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable

from drivers.base import RunKey, Wake
from server.core.limits import SECOND
from server.core.rejected import Rejected
from server.environment import Environment, Handle

OUTDATED_MAX = 3  # entries in memory for each wake-up of the window
WAKING_MAX = 128  # runs woken at the same time
RETRY_AFTER = SECOND  # a run that could not be woken is tried again then

log = logging.getLogger(__name__)
_BEGINNING = Wake(0, RunKey("", "", ""))
Read = Callable[[Wake | None, int], Awaitable[list[Wake]]]


class Clockwork:
    """`read` is the store's `wakes` for this shard; `wake` does what is due for a run, and notes its next wake-up. `window` is how many
    are kept in memory."""

    def __init__(
        self, environment: Environment, read: Read, wake: Callable[[RunKey], Awaitable[None]], window: int
    ) -> None:
        self._environment = environment
        self._window = window
        self._read = read
        self._wake = wake
        self._heap: list[Wake] = []
        self._next: dict[RunKey, int] = {}
        self._horizon: Wake | None = _BEGINNING  # None: all there is, is here
        self._noted: dict[RunKey, int | None] | None = None  # what was noted while a page is being read
        self._alarm: Handle | None = None
        self._alarm_at = 0
        self._waking: set[asyncio.Task[None]] = set()
        self._filling: asyncio.Task[None] | None = None
        self._closed = False

    def start(self) -> None:
        """Begins, and may be called again after the store has changed unseen: everything is read anew."""
        self._heap.clear()
        self._next.clear()
        self._horizon = _BEGINNING
        if self._filling is not None:
            self._filling.cancel()
        self._filling = self._noted = None
        self._turn()

    def note(self, key: RunKey, at: int | None) -> None:
        """The run's next wake-up as just committed; None for never."""
        if self._noted is not None:
            self._noted[key] = at
        if at is None or (self._horizon is not None and self._noted is None and Wake(at, key) > self._horizon):
            self._next.pop(key, None)
            return
        if self._next.get(key) != at:
            self._next[key] = at
            heapq.heappush(self._heap, Wake(at, key))
            if len(self._heap) > OUTDATED_MAX * self._window:
                self._trim()
            self._set_alarm()

    async def close(self) -> None:
        """Wakes nobody any more, and waits for those that are being woken."""
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        tasks = [*self._waking, *([self._filling] if self._filling else [])]
        await asyncio.gather(*tasks, return_exceptions=True)

    def _turn(self) -> None:
        """Wakes what is due, reads on when the window is empty, and sets the alarm for the next."""
        if self._closed:
            return
        now = self._environment.now()
        while self._heap and len(self._waking) < WAKING_MAX:
            at, key = self._heap[0]
            if self._next.get(key) == at:
                if at > now:
                    break
                del self._next[key]
                self._spawn(key)
            heapq.heappop(self._heap)
        if not self._next and self._horizon is not None and self._filling is None:
            self._filling = asyncio.get_running_loop().create_task(self._fill())
        self._set_alarm()

    def _spawn(self, key: RunKey) -> None:
        if self._closed:
            return
        task = asyncio.get_running_loop().create_task(self._one(key))
        self._waking.add(task)
        task.add_done_callback(self._woken)

    def _woken(self, task: asyncio.Task[None]) -> None:
        self._waking.discard(task)
        self._turn()

    async def _one(self, key: RunKey) -> None:
        try:
            await self._wake(key)
        except Rejected as rejected:
            log.warning("run %s could not be woken: %s", key.run_id, rejected.message)
            self._environment.call_at(self._environment.now() + RETRY_AFTER, lambda: self._spawn(key))

    def _set_alarm(self) -> None:
        if self._closed or not self._heap or len(self._waking) >= WAKING_MAX:
            return
        at = self._heap[0].at
        if self._alarm is None or at < self._alarm_at:
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm, self._alarm_at = self._environment.call_at(at, self._ring), at

    def _ring(self) -> None:
        self._alarm = None
        self._turn()

    async def _fill(self) -> None:
        """Reads the next page of the store's wake-ups. What is noted meanwhile is newer than the page."""
        self._noted = {}
        try:
            page = await self._read(self._horizon, self._window)
        except Rejected as rejected:
            log.warning("the next timers could not be read: %s", rejected.message)
            self._noted = self._filling = None
            self._environment.call_at(self._environment.now() + RETRY_AFTER, self._turn)
            return
        noted, self._noted, self._filling = self._noted, None, None
        self._horizon = page[-1] if len(page) == self._window else None
        for wake in page:
            if wake.key not in noted:
                self._next[wake.key] = wake.at
                heapq.heappush(self._heap, wake)
        self._trim()
        self._turn()

    def _trim(self) -> None:
        """Drops outdated entries, and those beyond the window: they are read again when it gets there."""
        live = sorted(Wake(at, key) for key, at in self._next.items())
        if self._noted is None:
            if self._horizon is not None:
                live = [wake for wake in live if wake <= self._horizon]
            if len(live) > self._window:
                live = live[: self._window]
                self._horizon = live[-1]
        self._heap = live
        self._next = {wake.key: wake.at for wake in live}
