"""Where the task queues of the cluster are at home, and the calls that queues of different processes make to each other."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from server.cluster import peers_pb2 as p
from server.cluster.members import Members, Process, owner
from server.cluster.peers import CALL_SECONDS, NOBODY, Passed, Peers
from server.core.outcome import Poll
from server.core.rejected import Unavailable
from server.faces import Task, task_of, waiting_row

POLL_SPARE_SECONDS = 5.0


class Homes:
    """Implements faces.Homes."""

    def __init__(self, members: Members, peers: Peers) -> None:
        self._members = members
        self._peers = peers
        self._homes: dict[tuple[str, int, str], Process | None] = {}

    def changed(self) -> None:
        """The view of the members has changed."""
        self._homes = {}

    def _home(self, namespace_id: str, kind: int, queue: str) -> Process | None:
        key = (namespace_id, kind, queue)
        if key not in self._homes:
            self._homes[key] = owner(self._members.view, "matching", queue_key(*key))
        return self._homes[key]

    def elsewhere(self, namespace_id: str, kind: int, queue: str) -> str | None:
        """See faces.Homes."""
        home = self._home(namespace_id, kind, queue)
        return None if home is None or home.id == self._members.me.id else home.id

    def _process(self, id: str) -> Process:
        for process in self._members.view:
            if process.id == id:
                return process
        raise Unavailable(NOBODY)

    async def offer(self, home: str, task: Task, queue: str) -> None:
        """See faces.Homes."""
        await self._ask(home, "Offer", p.OfferRequest(task=packed(task), queue=queue))

    async def interest(self, home: str, namespace_id: str, kind: int, queue: str, polls: int) -> None:
        """See faces.Homes."""
        me = self._members.me.id
        request = p.InterestRequest(namespace_id=namespace_id, kind=kind, queue=queue, process=me, polls=polls)
        await self._ask(home, "Interest", request)

    async def give(self, process: str, task: Task) -> bool:
        """See faces.Homes."""
        reply = await self._ask(process, "Give", packed(task))
        return bool(reply.taken)

    async def query(self, home: str, namespace_id: str, kind: int, queue: str, normal_queue: str, data: bytes) -> bool:
        """See faces.Homes. The caller's patience ends it."""
        asked = {"namespace_id": namespace_id, "kind": kind, "queue": queue, "normal_queue": normal_queue}
        request = p.DeliverRequest(**asked, data=data)  # type: ignore[arg-type]
        reply = await self._ask(home, "HandOver", request, timeout=None)
        return bool(reply.taken)

    async def hand_over(self, home: str, task: Task, queue: str, data: bytes) -> None:
        """See faces.Homes."""
        await self._ask(home, "HandOver", p.DeliverRequest(task=packed(task), queue=queue, data=data))

    async def deliver(
        self, process: str, task: Task | None, namespace_id: str, kind: int, queue: str, data: bytes
    ) -> bool:
        """See faces.Homes."""
        request = p.DeliverRequest(namespace_id=namespace_id, kind=kind, queue=queue, data=data)
        if task is not None:
            request.task.CopyFrom(packed(task))
        reply = await self._ask(process, "Deliver", request)
        return bool(reply.taken)

    async def poll(
        self, home: str, namespace_id: str, kind: int, queue: str, poll: Poll, timeout: float, rate: float | None
    ) -> bytes:
        """See faces.Homes."""
        request = p.PollRequest(namespace_id=namespace_id, kind=kind, queue=queue, poll=poller(poll), timeout=timeout)
        if rate is not None:
            request.rate, request.has_rate = rate, True
        reply = await self._ask(home, "Poll", request, timeout=timeout + POLL_SPARE_SECONDS)
        data: bytes = reply.data
        return data

    async def everywhere(self, namespace_id: str, kind: int, queue: str) -> list[p.QueueReply]:
        """See faces.Homes."""
        request = p.QueueRequest(namespace_id=namespace_id, kind=kind, queue=queue)
        return [reply for reply in await self._peers.ask_all(self._members, "Queue", request) if reply is not None]

    async def shutdown_worker(self, namespace_id: str, sticky_queue: str, worker_instance_key: str) -> None:
        """See faces.Homes."""
        request = p.ShutdownWorkerRequest(
            namespace_id=namespace_id, sticky_queue=sticky_queue, worker_instance_key=worker_instance_key
        )
        await self._peers.ask_all(self._members, "ShutdownWorker", request)

    async def _ask(self, id: str, method: str, request: Message, timeout: float | None = CALL_SECONDS) -> Any:
        """Typed Any: the reply of that method. Raises Unavailable."""
        try:
            return await self._peers.ask(self._process(id), method, request, timeout)
        except Passed as passed:
            raise Unavailable(passed.message) from passed


def queue_key(namespace_id: str, kind: int, queue: str) -> str:
    """What a queue is owned by."""
    return f"{namespace_id}/{kind}/{queue}"


def packed(task: Task) -> p.Task:
    """As it travels."""
    return p.Task(waiting=waiting_row(task), shard=task.shard, id=task.id)


def unpacked(task: p.Task) -> Task:
    """The inverse of `packed`."""
    return task_of(task.waiting, task.shard, task.id)


def poller(poll: Poll) -> p.Poller:
    """As it travels."""
    return p.Poller(**poll._asdict())
