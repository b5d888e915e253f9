"""A Shard is the only writer of its workflows: it decides in memory, hands what was decided to the committer, and answers after the commit.

Between finding a state and handing over the rows nothing is awaited, so decisions of one run never interleave. What cannot be committed
takes everything along that was built on it: the states are dropped and loaded again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from drivers.base import (
    Batch,
    Conflict,
    Execution,
    Fault,
    Fenced,
    Refused,
    RunKey,
    SetCurrent,
    Unknown,
    Wake,
)
from drivers.base import Task as Row
from drivers.base import Unavailable as Down
from server.core import tables
from server.core.limits import SECOND
from server.core.outcome import Namespace, row_kind
from server.core.rejected import (
    Discard,
    Internal,
    InvalidArgument,
    Moved,
    NotFound,
    Rejected,
    Unavailable,
)
from server.core.state import Key, State
from server.core.state_pb2 import Outgoing, Waiting
from server.core.step import Step
from server.environment import Environment, pause
from server.faces import Task, task_of
from server.history import outgoing
from server.history.cache import Cache, Run, Workflow
from server.history.clockwork import Clockwork
from server.history.committer import Commit
from server.history.loader import LOST, Loader, Parts
from server.history.turn import Turn

TRIES_MAX = 4  # of a decision whose commit found something else in the store than expected
TASKS_PAGE = 1000
FIRST_ID_BITS = 32  # ids that one acquisition of the lease can give out
RETRY_AFTER = SECOND
TOO_BIG = "the change is larger than the store can take"

R = TypeVar("R")
log = logging.getLogger(__name__)


class Ids:
    """Names for one acquisition of the lease: every number is higher than any given under an earlier one."""

    def __init__(self, environment: Environment, range_id: int) -> None:
        self._last = self.first = range_id << FIRST_ID_BITS
        self.run_id = environment.run_id
        self.random = environment.random

    def task_id(self) -> int:
        self._last += 1
        return self._last


class _NotDue(Rejected):
    """Nothing is to be done for this run now."""


class _Expired(Rejected):
    """The run is closed and its retention is over."""


class Shard:
    """Runs decisions on the workflows of one lease."""

    def __init__(self, number: int, parts: Parts, cache: Cache, window: int) -> None:
        self.number = number
        self.parts = parts
        self.cache = cache
        self.lease = f"shard/{number}"
        self.loader = Loader(parts, self.lease, cache)
        self.read = self.loader.read
        self.clockwork = Clockwork(parts.environment, self._wakes, self._wake, window)
        self._ids = Ids(parts.environment, 0)
        self._background: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> None:
        """Takes the lease; then it serves, while in the background timers and waiting tasks are read. Raises Fault."""
        self.loader.epoch = await self.parts.environment.writing(self.parts.store.acquire, self.lease, "server")
        self._ids = Ids(self.parts.environment, self.loader.epoch)
        self.loader.ready.set()
        self.clockwork.start()
        self.spawn(self._offer_waiting(self._ids.first))

    async def close(self) -> None:
        """Decides nothing any more; who waits for news is told to ask elsewhere. The committer may still be finishing."""
        self._closed = self.loader.closed = True
        self.loader.ready.set()
        for workflow in self.cache.all():
            for run in workflow.runs.values():
                run.told()
        await self.clockwork.close()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    def spawn(self, work: object) -> None:
        """Runs a coroutine beside; it is cancelled when the shard closes."""
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)  # type: ignore[arg-type]
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    # Decisions -------------------------------------------------------------------------------------------------------------------

    async def run(
        self,
        namespace: Namespace,
        workflow_id: str,
        run_id: str,
        decide: Callable[[Step], R],
        after: Callable[[Run], None] | None = None,
    ) -> R:
        """Decides on a run ("": the current one), and returns the reply once it is durable; `after` is called just before, unless the
        decision was replaced. Raises Rejected: what the decision raised or replied, Missing, Unavailable."""
        for _ in range(TRIES_MAX):
            workflow, run = await self.loader.find(namespace.id, workflow_id, run_id)
            step = self.step(run, namespace)
            try:
                reply = decide(step)
            except Rejected:
                await self.loader.undisturbed(workflow)
                raise
            except Discard as discard:
                run.task_broken()
                run.spoil()
                run_id, decide, after = run.key.run_id, discard.instead, None  # type: ignore[assignment]
                continue
            except Exception as error:
                raise self.broken(workflow, error) from error
            if await self.durable(self.conclude(workflow, [step], after)):
                return _answered(reply)
        raise Unavailable(LOST)

    async def begin(
        self,
        namespace: Namespace,
        workflow_id: str,
        decide: Callable[[Step | None, Step], R],
        *,
        likely: bool = False,
    ) -> R:
        """Decides with the current run, if there is one, and a run that does not exist yet. Unless a current run is `likely`, none is looked
        for when none is in memory: the commit finds out. Raises Rejected."""
        for _ in range(TRIES_MAX):
            workflow, run = await self.loader.find_current(namespace.id, workflow_id, likely)
            new = self.unborn(workflow, namespace)
            step = self.step(run, namespace) if run else None
            try:
                reply = decide(step, new)
            except Rejected:
                await self.loader.undisturbed(workflow)
                raise
            except Exception as error:
                raise self.broken(workflow, error) from error
            steps = [each for each in (step, new) if each is not None and _changed(each)]
            if not steps:
                await self.loader.undisturbed(workflow)
                return _answered(reply)
            if await self.durable(self.conclude(workflow, steps)):
                return _answered(reply)
            likely = True
        raise Unavailable(LOST)

    async def look(self, namespace_id: str, workflow_id: str, run_id: str, view: Callable[[Run], R]) -> R:
        """What `view` makes of a run that it must not change, once everything that it may have seen is durable. Raises Rejected."""
        workflow, run = await self.loader.find(namespace_id, workflow_id, run_id)
        seen = view(run)
        await self.loader.undisturbed(workflow)
        return seen

    async def remove(self, namespace_id: str, workflow_id: str, run_id: str) -> None:
        """Deletes a run with its history and its place in lists. Raises Rejected."""
        while True:
            workflow, run = await self.loader.find(namespace_id, workflow_id, run_id)
            if workflow.underway is not None:
                await self.loader.undisturbed(workflow)
            elif workflow.current is None:
                await self.loader.load(workflow, "")
            else:
                break
        batch = Batch(
            self.lease,
            0,
            executions=[Execution(RunKey(*run.key), None, None, run.wake_at)],
        )
        if workflow.current == run.key.run_id:
            batch.current.append(SetCurrent(namespace_id, workflow_id, run.key.run_id, None))
            workflow.current = ""
        del workflow.runs[run.key.run_id]
        run.spoil()
        commit = self._commit_of(workflow)
        commit.add(batch)
        commit.effects.append(partial(self._removed, run))
        if not await self.durable(commit):
            raise Unavailable(LOST)

    def cached(self, state: State) -> Run:
        """The run that a decision is just being made on; it may be a new one."""
        runs = self.cache.get(state.key.namespace_id, state.key.workflow_id).runs
        run = runs.get(state.key.run_id)
        if run is None:
            run = runs[state.key.run_id] = Run(state.key, state)
        return run

    def forget(self, task: Task) -> None:
        """Deletes the row of a moot task, some time."""
        if not self.loader.ready.is_set():
            return
        workflow = self.cache.get(task.key.namespace_id, task.key.workflow_id)
        row = row_kind(task.kind, task.namespace_id, task.queue)
        self._commit_of(workflow).batch.tasks_done.append((row, task.id))

    def forget_message(self, note: Outgoing, id: int) -> None:
        """Deletes the row of a message that has no answer, some time."""
        if self.loader.ready.is_set():
            workflow = self.cache.get(note.source_namespace_id, note.source_workflow_id)
            self._commit_of(workflow).batch.tasks_done.append((outgoing.ROW, id))

    # For decisions on more than one run (resets.py), in this order and without awaiting in between: step and unborn, the decision, conclude,
    # durable.

    def step(self, run: Run, namespace: Namespace) -> Step:
        """A decision on a run whose state is loaded."""
        assert run.state is not None
        return Step(run.state, self.parts.environment.now(), namespace, self._ids)

    def unborn(self, workflow: Workflow, namespace: Namespace) -> Step:
        """A decision on a run that does not exist yet."""
        state = State(Key(*workflow.id, self._ids.run_id()))
        return Step(state, self.parts.environment.now(), namespace, self._ids)

    def conclude(
        self,
        workflow: Workflow,
        steps: list[Step],
        after: Callable[[Run], None] | None = None,
    ) -> Commit:
        """Everything that follows from the decision, and its rows into the workflow's open commit."""
        turn = Turn(self, workflow, steps, after)
        try:
            turn.settle()
            rows = turn.rows()
        except Exception as error:
            turn.release(Down())
            raise self.broken(workflow, error) from error
        commit = self._commit_of(workflow)
        commit.add(rows)
        commit.decisions += 1
        commit.effects.append(turn.release)
        return commit

    def _commit_of(self, workflow: Workflow) -> Commit:
        """The commit that takes what is decided for this workflow now."""
        commit = workflow.open
        if commit is not None and commit.sent:
            workflow.sent, commit = commit, None
        if commit is None:
            commit = workflow.open = Commit(Batch(self.lease, self.loader.epoch), partial(self._ended, workflow))
            self.parts.committer.submit(commit)
        return commit

    async def durable(self, commit: Commit) -> bool:
        """True once it is; False when the store holds something else than was assumed, so that one can decide again. Raises Rejected."""
        try:
            await commit.durable()
        except Conflict:
            return False
        except Refused as refused:
            if commit.decisions == 1:
                raise InvalidArgument(str(refused) or TOO_BIG) from refused
            return False
        except Fenced as fenced:
            raise Moved from fenced
        except Fault as fault:
            raise Unavailable(LOST) from fault
        return True

    def broken(self, workflow: Workflow, error: Exception) -> Internal:
        """A bug: what it has done to the states must not be seen."""
        log.error("a decision on workflow %s failed", workflow.id[1], exc_info=error)
        workflow.spoil()
        return Internal("the server could not carry out this request")

    # After the commit --------------------------------------------------------------------------------------------------------------

    def _ended(self, workflow: Workflow, commit: Commit, fault: Fault | None) -> None:
        """Told of every commit before its effects are released."""
        if workflow.open is commit:
            workflow.open = None
        else:
            workflow.sent = None
        if fault is None:
            workflow.prune()
            self.cache.weigh(workflow)
            return
        log.warning("a change of workflow %s was not committed: %r", workflow.id[1], fault)
        workflow.spoil()
        if workflow.open is not None:
            known = Conflict() if isinstance(fault, Conflict | Refused) else fault
            workflow.open.finish(Down() if isinstance(known, Unknown) else known)  # it was never sent
        if isinstance(fault, Unknown | Fenced):
            self._recover()

    def _removed(self, run: Run, fault: Fault | None) -> None:
        run.told()
        run.unblock()
        if fault is None:
            self.clockwork.note(RunKey(*run.key), None)

    def _recover(self) -> None:
        """Nobody knows what the store holds: nothing is believed until a new lease stops every write under way."""
        if not self.loader.ready.is_set() or self._closed:
            return
        self.loader.ready.clear()
        for workflow in self.cache.all():
            workflow.spoil()
            for commit in (workflow.open, workflow.sent):
                if commit is not None:
                    commit.finish(Down())
        self.spawn(self._start_again())

    async def _start_again(self) -> None:
        while not self._closed:
            try:
                if not await self.parts.keeps(self.number):
                    return  # it is closed in a moment
                await self.start()
                return
            except Fault as fault:
                log.warning("the lease %s could not be taken: %r", self.lease, fault)
                await self.pause()

    async def pause(self) -> None:
        """Returns after a moment."""
        await pause(self.parts.environment, RETRY_AFTER)

    # Timers and waiting tasks ------------------------------------------------------------------------------------------------------

    async def _wakes(self, after: Wake | None, limit: int) -> list[Wake]:
        return await self.read(self.parts.store.wakes, self.lease, after, limit)

    async def _wake(self, key: RunKey) -> None:
        """Does what is due for the run."""
        try:
            namespace = self.parts.namespaces.by_id(key.namespace_id)
            await self.run(namespace, key.workflow_id, key.run_id, _due)
        except _Expired:
            await self.remove(*key)
        except _NotDue:
            _, run = await self.loader.find(*key)
            self.clockwork.note(key, run.wake_at)
        except NotFound:
            log.debug("run %s is gone", key.run_id)

    def offer_again(self, moved: Callable[[Task], bool]) -> None:
        """Offers the tasks that wait now and whose queue has `moved` to another home."""
        if self.loader.ready.is_set() and not self._closed:
            self.spawn(self._offer_waiting(2**63, moved))

    async def _offer_waiting(self, before: int, moved: Callable[[Task], bool] | None = None) -> None:
        """Offers every task that waited when the lease was taken, or (with `moved`) those that it picks."""
        after = ("", 0)
        while True:
            try:
                rows = await self.read(self.parts.store.tasks, self.lease, None, after, TASKS_PAGE)
            except Unavailable:
                await self.pause()
                continue
            for row in rows:
                if row.id < before:
                    self._offer(row, moved)
            if len(rows) < TASKS_PAGE:
                return
            after = (rows[-1].kind, rows[-1].id)

    def _offer(self, row: Row, moved: Callable[[Task], bool] | None) -> None:
        if row.kind != outgoing.ROW:
            task = task_of(Waiting.FromString(row.data), self.number, row.id)
            if moved is None or moved(task):
                self.parts.matching.offer(task)
        elif moved is None:
            self.spawn(outgoing.deliver(self, row.id, Outgoing.FromString(row.data)))

    async def backlog(self, kind: str, after: int, limit: int) -> list[Task]:
        """Up to `limit` tasks of a row kind that wait, with ids above `after`. Raises Unavailable."""
        rows = await self.read(self.parts.store.tasks, self.lease, kind, (kind, after), limit)
        return [task_of(Waiting.FromString(row.data), self.number, row.id) for row in rows]


def _answered(reply: R) -> R:
    """A Rejected that is a reply is raised, now that what it tells of is durable."""
    if isinstance(reply, Rejected):
        raise reply
    return reply


def _changed(step: Step) -> bool:
    """The decision has written something."""
    state = step.state
    tables_touched = state.activities.touched or state.timers.touched or state.requests.touched
    unsaved = len(state.buffered) > len(state.buffered_saved)
    updates_wait = bool(state.admitted) and not state.core.HasField("task")
    return bool(step.events or step.dispatches or step.lapsed or tables_touched or unsaved or updates_wait)


def _due(step: Step) -> None:
    at = tables.next_wake(step.state)
    if at is None or at > step.now:
        raise _NotDue("")
    if not step.state.running:
        raise _Expired("")
    tables.wake(step)
