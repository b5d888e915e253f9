"""GetWorkflowExecutionHistory and its reverse: pages, waiting for news, the closing event alone.

Source: service/history/api/getworkflowexecutionhistory/api.go. Answers are encoded responses. A page ends with a batch of events, and what
was written since the page before is shown too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from temporalio.api.enums.v1 import HistoryEventFilterType
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    GetWorkflowExecutionHistoryReverseRequest,
    GetWorkflowExecutionHistoryReverseResponse,
)

from drivers.base import RunKey
from server import tokens
from server.core.outcome import encode
from server.core.rejected import InvalidArgument, Missing
from server.core.state_pb2 import HistoryToken
from server.core.workflow import tasks
from server.history import reader
from server.history.cache import Run

if TYPE_CHECKING:
    from server.history.shard import Shard

V = TypeVar("V")

WAIT_SECONDS_MAX = 20.0  # dynamic config history.longPollExpirationInterval
WAIT_SECONDS_SPARE = 1.0  # the answer leaves that long before the caller gives up: common.DefaultLongPollBuffer
CLOSE_EVENT = HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT
OTHER_RUN = "RunId in the request does not match the NextPageToken."


class View(NamedTuple):
    """A run as its history shows it; `suffix` is the encoded events of a repeated workflow task, which are not stored."""

    run: Run
    next_event_id: int
    running: bool
    suffix: bytes


async def forward(
    shard: Shard, namespace_id: str, request: GetWorkflowExecutionHistoryRequest, timeout: float | None, virtual: bool
) -> bytes:
    """A page. `timeout` is how many seconds the caller waits, None for ever; with `virtual` a repeated workflow task is shown as workers
    see it. Raises InvalidArgument (token), Missing, Unavailable."""
    token = _token(request.next_page_token, request.execution.run_id)
    key = (namespace_id, request.execution.workflow_id, token.run_id if token else request.execution.run_id)
    close_only = request.history_event_filter_type == CLOSE_EVENT
    if request.wait_new_event and (close_only if token is None else token.running and not token.more):
        after = None if close_only or token is None else token.next_event_id
        view = await _wait(shard, key, after, timeout)
    else:
        view = await shard.look(*key, _view)
    if close_only:
        return await _closing(shard, view, request.wait_new_event)
    first = token.first_event_id if token else 1
    return await _page(shard, view, first, request, virtual)


async def _page(
    shard: Shard, view: View, first: int, request: GetWorkflowExecutionHistoryRequest, virtual: bool
) -> bytes:
    run, after = view.run, view.next_event_id
    data, more = b"", 0
    if first < after:
        data, more = await reader.page(shard, run, first, after - 1, _rows(request.maximum_page_size))
        if virtual and not more:
            data += view.suffix
    response = GetWorkflowExecutionHistoryResponse()
    if more or (request.wait_new_event and view.running):
        response.next_page_token = reader.page_token(
            run.key.run_id, more or after, after, running=view.running, more=bool(more)
        )
    return reader.joined(response, "history", data)


async def _closing(shard: Shard, view: View, wait: bool) -> bytes:
    """The closing event alone, or nothing as long as the run is open."""
    response, last = GetWorkflowExecutionHistoryResponse(), view.next_event_id - 1
    if view.running:
        if wait:
            response.next_page_token = reader.page_token(view.run.key.run_id, 1, last + 1, running=True, more=False)
        return reader.joined(response, "history", b"")
    data, _ = await reader.page(shard, view.run, last, last, reader.PAGE_ROWS_MAX)
    return reader.joined(response, "history", data)


async def reverse(shard: Shard, namespace_id: str, request: GetWorkflowExecutionHistoryReverseRequest) -> bytes:
    """A page from the end. Raises InvalidArgument (token), Missing, Unavailable."""
    token = _token(request.next_page_token, request.execution.run_id)
    run_id = token.run_id if token else request.execution.run_id
    view = await shard.look(namespace_id, request.execution.workflow_id, run_id, _view)
    last, limit = token.first_event_id if token else view.next_event_id - 1, _rows(request.maximum_page_size)
    key, first = RunKey(*view.run.key), max(1, last - limit + 1)  # a batch has at least one event
    rows = await shard.read(shard.parts.store.history, shard.lease, key, first, last, limit)
    if not rows:
        raise Missing.run(key.workflow_id, key.run_id)
    response = GetWorkflowExecutionHistoryReverseResponse()
    if rows[0].first > 1:
        response.next_page_token = reader.page_token(key.run_id, rows[0].first - 1, 0, running=False, more=True)
    data = b"".join(event for row in reversed(rows) for event in reversed(reader.events(row.data)))
    return reader.joined(response, "history", data)


async def _wait(shard: Shard, key: tuple[str, str, str], after: int | None, timeout: float | None) -> View:
    """The run once it has closed or has events from `after` (None: once it has closed), or as it is when the time is over."""
    return await until(
        shard, key, _view, lambda view: not view.running or (after is not None and view.next_event_id > after), timeout
    )


async def until(
    shard: Shard,
    key: tuple[str, str, str],
    view: Callable[[Run], V],
    enough: Callable[[V], bool],
    timeout: float | None,
) -> V:
    """What `view` makes of the run once that is `enough`, or as it is when the time is over. Raises Missing, Unavailable."""
    patience = WAIT_SECONDS_MAX if timeout is None else min(WAIT_SECONDS_MAX, timeout - WAIT_SECONDS_SPARE)
    end = shard.parts.environment.monotonic() + patience
    watchers: list[asyncio.Future[None]] = []
    runs: list[Run] = []

    def look(run: Run) -> V:
        seen = view(run)
        runs[:] = [run]
        if not enough(seen):
            watchers[:] = [asyncio.get_running_loop().create_future()]
            run.watchers += watchers
        return seen

    while True:
        seen = await shard.look(*key, look)
        left = end - shard.parts.environment.monotonic()
        if not watchers:
            return seen
        try:
            done, _ = await asyncio.wait(watchers, timeout=max(left, 0))
        finally:
            if not watchers[0].done() and watchers[0] in runs[0].watchers:
                runs[0].watchers.remove(watchers[0])
        if not done:
            return seen
        key, watchers = (key[0], key[1], runs[0].key.run_id), []


def _view(run: Run) -> View:
    assert run.state is not None
    state = run.state
    virtual = tasks.virtual_events(state) if state.running else []
    fits = bool(virtual) and virtual[0].event_id == state.core.next_event_id
    return View(run, state.core.next_event_id, state.running, encode(virtual) if fits else b"")


def _token(data: bytes, run_id: str) -> HistoryToken | None:
    if not data:
        return None
    token = tokens.decode_page(data)
    if run_id and run_id != token.run_id:
        raise InvalidArgument(OTHER_RUN)
    return token


def _rows(asked: int) -> int:
    return min(asked, reader.PAGE_ROWS_MAX) if asked > 0 else reader.PAGE_ROWS_MAX
