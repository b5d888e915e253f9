"""What a process keeps in memory of its workflows: an LRU of workflow ids, each with its runs that are loaded, bounded by count and by bytes.

Nothing here is needed for correctness: all but what is under way can be dropped at any time and is loaded again when it is touched.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from temporalio.api.query.v1 import WorkflowQuery, WorkflowQueryResult
from temporalio.api.update.v1 import Outcome

from server.core.outcome import Updated
from server.core.rejected import Rejected, Unavailable, WorkflowNotReady
from server.core.state import Key, State
from server.history.committer import Commit

RECENT_BYTES_MAX = 64 * 1024  # of encoded history kept with a run
RUNS_OF_WORKFLOW_MAX = 4
RUN_BYTES = 8192  # about what a run costs beside its messages: measured with 15,000 in memory
ROW_BYTES = 768  # about what a pending record costs
LOST_UPDATE = "workflow update was aborted"
FAILED_UPDATE = "Unable to perform workflow execution update due to unexpected workflow task failure."


class Chunk(NamedTuple):
    """Events `first` to `last` as they are stored: an encoded History."""

    first: int
    last: int
    data: bytes


class Buffered:
    """A query that waits for a worker to answer it with a workflow task."""

    __slots__ = ("future", "query")

    def __init__(self, query: WorkflowQuery) -> None:
        self.query = query
        self.future: asyncio.Future[WorkflowQueryResult | None] = asyncio.get_running_loop().create_future()

    def answer(self, result: WorkflowQueryResult | None) -> None:
        """The worker's result; None when no workflow task is pending any more, so that it may be asked directly."""
        if not self.future.done():
            self.future.set_result(result)


class Progress:
    """How far an update has come that somebody waits for. `event_id`: the event that has its outcome."""

    __slots__ = ("_changed", "accepted", "error", "event_id", "followers", "outcome")

    def __init__(self) -> None:
        self.followers = 0
        self.accepted = False
        self.event_id = 0
        self.outcome: Outcome | None = None
        self.error: Rejected | None = None
        self._changed = asyncio.Event()

    def reached(self, *, accepted: bool) -> bool:
        """There is a result; or with `accepted`, a worker has accepted it."""
        done = self.outcome is not None or self.error is not None or self.event_id != 0
        return done or (accepted and self.accepted)

    async def changed(self) -> None:
        """Returns when there is news."""
        await self._changed.wait()

    def note(self, news: Updated) -> None:
        """Durable news."""
        self.outcome, self.error = news.outcome, news.error
        self.accepted = self.accepted or news.error is None
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class Run:
    """A run in memory. `state` has every decision applied, committed or under way; None when it must be loaded (again). `recent` is the
    encoded end of its history, without a gap up to the newest event. Watchers and queries outlive a reload; updates that no worker has
    accepted do not."""

    __slots__ = (
        "key",
        "queries",
        "recent",
        "recent_bytes",
        "state",
        "updates",
        "wake_at",
        "watchers",
    )

    def __init__(self, key: Key, state: State | None = None) -> None:
        self.key = key
        self.state = state
        self.wake_at: int | None = None
        self.recent: list[Chunk] = []
        self.recent_bytes = 0
        self.watchers: list[asyncio.Future[None]] = []
        self.queries: dict[str, Buffered] = {}
        self.updates: dict[str, Progress] = {}  # those that somebody waits for

    @property
    def busy(self) -> bool:
        """Somebody waits for this run."""
        return bool(self.watchers or self.queries or self.updates or (self.state is not None and self.state.admitted))

    def spoil(self) -> None:
        """The state is not what is stored: it must be loaded before it is used. Who waits for news looks again."""
        self.state = None
        self.recent.clear()
        self.recent_bytes = 0
        self.told()
        for id in list(self.updates):
            self.updated(Updated(id, error=Unavailable(LOST_UPDATE)))

    def updated(self, news: Updated) -> None:
        """Tells whoever waits for the update."""
        progress = self.updates.get(news.id)
        if progress is not None:
            progress.note(news)
            if progress.reached(accepted=False):
                del self.updates[news.id]

    def task_broken(self) -> None:
        """What the worker has answered to a workflow task cannot be carried out: the updates that it saw are not tried again."""
        admitted = self.state.admitted if self.state is not None else {}
        for id, progress in list(self.updates.items()):
            if not progress.accepted and (id not in admitted or admitted[id].sent):
                self.updated(Updated(id, error=WorkflowNotReady(FAILED_UPDATE)))

    def remember(self, chunk: Chunk) -> None:
        """Keeps the newest events at hand."""
        self.recent.append(chunk)
        self.recent_bytes += len(chunk.data)
        while self.recent_bytes > RECENT_BYTES_MAX:
            self.recent_bytes -= len(self.recent.pop(0).data)

    def told(self) -> None:
        """Wakes everybody who waits for news of this run."""
        watchers, self.watchers = self.watchers, []
        for watcher in watchers:
            if not watcher.done():
                watcher.set_result(None)

    def unblock(self) -> None:
        """No workflow task will come that could answer the queries."""
        for query in self.queries.values():
            query.answer(None)

    def size(self) -> int:
        """About how many bytes it takes."""
        state = self.state
        if state is None:
            return RUN_BYTES
        rows = len(state.activities) + len(state.timers) + len(state.requests) + len(state.buffered)
        return RUN_BYTES + 2 * state.core.ByteSize() + rows * ROW_BYTES + self.recent_bytes


class Workflow:
    """A workflow id in memory. `current` is the run that it names now, "" for none, None when that is not known. `open` collects what has been
    decided since the last transaction took off, `sent` is aboard it."""

    __slots__ = ("_pins", "bytes", "current", "id", "loading", "open", "runs", "sent")

    def __init__(self, namespace_id: str, workflow_id: str) -> None:
        self.id = (namespace_id, workflow_id)
        self.current: str | None = None
        self.runs: dict[str, Run] = {}
        self.open: Commit | None = None
        self.sent: Commit | None = None
        self.loading: asyncio.Future[None] | None = None
        self.bytes = 0
        self._pins = 0

    @property
    def underway(self) -> Commit | None:
        """The newest commit that has not finished; all earlier ones finish before it."""
        return self.open or self.sent

    def loaded(self, run_id: str) -> Run | None:
        """The run ("": the current one), if its state is here."""
        run = self.runs.get(run_id or self.current or "")
        return run if run is not None and run.state is not None else None

    @contextmanager
    def pinned(self) -> Iterator[None]:
        """It stays in memory for the time being."""
        self._pins += 1
        try:
            yield
        finally:
            self._pins -= 1

    @property
    def busy(self) -> bool:
        return (
            self._pins > 0
            or self.open is not None
            or self.sent is not None
            or self.loading is not None
            or any(run.busy for run in self.runs.values())
        )

    def spoil(self) -> None:
        """Nothing that was remembered is sure."""
        self.current = None
        for run in self.runs.values():
            run.spoil()

    def prune(self) -> None:
        """A long chain of runs keeps only the last few in memory."""
        for run_id, run in list(self.runs.items())[:-RUNS_OF_WORKFLOW_MAX]:
            if run_id != self.current and not run.busy:
                del self.runs[run_id]


class Cache:
    """The least recently used workflows leave first; one that is busy stays."""

    def __init__(self, workflows_max: int, bytes_max: int) -> None:
        self.workflows_max = workflows_max
        self.bytes_max = bytes_max
        self.bytes = 0
        self._workflows: OrderedDict[tuple[str, str], Workflow] = OrderedDict()

    def __len__(self) -> int:
        return len(self._workflows)

    def get(self, namespace_id: str, workflow_id: str) -> Workflow:
        """The workflow, made when it is not there."""
        id = (namespace_id, workflow_id)
        workflow = self._workflows.get(id)
        if workflow is None:
            workflow = self._workflows[id] = Workflow(namespace_id, workflow_id)
        else:
            self._workflows.move_to_end(id)
        return workflow

    def weigh(self, workflow: Workflow) -> None:
        """Takes note of its new size, and makes room. Call it when the workflow has just become idle."""
        if self._workflows.get(workflow.id) is not workflow:
            return
        size = sum(run.size() for run in workflow.runs.values())
        self.bytes += size - workflow.bytes
        workflow.bytes = size
        self._make_room()

    def _make_room(self) -> None:
        tries = len(self._workflows)
        while tries and (len(self._workflows) > self.workflows_max or self.bytes > self.bytes_max):
            tries -= 1
            id, workflow = next(iter(self._workflows.items()))
            if workflow.busy:
                self._workflows.move_to_end(id)
            else:
                self.drop(workflow)

    def drop(self, workflow: Workflow) -> None:
        """Forgets it. Whoever still holds it must get it anew."""
        if self._workflows.pop(workflow.id, None) is workflow:
            self.bytes -= workflow.bytes

    def all(self) -> list[Workflow]:
        """Every workflow in memory."""
        return list(self._workflows.values())
