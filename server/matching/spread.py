"""The task queues of a cluster as one process sees them. Polls wait where they arrive. A task goes to a poll of the process that it was made in,
if one waits there; else to the queue's home, which passes it on to a process that has said that polls wait there.

So a busy queue is served by all processes side by side, and an idle one is found by any task within one hop or two.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueueStats

from server.core.limits import SECOND
from server.core.outcome import Poll
from server.core.rejected import Rejected
from server.environment import Environment, pause
from server.faces import Homes, Poller, Task
from server.matching.partition import Partition
from server.matching.service import Matching

RETRY_AFTER = SECOND // 2

log = logging.getLogger(__name__)


class Spread:
    """Implements faces.Matching and faces.Queues. With `serving` false this process has no task queues: polls go to their home."""

    def __init__(self, local: Matching, homes: Homes, environment: Environment, *, serving: bool) -> None:
        self._local = local
        self._homes = homes
        self._environment = environment
        self._serving = serving
        self._there = {""}
        self._running: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Sends nothing any more."""
        for running in self._running:
            running.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    # For history -------------------------------------------------------------------------------------------------------------------

    def take(self, task: Task) -> Poller | None:
        """See faces.Matching. Whether anybody polls a sticky queue, only its home knows."""
        partition = self._local.known(task.namespace_id, task.kind, task.queue)
        return partition.take(task) if partition is not None else None

    def offer(self, task: Task) -> None:
        """See faces.Matching."""
        partition = self._local.known(task.namespace_id, task.kind, task.queue)
        if partition is None or not partition.accept(task):
            self._place(task, task.queue)

    def hand_over(self, task: Task, data: bytes) -> None:
        """See faces.Matching."""
        partition = self._local.known(task.namespace_id, task.kind, task.queue)
        if partition is None or not partition.accept_data(task, data):
            self._hand(task, task.queue, data)

    async def query(self, namespace_id: str, kind: int, queue: str, normal_queue: str, data: bytes) -> bool:
        """See faces.Matching."""
        partition = self._local.known(namespace_id, kind, queue)
        if partition is not None and partition.accept_data(None, data):
            return True
        home = self._homes.elsewhere(namespace_id, kind, queue)
        if home is None:
            return await self._local.query(namespace_id, kind, queue, normal_queue, data)
        return await self._homes.query(home, namespace_id, kind, queue, normal_queue, data)

    # At home -----------------------------------------------------------------------------------------------------------------------

    def receive(self, task: Task, queue: str) -> None:
        """A task waits, and this is the home of `queue`: its own, or the normal one."""
        partition = self._at_home(task, queue)
        if queue != task.normal_queue and task.normal_queue and not partition.alive:
            self._place(task, task.normal_queue)
        else:
            partition.offer(task)

    def receive_data(self, task: Task, queue: str, data: bytes) -> None:
        """The same of a task that is started already."""
        partition = self._at_home(task, queue)
        if queue != task.normal_queue and task.normal_queue and not partition.alive:
            self._hand(task, task.normal_queue, data)
        else:
            partition.hand_over(task, data)

    def moved(self, there: set[str]) -> None:
        """Other processes are there than before (`there` are those with task queues): what waits here for a queue that has another home
        now is dropped, and history offers it there."""
        self._there = there
        for partition in self._local.all():
            partition.among(there)
            if self._homes.elsewhere(partition.namespace_id, partition.kind, partition.name) is not None:
                partition.give_up()
                partition.tell_home()

    def _at_home(self, task: Task, queue: str) -> Partition:
        partition = self._local.partition(task.namespace_id, task.kind, queue)
        partition.among(self._there)
        return partition

    def _place(self, task: Task, queue: str) -> None:
        home = self._homes.elsewhere(task.namespace_id, task.kind, queue)
        if home is None:
            self.receive(task, queue)
        else:
            self._spawn(lambda: self._homes.offer(home, task, queue), lambda: self._place(task, queue))

    def _hand(self, task: Task, queue: str, data: bytes) -> None:
        home = self._homes.elsewhere(task.namespace_id, task.kind, queue)
        if home is None:
            self.receive_data(task, queue, data)
        else:
            self._spawn(lambda: self._homes.hand_over(home, task, queue, data), lambda: self._hand(task, queue, data))

    def _spawn(self, send: Callable[[], Awaitable[None]], again: Callable[[], None]) -> None:
        """Sends beside; what could not be sent is tried again, where its home is then."""
        running = asyncio.get_running_loop().create_task(self._send(send, again))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def _send(self, send: Callable[[], Awaitable[None]], again: Callable[[], None]) -> None:
        try:
            await send()
        except Rejected as rejected:
            log.info("a task could not be sent to its queue's home: %s", rejected)
            await pause(self._environment, RETRY_AFTER)
            again()

    # For the frontend --------------------------------------------------------------------------------------------------------------

    async def poll(
        self, namespace_id: str, kind: int, queue: str, poll: Poll, timeout: float, rate: float | None = None
    ) -> bytes:
        """See faces.Queues."""
        home = None if self._serving else self._homes.elsewhere(namespace_id, kind, queue)
        if home is None:
            self._local.partition(namespace_id, kind, queue).among(self._there)
            return await self._local.poll(namespace_id, kind, queue, poll, timeout, rate)
        return await self._homes.poll(home, namespace_id, kind, queue, poll, timeout, rate)

    async def shutdown_worker(self, namespace_id: str, sticky_queue: str, worker_instance_key: str) -> None:
        """See faces.Queues."""
        await self._local.shutdown_worker(namespace_id, sticky_queue, worker_instance_key)
        await self._homes.shutdown_worker(namespace_id, sticky_queue, worker_instance_key)

    async def pollers(self, namespace_id: str, kind: int, queue: str) -> list[PollerInfo]:
        """See faces.Queues: a worker that polls at several processes is shown once."""
        found = {each.identity: each for each in await self._local.pollers(namespace_id, kind, queue)}
        for reply in await self._homes.everywhere(namespace_id, kind, queue):
            for each in reply.pollers:
                known = found.get(each.identity)
                if known is None or known.last_access_time.ToNanoseconds() < each.last_access_time.ToNanoseconds():
                    found[each.identity] = each
        return list(found.values())

    async def stats(self, namespace_id: str, kind: int, queue: str) -> tuple[TaskQueueStats, dict[int, TaskQueueStats]]:
        """See faces.Queues: the backlog is at home, the rates are of all."""
        whole, by_priority = await self._local.stats(namespace_id, kind, queue)
        for reply in await self._homes.everywhere(namespace_id, kind, queue):
            if reply.stats.approximate_backlog_count > whole.approximate_backlog_count:
                whole.approximate_backlog_count = reply.stats.approximate_backlog_count
                whole.approximate_backlog_age.CopyFrom(reply.stats.approximate_backlog_age)
                by_priority = dict(reply.stats_by_priority)
            whole.tasks_add_rate += reply.stats.tasks_add_rate
            whole.tasks_dispatch_rate += reply.stats.tasks_dispatch_rate
        return whole, by_priority
