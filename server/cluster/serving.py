"""What this process does for the others: the Peer service, served on its own port.

A call for a shard that is not here any more answers so before it has done anything; everything else that is refused travels with its official
status, so that the process that was asked first can tell its client.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from temporalio.api.workflowservice.v1 import service_pb2

from server.cluster import peers_pb2 as p
from server.cluster.homes import packed, unpacked
from server.cluster.peers import MOVED, SERVICE
from server.core.outcome import Poll
from server.core.rejected import Moved
from server.frontend.errors import answered, refuse
from server.frontend.rpc import Rpc, Table
from server.history.service import Engine
from server.matching.service import Matching
from server.matching.spread import Spread
from server.namespaces import Namespaces

Context = grpc.aio.ServicerContext[Any, Any]
METHODS = service_pb2.DESCRIPTOR.services_by_name["WorkflowService"].methods_by_name


class PeerService(grpc.GenericRpcHandler):
    """`table` is the frontend's: the RPCs of workflows are carried out by the same handlers, but not checked again. `refresh` maps a kind of
    records to what reads them again."""

    def __init__(
        self,
        engine: Engine,
        queues: Spread,
        local: Matching,
        namespaces: Namespaces,
        table: Table,
        refresh: Mapping[str, Callable[[], Awaitable[None]]],
    ) -> None:
        self._engine = engine
        self._queues = queues
        self._local = local
        self._namespaces = namespaces
        self._table = table
        self._refresh = refresh
        self._handlers = {
            f"/{SERVICE.full_name}/{method.name}": _handler(method, getattr(self, _snake(method.name)))
            for method in SERVICE.methods
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        return self._handlers.get(handler_call_details.method)

    # History -----------------------------------------------------------------------------------------------------------------------

    async def call(self, request: p.CallRequest, context: Context) -> p.CallReply:
        """An RPC of the public protocol on a workflow of this process."""
        rpc = self._table[request.rpc]
        assert isinstance(rpc, Rpc)
        parsed = GetMessageClass(METHODS[request.rpc].input_type).FromString(request.request)
        namespace = self._namespaces.by_id(request.namespace_id)
        reply = await (rpc.handle(namespace, parsed, context) if rpc.contextual else rpc.handle(namespace, parsed))
        return p.CallReply(reply=reply if isinstance(reply, bytes) else reply.SerializeToString())

    async def reach(self, request: Any, _context: Context) -> p.ReachReply:
        """A message to a workflow of this process."""
        reached = await self._engine.receive(request)
        return p.ReachReply(run_id=reached.run_id, cause=reached.cause)

    async def start_task(self, request: p.StartTaskRequest, _context: Context) -> p.TaskData:
        """A task of a workflow of this process, for a poll elsewhere."""
        data = await self._engine.start_task_here(unpacked(request.task), _poll(request.poll))
        return p.TaskData(data=data or b"", moot=data is None)

    async def backlog(self, request: p.BacklogRequest, _context: Context) -> p.Tasks:
        """What waits in the shards of this process."""
        after = dict(request.after)
        tasks = await self._engine.backlog_here(request.kind, request.namespace_id, request.queue, after, request.limit)
        return p.Tasks(tasks=map(packed, tasks))

    # Task queues -------------------------------------------------------------------------------------------------------------------

    async def offer(self, request: p.OfferRequest, _context: Context) -> p.Nothing:
        """A task of a queue whose home is here."""
        self._queues.receive(unpacked(request.task), request.queue)
        return p.Nothing()

    async def give(self, request: p.Task, _context: Context) -> p.Taken:
        """A task from the home of its queue."""
        task = unpacked(request)
        for queue in filter(None, (task.queue, task.normal_queue)):
            partition = self._local.known(task.namespace_id, task.kind, queue)
            if partition is not None and partition.accept(task):
                return p.Taken(taken=True)
        return p.Taken()

    async def hand_over(self, request: p.DeliverRequest, _context: Context) -> p.Taken:
        """The answer to a poll that has gone, or a query, for a queue whose home is here."""
        if request.HasField("task"):
            self._queues.receive_data(unpacked(request.task), request.queue, request.data)
            return p.Taken(taken=True)
        kind, queue = request.kind, request.queue
        taken = await self._local.query(request.namespace_id, kind, queue, request.normal_queue, request.data)
        return p.Taken(taken=taken)

    async def deliver(self, request: p.DeliverRequest, _context: Context) -> p.Taken:
        """The answer to a poll that waits here, from the home of its queue."""
        partition = self._local.known(request.namespace_id, request.kind, request.queue)
        task = unpacked(request.task) if request.HasField("task") else None
        return p.Taken(taken=partition is not None and partition.accept_data(task, request.data))

    async def interest(self, request: p.InterestRequest, _context: Context) -> p.Nothing:
        """Polls elsewhere, of a queue whose home is here."""
        partition = self._local.partition(request.namespace_id, request.kind, request.queue)
        partition.interested(request.process, request.polls)
        return p.Nothing()

    async def poll(self, request: p.PollRequest, _context: Context) -> p.TaskData:
        """A poll of a process without task queues."""
        rate = request.rate if request.has_rate else None
        where = (request.namespace_id, request.kind, request.queue)
        return p.TaskData(data=await self._local.poll(*where, _poll(request.poll), request.timeout, rate))

    async def queue(self, request: p.QueueRequest, _context: Context) -> p.QueueReply:
        """What is known here of a queue."""
        where = (request.namespace_id, request.kind, request.queue)
        stats, by_priority = await self._local.stats(*where)
        reply = p.QueueReply(pollers=await self._local.pollers(*where), stats=stats)
        for key, each in by_priority.items():
            reply.stats_by_priority[key].CopyFrom(each)
        return reply

    async def shutdown_worker(self, request: p.ShutdownWorkerRequest, _context: Context) -> p.Nothing:
        """Ends the polls of a worker."""
        key = request.worker_instance_key
        await self._local.shutdown_worker(request.namespace_id, request.sticky_queue, key)
        return p.Nothing()

    async def refresh(self, request: p.RefreshRequest, _context: Context) -> p.Nothing:
        """Reads records of a kind again."""
        if request.kind in self._refresh:
            await self._refresh[request.kind]()
        return p.Nothing()


def _handler(method: Any, handle: Callable[[Any, Context], Awaitable[Message]]) -> grpc.RpcMethodHandler[Any, Any]:
    async def serve(data: bytes, context: Context) -> bytes:
        try:
            reply = await handle(parse(data), context)
            return reply.SerializeToString()
        except Moved as moved:
            await context.abort(grpc.StatusCode.UNAVAILABLE, moved.message, ((MOVED, "1"),))
        except Exception as error:  # noqa: BLE001  a bug must end one call only; `answered` logs it
            await refuse(context, answered(error))

    parse = GetMessageClass(method.input_type).FromString
    return grpc.unary_unary_rpc_method_handler(serve)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def _poll(sent: p.Poller) -> Poll:
    return Poll(*(getattr(sent, name) for name in Poll._fields))
