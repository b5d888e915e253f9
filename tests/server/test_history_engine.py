"""The engine on a real SQLite file: what is committed, in which order, what is released when, and what is left after a failure."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from temporalio.api.workflowservice.v1 import PollActivityTaskQueueResponse, PollWorkflowTaskQueueResponse

from drivers.base import Batch, Conflict, Fault, Fenced, Unknown
from server.core.rejected import Internal, Missing, NotFound, Rejected, Unavailable
from server.core.state import State
from server.core.step import Step
from tests.server.history_kit import (
    NAMESPACE,
    QUEUE,
    complete_workflow,
    kinds,
    poll,
    rig,
    schedule_activity,
    start_timer,
    unavailable,
)

pytestmark = pytest.mark.asyncio


async def test_a_workflow_runs_to_its_end(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        run_id = await r.start()
        task = await r.take_task()
        assert (task.workflow_execution.run_id, task.started_event_id, task.previous_started_event_id) == (run_id, 3, 0)
        assert kinds(task.history.events) == [
            "workflow_execution_started",
            "workflow_task_scheduled",
            "workflow_task_started",
        ]
        await r.complete(task, complete_workflow())
        assert kinds(await r.events())[3:] == ["workflow_task_completed", "workflow_execution_completed"]
        assert [event.event_id for event in await r.events()] == [1, 2, 3, 4, 5]


async def test_state_survives_a_restart_and_waiting_tasks_are_offered_again(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start("a")
        await r.start("b")
        first = await r.queues.next(2)
        await r.engine.start_task(first[0], poll())
    async with rig(tmp_path / "db") as r:
        (again,) = await r.queues.next()
        assert (again.key, again.id) == (first[1].key, first[1].id)
        assert await r.engine.start_task(again, poll()) is not None
        assert await r.engine.start_task(again, poll()) is None


async def test_ids_go_up_over_restarts(tmp_path: Path) -> None:
    seen: list[int] = []
    for number in range(3):
        async with rig(tmp_path / "db", shards=1) as r:
            await r.start(f"w{number}")
            seen += [event.task_id for event in await r.events(f"w{number}")]
    assert seen == sorted(set(seen))


async def test_reload_is_equal_to_what_was_in_memory(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        run_id = await r.start()
        task = await r.take_task()
        await r.complete(task, start_timer("t", 1000), schedule_activity("a"))
        await r.signal("s1")
        offered = await r.queues.next(2)
        await r.engine.start_task(offered[-1], poll())
        await r.signal("s2")  # buffered
        shard = r.engine.of(NAMESPACE.id, "w")
        live = shard.cache.get(NAMESPACE.id, "w").runs[run_id].state
        assert live is not None
        stored = r.store.load(shard.lease, live.key)
        loaded = State.load(live.key, stored.core, stored.pending)
        assert loaded.core == live.core
        assert (loaded.activities, loaded.timers, loaded.requests) == (live.activities, live.timers, live.requests)
        assert (loaded.buffered, loaded.buffered_saved) == (live.buffered, live.buffered_saved)
        assert loaded.started == live.started


# Group commit --------------------------------------------------------------------------------------------------------------------------


async def test_what_queues_up_during_a_transaction_goes_into_the_next_one(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start("first")
        r.store.turns.clear()
        r.store.gate = threading.Event()
        opening = asyncio.create_task(r.start("opening"))
        while not r.store.turns:
            await asyncio.sleep(0)
        rest = [asyncio.create_task(r.start(f"w{n}")) for n in range(20)]
        signals = [asyncio.create_task(r.signal(f"s{n}", "first")) for n in range(20)]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in (opening, *rest, *signals))
        r.store.gate.set()
        await asyncio.gather(opening, *rest, *signals)
        assert [len(turn) for turn in r.store.turns] == [1, 21]
        names = [
            event.workflow_execution_signaled_event_attributes.signal_name for event in (await r.events("first"))[2:]
        ]
        assert names == [f"s{n}" for n in range(20)]


async def test_nothing_is_seen_before_its_commit(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start()
        await r.queues.next()
        r.store.gate = threading.Event()
        waiting = r.queues.wait("activities")
        signal = asyncio.create_task(r.signal("s"))
        reads = [asyncio.create_task(r.events()), asyncio.create_task(_reject(r))]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in (signal, *reads))
        r.store.gate.set()
        assert kinds(await reads[0])[-1] == "workflow_execution_signaled"  # type: ignore[arg-type]
        assert await reads[1] == "no"
        assert not waiting.answer.done()


async def _reject(r: object) -> str:
    def decide(step: Step) -> None:
        msg = "no"
        raise NotFound(msg)

    with pytest.raises(NotFound) as caught:
        await r.engine.run(NAMESPACE, "w", "", decide)  # type: ignore[attr-defined]
    return caught.value.message


# Failures ------------------------------------------------------------------------------------------------------------------------------


async def test_a_failed_commit_drops_what_was_built_on_it(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start()
        before = await r.events()
        r.store.gate = threading.Event()
        r.store.break_next = unavailable
        doomed = [asyncio.create_task(r.signal("one"))]
        await asyncio.sleep(0.02)
        doomed.append(asyncio.create_task(r.signal("two")))  # queued behind the one that fails
        reading = asyncio.create_task(r.events())
        await asyncio.sleep(0.02)
        r.store.gate.set()
        for task in (*doomed, reading):
            with pytest.raises(Unavailable):
                await task
        assert await r.events() == before
        await r.signal("three")
        assert [event.event_id for event in await r.events()] == [1, 2, 3]


@pytest.mark.parametrize("fault", [Unknown, Fenced])
async def test_a_lost_answer_raises_the_fence_and_reloads(tmp_path: Path, fault: type[Fault]) -> None:
    async with rig(tmp_path / "db", shards=1) as r:
        await r.start()
        await r.queues.next()

        def lost(batches: Sequence[Batch]) -> list[Fault | None]:
            if fault is Unknown:
                r.store.store.commit(batches)  # it did happen
            return [fault() for _ in batches]

        r.store.break_next = lost
        with pytest.raises(Unavailable):
            await r.signal("s")
        expected = 3 if fault is Unknown else 2
        assert [event.event_id for event in await r.events()] == list(range(1, expected + 1))
        assert r.store.turns[-1][0].range_id == 1
        await r.signal("t")
        assert r.store.turns[-1][0].range_id == 2
        assert len(await r.queues.next()) == 1  # the workflow task is offered again


async def test_another_owner_fences_this_one_out(tmp_path: Path) -> None:
    async with rig(tmp_path / "db", shards=1) as r:
        await r.start()
        r.store.acquire("shard/0", "another")
        with pytest.raises(Unavailable):
            await r.signal("s")
        assert len(await r.events()) == 2


async def test_a_start_finds_the_current_run_that_memory_has_lost(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        run_id = await r.start()
    async with rig(tmp_path / "db") as r:
        with pytest.raises(Rejected) as caught:
            await r.start()
        assert getattr(caught.value, "run_id", "") == run_id
        assert len(await r.events()) == 2


async def test_a_conflict_is_decided_again(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start()
        r.store.break_next = lambda batches: [Conflict() for _ in batches]
        await r.signal("s")
        assert len(await r.events()) == 3


async def test_a_bug_in_a_decision_leaves_no_trace(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start()

        def broken(step: Step) -> None:
            step.state.core.signal_count = 77
            raise ZeroDivisionError

        with pytest.raises(Internal):
            await r.engine.run(NAMESPACE, "w", "", broken)
        assert await r.engine.run(NAMESPACE, "w", "", lambda step: step.state.core.signal_count) == 0


async def test_a_poller_is_released_when_the_commit_fails(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        waiter = r.queues.wait()
        r.store.break_next = unavailable
        with pytest.raises(Unavailable):
            await r.start()
        assert waiter.released
        assert not waiter.answer.done()


# Tasks ---------------------------------------------------------------------------------------------------------------------------------


async def test_a_waiting_poller_gets_the_task_in_the_same_commit(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        waiter = r.queues.wait()
        r.store.turns.clear()
        await r.start()
        task = PollWorkflowTaskQueueResponse.FromString(await waiter.answer)
        assert [event.event_id for event in task.history.events] == [1, 2, 3]
        assert (len(r.store.turns), r.store.turns[0][0].tasks, r.queues.offered) == (1, [], [])
        activity = r.queues.wait("activities")
        await r.complete(task, schedule_activity("a", b"payload"))
        answer = PollActivityTaskQueueResponse.FromString(await activity.answer)
        assert (answer.activity_id, answer.input.payloads[0].data) == ("a", b"payload")


async def test_a_poller_that_has_gone_swallows_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        r.queues.wait(gone=True)
        await r.start()
        ((task, data),) = r.queues.handed_over
        assert task.queue == QUEUE
        assert PollWorkflowTaskQueueResponse.FromString(data).started_event_id == 3


async def test_a_moot_task_is_forgotten(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start()
        (task,) = await r.queues.next()
        task.scheduled_event_id += 1
        assert await r.engine.start_task(task, poll()) is None
        while await r.engine.backlog(task.kind, task.namespace_id, task.queue, {}, 10):
            await asyncio.sleep(0.01)


async def test_the_backlog_is_read_from_the_rows(tmp_path: Path) -> None:
    async with rig(tmp_path / "db", shards=3) as r:
        for number in range(12):
            await r.start(f"w{number}")
        offered = await r.queues.next(12)
        page = await r.engine.backlog(offered[0].kind, NAMESPACE.id, QUEUE, {}, 100)
        assert [task.key for task in page] == [task.key for task in offered]
        after = {shard: max(task.id for task in page if task.shard == shard) for shard in range(3)}
        assert await r.engine.backlog(offered[0].kind, NAMESPACE.id, QUEUE, after, 100) == []


async def test_the_next_workflow_task_comes_with_the_answer(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start()
        task = await r.take_task()
        await r.signal("s")
        reply = await r.complete(task, return_new_workflow_task=True)
        assert kinds(reply.workflow_task.history.events)[-4:] == [
            "workflow_task_completed",
            "workflow_execution_signaled",
            "workflow_task_scheduled",
            "workflow_task_started",
        ]
        await r.complete(reply.workflow_task, complete_workflow())


# Cache ---------------------------------------------------------------------------------------------------------------------------------


async def test_cold_state_is_evicted_and_loaded_again(tmp_path: Path) -> None:
    async with rig(tmp_path / "db", shards=1, workflows_max=4) as r:
        for number in range(20):
            await r.start(f"w{number}")
        shard = r.engine.of(NAMESPACE.id, "w0")
        assert len(shard.cache) == 4
        await asyncio.gather(*(r.signal("s", f"w{number}") for number in range(20) for _ in range(5)))
        assert len(shard.cache) <= 5
        for number in range(20):
            assert len(await r.events(f"w{number}")) == 7


async def test_bytes_bound_the_cache(tmp_path: Path) -> None:
    async with rig(tmp_path / "db", shards=1, bytes_max=50_000) as r:
        for number in range(30):
            await r.start(f"w{number}")
        cache = r.engine.of(NAMESPACE.id, "w0").cache
        assert 0 < cache.bytes <= 50_000
        assert len(cache) < 12


async def test_a_run_is_loaded_once_for_many(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start()
    async with rig(tmp_path / "db") as r:
        await asyncio.gather(*(r.signal(f"s{n}") for n in range(10)))
        assert r.store.loads == 1


async def test_a_deleted_run_is_gone(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start()
        shard = r.engine.of(NAMESPACE.id, "w")
        await shard.remove(NAMESPACE.id, "w", "")
        with pytest.raises(Missing) as caught:
            await r.events()
        assert caught.value.message == "workflow not found for ID: w"
        assert await r.start()


async def test_closing_commits_what_is_under_way(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        starts = [asyncio.create_task(r.start(f"w{n}")) for n in range(10)]
        await asyncio.sleep(0)
    await asyncio.gather(*starts)
    async with rig(tmp_path / "db") as r:
        assert len(await r.events("w9")) == 2
