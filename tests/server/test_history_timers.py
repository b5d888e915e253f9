"""What happens by itself: timers, time-outs, retention; also over a restart and for runs that are not in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    PollActivityTaskQueueResponse,
    RespondActivityTaskCompletedRequest,
)

from server.core.outcome import Namespace
from server.core.rejected import Missing
from server.core.state import Key
from server.history import cache
from tests.server import history_kit
from tests.server.history_kit import (
    NAMESPACE,
    Rig,
    complete_workflow,
    continue_as_new,
    kinds,
    poll,
    rig,
    schedule_activity,
    start_timer,
)

pytestmark = pytest.mark.asyncio


async def test_a_timer_fires(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start()
        await r.complete(await r.take_task(), start_timer("t", 0.05))
        assert kinds((await r.take_task()).history.events)[-3:] == [
            "timer_fired",
            "workflow_task_scheduled",
            "workflow_task_started",
        ]


async def test_a_timer_fires_after_a_restart(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start()
        await r.complete(await r.take_task(), start_timer("t", 0.05))
    async with rig(tmp_path / "db") as r:
        assert "timer_fired" in kinds((await r.take_task()).history.events)


async def test_timers_of_evicted_runs_fire(tmp_path: Path) -> None:
    async with rig(tmp_path / "db", workflows_max=2) as r:
        for n in range(30):
            await r.start(f"w{n}")
            await r.complete(await r.take_task(), start_timer("t", 2))
        tasks = await r.queues.next(30)
        assert {task.key.workflow_id for task in tasks} == {f"w{n}" for n in range(30)}


async def test_a_workflow_task_that_is_not_answered_is_offered_again(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start(workflow_task_timeout={"seconds": 1})
        await r.take_task()
        again = await r.take_task()
        assert kinds(again.history.events)[3:] == [
            "workflow_task_timed_out",
            "workflow_task_scheduled",
            "workflow_task_started",
        ]
        assert again.attempt == 2
        assert len(await r.events()) == 6  # the repeated task is shown, though it is not stored
        assert kinds(await stored(r)) == kinds(again.history.events)[:4]


async def stored(r: Rig) -> list[HistoryEvent]:
    request = GetWorkflowExecutionHistoryRequest(execution=WorkflowExecution(workflow_id="w"))
    data = await r.engine.get_workflow_execution_history(NAMESPACE, request, virtual=False)
    return list(GetWorkflowExecutionHistoryResponse.FromString(data).history.events)


async def test_a_closed_run_goes_when_its_retention_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = Namespace(NAMESPACE.id, NAMESPACE.name, 200_000_000)
    monkeypatch.setattr(history_kit, "NAMESPACE", short)
    async with rig(tmp_path / "db") as r:
        run_id = await r.start()
        await r.complete(await r.take_task(), complete_workflow())
        assert len(await r.events()) == 5
        shard = r.engine.of(NAMESPACE.id, "w")
        for _ in range(100):
            await asyncio.sleep(0.02)
            if r.store.load(shard.lease, Key(NAMESPACE.id, "w", run_id)) is None:
                break
        with pytest.raises(Missing):
            await r.events()
        assert r.store.current(shard.lease, NAMESPACE.id, "w") is None
        assert r.store.history(shard.lease, Key(NAMESPACE.id, "w", run_id), 1, 10, 10) == []


async def test_a_chain_goes_on_in_one_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "RUNS_OF_WORKFLOW_MAX", 1)
    async with rig(tmp_path / "db") as r:
        first = await r.start()
        for _ in range(2):
            task = await r.take_task()
            await r.complete(task, continue_as_new())
        assert kinds(await r.events())[0] == "workflow_execution_started"
        assert kinds(await r.events(run_id=first))[-1] == "workflow_execution_continued_as_new"
        assert len(r.engine.of(NAMESPACE.id, "w").cache.get(NAMESPACE.id, "w").runs) <= 2


async def test_activities_come_with_the_answer_to_who_wants_to_run_them(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start()
        command = schedule_activity("a", b"payload")
        command.schedule_activity_task_command_attributes.request_eager_execution = True
        reply = await r.complete(await r.take_task(), command)
        (activity,) = reply.activity_tasks
        assert (activity.activity_id, activity.input.payloads[0].data) == ("a", b"payload")
        assert r.queues.offered == []
        done = RespondActivityTaskCompletedRequest(task_token=activity.task_token)
        await r.engine.respond_activity_task_completed(NAMESPACE, done)
        await r.complete(await r.take_task(), complete_workflow())


async def test_input_is_read_back_from_the_store(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        run_id = await r.start()
        await r.complete(await r.take_task(), schedule_activity("a", b"one"), schedule_activity("b", b"two"))
        r.engine.of(NAMESPACE.id, "w").cache.get(NAMESPACE.id, "w").runs[run_id].spoil()
        for task, data in zip(await r.queues.next(2), (b"one", b"two"), strict=True):
            answer = await r.engine.start_task(task, poll(task.queue))
            assert answer is not None
            assert PollActivityTaskQueueResponse.FromString(answer).input.payloads[0].data == data


async def test_the_first_workflow_task_comes_with_the_answer_to_who_wants_it(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        reply = await r.start_response(request_eager_execution=True)
        assert [event.event_id for event in reply.eager_workflow_task.history.events] == [1, 2, 3]
        started = reply.eager_workflow_task.history.events[0].workflow_execution_started_event_attributes
        assert started.eager_execution_accepted
        await r.complete(reply.eager_workflow_task, complete_workflow())
        late = await r.start_response("late", request_eager_execution=True, workflow_start_delay={"seconds": 5})
        assert not late.HasField("eager_workflow_task")
