"""The server is killed with kill -9 fifty times at random moments under load, and restarted on its file. Nothing acknowledged is lost.

CRASH_SEED repeats a run's choices; CRASH_KILLS sets another number of kills.
"""

from __future__ import annotations

import asyncio
import os
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import grpc
import pytest
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.enums.v1 import CommandType, EventType, TaskQueueKind
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.taskqueue.v1 import StickyExecutionAttributes, TaskQueue
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    PollActivityTaskQueueRequest,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    RespondActivityTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
)
from temporalio.api.workflowservice.v1.service_pb2_grpc import WorkflowServiceStub

from server.core import laws
from tests.servers import Server

KILLS = int(os.environ.get("CRASH_KILLS", "50"))
SEED = int(os.environ.get("CRASH_SEED", "0")) or random.randrange(1 << 32)
WORKFLOWS_IN_FLIGHT = 12
OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 20),
    ("grpc.min_reconnect_backoff_ms", 20),
    ("grpc.max_reconnect_backoff_ms", 100),
]
SIGNALS = 2  # of each workflow
ACTIVITIES = 2
RETRIED = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
}

E, C = EventType, CommandType
R = TypeVar("R")


@dataclass
class Load:
    """Clients and workers over raw gRPC, and what the server has acknowledged to them."""

    stub: WorkflowServiceStub
    queue: str
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    started: list[str] = field(default_factory=list)
    signalled: dict[str, list[str]] = field(default_factory=dict)
    completed: set[tuple[str, str]] = field(default_factory=set)  # workflow id, activity id
    finished: set[str] = field(default_factory=set)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def again(self, call: Callable[[], Awaitable[R]]) -> R | None:
        """Repeats a call while the server is away. None when what it names is gone."""
        while True:
            try:
                return await call()
            except grpc.aio.AioRpcError as error:
                if error.code() not in RETRIED:
                    return None
                await asyncio.sleep(0.02)

    async def client(self) -> None:
        """Starts workflows one after another, signals each, and waits for it to close."""
        while not self.stop.is_set():
            id = f"crash-{uuid.uuid4()}"
            start = StartWorkflowExecutionRequest(
                namespace="default",
                workflow_id=id,
                request_id=id,
                workflow_type={"name": "crash"},
                task_queue={"name": self.queue},
                input=payload("in"),
            )
            assert await self.again(lambda start=start: self.stub.StartWorkflowExecution(start, timeout=5)) is not None
            self.started.append(id)
            self.signalled[id] = []
            for n in range(SIGNALS):
                await self.signal(id, f"{id}-{n}")
            await self.closed(id)

    async def signal(self, id: str, request_id: str) -> None:
        request = SignalWorkflowExecutionRequest(
            namespace="default",
            workflow_execution={"workflow_id": id},
            signal_name="s",
            input=payload(request_id),
            request_id=request_id,
        )
        if await self.again(lambda: self.stub.SignalWorkflowExecution(request, timeout=5)) is not None:
            self.signalled[id].append(request_id)

    async def closed(self, id: str) -> None:
        request = GetWorkflowExecutionHistoryRequest(
            namespace="default", execution={"workflow_id": id}, wait_new_event=True, history_event_filter_type=2
        )
        while True:
            page = await self.again(lambda: self.stub.GetWorkflowExecutionHistory(request, timeout=30))
            assert page is not None, f"{id} is unknown"
            if page.history.events:
                self.finished.add(id)
                return
            request.next_page_token = page.next_page_token

    async def workflow_worker(self, sticky: str) -> None:
        """Polls the sticky queue when there is one, else the normal one."""
        queue = TaskQueue(name=self.queue)
        if sticky:
            queue = TaskQueue(name=sticky, kind=TaskQueueKind.TASK_QUEUE_KIND_STICKY, normal_name=self.queue)
        poll = PollWorkflowTaskQueueRequest(namespace="default", task_queue=queue, identity="w")
        while not self.done.is_set():
            task = await self.again(lambda: self.stub.PollWorkflowTaskQueue(poll, timeout=20))
            if task is not None and task.task_token:
                await self.decide(task)

    async def decide(self, task: PollWorkflowTaskQueueResponse) -> None:
        """Answers with the whole history in view, whatever came with the task."""
        events = await self.history(task.workflow_execution.workflow_id)
        events = [event for event in events if event.event_id <= task.started_event_id]
        answer = RespondWorkflowTaskCompletedRequest(
            namespace="default", task_token=task.task_token, identity="w", commands=commands(events, self.queue)
        )
        answer.sticky_attributes.CopyFrom(
            StickyExecutionAttributes(
                worker_task_queue=TaskQueue(
                    name=f"{self.queue}-sticky", kind=TaskQueueKind.TASK_QUEUE_KIND_STICKY, normal_name=self.queue
                )
            )
        )
        answer.sticky_attributes.schedule_to_start_timeout.FromMilliseconds(2000)
        await self.again(lambda: self.stub.RespondWorkflowTaskCompleted(answer, timeout=5))

    async def activity_worker(self) -> None:
        poll = PollActivityTaskQueueRequest(namespace="default", task_queue={"name": self.queue}, identity="a")
        while not self.done.is_set():
            task = await self.again(lambda: self.stub.PollActivityTaskQueue(poll, timeout=20))
            if task is None or not task.task_token:
                continue
            answer = RespondActivityTaskCompletedRequest(
                namespace="default", task_token=task.task_token, identity="a", result=payload("out")
            )
            if (
                await self.again(lambda answer=answer: self.stub.RespondActivityTaskCompleted(answer, timeout=5))
                is not None
            ):
                self.completed.add((task.workflow_execution.workflow_id, task.activity_id))

    async def history(self, id: str) -> list[HistoryEvent]:
        request = GetWorkflowExecutionHistoryRequest(namespace="default", execution={"workflow_id": id})
        events: list[HistoryEvent] = []
        while True:
            page = await self.again(lambda: self.stub.GetWorkflowExecutionHistory(request, timeout=5))
            assert page is not None, f"{id} is unknown"
            events += page.history.events
            if not page.next_page_token:
                return events
            request.next_page_token = page.next_page_token


def payload(text: str) -> Payloads:
    return Payloads(payloads=[Payload(metadata={"encoding": b"binary/plain"}, data=text.encode())])


def commands(events: list[HistoryEvent], queue: str) -> list[Command]:
    """The workflow: two activities and a timer at once; complete when they and all signals have come."""
    kinds = Counter(event.event_type for event in events)
    if not kinds[E.EVENT_TYPE_WORKFLOW_TASK_COMPLETED]:
        timer = Command(command_type=C.COMMAND_TYPE_START_TIMER)
        timer.start_timer_command_attributes.timer_id = "t"
        timer.start_timer_command_attributes.start_to_fire_timeout.FromMilliseconds(150)
        return [timer, *(schedule(str(n), queue) for n in range(ACTIVITIES))]
    ready = (
        kinds[E.EVENT_TYPE_TIMER_FIRED] == 1
        and kinds[E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED] == ACTIVITIES
        and kinds[E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED] >= SIGNALS
    )
    if not ready:
        return []
    close = Command(command_type=C.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION)
    close.complete_workflow_execution_command_attributes.result.CopyFrom(payload("done"))
    return [close]


def schedule(id: str, queue: str) -> Command:
    command = Command(command_type=C.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK)
    attributes = command.schedule_activity_task_command_attributes
    attributes.activity_id, attributes.activity_type.name, attributes.task_queue.name = id, "a", queue
    attributes.start_to_close_timeout.FromMilliseconds(1500)
    attributes.retry_policy.initial_interval.FromMilliseconds(50)
    return command


@pytest.mark.timeout(600)
async def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    print(f"CRASH_SEED={SEED}")
    chance = random.Random(SEED)
    server = Server("tctl", "--log-level", "error", file=tmp_path / "crash.db", log=tmp_path / "server.log")
    server.start()
    async with grpc.aio.insecure_channel(server.address, options=OPTIONS) as channel:
        load = Load(WorkflowServiceStub(channel), f"crash-{SEED}")
        async with running(load):
            for _ in range(KILLS):
                await asyncio.sleep(chance.uniform(0.05, 1.0))
                server.kill()
                await asyncio.to_thread(server.start)
        await check(load)
    assert server.stop() == 0
    print(f"{len(load.started)} workflows, {len(load.completed)} activities acknowledged, {KILLS} kills")


@asynccontextmanager
async def running(load: Load) -> AsyncIterator[None]:
    """The load runs during the block; afterwards what was begun is ended."""
    async with asyncio.TaskGroup() as group:
        clients = [group.create_task(load.client()) for _ in range(WORKFLOWS_IN_FLIGHT)]
        workers = [group.create_task(load.workflow_worker(f"{load.queue}-sticky" if n % 2 else "")) for n in range(6)]
        workers += [group.create_task(load.activity_worker()) for _ in range(4)]
        yield
        load.stop.set()
        await asyncio.wait_for(asyncio.gather(*clients), 90)
        load.done.set()
        for worker in workers:
            worker.cancel()


async def check(load: Load, at_least: float = KILLS / 2) -> None:
    """Every started workflow completed, and its history has all that was acknowledged, once."""
    assert len(load.started) > at_least
    assert load.finished == set(load.started)
    for id in load.started:
        events = await load.history(id)
        laws.check(events)
        assert [event.event_id for event in events] == list(range(1, len(events) + 1)), id
        assert events[-1].event_type == E.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, id
        signals = Counter(
            event.workflow_execution_signaled_event_attributes.request_id
            for event in events
            if event.event_type == E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
        )
        assert set(load.signalled[id]) <= set(signals), id
        assert set(signals.values()) == {1}, id
        scheduled = {
            event.event_id: event.activity_task_scheduled_event_attributes.activity_id
            for event in events
            if event.event_type == E.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        }
        done = {
            scheduled[event.activity_task_completed_event_attributes.scheduled_event_id]
            for event in events
            if event.event_type == E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
        }
        assert {activity for workflow, activity in load.completed if workflow == id} <= done, id
