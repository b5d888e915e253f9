"""What the tests of history share: an Engine on a real SQLite file, task queues and a store that tests can look into and break."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.command.v1 import Command, CompleteWorkflowExecutionCommandAttributes
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import CommandType, EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    PollWorkflowTaskQueueResponse,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskCompletedResponse,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
)

from drivers.base import Batch, Fault, Store, Unavailable
from drivers.registry import open_store
from server.core.limits import DAY
from server.core.outcome import Namespace, Poll
from server.core.rejected import NamespaceNotFound
from server.endpoints import Endpoints
from server.environment import System
from server.faces import Task
from server.history.service import Engine

NAMESPACE = Namespace("ns-id", "default", DAY)
QUEUE = "queue"


class Registry:
    """The one namespace there is."""

    def by_id(self, namespace_id: str) -> Namespace:
        if namespace_id != NAMESPACE.id:
            raise NamespaceNotFound(namespace_id)
        return NAMESPACE

    def by_name(self, name: str) -> Namespace:
        if name != NAMESPACE.name:
            raise NamespaceNotFound(name)
        return NAMESPACE


class Waiter:
    """A poll that waits for a task."""

    def __init__(self, poll: Poll, gone: bool = False) -> None:
        self.poll = poll
        self.gone = gone
        self.released = False
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def deliver(self, data: bytes) -> bool:
        if not self.gone:
            self.answer.set_result(data)
        return not self.gone

    def release(self) -> None:
        self.released = True


class Queues:
    """Task queues that only remember: tests take from `offered` and put polls into `waiting`."""

    def __init__(self) -> None:
        self.offered: list[Task] = []
        self.handed_over: list[tuple[Task, bytes]] = []
        self.waiting: dict[str, deque[Waiter]] = {}
        self.asked: asyncio.Queue[tuple[str, str, bytes]] = asyncio.Queue()
        self.gone: set[str] = set()  # sticky queues that nobody polls
        self.news = asyncio.Event()

    def take(self, task: Task) -> Waiter | None:
        line = self.waiting.get(task.queue)
        return line.popleft() if line else None

    def offer(self, task: Task) -> None:
        self.offered.append(task)
        self.news.set()

    def hand_over(self, task: Task, data: bytes) -> None:
        self.handed_over.append((task, data))

    async def query(self, namespace_id: str, kind: int, queue: str, normal_queue: str, data: bytes) -> bool:
        if queue in self.gone:
            return False
        await self.asked.put((queue, normal_queue, data))
        return True

    def wait(self, queue: str = QUEUE, gone: bool = False) -> Waiter:
        waiter = Waiter(poll(queue), gone)
        self.waiting.setdefault(queue, deque()).append(waiter)
        return waiter

    async def next(self, number: int = 1) -> list[Task]:
        """The tasks offered since, once there are `number`."""
        while len(self.offered) < number:
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), 10)
        tasks, self.offered = self.offered, []
        return tasks


class Breaking:
    """A store whose commits tests can hold back, look at and break; everything else goes through."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.turns: list[list[Batch]] = []
        self.break_next: Callable[[Sequence[Batch]], list[Fault | None]] | None = None
        self.loads = 0
        self.gate: Any = None  # a threading.Event that commits wait for

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def load(self, *args: Any) -> Any:
        self.loads += 1
        return self.store.load(*args)

    def commit(self, batches: Sequence[Batch]) -> list[Fault | None]:
        self.turns.append(list(batches))
        if self.gate is not None:
            self.gate.wait(10)
        if self.break_next is not None:
            broken, self.break_next = self.break_next, None
            return broken(batches)
        return self.store.commit(batches)


def unavailable(batches: Sequence[Batch]) -> list[Fault | None]:
    raise Unavailable


class Rig:
    """An engine with its parts."""

    def __init__(self, store: Breaking, queues: Queues, environment: System, engine: Engine) -> None:
        self.store, self.queues, self.environment, self.engine = store, queues, environment, engine

    async def start(self, workflow_id: str = "w", **more: Any) -> str:
        return (await self.start_response(workflow_id, **more)).run_id

    async def start_response(self, workflow_id: str = "w", **more: Any) -> StartWorkflowExecutionResponse:
        request = StartWorkflowExecutionRequest(
            workflow_id=workflow_id,
            workflow_type={"name": "type"},  # type: ignore[arg-type]
            task_queue={"name": QUEUE},  # type: ignore[arg-type]
            request_id=str(uuid.uuid4()),
            **more,
        )
        data = await self.engine.start_workflow_execution(NAMESPACE, request)
        return StartWorkflowExecutionResponse.FromString(data)

    async def signal(self, name: str, workflow_id: str = "w", run_id: str = "") -> None:
        at = WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
        request = SignalWorkflowExecutionRequest(workflow_execution=at, signal_name=name, request_id=str(uuid.uuid4()))
        await self.engine.signal_workflow_execution(NAMESPACE, request)

    async def take_task(self) -> PollWorkflowTaskQueueResponse:
        """Starts the one task that is offered."""
        (task,) = await self.queues.next()
        data = await self.engine.start_task(task, poll(task.queue))
        assert data is not None
        return PollWorkflowTaskQueueResponse.FromString(data)

    async def complete(
        self, task: PollWorkflowTaskQueueResponse, *commands: Command, **more: Any
    ) -> RespondWorkflowTaskCompletedResponse:
        request = RespondWorkflowTaskCompletedRequest(task_token=task.task_token, commands=commands, **more)
        data = await self.engine.respond_workflow_task_completed(NAMESPACE, request)
        return RespondWorkflowTaskCompletedResponse.FromString(data)

    async def page(self, workflow_id: str = "w", **more: Any) -> GetWorkflowExecutionHistoryResponse:
        timeout = more.pop("timeout", None)
        at = WorkflowExecution(workflow_id=workflow_id, run_id=more.pop("run_id", ""))
        request = GetWorkflowExecutionHistoryRequest(execution=at, **more)
        data = await self.engine.get_workflow_execution_history(NAMESPACE, request, timeout=timeout)
        return GetWorkflowExecutionHistoryResponse.FromString(data)

    async def events(self, workflow_id: str = "w", **more: Any) -> list[HistoryEvent]:
        return list((await self.page(workflow_id, **more)).history.events)


@asynccontextmanager
async def rig(path: Path, **more: Any) -> AsyncIterator[Rig]:
    """An engine that serves on the database file at `path`; leaving it closes everything."""
    store = Breaking(open_store(f"sqlite:///{path}"))
    store.migrate()
    environment, queues = System(), Queues()
    engine = Engine(
        more.pop("shards", 2), store, environment, queues, Registry(), Endpoints(store, environment, {}), **more
    )
    await engine.start()
    try:
        yield Rig(store, queues, environment, engine)
    finally:
        await engine.close()
        environment.close()
        store.close()


def poll(queue: str = QUEUE) -> Poll:
    return Poll(identity="worker", request_id=str(uuid.uuid4()), queue=queue)


def complete_workflow() -> Command:
    return Command(
        command_type=CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
        complete_workflow_execution_command_attributes=CompleteWorkflowExecutionCommandAttributes(),
    )


def continue_as_new() -> Command:
    return Command(
        command_type=CommandType.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION,
        continue_as_new_workflow_execution_command_attributes={  # type: ignore[arg-type]
            "workflow_type": {"name": "type"},
            "task_queue": {"name": QUEUE},
        },
    )


def start_timer(id: str, seconds: float) -> Command:
    wait = Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))
    return Command(
        command_type=CommandType.COMMAND_TYPE_START_TIMER,
        start_timer_command_attributes={"timer_id": id, "start_to_fire_timeout": wait},  # type: ignore[arg-type]
    )


def schedule_activity(id: str, input: bytes = b"in") -> Command:
    return Command(
        command_type=CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
        schedule_activity_task_command_attributes={  # type: ignore[arg-type]
            "activity_id": id,
            "activity_type": {"name": "activity"},
            "task_queue": {"name": "activities"},
            "input": {"payloads": [{"data": input}]},
            "start_to_close_timeout": {"seconds": 60},
        },
    )


def kinds(events: Sequence[HistoryEvent]) -> list[str]:
    return [EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").lower() for event in events]
