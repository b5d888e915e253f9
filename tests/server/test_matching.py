"""Task queues: no task is lost, none goes to two polls, order, rates, sticky fall-back, spilled backlogs, queries."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Priority

from server.core.limits import SECOND
from server.core.outcome import ACTIVITY_TASK, WORKFLOW_TASK, Poll
from server.core.rejected import Unavailable
from server.core.state import Key
from server.environment import System
from server.faces import Task
from server.matching.backlog import Backlog
from server.matching.partition import BACKLOG_PAGE
from server.matching.rates import Bucket
from server.matching.service import Matching

NS = "namespace-id"


class FakeHistory:
    """Starts each task once; `moot` names those that are gone, `down` makes the next starts fail."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.rows: dict[int, Task] = {}
        self.moot: set[int] = set()
        self.down = self.broken = 0
        self.gate: asyncio.Event | None = None

    async def start_task(self, task: Task, poll: Poll) -> bytes | None:
        if self.gate is not None:
            await self.gate.wait()
        if self.broken:
            self.broken -= 1
            raise RuntimeError("broken")
        if self.down:
            self.down -= 1
            raise Unavailable("not now")
        if task.id in self.moot or task.id in self.started:
            return None
        self.started.append(task.id)
        self.rows.pop(task.id, None)
        return f"{task.id} for {poll.identity}".encode()

    async def backlog(
        self, kind: int, namespace_id: str, queue: str, after: Mapping[int, int], limit: int
    ) -> list[Task]:
        return sorted(self.rows.values(), key=lambda task: task.id)[:limit]


class Rig:
    """Matching with a history that can be told what to do."""

    def __init__(self) -> None:
        self.environment = System()
        self.history = FakeHistory()
        self.matching = Matching(self.environment, self.history)

    def task(self, id: int, queue: str = "q", **more: Any) -> Task:
        fields: dict[str, Any] = {
            "kind": ACTIVITY_TASK,
            "namespace_id": NS,
            "queue": queue,
            "normal_queue": "",
            "key": Key(NS, f"workflow-{id}", "run"),
            "scheduled_event_id": 5,
            "attempt": 1,
            "stamp": 0,
            "shard": 0,
            "id": id,
            "scheduled_time": id,
        }
        task = Task(**(fields | more))
        self.history.rows[id] = task
        return task

    def poll(
        self, who: str = "w", queue: str = "q", kind: int = ACTIVITY_TASK, timeout: float = 5, rate: float | None = None
    ) -> asyncio.Task[bytes]:
        poll = Poll(who, f"request of {who}", queue, worker_instance_key=f"key of {who}")
        return asyncio.ensure_future(self.matching.poll(NS, kind, queue, poll, timeout, rate))


@pytest.fixture
async def rig() -> Any:
    rig = Rig()
    yield rig
    rig.matching.close()
    rig.environment.close()


async def settled() -> None:
    """Everything that can happen at once has happened."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_waiting_task_goes_to_the_next_poll(rig: Rig) -> None:
    rig.matching.offer(rig.task(1))
    assert await rig.poll() == b"1 for w"


async def test_a_waiting_poll_gets_the_next_task(rig: Rig) -> None:
    polled = rig.poll()
    await settled()
    rig.matching.offer(rig.task(1))
    assert await polled == b"1 for w"


async def test_a_poll_that_waits_can_be_taken_while_a_task_is_decided(rig: Rig) -> None:
    polled = rig.poll()
    await settled()
    poller = rig.matching.take(rig.task(1))
    assert poller is not None
    assert poller.poll.identity == "w"
    assert poller.deliver(b"started")
    assert await polled == b"started"


async def test_a_poll_that_was_taken_in_vain_waits_again(rig: Rig) -> None:
    polled = rig.poll()
    await settled()
    poller = rig.matching.take(rig.task(1))
    assert poller is not None
    poller.release()
    rig.matching.offer(rig.task(2))
    assert await polled == b"2 for w"


async def test_no_poll_is_taken_past_the_backlog(rig: Rig) -> None:
    rig.history.gate = asyncio.Event()
    rig.matching.offer(rig.task(1))
    rig.matching.offer(rig.task(2))
    first, second = rig.poll("a"), rig.poll("b")
    await settled()
    assert rig.matching.take(rig.task(3)) is None
    rig.history.gate.set()
    assert {await first, await second} == {b"1 for a", b"2 for b"}


async def test_a_worker_that_left_swallows_no_started_task(rig: Rig) -> None:
    polled = rig.poll("gone")
    await settled()
    task = rig.task(1)
    poller = rig.matching.take(task)
    assert poller is not None
    polled.cancel()
    await settled()
    assert not poller.deliver(b"started")
    rig.matching.hand_over(task, b"started")
    assert await rig.poll("next") == b"started"


async def test_a_worker_that_leaves_at_the_last_moment_swallows_no_task(rig: Rig) -> None:
    polled = rig.poll("gone")
    await settled()
    poller = rig.matching.take(rig.task(1))
    assert poller is not None
    assert poller.deliver(b"started")
    polled.cancel()  # the poll has its answer, but has not run since
    with pytest.raises(asyncio.CancelledError):
        await polled
    assert await rig.poll("next") == b"started"


async def test_a_worker_that_leaves_during_a_start_swallows_no_task(rig: Rig) -> None:
    rig.history.gate = asyncio.Event()
    rig.matching.offer(rig.task(1))
    polled = rig.poll("gone")
    await settled()
    polled.cancel()
    await settled()
    rig.history.gate.set()
    assert await rig.poll("next") == b"1 for gone"


async def test_a_poll_without_task_ends_empty(rig: Rig) -> None:
    assert await rig.poll(timeout=0.01) == b""


async def test_a_moot_task_is_forgotten(rig: Rig) -> None:
    rig.history.moot.add(1)
    rig.matching.offer(rig.task(1))
    rig.matching.offer(rig.task(2))
    assert await rig.poll() == b"2 for w"


async def test_a_task_offered_twice_is_started_once(rig: Rig) -> None:
    for _ in range(2):
        rig.matching.offer(rig.task(1))
    assert await rig.poll() == b"1 for w"
    assert await rig.poll(timeout=0.05) == b""


async def test_a_start_that_could_not_be_tried_is_tried_again(rig: Rig) -> None:
    rig.history.down = 1
    rig.matching.offer(rig.task(1))
    assert await rig.poll() == b"1 for w"


async def test_expired_tasks_are_not_handed_out(rig: Rig) -> None:
    rig.matching.offer(rig.task(1, expires_at=1))
    assert await rig.poll(timeout=0.05) == b""


async def test_priorities_go_first(rig: Rig) -> None:
    for id, key in ((1, 5), (2, 0), (3, 1)):
        rig.matching.offer(rig.task(id, priority=Priority(priority_key=key)))
    assert [await rig.poll() for _ in range(3)] == [b"3 for w", b"2 for w", b"1 for w"]


async def test_a_sticky_queue_without_worker_passes_tasks_on(rig: Rig) -> None:
    sticky: dict[str, Any] = {"kind": WORKFLOW_TASK, "queue": "sticky", "normal_queue": "q"}
    polled = rig.poll(kind=WORKFLOW_TASK)
    await settled()
    rig.matching.offer(rig.task(1, **sticky))
    assert await polled == b"1 for w"


async def test_a_sticky_queue_with_worker_keeps_its_tasks(rig: Rig) -> None:
    sticky: dict[str, Any] = {"kind": WORKFLOW_TASK, "queue": "sticky", "normal_queue": "q"}
    normal, own = rig.poll("other", kind=WORKFLOW_TASK, timeout=0.05), rig.poll("own", "sticky", WORKFLOW_TASK)
    await settled()
    rig.matching.offer(rig.task(1, **sticky))
    assert (await own, await normal) == (b"1 for own", b"")


async def test_a_worker_that_shuts_down_gets_its_polls_back(rig: Rig) -> None:
    polls = [rig.poll("leaving", "sticky", WORKFLOW_TASK), rig.poll("leaving"), rig.poll("staying", timeout=0.1)]
    await settled()
    await rig.matching.shutdown_worker(NS, "sticky", "key of leaving")
    assert await asyncio.wait_for(asyncio.gather(*polls[:2]), 0.09) == [b"", b""]
    assert not polls[2].done()
    await polls[2]


async def test_a_rate_spaces_tasks(rig: Rig) -> None:
    for id in range(3):
        rig.matching.offer(rig.task(id))
    began = rig.environment.monotonic()
    for _ in range(3):
        await rig.poll(rate=20.0)
    assert rig.environment.monotonic() - began < 1  # within one second's burst
    rig.matching.limit(NS, ACTIVITY_TASK, "q", 0.0)
    rig.matching.offer(rig.task(9))
    assert await rig.poll(timeout=0.05) == b""
    rig.matching.limit(NS, ACTIVITY_TASK, "q", None)
    assert await rig.poll() == b"9 for w"


async def test_a_rate_that_is_raised_holds_at_once(rig: Rig) -> None:
    for id in range(2):
        rig.matching.offer(rig.task(id))
    rig.matching.limit(NS, ACTIVITY_TASK, "q", 0.01)
    assert await rig.poll() == b"0 for w"
    polled = rig.poll()
    await settled()
    rig.matching.limit(NS, ACTIVITY_TASK, "q", 1000.0)
    assert await asyncio.wait_for(polled, 1) == b"1 for w"


async def test_a_worker_that_shuts_down_while_its_task_turns_out_moot_gets_its_poll_back(rig: Rig) -> None:
    rig.history.gate = asyncio.Event()
    rig.history.moot.add(1)
    rig.matching.offer(rig.task(1))
    polled = rig.poll("leaving")
    await settled()
    await rig.matching.shutdown_worker(NS, "", "key of leaving")
    rig.history.gate.set()
    assert await asyncio.wait_for(polled, 1) == b""


async def test_a_start_that_breaks_is_tried_again_after_a_moment(rig: Rig) -> None:
    rig.history.broken = 1
    rig.matching.offer(rig.task(1))
    assert await rig.poll() == b"1 for w"


async def test_a_query_goes_to_a_worker(rig: Rig) -> None:
    asked = asyncio.ensure_future(rig.matching.query(NS, WORKFLOW_TASK, "q", "", b"query"))
    assert await rig.poll(kind=WORKFLOW_TASK) == b"query"
    assert await asked


async def test_a_query_finds_a_dead_sticky_queue_at_once(rig: Rig) -> None:
    assert not await rig.matching.query(NS, WORKFLOW_TASK, "sticky", "q", b"query")


async def test_a_query_that_nobody_waits_for_is_dropped(rig: Rig) -> None:
    asked = asyncio.ensure_future(rig.matching.query(NS, WORKFLOW_TASK, "q", "", b"query"))
    await settled()
    asked.cancel()
    await settled()
    assert await rig.poll(kind=WORKFLOW_TASK, timeout=0.05) == b""


async def test_what_had_no_room_is_read_back(rig: Rig) -> None:
    partition = rig.matching.partition(NS, ACTIVITY_TASK, "q")
    partition.backlog = Backlog(2)
    for id in range(7):
        rig.matching.offer(rig.task(id))
    assert len(partition.backlog) == 2
    got = [await rig.poll() for _ in range(7)]
    assert sorted(got) == [f"{id} for w".encode() for id in range(7)]
    assert BACKLOG_PAGE >= 7


async def test_who_polled_and_what_waits_is_told(rig: Rig) -> None:
    await rig.poll(timeout=0.01, rate=3.0)
    rig.matching.offer(rig.task(1))
    (poller,) = await rig.matching.pollers(NS, ACTIVITY_TASK, "q")
    assert (poller.identity, poller.rate_per_second) == ("w", 3.0)
    stats, by_priority = await rig.matching.stats(NS, ACTIVITY_TASK, "q")
    assert stats.approximate_backlog_count == 1
    assert by_priority[3].approximate_backlog_count == 1


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30))), st.integers(1, 40))
def test_backlog_order_and_bound(offers: list[tuple[int, int]], room: int) -> None:
    backlog, rig = Backlog(room), Rig.__new__(Rig)
    rig.history = FakeHistory()
    kept = {id: key for key, id in reversed(offers)}
    accepted = [
        (key or 3, id)
        for key, id in offers
        if backlog.add(rig.task(id, priority=Priority(priority_key=key))) and kept is not None
    ]
    assert len(backlog) == len(accepted) <= room
    assert backlog.spilled == ({"q"} if len(set(kept)) > room else set())
    out = []
    while (task := backlog.pop(0)) is not None:
        assert task.priority is not None
        out.append((task.priority.priority_key or 3, task.id))
    assert out == sorted(accepted)


@given(st.floats(0.1, 50), st.lists(st.integers(0, SECOND), min_size=1, max_size=60))
def test_bucket_never_exceeds_its_rate(rate: float, gaps: list[int]) -> None:
    bucket, now, passed = Bucket(rate, 0), 0, 0
    for gap in gaps:
        now += gap
        passed += bucket.take(now)
    assert passed <= max(rate, 1) + now / SECOND * rate + 1e-6
    at = bucket.next_at(now)
    assert at is not None
    assert bucket.take(at + 1000)
