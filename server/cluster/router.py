"""Where the shards of the cluster are, and the way there.

What belongs to this process is a plain call; the rest goes to its owner. A view that is out of date corrects itself: the process that is asked
in error says so before it has done anything, and the call is made again to the owner, within the caller's time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from google.protobuf.message import Message

from server.cluster import peers_pb2 as p
from server.cluster.homes import packed, poller, queue_key, unpacked
from server.cluster.members import BEAT_SECONDS, Members, Process, View, owner
from server.cluster.peers import NOBODY, Metadata, Peers
from server.core.limits import SECOND
from server.core.outcome import Namespace, Poll
from server.core.rejected import Moved, Unavailable
from server.core.state_pb2 import Outgoing
from server.environment import Environment, pause
from server.faces import Reached, Task
from server.history.outgoing import receiver
from server.history.shards import number_of

PATIENCE_SECONDS = 8.0  # of a call whose shard is moving
PAUSE = SECOND // 20


class Router:
    """Implements faces.Owners. `receive` is how a message reaches a workflow of this process; set before the first call."""

    def __init__(self, members: Members, peers: Peers, environment: Environment, shards: int) -> None:
        self.members = members
        self._peers = peers
        self._environment = environment
        self._shards = shards
        self._view: View = ()
        self._before: dict[int, Process | None] = {}  # who had the shards that are this process's now
        self._owners: dict[int, Process | None] = dict.fromkeys(range(shards))
        self.receive: Callable[[Outgoing], Awaitable[Reached]] | None = None

    def changed(self) -> Callable[[Task], bool]:
        """The view of the members has changed: calls to those that have left end. Returns what tells whether a task's queue has moved."""
        now, me = self.members.view, self.members.me
        before = self._view or tuple(process for process in now if process.id != me.id)
        self._view = now
        self._owners = {n: owner(now, "history", f"shard/{n}") for n in range(self._shards)}
        self._before = {n: owner(before, "history", f"shard/{n}") for n in range(self._shards)}
        self._peers.keep(now)

        def moved(task: Task) -> bool:
            keys = [
                queue_key(task.namespace_id, task.kind, queue) for queue in (task.queue, task.normal_queue) if queue
            ]
            return any(owner(before, "matching", key) != owner(now, "matching", key) for key in keys)

        return moved

    # Shards: faces.Owners ------------------------------------------------------------------------------------------------------------

    @property
    def heard(self) -> bool:
        """See faces.Owners."""
        return self.members.heard

    def owns(self, shard: int) -> bool:
        """See faces.Owners."""
        process = self._owners[shard]
        return process is not None and process.id == self.members.me.id

    def held_by_another(self, shard: int) -> bool:
        """See faces.Owners: the owner before, if it is still there, gives it up as soon as it sees the new view."""
        before = self._before.pop(shard, None)
        return before is not None and before.id != self.members.me.id and before in self.members.view

    async def look(self) -> None:
        """See faces.Owners."""
        await self.members.look()

    async def moment(self) -> None:
        """See faces.Owners."""
        await pause(self._environment, int(1.2 * BEAT_SECONDS * SECOND))

    async def reach(self, note: Outgoing) -> Reached:
        """See faces.Owners."""
        receive = self.receive
        assert receive is not None

        async def there(process: Process) -> Reached:
            reply = await self._peers.ask(process, "Reach", note)
            return Reached(reply.run_id, reply.cause)

        reached: Reached = await self._at_owner(*receiver(note), lambda: receive(note), there)
        return reached

    async def call(
        self,
        rpc: str,
        here: Callable[[], Awaitable[Message | bytes]],
        namespace: Namespace,
        workflow_id: str,
        request: Message,
        timeout: float | None,
        metadata: Metadata,
    ) -> Message | bytes:
        """An RPC on a workflow: `here`, or at its owner within `timeout` seconds. Raises Rejected."""

        async def there(process: Process) -> bytes:
            forwarded = p.CallRequest(rpc=rpc, namespace_id=namespace.id, request=request.SerializeToString())
            reply = await self._peers.ask(process, "Call", forwarded, timeout, metadata)
            data: bytes = reply.reply
            return data

        answer: Message | bytes = await self._at_owner(namespace.id, workflow_id, here, there)
        return answer

    async def _at_owner(
        self,
        namespace_id: str,
        workflow_id: str,
        here: Callable[[], Awaitable[Any]],
        there: Callable[[Process], Awaitable[Any]],
    ) -> Any:
        """Typed Any: what the two return."""
        shard = number_of(namespace_id, workflow_id, self._shards)
        until = self._environment.monotonic() + PATIENCE_SECONDS
        while True:
            process = self._owners[shard]
            try:
                if process is None:
                    raise Unavailable(NOBODY)
                if process.id == self.members.me.id:
                    return await here()
                return await there(process)
            except Moved:
                if self._environment.monotonic() > until:
                    raise
            await pause(self._environment, PAUSE)
            await self.members.look()

    async def refresh(self, kind: str) -> None:
        """Records of that kind have changed: every other process reads them again. Those that do not hear it do so in a while."""
        await self._peers.ask_all(self.members, "Refresh", p.RefreshRequest(kind=kind), role="")

    async def start_task(self, here: Callable[[], Awaitable[bytes | None]], task: Task, poll: Poll) -> bytes | None:
        """See faces.Owners."""

        async def there(process: Process) -> bytes | None:
            request = p.StartTaskRequest(task=packed(task), poll=poller(poll))
            reply = await self._peers.ask(process, "StartTask", request)
            return None if reply.moot else reply.data

        found: bytes | None = await self._at_owner(task.key.namespace_id, task.key.workflow_id, here, there)
        return found

    async def backlog(
        self, kind: int, namespace_id: str, queue: str, after: Mapping[int, int], limit: int
    ) -> list[Task]:
        """See faces.Owners. Raises Unavailable when a process does not answer: its part would be missed."""
        request = p.BacklogRequest(kind=kind, namespace_id=namespace_id, queue=queue, after=after, limit=limit)
        pages = await self._peers.ask_all(self.members, "Backlog", request, role="history")
        if None in pages:
            raise Unavailable(NOBODY)
        return [unpacked(task) for page in pages for task in page.tasks]
