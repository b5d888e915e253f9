"""A Turn makes one decision durable and then visible: it settles the steps, starts at once what a waiting poller can have, writes the rows
into the workflow's commit, and after the commit releases tasks, wake-ups and news.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from temporalio.api.enums.v1 import EventType

from drivers.base import (
    Batch,
    Current,
    Execution,
    Fault,
    History,
    Pending,
    RunKey,
    SetCurrent,
    Visible,
)
from drivers.base import Task as Row
from server.core.outcome import Dispatch, Outcome, Updated, base_of, row_kind
from server.core.rejected import Rejected
from server.core.settle import settle
from server.core.state import State
from server.core.state_pb2 import Outgoing
from server.core.step import Step
from server.core.workflow import describe
from server.faces import Poller, Task, waiting_row
from server.history import outgoing
from server.history.cache import Chunk, Run, Workflow
from server.history.reader import Started, at_hand, fetched, start

if TYPE_CHECKING:
    from server.history.shard import Shard

SHOWN = {
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
    EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
}

log = logging.getLogger(__name__)


class News(NamedTuple):
    """What others may learn of a run after the commit. `idle`: no workflow task is pending."""

    run: Run
    events: bool
    wake_at: int | None
    idle: bool
    updates: Sequence[Updated]


class Turn:
    """`steps` are the runs that the decision touched, in order; what follows each (`step.next`) is found here."""

    def __init__(
        self,
        shard: Shard,
        workflow: Workflow,
        steps: list[Step],
        after: Callable[[Run], None] | None = None,
    ) -> None:
        self._shard = shard
        self._workflow = workflow
        self._steps = steps
        self._after = after
        self._news: list[News] = []
        self._offers: list[Task] = []
        self._sends: list[tuple[int, Outgoing]] = []
        self._taken: list[tuple[Poller, Task, Started]] = []

    def settle(self) -> None:
        """The rules that hold after every decision; then pollers that wait get their tasks within the same commit."""
        for step in self._steps:
            settle(step)
        for step in self._all():
            for dispatch in list(step.dispatches):
                self._try_to_start(step, dispatch)

    def _all(self) -> Iterator[Step]:
        for step in self._steps:
            each: Step | None = step
            while each is not None:
                yield each
                each = each.next

    def _try_to_start(self, step: Step, dispatch: Dispatch) -> None:
        task = self._task(step.state, dispatch)
        poller = self._shard.parts.matching.take(task)
        if poller is None:
            return
        try:
            started = start(step, self._shard.cached(step.state), task, poller.poll)
            settle(step)
        except Rejected:  # nothing has changed: it waits like any other task
            log.exception("a task that was just scheduled could not be started")
            poller.release()
        except BaseException:
            poller.release()
            raise
        else:
            self._taken.append((poller, task, started))

    def _task(self, state: State, d: Dispatch) -> Task:
        return Task(
            d.kind,
            base_of(state.key.namespace_id),
            d.queue,
            d.normal_queue,
            state.key,
            d.scheduled_event_id,
            d.attempt,
            d.stamp,
            self._shard.number,
            d.id,
            d.scheduled_time,
            d.expires_at,
            d.priority,
        )

    # Rows --------------------------------------------------------------------------------------------------------------------------

    def rows(self) -> Batch:
        """What must become durable, of all runs together."""
        batch = Batch(self._shard.lease, 0)
        for step in self._all():
            outcome = step.finish()
            run = self._shard.cached(step.state)
            if step.was_status == 0:
                self._point(batch, run)
            for kept in step.kept:
                batch.history.append(History(RunKey(*run.key), *kept))
                run.remember(Chunk(*kept))
            self._add_run(batch, run, outcome, step.listed)
            for dispatch in outcome.dispatches:
                task = self._task(outcome.state, dispatch)
                kind = row_kind(dispatch.kind, run.key.namespace_id, dispatch.queue)
                batch.tasks.append(Row(kind, dispatch.id, waiting_row(task).SerializeToString()))
                self._offers.append(task)
            for id, note in outcome.sends:
                batch.tasks.append(Row(outgoing.ROW, id, note.SerializeToString()))
            self._sends += outcome.sends
            batch.tasks_done += outcome.lapsed
        return batch

    def _point(self, batch: Batch, run: Run) -> None:
        """The workflow id names a new run now."""
        workflow, first = self._workflow, self._steps[0]
        before = workflow.current
        if before is None and first.was_status:
            before = first.state.key.run_id  # it was running: nothing else can have been the current one
        batch.current.append(SetCurrent(*workflow.id, before or None, Current(run.key.run_id, b"")))
        workflow.current = run.key.run_id

    def _add_run(self, batch: Batch, run: Run, outcome: Outcome, listed: bool) -> None:
        state, key = outcome.state, RunKey(*run.key)
        pending = [Pending(*row) for row in state.changes()]
        core = state.core.SerializeToString()
        batch.executions.append(Execution(key, core, outcome.wake_at, run.wake_at, pending))
        run.wake_at = outcome.wake_at
        if outcome.events:
            chunk = Chunk(outcome.first, outcome.last, outcome.data)
            batch.history.append(History(key, *chunk))
            run.remember(chunk)
        if listed or outcome.was_status != state.core.status or any(e.event_type in SHOWN for e in outcome.events):
            batch.visible.append(Visible(key, **describe.visible(state)))
        idle = not state.running or not state.core.HasField("task")
        self._news.append(News(run, bool(outcome.events), outcome.wake_at, idle, outcome.updates))

    # After the commit --------------------------------------------------------------------------------------------------------------

    def release(self, fault: Fault | None) -> None:
        """What was decided is durable, and may be seen; or it has not happened, and the pollers wait again."""
        if fault is not None:
            for poller, _, _ in self._taken:
                poller.release()
            return
        if self._after is not None:
            self._after(self._news[0].run)
        for news in self._news:
            self._shard.clockwork.note(RunKey(*news.run.key), news.wake_at)
            if news.events or "/" in news.run.key.namespace_id:  # of an activity every change is news
                news.run.told()
            if news.idle:
                news.run.unblock()
            for update in news.updates:
                news.run.updated(update)
        for poller, task, started in self._taken:
            self._deliver(poller, task, started)
        for task in self._offers:
            self._shard.parts.matching.offer(task)
        for id, note in self._sends:
            self._shard.spawn(outgoing.deliver(self._shard, id, note))

    def _deliver(self, poller: Poller, task: Task, started: Started) -> None:
        data = at_hand(started)
        if data is None:
            self._shard.spawn(self._fetch(poller, task, started))
        elif not poller.deliver(data):
            self._shard.parts.matching.hand_over(task, data)

    async def _fetch(self, poller: Poller, task: Task, started: Started) -> None:
        """The history that goes with the task has to be read from the store."""
        try:
            data = await fetched(self._shard, started)
        except Rejected:  # the worker never gets it: the task's own time-out tries again
            poller.release()
            return
        if not poller.deliver(data):
            self._shard.parts.matching.hand_over(task, data)
