"""Group commit: whatever queues up while one transaction runs goes into the next one, of all shards together, in order.

A Commit is all that has been decided for one workflow id and not been sent yet: later decisions join it, so that one transaction never holds
two batches that build on one another, and the failure of a batch takes exactly what was built on it along. Effects (replies, tasks to
pollers, news to those who wait) are released in the order of the decisions, after the transaction and never before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from drivers.base import Batch, Execution, Fault, Pending, Store, Unknown
from server.environment import Environment

BATCHES_MAX = 512  # of one transaction

log = logging.getLogger(__name__)
Ended = Callable[["Commit", Fault | None], None]


class Commit:
    """One batch on its way. `ended` is told the result first; then, when it is durable, `effects` run in order; then the waiters go on."""

    __slots__ = (
        "_writes",
        "batch",
        "decisions",
        "effects",
        "ended",
        "fault",
        "finished",
        "sent",
        "waiters",
    )

    def __init__(self, batch: Batch, ended: Ended) -> None:
        self.batch = batch
        self.ended = ended
        self.effects: list[Callable[[Fault | None], None]] = []
        self._writes: dict[tuple[str, str, str], Execution] = {}
        self.waiters: list[asyncio.Future[None]] = []
        self.decisions = 0
        self.sent = self.finished = False
        self.fault: Fault | None = None

    def add(self, batch: Batch) -> None:
        """Adds what was decided after all that is here already."""
        mine = self.batch
        mine.current += batch.current
        mine.history += batch.history
        mine.tasks += batch.tasks
        mine.tasks_done += batch.tasks_done
        mine.visible += batch.visible
        for execution in batch.executions:
            self._write(execution)

    def _write(self, execution: Execution) -> None:
        """Of several rows of one run only the newest is written."""
        earlier = self._writes.get(execution.key)
        self._writes[execution.key] = execution
        if earlier is not None:
            execution.wake_was = earlier.wake_was
            rows: dict[tuple[int, str], Pending] = {(row.kind, row.id): row for row in earlier.pending}
            rows.update({(row.kind, row.id): row for row in execution.pending})
            execution.pending = list(rows.values())

    def send(self) -> Batch:
        """The batch as it is now; it does not grow any more."""
        self.sent = True
        self.batch.executions = list(self._writes.values())
        return self.batch

    async def durable(self) -> None:
        """Returns once the batch is committed. Raises its Fault."""
        if not self.finished:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.waiters.append(waiter)
            await waiter
        if self.fault is not None:
            raise self.fault

    def finish(self, fault: Fault | None) -> None:
        """The result is known. No-op the second time."""
        if self.finished:
            return
        self.finished, self.fault = True, fault
        self.ended(self, fault)
        for effect in self.effects:
            try:
                effect(fault)
            except Exception:  # one reply that cannot be delivered must not stop the server
                log.exception("an effect of a committed change failed")
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)


class Committer:
    """Feeds the store's one writer."""

    def __init__(self, store: Store, environment: Environment) -> None:
        self._store = store
        self._environment = environment
        self._queue: list[Commit] = []
        self._news = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to commit. Call it in the event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def submit(self, commit: Commit) -> None:
        """Queues it; it may still grow until it is sent."""
        self._queue.append(commit)
        self._news.set()

    async def close(self) -> None:
        """Commits what is queued, then ends."""
        self._closing = True
        self._news.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while not (self._closing and not self._queue):
            await self._news.wait()
            if len(self._queue) <= BATCHES_MAX and not self._closing:
                self._news.clear()
            await self._turn()

    async def _turn(self) -> None:
        """One transaction."""
        turn, self._queue = self._queue[:BATCHES_MAX], self._queue[BATCHES_MAX:]
        turn = [commit for commit in turn if not commit.finished]
        if not turn:
            return
        faults = await self._written([commit.send() for commit in turn])
        for commit, fault in zip(turn, faults, strict=True):
            commit.finish(fault)

    async def _written(self, batches: list[Batch]) -> list[Fault | None]:
        try:
            return await self._environment.writing(self._store.commit, batches)
        except Fault as fault:
            return [fault] * len(batches)
        except Exception:  # a driver's bug: nobody knows what is written, and the shards find out
            log.exception("the store failed in an unknown way")
            return [Unknown()] * len(batches)
