"""All shards of this process behind one face: finds the shard of a workflow id, and runs decisions there."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping
from typing import TypeVar

from drivers.base import Store
from server.core.outcome import Namespace, Poll, row_kind
from server.core.rejected import NotFound
from server.core.step import Step
from server.environment import Environment
from server.faces import Matching, Namespaces, Task
from server.history import reader
from server.history.cache import Cache
from server.history.committer import Committer
from server.history.loader import Parts
from server.history.queries import Queries
from server.history.shard import Shard

CACHED_WORKFLOWS_MAX = 20_000  # of the process
CACHED_BYTES_MAX = 96 * 1024 * 1024
WAKES_MAX, WAKES_MIN = 8192, 128  # coming wake-ups in memory: of the process, and of a shard at least

R = TypeVar("R")


class Shards:
    """Owns every shard of the store. One object a process."""

    def __init__(
        self,
        count: int,
        store: Store,
        environment: Environment,
        matching: Matching,
        namespaces: Namespaces,
        *,
        workflows_max: int = CACHED_WORKFLOWS_MAX,
        bytes_max: int = CACHED_BYTES_MAX,
    ) -> None:
        self._parts = Parts(store, environment, Committer(store, environment), matching, namespaces, self.of)
        window = max(WAKES_MAX // count, WAKES_MIN)
        self._shards = [
            Shard(n, self._parts, Cache(workflows_max // count, bytes_max // count), window) for n in range(count)
        ]
        self._queries = Queries()

    async def start(self) -> None:
        """Takes all leases; waiting tasks and timers are read afterwards, in the background. Raises drivers.base.Fault."""
        self._parts.committer.start()
        for shard in self._shards:
            await shard.start()

    async def close(self) -> None:
        """Wakes nobody any more, and commits what is under way."""
        await asyncio.gather(*(shard.close() for shard in self._shards))
        await self._parts.committer.close()

    def of(self, namespace_id: str, workflow_id: str) -> Shard:
        """The shard that owns the workflow id; for ever the same one, as long as the number of shards is."""
        return self._shards[zlib.crc32(f"{namespace_id}\0{workflow_id}".encode()) % len(self._shards)]

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
        key = task.key
        shard = self.of(key.namespace_id, key.workflow_id)

        def start(step: Step) -> reader.Started:
            return reader.start(step, shard.cached(step.state), task, poll)

        try:
            namespace = self._parts.namespaces.by_id(task.namespace_id)
            started = await shard.run(namespace, key.workflow_id, key.run_id, start)
        except NotFound:
            shard.forget(task)
            return None
        return reader.at_hand(started) or await reader.fetched(shard, started)

    async def backlog(
        self, kind: int, namespace_id: str, queue: str, after: Mapping[int, int], limit: int
    ) -> list[Task]:
        """See server.faces.History."""
        row = row_kind(kind, namespace_id, queue)
        pages = await asyncio.gather(*(s.backlog(row, after.get(s.number, 0), limit) for s in self._shards))
        return sorted((task for page in pages for task in page), key=lambda task: task.scheduled_time)
