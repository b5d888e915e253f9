"""A server in this process on a free port, with SQLite in a temporary folder, and stubs that talk to it over real gRPC."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.operatorservice.v1.service_pb2_grpc import OperatorServiceStub
from temporalio.api.workflowservice.v1 import PollWorkflowTaskQueueRequest, StartWorkflowExecutionRequest
from temporalio.api.workflowservice.v1.service_pb2_grpc import WorkflowServiceStub

from server.run import Server, running
from server.settings import Settings

SECONDS_MAX = 10.0


class Peer:
    """A running server and its clients."""

    def __init__(self, server: Server, channel: grpc.aio.Channel) -> None:
        self.server = server
        self.channel = channel
        self.workflow = WorkflowServiceStub(channel)
        self.operator = OperatorServiceStub(channel)

    async def refused(self, rpc: str, request: Message, *, operator: bool = False) -> tuple[str, str]:
        """Status name and sentence of a call that must fail."""
        error = await self.error(rpc, request, operator=operator)
        return error.code().name, error.details() or ""

    async def error(self, rpc: str, request: Message, *, operator: bool = False) -> grpc.aio.AioRpcError:
        """The error of a call that must fail."""
        stub = self.operator if operator else self.workflow
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await getattr(stub, rpc)(request, timeout=SECONDS_MAX)
        return caught.value

    async def start(self, workflow_id: str = "", queue: str = "queue", **more: Any) -> str:
        """Starts a workflow, returns its run id."""
        request = start_request(workflow_id or str(uuid.uuid4()), queue, **more)
        return str((await self.workflow.StartWorkflowExecution(request, timeout=SECONDS_MAX)).run_id)

    async def poll(self, queue: str = "queue", seconds: float = SECONDS_MAX) -> Any:
        """The next workflow task."""
        request = PollWorkflowTaskQueueRequest(namespace="default", task_queue={"name": queue}, identity="worker")
        return await self.workflow.PollWorkflowTaskQueue(request, timeout=seconds)


def start_request(workflow_id: str, queue: str = "queue", **more: Any) -> StartWorkflowExecutionRequest:
    """A good request."""
    fields: dict[str, Any] = {
        "namespace": "default",
        "workflow_id": workflow_id,
        "workflow_type": {"name": "Sample"},
        "task_queue": {"name": queue},
        "request_id": str(uuid.uuid4()),
        **more,
    }
    return StartWorkflowExecutionRequest(**fields)


def payloads(size: int) -> Payloads:
    """One payload of so many bytes."""
    return Payloads(payloads=[Payload(metadata={"encoding": b"binary/plain"}, data=b"x" * size)])


def details(error: grpc.aio.AioRpcError) -> Status:
    """The official details that came with the error."""
    found = dict(error.trailing_metadata() or ())
    return Status.FromString(found["grpc-status-details-bin"])  # type: ignore[arg-type]


@asynccontextmanager
async def peer(folder: Path, **settings: Any) -> AsyncIterator[Peer]:
    """A server for as long as the block runs."""
    given = {
        "store": f"sqlite:///{folder}/server.db",
        "setup": True,
        "port": 0,
        "namespaces": ("default",),
        **settings,
    }
    async with running(Settings(**given)) as server, grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield Peer(server, channel)
