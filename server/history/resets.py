"""ResetWorkflowExecution: reads the history that a decision needs of several runs, and makes that decision while nothing has come between.

Source: service/history/api/resetworkflow/api.go, service/history/ndc/workflow_resetter.go (reapplyContinueAsNewWorkflowEvents).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest, ResetWorkflowExecutionResponse

from drivers.base import RunKey
from server.core.outcome import Namespace
from server.core.rejected import Missing, Rejected, Unavailable
from server.core.workflow import reset
from server.history import reader
from server.history.cache import Chunk, Run, Workflow
from server.history.loader import LOST
from server.history.shards import Shards

if TYPE_CHECKING:
    from server.history.shard import Shard

CONTINUED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
TRIES_MAX = 4


class Past(NamedTuple):
    """What was read: the history of the base run up to the event before `finish`, as stored (`chunks`) and as events (`kept`), and the events
    from there on, also those of the runs that continued the base run. `last` is the last of these runs, `read` its last event that is in."""

    chunks: list[Chunk]
    kept: list[HistoryEvent]
    later: list[HistoryEvent]
    last: Run
    read: int


class Resets(Shards):
    """Raises Rejected."""

    async def reset_workflow_execution(
        self, namespace: Namespace, request: ResetWorkflowExecutionRequest
    ) -> ResetWorkflowExecutionResponse:
        """Answers with the run that the workflow id names from now on. The same request again (by its id) changes nothing."""
        at = request.workflow_execution
        shard = self.of(namespace.id, at.workflow_id)
        for _ in range(TRIES_MAX):
            workflow, base = await shard.loader.find(namespace.id, at.workflow_id, at.run_id)
            with workflow.pinned():
                _, current = await shard.loader.find_current(namespace.id, at.workflow_id, likely=True)
                if base.state is None:
                    continue
                reset.check(base.state, request)
                if current is not None and current.state is not None and reset.is_known(current.state, request):
                    await shard.loader.undisturbed(workflow)
                    return ResetWorkflowExecutionResponse(run_id=current.key.run_id)
                past = await _read(shard, workflow, base, request)
                if not _stands(workflow, base, current, past):
                    continue
                reply = await _reset(shard, workflow, namespace, request, (base, current), past)
            if reply is not None:
                return reply
        raise Unavailable(LOST)


def _stands(workflow: Workflow, base: Run, current: Run | None, past: Past) -> bool:
    """What was read is all there is: what came meanwhile is at hand, and is added."""
    state = past.last.state
    if base.state is None or state is None or workflow.loaded("") is not current:
        return False
    tail = reader.recent(past.last, past.read + 1, state.core.next_event_id - 1)
    if tail is None:
        return False
    past.later.extend(History.FromString(tail).events)
    return True


async def _reset(
    shard: Shard,
    workflow: Workflow,
    namespace: Namespace,
    request: ResetWorkflowExecutionRequest,
    runs: tuple[Run, Run | None],
    past: Past,
) -> ResetWorkflowExecutionResponse | None:
    """None: the store holds something else than was assumed."""
    base, new = shard.step(runs[0], namespace), shard.unborn(workflow, namespace)
    current = None
    if runs[1] is not None:
        current = base if runs[1] is runs[0] else shard.step(runs[1], namespace)
    new.kept = past.chunks
    try:
        reply = reset.reset_workflow_execution(base, current, new, request, past.kept, past.later, past.last.key.run_id)
    except Rejected:
        for run in filter(None, runs):
            run.spoil()
        raise
    except Exception as error:
        raise shard.broken(workflow, error) from error
    steps = [base, new] if current is None or current is base else [base, current, new]
    return reply if await shard.durable(shard.conclude(workflow, steps)) else None


# Reading ---------------------------------------------------------------------------------------------------------------------------


async def _read(shard: Shard, workflow: Workflow, base: Run, request: ResetWorkflowExecutionRequest) -> Past:
    """Raises Missing, Unavailable."""
    await shard.loader.undisturbed(workflow)
    finish = request.workflow_task_finish_event_id
    rows = await _rows(shard, base)
    events = _parsed(rows)
    kept, later = events[: finish - 1], events[finish - 1 :]
    last, read = base, events[-1].event_id
    while not reset.excludes_all(request) and events[-1].event_type == CONTINUED:
        run_id = events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        try:
            _, run = await shard.loader.find(*workflow.id, run_id)
            events = _parsed(await _rows(shard, run))
        except Missing:
            break
        later += events
        last, read = run, events[-1].event_id
    return Past(_cut(rows, finish - 1), kept, later, last, read)


async def _rows(shard: Shard, run: Run) -> list[Chunk]:
    """The whole history of a run, as it is stored."""
    rows: list[Chunk] = []
    while True:
        first = rows[-1].last + 1 if rows else 1
        page = await shard.read(
            shard.parts.store.history, shard.lease, RunKey(*run.key), first, 2**62, reader.PAGE_ROWS_MAX
        )
        rows += [Chunk(row.first, row.last, row.data) for row in page]
        if len(page) < reader.PAGE_ROWS_MAX:
            break
    if not rows:
        raise Missing.run(run.key.workflow_id, run.key.run_id)
    return rows


def _parsed(rows: list[Chunk]) -> list[HistoryEvent]:
    return [event for row in rows for event in History.FromString(row.data).events]


def _cut(rows: list[Chunk], last: int) -> list[Chunk]:
    """The rows up to an event, which may be in the middle of one."""
    kept = [row for row in rows if row.first <= last]
    tail = kept.pop()
    return [*kept, reader.cut(tail, last)]
