"""Finds runs in memory and loads them from the store: one reader a workflow at a time, never past a commit that is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from drivers.base import Fault, RunKey, Store
from server.core.rejected import Missing, Moved, Unavailable
from server.core.state import Key, State
from server.core.state_pb2 import Outgoing
from server.environment import Environment
from server.faces import Endpoints, Matching, Namespaces, Reached
from server.history.cache import Cache, Run, Workflow
from server.history.committer import Committer
from server.nexus.calls import Calls

if TYPE_CHECKING:
    from server.history.shard import Shard

LOST = "the change could not be committed, try again"
UNREADABLE = "the store could not be read, try again"

R = TypeVar("R")


@dataclass(slots=True)
class Parts:
    """What all shards of a process share."""

    store: Store
    environment: Environment
    committer: Committer
    matching: Matching
    namespaces: Namespaces
    endpoints: Endpoints
    nexus: Calls
    of: Callable[
        [str, str], Shard
    ]  # the shard of a namespace's id and a workflow id; raises Moved when it is not in this process
    reach: Callable[[Outgoing], Awaitable[Reached]]  # delivers a message to another workflow, wherever it is
    keeps: Callable[
        [int], Awaitable[bool]
    ]  # whether the shard of that number still belongs to this process; asks the store


class Loader:
    """`ready` is set while the lease is held, `epoch` is its range_id; what was read in an earlier epoch is not believed. Once it is `closed`
    everything raises Moved."""

    def __init__(self, parts: Parts, lease: str, cache: Cache) -> None:
        self._parts = parts
        self._lease = lease
        self._cache = cache
        self.ready = asyncio.Event()
        self.closed = False
        self.epoch = 0

    async def read(self, fn: Callable[..., R], *args: object) -> R:
        """A read of the store. Raises Unavailable."""
        try:
            return await self._parts.environment.blocking(fn, *args)
        except Fault as fault:
            raise Unavailable(UNREADABLE) from fault

    async def undisturbed(self, workflow: Workflow) -> None:
        """Returns when everything decided so far is durable. Raises Unavailable."""
        if workflow.underway is None:
            self._cache.weigh(workflow)
            return
        try:
            await workflow.underway.durable()
        except Fault as fault:
            raise Unavailable(LOST) from fault

    async def find(self, namespace_id: str, workflow_id: str, run_id: str) -> tuple[Workflow, Run]:
        """The run ("": the current one) with its state loaded; what the caller does before it awaits anything is done on that state.
        Raises Missing, Moved, Unavailable."""
        workflow = self._cache.get(namespace_id, workflow_id)
        run = workflow.loaded(run_id)
        if run is None or not self.ready.is_set() or self.closed:
            with workflow.pinned():
                run = await self._seek(workflow, run_id)
        return workflow, run

    async def _held(self) -> None:
        """Returns once the lease is held. Raises Moved."""
        await self.ready.wait()
        if self.closed:
            raise Moved

    async def _seek(self, workflow: Workflow, run_id: str) -> Run:
        while True:
            await self._held()
            if run := workflow.loaded(run_id):
                return run
            if not run_id and workflow.current == "":
                await self.undisturbed(workflow)
                if workflow.current == "":
                    raise Missing.entity(*workflow.id)
            await self.load(workflow, run_id)

    async def find_current(self, namespace_id: str, workflow_id: str, likely: bool) -> tuple[Workflow, Run | None]:
        """The workflow, and its current run if there is one. What is not in memory is only looked for when it is `likely`."""
        workflow = self._cache.get(namespace_id, workflow_id)
        with workflow.pinned():
            while True:
                await self._held()
                if workflow.loading is None:
                    if run := workflow.loaded(""):
                        return workflow, run
                    if workflow.current == "" or (workflow.current is None and not likely):
                        return workflow, None
                await self.load(workflow, "")

    async def load(self, workflow: Workflow, run_id: str) -> None:
        """Reads where the workflow id points ("") or the state of the run, after what is under way. Returns without result when something came
        between: look again. Raises Missing, Unavailable."""
        if workflow.loading is not None:
            await asyncio.wait([workflow.loading])
            return
        workflow.loading = asyncio.get_running_loop().create_future()
        try:
            if workflow.underway is not None:
                await self.undisturbed(workflow)
            elif not run_id and workflow.current is None:
                await self._load_current(workflow)
            elif wanted := run_id or workflow.current:
                await self._load_run(workflow, wanted)
        finally:
            workflow.loading.set_result(None)
            workflow.loading = None

    async def _load_current(self, workflow: Workflow) -> None:
        epoch = self.epoch
        current = await self.read(self._parts.store.current, self._lease, *workflow.id)
        if epoch == self.epoch and self.ready.is_set() and workflow.current is None:
            workflow.current = current.run_id if current else ""

    async def _load_run(self, workflow: Workflow, run_id: str) -> None:
        epoch, key = self.epoch, Key(*workflow.id, run_id)
        loaded = await self.read(self._parts.store.load, self._lease, RunKey(*key))
        if epoch != self.epoch or not self.ready.is_set():
            return
        if loaded is None:
            raise Missing.entity(*key)
        run = workflow.runs.setdefault(run_id, Run(key))
        run.state, run.wake_at = State.load(key, loaded.core, loaded.pending), loaded.wake_at
