"""Random stories of task queues under a clock of their own: whatever workers and history do, each task ends with one worker.

A story offers tasks, polls, leaves, lets starts hang and fail, moves the clock, fills more tasks in than there is room for. At its end the
queues are drained: every task that was not moot or expired has been started once, and its answer went to exactly one poll that was still there.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.api.common.v1 import Priority

from server.core.limits import MINUTE, SECOND
from server.core.outcome import WORKFLOW_TASK, Poll
from server.core.rejected import Unavailable
from server.core.state import Key
from server.environment import Environment, System
from server.faces import Poller, Task
from server.matching import partition
from server.matching.backlog import Backlog
from server.matching.service import Matching

NS = "namespace-id"
ROOM = 3  # tasks that a queue keeps in memory
TIMEOUT = 2.0  # of a poll, seconds
NORMAL, STICKY = "queue", "sticky"


class Alarm:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Clock(System):
    """An Environment whose time moves when it is told to."""

    def __init__(self) -> None:
        self.time = 1_000 * SECOND
        self.alarms: list[tuple[int, int, Alarm]] = []
        self.order = itertools.count()

    def now(self) -> int:
        return self.time

    def call_at(self, when: int, callback: Callable[[], None]) -> Alarm:
        alarm = Alarm(callback)
        heapq.heappush(self.alarms, (when, next(self.order), alarm))
        return alarm

    async def advance(self, span: int) -> None:
        until = self.time + span
        while self.alarms and self.alarms[0][0] <= until:
            self.time, _, alarm = max(self.alarms[0][0], self.time), *heapq.heappop(self.alarms)[1:]
            if alarm.callback is not None:
                alarm.callback()
            await settled()
        self.time = until
        await settled()


async def settled() -> None:
    """Everything that can happen at once has happened."""
    for _ in range(12):
        await asyncio.sleep(0)


class Rows:
    """History: the rows of the tasks that wait. Starts hang while `gate` is closed, and fail `down` times."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.rows: dict[int, Task] = {}
        self.started: Counter[int] = Counter()
        self.gate = asyncio.Event()
        self.gate.set()
        self.down = 0

    def expired(self, task: Task) -> bool:
        return 0 < task.expires_at <= self.clock.now()

    def _fail(self) -> None:
        if self.down:
            self.down -= 1
            raise Unavailable("not now") if self.down % 2 else RuntimeError("broken")

    async def start_task(self, task: Task, poll: Poll) -> bytes | None:
        await self.gate.wait()
        self._fail()
        return self.start(task)

    def start(self, task: Task) -> bytes | None:
        if self.rows.pop(task.id, None) is None:
            return None
        self.started[task.id] += 1
        return str(task.id).encode()

    async def backlog(
        self, kind: int, namespace_id: str, queue: str, after: Mapping[int, int], limit: int
    ) -> list[Task]:
        if self.down % 2:
            self.down -= 1
            raise Unavailable("not now")
        waiting = [task for task in self.rows.values() if task.queue == queue and not self.expired(task)]
        found = sorted(waiting, key=lambda task: task.id)[:limit]
        await self.gate.wait()
        return found


class Taken(NamedTuple):
    task: Task
    poller: Poller


class Story:
    """Each method is something that may happen; `number` chooses among what there is."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.history = Rows(self.clock)
        environment: Environment = self.clock
        self.matching = Matching(environment, self.history)
        for queue in (NORMAL, STICKY):
            self.matching.partition(NS, WORKFLOW_TASK, queue).backlog = Backlog(ROOM)
        self.polls: list[asyncio.Task[bytes]] = []
        self.left: set[asyncio.Task[bytes]] = set()
        self.taken: list[Taken] = []
        self.offered: dict[int, Task] = {}
        self.moot: set[int] = set()
        self.queries: list[asyncio.Task[bool]] = []

    def _task(self, number: int, expires_at: int = 0) -> Task:
        id, sticky = len(self.offered) + 1, number % 3 == 0
        queue, normal = (STICKY, NORMAL) if sticky else (NORMAL, "")
        priority = Priority(priority_key=number % 6)
        key = Key(NS, f"workflow-{id}", "run")
        task = Task(WORKFLOW_TASK, NS, queue, normal, key, 2, 1, 0, 0, id, self.clock.now(), expires_at, priority)
        self.offered[id] = task
        return task

    def offer(self, number: int) -> None:
        task = self._task(number)
        self.history.rows[task.id] = task
        self.matching.offer(task)

    def offer_what_expires(self, number: int) -> None:
        task = self._task(number, self.clock.now() + SECOND)
        self.history.rows[task.id] = task
        self.matching.offer(task)

    def offer_again(self, number: int) -> None:
        if self.offered:
            self.matching.offer(self.offered[number % len(self.offered) + 1])

    def take(self, number: int) -> None:
        """As history does it: what a poll can have at once is started in the commit that schedules it."""
        task = self._task(number)
        poller = self.matching.take(task)
        if poller is None:
            self.history.rows[task.id] = task
            self.matching.offer(task)
        else:
            self.taken.append(Taken(task, poller))

    def commit(self, number: int) -> None:
        if self.taken:
            task, poller = self.taken.pop(number % len(self.taken))
            self.history.rows[task.id] = task
            data = self.history.start(task)
            assert data is not None
            if not poller.deliver(data):
                self.matching.hand_over(task, data)

    def fail_commit(self, number: int) -> None:
        if self.taken:
            task, poller = self.taken.pop(number % len(self.taken))
            del self.offered[task.id]
            self.offered[task.id] = task
            self.moot.add(task.id)
            poller.release()

    def end(self, number: int) -> None:
        """The task times out, or its run closes."""
        waiting = sorted(self.history.rows)
        if waiting:
            id = waiting[number % len(waiting)]
            del self.history.rows[id]
            self.moot.add(id)

    def poll(self, number: int, queue: str = "") -> None:
        queue = queue or (STICKY if number % 3 == 0 else NORMAL)
        poll = Poll(f"worker {number % 4}", "", queue, worker_instance_key=f"key {number % 4}")
        coroutine = self.matching.poll(NS, WORKFLOW_TASK, queue, poll, TIMEOUT)
        self.polls.append(asyncio.ensure_future(coroutine))

    def leave(self, number: int) -> None:
        """A worker's call is cancelled, whatever it has been given."""
        here = [poll for poll in self.polls if not poll.done() and poll not in self.left]
        if here:
            poll = here[number % len(here)]
            self.left.add(poll)
            poll.cancel()

    def shut_down(self, number: int) -> None:
        self.matching.worker_left(NS, STICKY if number % 2 else "", f"key {number % 4}")

    def hang(self, _: int) -> None:
        self.history.gate.clear()

    def go_on(self, _: int) -> None:
        self.history.gate.set()

    def break_down(self, number: int) -> None:
        self.history.down = number % 4

    def limit(self, number: int) -> None:
        rates = (None, 0.0, 0.5, 2.0, 100.0)
        self.matching.limit(NS, WORKFLOW_TASK, NORMAL, rates[number % len(rates)])

    def query(self, number: int) -> None:
        query = self.matching.query(NS, WORKFLOW_TASK, NORMAL, "", b"query")
        self.queries.append(asyncio.ensure_future(query))

    def drop_query(self, number: int) -> None:
        if self.queries:
            self.queries[number % len(self.queries)].cancel()

    async def pause(self, number: int) -> None:
        await settled()

    async def wait(self, number: int) -> None:
        await self.clock.advance(number % 7 * SECOND // 20)

    async def drain(self) -> None:
        """All goes well again, and workers poll until nothing comes."""
        while self.taken:
            self.commit(0)
        self.history.down = 0
        self.history.gate.set()
        self.matching.limit(NS, WORKFLOW_TASK, NORMAL, None)
        for query in self.queries:
            query.cancel()
        for _ in range(len(self.offered) + 3):
            self.poll(0, STICKY)
            self.poll(0, NORMAL)
            await self.clock.advance(SECOND // 10)
        await self.clock.advance(3 * SECOND)
        assert all(poll.done() for poll in self.polls)

    def check(self) -> None:
        assert max(self.history.started.values(), default=1) == 1
        got = Counter(poll.result() for poll in self.polls if not poll.cancelled())
        got.pop(b"", None)
        got.pop(b"query", None)
        assert max(got.values(), default=1) == 1, "a task went to two workers"
        assert {str(id).encode() for id in self.history.started} == set(got), "a started task reached no worker"
        lost = set(self.offered) - set(self.history.started) - self.moot
        assert all(self.offered[id].expires_at for id in lost), f"lost: {lost}"
        assert not self.matching.partition(NS, WORKFLOW_TASK, NORMAL)._polls


HAPPENINGS = [
    *["pause"] * 4,
    *["offer"] * 4,
    *["poll"] * 4,
    *["take"] * 3,
    *["commit"] * 3,
    *["leave"] * 2,
    *["wait"] * 2,
    *["offer_what_expires", "offer_again", "fail_commit", "end", "shut_down", "hang", "go_on", "break_down", "limit"],
    *["query", "drop_query"],
]


async def tell(happenings: list[tuple[str, int]]) -> None:
    story = Story()
    for what, number in happenings:
        happened: Any = getattr(story, what)(number)
        if happened is not None:
            await happened
    await story.drain()
    story.check()
    story.matching.close()
    await settled()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 60)), min_size=40, max_size=80))
def test_every_task_ends_with_one_worker(happenings: list[tuple[str, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partition, "BACKLOG_PAGE", 2)
        patch.setattr(partition, "HANDED_OVER_KEPT", {True: 3600 * SECOND})
        asyncio.run(tell(happenings))


async def test_workers_and_queues_of_long_ago_are_forgotten() -> None:
    story = Story()
    story.poll(1)
    await story.clock.advance(4 * MINUTE)
    assert [poller.identity for poller in await story.matching.pollers(NS, WORKFLOW_TASK, NORMAL)] == ["worker 1"]
    story.poll(2)
    await story.clock.advance(3 * MINUTE)
    assert list(story.matching._partitions[NS, WORKFLOW_TASK, NORMAL].workers) == ["worker 2"]
    await story.clock.advance(4 * MINUTE)
    assert not story.matching._partitions
