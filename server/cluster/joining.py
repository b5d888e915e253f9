"""A process in its cluster: the Peer service on a port of its own, the view of who is there, and what follows when that changes."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any

import grpc

from drivers.base import Fault, Store
from server.cluster.homes import Homes
from server.cluster.members import Members, Process
from server.cluster.peers import OPTIONS, Peers
from server.cluster.router import Router
from server.core.limits import SECOND
from server.environment import Environment, pause
from server.history.service import Engine
from server.matching.service import Matching
from server.matching.spread import Spread
from server.settings import Tls
from server.tls import Certificates

STOP_SECONDS_MAX = 3.0
READ_AGAIN = 10 * SECOND
WILDCARDS = ("", "0.0.0.0", "::")  # noqa: S104  an address to listen at, not one to be found at

Read = Callable[[], Awaitable[None]]
log = logging.getLogger(__name__)


class Cluster:
    """The cluster as this process sees it. `bind` first, then build what it needs, then `join`."""

    def __init__(
        self,
        store: Store,
        environment: Environment,
        shards: int,
        address: tuple[str, int],
        roles: frozenset[str],
        tls: Tls | None = None,
    ) -> None:
        self._environment = environment
        self._certificates = Certificates(tls) if tls is not None else None
        self._ours = Certificates(tls) if tls is not None else None  # as other processes see us: looks for itself
        host, port = address
        self.server = grpc.aio.server(options=[*OPTIONS, ("grpc.so_reuseport", 0)])
        bound = self._bind(host, port)
        where = socket.gethostname() if host in WILDCARDS else host
        me = Process(environment.run_id(), f"[{where}]:{bound}" if ":" in where else f"{where}:{bound}", roles)
        self.members = Members(store, environment, me)
        self.peers = Peers(self._ours)
        self.router = Router(self.members, self.peers, environment, shards)
        self._homes = Homes(self.members, self.peers)
        self.local = Matching(environment, homes=self._homes)
        self.queues = Spread(self.local, self._homes, environment, serving="matching" in roles)
        self._engine: Engine | None = None
        self._running: set[asyncio.Task[None]] = set()

    def _bind(self, host: str, port: int) -> int:
        name = f"[{host}]" if ":" in host else host
        try:
            if self._certificates is None:
                bound: int = self.server.add_insecure_port(f"{name}:{port}")
            else:
                bound = self.server.add_secure_port(f"{name}:{port}", self._certificates.server())
        except RuntimeError:
            bound = 0
        if not bound:
            raise OSError(f"cannot listen on {name}:{port}")
        return bound

    async def join(self, stack: AsyncExitStack, engine: Engine, service: Any, records: Mapping[str, Read]) -> None:
        """Serves the others, and takes over what belongs to this process from now on. `service` is a generic handler; `records` reads small
        records again, which others may have changed. Raises Fault."""
        self._engine = engine
        self.router.receive = engine.receive
        self.server.add_generic_rpc_handlers((service,))
        await self.server.start()
        stack.push_async_callback(self.peers.close)
        stack.push_async_callback(self.server.stop, STOP_SECONDS_MAX)
        self.members.watch(self._changed)
        await self.members.start()
        stack.push_async_callback(self.queues.close)
        self._spawn(self._read_again(records))
        stack.push_async_callback(self._stop)

    def changed(self, kind: str) -> Callable[[], None]:
        """What tells the others that records of that kind have changed."""
        return lambda: self._spawn(self.router.refresh(kind))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _stop(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _read_again(self, records: Mapping[str, Read]) -> None:
        """Whoever missed that something was changed sees it after a while."""
        while True:
            await pause(self._environment, READ_AGAIN)
            if self._ours is not None and self._ours.changed():
                self.peers.renew()
            for kind, read in records.items():
                try:
                    await read()
                except Fault as fault:
                    log.info("the records %s could not be read again: %r", kind, fault)

    async def leave(self) -> None:
        """Hands everything over: nothing is decided here any more, and others know it."""
        assert self._engine is not None
        await self._engine.release()
        await self.members.leave()
        self.local.close()

    def _changed(self) -> None:
        assert self._engine is not None
        self._homes.changed()
        moved = self.router.changed()
        self.queues.moved({process.id for process in self.members.view if "matching" in process.roles})
        self._engine.move()
        self._engine.offer_again(moved)
