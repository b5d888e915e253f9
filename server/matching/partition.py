"""One task queue: the polls that wait and the tasks that wait, never both for long.

A task goes to a poll through history, which makes the start durable; a task that was started for a poll that has left goes to the next
one as it is. Queries are handed to a poll directly: nothing of them is durable.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field

from server.core.limits import MINUTE, SECOND
from server.core.outcome import WORKFLOW_TASK, Poll
from server.core.rejected import Rejected
from server.environment import Environment, Handle
from server.faces import History, Homes, Task
from server.matching.backlog import Backlog
from server.matching.pollers import Waiter
from server.matching.rates import Bucket

BACKLOG_TASKS_MAX = 10_000
BACKLOG_PAGE = 1_000  # tasks of each shard that are read back at once
STICKY_GONE = 10 * SECOND  # matching_engine.go stickyPollerUnavailableWindow
POLLER_KEPT = 5 * MINUTE  # poller_history.go pollerHistoryTTL
HANDED_OVER_KEPT = {True: 10 * SECOND, False: MINUTE}  # workflow tasks time out by default after ten seconds
RETRY_AFTER = SECOND // 2
WORD_AFTER, WORD_AGAIN, HOT = (
    SECOND // 100,
    5 * SECOND,
    SECOND,
)  # when a queue's home is told of polls in another process

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Seen:
    """What is known of a worker that has polled. `at` is nanoseconds."""

    at: int
    rate: float | None
    poll: Poll


@dataclass(slots=True)
class Query:
    """A query that waits for a poll; `taken` is done once a worker has it."""

    data: bytes
    taken: asyncio.Future[bool]


@dataclass(slots=True)
class Counts:
    """How many tasks came and went, for the rates that DescribeTaskQueue shows."""

    since: int
    added: int = 0
    handed_out: int = 0


@dataclass(slots=True, eq=False)
class Partition:
    """The queue `name` of one namespace and kind (outcome.WORKFLOW_TASK, ACTIVITY_TASK)."""

    environment: Environment
    history: History
    namespace_id: str
    kind: int
    name: str
    backlog: Backlog = field(default_factory=lambda: Backlog(BACKLOG_TASKS_MAX))
    workers: dict[str, Seen] = field(default_factory=dict)
    last_poll: int = 0
    counts: Counts = field(default_factory=lambda: Counts(0))
    worker_rate: float | None = None
    set_rate: float | None = None
    _polls: set[Waiter] = field(default_factory=set)  # those that wait, and those that were taken
    _waiting: deque[Waiter] = field(default_factory=deque)
    _started: deque[tuple[Task, bytes, int]] = field(default_factory=deque)
    _queries: deque[Query] = field(default_factory=deque)
    _bucket: Bucket | None = None
    _alarm: Handle | None = None
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    _reading: bool = False
    homes: Homes | None = None  # in a cluster
    share: int = 1  # of how many processes with task queues this is one: each may hand out its part of the rate
    _others: dict[str, int] = field(default_factory=dict)  # processes that have polls for this queue, and how many
    _hot_until: int = 0  # its home has just had a task for a poll here
    _word: Handle | None = None  # its home is about to be told of the polls here
    _word_at: int = 0

    # Polls -------------------------------------------------------------------------------------------------------------------------

    async def poll(self, poll: Poll, timeout: float, rate: float | None) -> bytes:
        """The serialized response for the next task; empty when none came within `timeout` seconds. Cancelling it loses no task."""
        now = self.last_poll = self.environment.now()
        self.workers[poll.identity] = Seen(now, rate, poll)
        if rate is not None:
            self.worker_rate = rate
            self._apply_rate()
        waiter = Waiter(self, poll)
        self._polls.add(waiter)
        self._waiting.append(waiter)
        alarm = self.environment.call_at(now + int(timeout * SECOND), waiter.leave)
        self.pump()
        self.tell_home()
        try:
            return await waiter.future
        except asyncio.CancelledError:
            self._abandoned(waiter)
            raise
        finally:
            alarm.cancel()
            self._polls.discard(waiter)
            self.last_poll = self.environment.now()

    def _abandoned(self, waiter: Waiter) -> None:
        """The worker went away. What was already given to its poll goes to the next one."""
        self.forget(waiter)
        future = waiter.future
        if future.done() and not future.cancelled() and waiter.task is not None:
            self.hand_over(waiter.task, future.result())

    def wait_again(self, waiter: Waiter) -> None:
        """A poll that was taken is back, before all others."""
        self._waiting.appendleft(waiter)
        asyncio.get_running_loop().call_soon(self.pump)

    def forget(self, waiter: Waiter) -> None:
        """The poll waits no more."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    def dismiss(self, worker_instance_key: str = "") -> None:
        """Ends the polls of a worker that shuts down ("": of all)."""
        for waiter in list(self._polls):
            if not worker_instance_key or waiter.poll.worker_instance_key == worker_instance_key:
                waiter.leave()

    @property
    def polls_wait(self) -> bool:
        """A poll here is free."""
        return bool(self._waiting)

    @property
    def alive(self) -> bool:
        """Whether a worker polls the queue, or did a moment ago."""
        return bool(self._waiting) or self.environment.now() < self.last_poll + STICKY_GONE

    def _next_waiter(self, task: Task | None) -> Waiter | None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.future.done():
                waiter.take(task)
                return waiter
        return None

    # Tasks -------------------------------------------------------------------------------------------------------------------------

    def take(self, task: Task) -> Waiter | None:
        """See faces.Matching."""
        if not self._waiting or self._started or self._reading or not self.backlog.goes_first(task):
            return None
        now = self.environment.now()
        if (task.expires_at and task.expires_at <= now) or not self._allowed(now):
            return None
        waiter = self._next_waiter(task)
        if waiter is None:
            self._not_passed()
        else:
            self.counts.added += 1
            self.counts.handed_out += 1
        return waiter

    def offer(self, task: Task) -> None:
        """See faces.Matching."""
        if self.backlog.add(task):
            self.counts.added += 1
            self.pump()

    def hand_over(self, task: Task, data: bytes) -> None:
        """See faces.Matching."""
        kept = HANDED_OVER_KEPT[self.kind == WORKFLOW_TASK]
        self._started.append((task, data, self.environment.now() + kept))
        self.pump()

    async def query(self, data: bytes) -> None:
        """Returns once a worker has the query."""
        query = Query(data, asyncio.get_running_loop().create_future())
        self._queries.append(query)
        self.pump()
        try:
            await query.taken
        finally:
            query.taken.cancel()

    def pump(self) -> None:
        """Brings together what waits on both sides."""
        while self._waiting:
            if not (self._serve_query() or self._serve_started() or self._serve_backlog()):
                break
        while self._others and self._serve_another():
            pass

    def _serve_query(self) -> bool:
        self._drop_answered()
        if not self._queries:
            return False
        waiter = self._next_waiter(None)
        if waiter is not None and waiter.deliver(self._queries[0].data):
            self._queries.popleft().taken.set_result(True)
        return True

    def _drop_answered(self) -> None:
        while self._queries and self._queries[0].taken.done():
            self._queries.popleft()

    def _drop_late(self) -> None:
        now = self.environment.now()
        while self._started and self._started[0][2] <= now:
            self._started.popleft()

    def _serve_started(self) -> bool:
        self._drop_late()
        if not self._started:
            return False
        task, data, _ = self._started[0]
        waiter = self._next_waiter(task)
        if waiter is not None and waiter.deliver(data):
            self._started.popleft()
        return True

    def _serve_backlog(self) -> bool:
        now = self.environment.now()
        if not len(self.backlog):
            self._read_back()
            return False
        if not self._allowed(now):
            return False
        task = self.backlog.pop(now)
        if task is None:  # all had expired; their rows are about to go
            self._not_passed()
            self.environment.call_at(now + RETRY_AFTER, self._pump_later)
            return False
        waiter = self._next_waiter(task)
        if waiter is None:
            self._not_passed()
            self.backlog.add(task)
            return False
        self.spawn(self._start(task, waiter))
        return True

    async def _start(self, task: Task, waiter: Waiter) -> None:
        """Has the task started for this poll."""
        try:
            data = await self.history.start_task(task, waiter.poll)
        except asyncio.CancelledError:
            self.backlog.add(task)
            waiter.release()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, the task still waits
            level = logging.INFO if isinstance(error, Rejected) else logging.ERROR
            log.log(level, "a task of queue %s could not be started: %s", self.name, error)
            self._not_passed()
            self.backlog.add(task)
            self._ring(self.environment.now() + RETRY_AFTER, waiter)
            return
        if data is None:
            self._not_passed()
            waiter.release()
            return
        self.counts.handed_out += 1
        if not waiter.deliver(data):
            self.hand_over(task, data)

    def _ring(self, when: int, waiter: Waiter) -> None:
        """The poll waits again after a moment, so that a store that is down is not asked without pause."""
        self.environment.call_at(when, waiter.release)

    # In a cluster ------------------------------------------------------------------------------------------------------------------

    def tell_home(self, *, again: bool = False) -> None:
        """Polls wait: the queue's home, if that is another process, may have tasks for them. It hears of it at once while it has some, else
        only of polls that have waited for a moment, and `again` from time to time."""
        if (
            self.homes is None
            or not self._waiting
            or self.homes.elsewhere(self.namespace_id, self.kind, self.name) is None
        ):
            return
        now = self.environment.now()
        at = now + WORD_AGAIN if again else now if now < self._hot_until else now + WORD_AFTER
        if self._word is None or at < self._word_at:
            if self._word is not None:
                self._word.cancel()
            self._word, self._word_at = self.environment.call_at(at, self._say_word), at

    def _say_word(self) -> None:
        self._word = None
        if self._waiting:
            self.spawn(self._tell(len(self._waiting)))

    async def _tell(self, polls: int) -> None:
        assert self.homes is not None
        home = self.homes.elsewhere(self.namespace_id, self.kind, self.name)
        if home is not None:
            try:
                await self.homes.interest(home, self.namespace_id, self.kind, self.name, polls)
            except Rejected as rejected:
                log.info("the home of queue %s was not told of polls: %s", self.name, rejected)
        self.tell_home(again=True)

    def interested(self, process: str, polls: int) -> None:
        """So many polls of the queue wait in another process."""
        self.last_poll = self.environment.now()
        self._others[process] = polls
        self.pump()

    def among(self, there: set[str]) -> None:
        """These are the processes with task queues, this one included."""
        if self.share != len(there):
            self.share = max(1, len(there))
            self._apply_rate()
        for process in set(self._others) - there:
            del self._others[process]

    def give_up(self) -> None:
        """The queue has another home now, which is offered what waits here."""
        self.backlog = Backlog(BACKLOG_TASKS_MAX)
        self._others.clear()

    def accept(self, task: Task) -> bool:
        """From the queue's home: a task for a poll that waits here."""
        now = self.environment.now()
        self._hot_until = now + HOT
        if not self._waiting or not self._allowed(now):
            return False
        waiter = self._next_waiter(task)
        if waiter is None:
            self._not_passed()
            return False
        self.counts.added += 1
        self.spawn(self._start(task, waiter))
        return True

    def accept_data(self, task: Task | None, data: bytes) -> bool:
        """From the queue's home: what a poll that waits here is answered with."""
        while (waiter := self._next_waiter(task)) is not None:
            if waiter.deliver(data):
                return True
        return False

    def _serve_another(self) -> bool:
        """What waits goes to a process that has polls; False when there is nothing to be had."""
        self._drop_answered()
        self._drop_late()
        now, process = self.environment.now(), next(iter(self._others))
        if self._queries:
            self.spawn(self._pass_query(process, self._queries.popleft()))
        elif self._started:
            self.spawn(self._pass_started(process, *self._started.popleft()))
        elif not len(self.backlog):
            self._read_back()
            return False
        elif not self._allowed(now):
            return False
        elif (task := self.backlog.pop(now)) is None:
            self._not_passed()
            return False
        else:
            self.spawn(self._pass_task(process, task))
        left = self._others.pop(process) - 1
        if left > 0:
            self._others[process] = left  # the others are next
        return True

    async def _pass_task(self, process: str, task: Task) -> None:
        assert self.homes is not None
        taken = False
        try:
            taken = await self.homes.give(process, task)
        except Rejected as rejected:
            log.info("a task of queue %s could not be passed on: %s", self.name, rejected)
        if taken:
            self.counts.handed_out += 1
            return
        self._not_passed()
        self._others.pop(process, None)
        self.backlog.add(task)
        self.pump()

    async def _pass_started(self, process: str, task: Task, data: bytes, until: int) -> None:
        if not await self._delivered(process, task, data):
            self._started.append((task, data, until))
            self.pump()

    async def _pass_query(self, process: str, query: Query) -> None:
        if await self._delivered(process, None, query.data):
            if not query.taken.done():
                query.taken.set_result(True)
        elif not query.taken.done():
            self._queries.append(query)
            self.pump()

    async def _delivered(self, process: str, task: Task | None, data: bytes) -> bool:
        assert self.homes is not None
        try:
            if await self.homes.deliver(process, task, self.namespace_id, self.kind, self.name, data):
                return True
        except Rejected as rejected:
            log.info("an answer to a poll of queue %s could not be passed on: %s", self.name, rejected)
        self._others.pop(process, None)
        return False

    # Rates -------------------------------------------------------------------------------------------------------------------------

    @property
    def rate(self) -> float | None:
        """Tasks a second that may be handed out; None for no limit. What was set by hand holds before what workers say."""
        return self.set_rate if self.set_rate is not None else self.worker_rate

    def limit(self, rate: float | None) -> None:
        """Sets the rate by hand (None: as the workers say)."""
        self.set_rate = rate
        self._apply_rate()
        self.pump()

    def _apply_rate(self) -> None:
        now, rate = self.environment.now(), None if self.rate is None else self.rate / self.share
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if rate is None:
            self._bucket = None
        elif self._bucket is None:
            self._bucket = Bucket(rate, now)
        elif self._bucket.rate != rate:
            self._bucket.set(rate, now)

    def _allowed(self, now: int) -> bool:
        if self._bucket is None or self._bucket.take(now):
            return True
        if self._alarm is None and (at := self._bucket.next_at(now)) is not None:
            self._alarm = self.environment.call_at(at, self._pump_later)
        return False

    def _not_passed(self) -> None:
        if self._bucket is not None:
            self._bucket.give_back()

    def _pump_later(self) -> None:
        self._alarm = None
        self.pump()

    # Reading back --------------------------------------------------------------------------------------------------------------------

    def _read_back(self) -> None:
        """What had no room in memory is read from its rows, once the rest is gone."""
        if self.backlog.spilled and not self._reading:
            self._reading = True
            self.spawn(self._read())

    async def _read(self) -> None:
        queue = self.backlog.spilled.pop()
        try:
            tasks = await self.history.backlog(self.kind, self.namespace_id, queue, {}, BACKLOG_PAGE)
        except Rejected as rejected:
            log.info("the backlog of queue %s could not be read: %s", queue, rejected)
            self.backlog.spilled.add(queue)
            self.environment.call_at(self.environment.now() + RETRY_AFTER, self._pump_later)
            return
        finally:
            self._reading = False
        if len(tasks) >= BACKLOG_PAGE:
            self.backlog.spilled.add(queue)
        for task in tasks:
            self.backlog.add(task)
        self.pump()

    # Life ------------------------------------------------------------------------------------------------------------------------------

    def spawn(self, work: object) -> None:
        """Runs a coroutine beside."""
        running: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)  # type: ignore[arg-type]
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    def close(self) -> None:
        """Ends every poll."""
        self.dismiss()
        for running in self._running:
            running.cancel()

    def forget_workers(self, before: int) -> None:
        """Those that have not polled since are not shown any more."""
        for identity in [identity for identity, seen in self.workers.items() if seen.at <= before]:
            del self.workers[identity]

    def idle(self, now: int) -> bool:
        """Nothing waits here, and no worker has been here for long: it may be forgotten."""
        busy = (
            self._waiting
            or self._started
            or self._queries
            or self._running
            or len(self.backlog)
            or self.backlog.spilled
        )
        return not busy and now > self.last_poll + POLLER_KEPT and self.set_rate is None
