"""Who is there: each process says so in the store once a second, by the store's clock, and reads who else does.

A process whose own word has not been taken for as long as others believe it is gone: it must answer nothing until it has been heard again.
What belongs to whom is the same for all who see the same members: rendezvous hashing, so that a change moves as little as can be.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable
from typing import NamedTuple

from drivers.base import Fault, Member, Store
from server.cluster.peers_pb2 import Identity
from server.core.limits import SECOND
from server.environment import Environment, pause

BEAT_SECONDS = 1.0
TTL_SECONDS = 4.0  # so that what a process leaves behind when it dies is taken up within five

log = logging.getLogger(__name__)


class Process(NamedTuple):
    """One process of the cluster; `address` is where others reach it."""

    id: str
    address: str
    roles: frozenset[str]


View = tuple[Process, ...]


def owner(view: Iterable[Process], role: str, key: str) -> Process | None:
    """The process with that role that `key` belongs to; None when there is none."""
    return max((p for p in view if role in p.roles), key=lambda p: _weight(p.id, key), default=None)


def _weight(id: str, key: str) -> bytes:
    return hashlib.blake2b(f"{id}\0{key}".encode(), digest_size=8).digest()


class Members:
    """`view` is who was there when last looked; `watch` is told after each change of it. One object a process."""

    def __init__(self, store: Store, environment: Environment, me: Process) -> None:
        self.me = me
        self.view: View = ()
        self._store = store
        self._environment = environment
        self._heard = 0.0
        self._watchers: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._looking: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Joins. Raises Fault."""
        await self._beat()
        await self._read()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def leave(self) -> None:
        """Says that it goes; others take over at once, or when they find out."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            await self._environment.blocking(self._store.beat, self._member(), 0.0)
        except Fault as fault:
            log.info("the store was not told of the leave: %r", fault)

    def watch(self, callback: Callable[[], None]) -> None:
        """Calls back after every change of the view."""
        self._watchers.append(callback)

    @property
    def heard(self) -> bool:
        """Others still count on this process; when not, it may have been replaced."""
        return self._environment.monotonic() < self._heard + TTL_SECONDS

    async def look(self) -> None:
        """Reads who is there now. Callers that come together share one reading. Failing changes nothing."""
        if self._looking is None:
            self._looking = asyncio.ensure_future(self._look())
            self._looking.add_done_callback(self._looked)
        await asyncio.shield(self._looking)

    def _looked(self, _done: object) -> None:
        self._looking = None

    async def _look(self) -> None:
        try:
            await self._read()
        except Fault as fault:
            log.info("the members of the cluster could not be read: %r", fault)

    async def _run(self) -> None:
        clock = self._environment.monotonic
        while True:
            began = clock()
            try:
                await self._beat()
                await self._read()
            except Fault as fault:
                log.warning("the store did not hear of this process: %r", fault)
            await pause(self._environment, int(max(0.0, BEAT_SECONDS - (clock() - began)) * SECOND))

    async def _beat(self) -> None:
        """Counted from before it was said: others may have stopped believing it before we think so."""
        began = self._environment.monotonic()
        await self._environment.blocking(self._store.beat, self._member(), TTL_SECONDS)
        self._heard = began

    def _member(self) -> Member:
        identity = Identity(address=self.me.address, roles=sorted(self.me.roles))
        return Member(self.me.id, identity.SerializeToString())

    async def _read(self) -> None:
        found = []
        for member in await self._environment.blocking(self._store.members):
            identity = Identity.FromString(member.data)
            found.append(Process(member.id, identity.address, frozenset(identity.roles)))
        view = tuple(found)
        if view != self.view:
            left, came = set(self.view) - set(view), set(view) - set(self.view)
            log.info("members of the cluster: %d (%d came, %d left)", len(view), len(came), len(left))
            self.view = view
            for callback in self._watchers:
                callback()
