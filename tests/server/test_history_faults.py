"""Random work on a store that fails at random, with a cache that is too small: what was acknowledged is there once, and nothing has a gap."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import PollWorkflowTaskQueueResponse, SignalWithStartWorkflowExecutionRequest

from drivers.base import Batch, Conflict, Fault, Fenced, Unavailable, Unknown
from server.core import rejected
from server.core.state import State
from server.faces import Task
from tests.server.history_kit import NAMESPACE, QUEUE, Rig, poll, rig, schedule_activity, start_timer

pytestmark = pytest.mark.asyncio
SIGNALED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED


def breaking(r: Rig, chance: random.Random) -> None:
    """From now on one commit in four goes wrong, each in its own way."""
    commit = r.store.store.commit

    def broken(batches: Sequence[Batch]) -> list[Fault | None]:
        kind = chance.randrange(24)
        if kind == 0:
            raise Unavailable
        if kind == 1:
            raise Unknown
        if kind == 2:
            commit(batches)
            raise Unknown
        if kind == 3:
            return [Fenced() for _ in batches]
        if kind == 4:
            applied = iter(commit(batches[::2]))  # the neighbours of a conflict
            return [Conflict() if n % 2 else next(applied) for n in range(len(batches))]
        if kind == 5:
            r.store.store.acquire("shard/0", "another")
        return commit(batches)

    r.store.commit = broken  # type: ignore[method-assign]


async def signal_until_it_is_taken(r: Rig, workflow_id: str, name: str) -> None:
    request = SignalWithStartWorkflowExecutionRequest(
        workflow_id=workflow_id,
        workflow_type={"name": "type"},  # type: ignore[arg-type]
        task_queue={"name": QUEUE},  # type: ignore[arg-type]
        request_id=name,
        signal_name=name,
    )
    while True:
        try:
            await r.engine.signal_with_start_workflow_execution(NAMESPACE, request)
        except rejected.Unavailable:
            continue
        return


async def work(r: Rig, task: Task, chance: random.Random) -> None:
    """A worker that answers some of its tasks."""
    try:
        data = await r.engine.start_task(task, poll(task.queue))
        if data is None or task.queue != QUEUE or chance.random() < 0.2:
            return
        answer = PollWorkflowTaskQueueResponse.FromString(data)
        ids = [event.event_id for event in answer.history.events]
        assert ids == list(range(1, answer.started_event_id + 1))
        number = answer.started_event_id
        await r.complete(answer, start_timer(f"t{number}", chance.random() / 5), schedule_activity(f"a{number}"))
    except (rejected.Unavailable, rejected.NotFound):
        pass


def check(events: Sequence[HistoryEvent]) -> None:
    assert [event.event_id for event in events] == list(range(1, len(events) + 1))
    order = [event.task_id for event in events if event.event_type != SIGNALED]
    assert len(order) == len(set(order))


async def test_random_faults(tmp_path: Path) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    names = [f"w{n}" for n in range(8)]
    async with rig(tmp_path / "db", workflows_max=4) as r:
        breaking(r, chance)
        sent: dict[str, list[str]] = {name: [] for name in names}

        async def client(number: int) -> None:
            for n in range(25):
                workflow_id = chance.choice(names)
                await signal_until_it_is_taken(r, workflow_id, name := f"{number}-{n}")
                sent[workflow_id].append(name)

        clients = [asyncio.create_task(client(number)) for number in range(8)]
        while not all(each.done() for each in clients):
            await asyncio.sleep(0.001)
            offered, r.queues.offered = r.queues.offered, []
            await asyncio.gather(*(work(r, task, chance) for task in offered))
        await asyncio.gather(*clients)
    async with rig(tmp_path / "db") as r:
        for workflow_id in names:
            events = await r.events(workflow_id)
            check(events)
            seen = [
                e.workflow_execution_signaled_event_attributes.signal_name for e in events if e.event_type == SIGNALED
            ]
            buffered = await r.engine.run(NAMESPACE, workflow_id, "", lambda step: list(step.state.buffered))
            seen += [e.workflow_execution_signaled_event_attributes.signal_name for e in buffered]
            seen = [name for name in seen if name]
            assert sorted(seen) == sorted(sent[workflow_id])
            await same_after_reload(r, workflow_id)


async def same_after_reload(r: Rig, workflow_id: str) -> None:
    at = WorkflowExecution(workflow_id=workflow_id)
    shard = r.engine.of(NAMESPACE.id, at.workflow_id)
    _, run = await shard.loader.find(NAMESPACE.id, at.workflow_id, "")
    await shard.loader.undisturbed(shard.cache.get(NAMESPACE.id, at.workflow_id))
    stored = r.store.load(shard.lease, run.key)
    loaded, live = State.load(run.key, stored.core, stored.pending), run.state
    assert live is not None
    assert (loaded.core, loaded.activities, loaded.timers) == (live.core, live.activities, live.timers)
    assert (loaded.requests, loaded.buffered) == (live.requests, live.buffered)
