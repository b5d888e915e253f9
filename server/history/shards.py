"""All shards of this process behind one face: finds the shard of a workflow id, and runs decisions there. In a cluster it takes and gives up
shards as others come and go."""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Callable, Mapping
from typing import TypeVar

from drivers.base import Fault, Store
from server.core.outcome import Namespace, Poll, row_kind
from server.core.rejected import Moved, NotFound
from server.core.state_pb2 import Outgoing
from server.core.step import Step
from server.environment import Environment
from server.faces import Endpoints, Matching, Namespaces, Owners, Reached, Task
from server.history import outgoing, reader
from server.history.cache import Cache
from server.history.committer import Committer
from server.history.loader import Parts
from server.history.queries import Queries
from server.history.shard import Shard
from server.nexus.calls import Calls

CACHED_WORKFLOWS_MAX = 20_000  # of the process
CACHED_BYTES_MAX = 96 * 1024 * 1024
WAKES_MAX, WAKES_MIN = 8192, 128  # coming wake-ups in memory: of the process, and of a shard at least

R = TypeVar("R")
log = logging.getLogger(__name__)


class Shards:
    """Owns the shards of the store that are this process's: all, unless there are `owners` to say. One object a process."""

    def __init__(
        self,
        count: int,
        store: Store,
        environment: Environment,
        matching: Matching,
        namespaces: Namespaces,
        endpoints: Endpoints,
        *,
        owners: Owners | None = None,
        workflows_max: int = CACHED_WORKFLOWS_MAX,
        bytes_max: int = CACHED_BYTES_MAX,
    ) -> None:
        self.count = count
        self._owners = owners
        self._parts = Parts(
            store,
            environment,
            Committer(store, environment),
            matching,
            namespaces,
            endpoints,
            Calls(environment, matching, self._mine),
            self.of,
            self.receive if owners is None else owners.reach,
            self._keeps,
        )
        self._share = (workflows_max // count, bytes_max // count, max(WAKES_MAX // count, WAKES_MIN))
        self._shards: dict[int, Shard] = {}
        self._queries = Queries()
        self._turn: asyncio.Task[None] | None = None
        self._again = False

    async def start(self) -> None:
        """Takes its leases; waiting tasks and timers are read afterwards, in the background. Raises drivers.base.Fault."""
        self._parts.committer.start()
        if self._owners is None:
            for number in range(self.count):
                await self._take(number)

    async def close(self) -> None:
        """Wakes nobody any more, and commits what is under way."""
        if self._turn is not None:
            self._turn.cancel()
            await asyncio.gather(self._turn, return_exceptions=True)
        await self.release()
        await self._parts.committer.close()

    async def release(self) -> None:
        """Decides nothing any more: every shard is free for others."""
        shards, self._shards = list(self._shards.values()), {}
        await asyncio.gather(*(shard.close() for shard in shards))

    def of(self, namespace_id: str, workflow_id: str) -> Shard:
        """The shard that owns the workflow id; for ever the same one, as long as the number of shards is. Raises Moved when it is not in this
        process, or when others may think so by now."""
        shard = self._shards.get(number_of(namespace_id, workflow_id, self.count))
        if shard is None or (self._owners is not None and not self._owners.heard):
            raise Moved
        return shard

    def _mine(self, namespace_id: str, workflow_id: str) -> bool:
        """Calls about such a workflow come to this process. With no shards at all, none do."""
        return not self._shards or number_of(namespace_id, workflow_id, self.count) in self._shards

    def numbers(self) -> list[int]:
        """The shards that are here."""
        return sorted(self._shards)

    async def receive(self, note: Outgoing) -> Reached:
        """A message to a workflow whose shard is here. Raises Unavailable."""
        return await outgoing.receive(self._parts, note)

    # In a cluster ------------------------------------------------------------------------------------------------------------------

    def move(self) -> None:
        """Who owns what may have changed: gives up what is no longer this process's, and takes what is now."""
        self._again = True
        if self._turn is None or self._turn.done():
            self._turn = asyncio.get_running_loop().create_task(self._move())

    def offer_again(self, moved: Callable[[Task], bool]) -> None:
        """Offers the tasks that wait and whose queue has `moved` to another home."""
        for shard in self._shards.values():
            shard.offer_again(moved)

    async def _move(self) -> None:
        assert self._owners is not None
        while self._again:
            self._again = False
            for number in [n for n in self._shards if not self._owners.owns(n)]:
                await self._shards.pop(number).close()
            missing = [n for n in range(self.count) if n not in self._shards and self._owners.owns(n)]
            later = [n for n in missing if self._owners.held_by_another(n)]
            for number in missing:
                if number not in later and not await self._try(number):
                    later.append(number)
            if later and not self._again:
                await self._owners.moment()
                self._again = True

    async def _try(self, number: int) -> bool:
        try:
            await self._take(number)
        except Fault as fault:
            log.warning("the lease of shard %d could not be taken: %r", number, fault)
            return False
        return True

    async def _take(self, number: int) -> None:
        workflows, size, window = self._share
        shard = Shard(number, self._parts, Cache(workflows, size), window)
        await shard.start()
        self._shards[number] = shard

    async def _keeps(self, number: int) -> bool:
        """Asked by a shard that has lost its lease."""
        if self._owners is None:
            return True
        await self._owners.look()
        if not self._owners.owns(number):
            self.move()
            return False
        return True

    async def run(self, namespace: Namespace, workflow_id: str, run_id: str, decide: Callable[[Step], R]) -> R:
        """Decides on a run ("": the current one) and returns the reply once it is durable. Raises Rejected."""
        return await self.of(namespace.id, workflow_id).run(namespace, workflow_id, run_id, decide)

    async def begin(
        self, namespace: Namespace, workflow_id: str, decide: Callable[[Step | None, Step], R], *, likely: bool = False
    ) -> R:
        """Decides with the current run, if any, and a new one (nothing comes of it if it gets no event). `likely`: there is a current run.
        Raises Rejected."""
        return await self.of(namespace.id, workflow_id).begin(namespace, workflow_id, decide, likely=likely)

    async def start_task(self, task: Task, poll: Poll) -> bytes | None:
        """See server.faces.History."""
        if self._owners is None:
            return await self.start_task_here(task, poll)
        return await self._owners.start_task(lambda: self.start_task_here(task, poll), task, poll)

    async def start_task_here(self, task: Task, poll: Poll) -> bytes | None:
        """The same for a workflow of this process. Raises Moved."""
        key = task.key
        shard = self.of(key.namespace_id, key.workflow_id)

        def start(step: Step) -> reader.Started:
            return reader.start(step, shard.cached(step.state), task, poll)

        try:
            namespace = self._parts.namespaces.by_id(task.key.namespace_id)
            started = await shard.run(namespace, key.workflow_id, key.run_id, start)
        except NotFound:
            shard.forget(task)
            return None
        return reader.at_hand(started) or await reader.fetched(shard, started)

    async def backlog(
        self, kind: int, namespace_id: str, queue: str, after: Mapping[int, int], limit: int
    ) -> list[Task]:
        """See server.faces.History."""
        tasks = await self.backlog_here(kind, namespace_id, queue, after, limit)
        if self._owners is not None:
            tasks += await self._owners.backlog(kind, namespace_id, queue, after, limit)
        return sorted(tasks, key=lambda task: task.scheduled_time)

    async def backlog_here(
        self, kind: int, namespace_id: str, queue: str, after: Mapping[int, int], limit: int
    ) -> list[Task]:
        """The same of the shards of this process."""
        row = row_kind(kind, namespace_id, queue)
        shards = list(self._shards.values())
        pages = await asyncio.gather(*(s.backlog(row, after.get(s.number, 0), limit) for s in shards))
        return [task for page in pages for task in page]


def number_of(namespace_id: str, workflow_id: str, count: int) -> int:
    """The shard of a workflow id, of `count`. Never change it: the store is laid out by it."""
    return zlib.crc32(f"{namespace_id}\0{workflow_id}".encode()) % count
