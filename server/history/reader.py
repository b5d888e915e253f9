"""History as bytes: pages for those who ask, and what goes with a task to a worker. Encoded events are cut and joined, never parsed, except the
one event that an activity's input is in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from google.protobuf.message import Message
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    PollActivityTaskQueueResponse,
    PollWorkflowTaskQueueResponse,
)

from drivers.base import RunKey
from server import tokens
from server.core.outcome import WORKFLOW_TASK, Poll, encode, varint
from server.core.rejected import Missing
from server.core.state import State
from server.core.state_pb2 import HistoryToken
from server.core.step import Step
from server.core.workflow import activities, tasks
from server.faces import Task
from server.history.cache import Chunk, Run

if TYPE_CHECKING:
    from server.history.shard import Shard

PAGE_ROWS_MAX = 256  # batches of events: common/primitives/constants.go GetHistoryMaxPageSize
PAGE_BYTES_MAX = 2 * 1024 * 1024


class Started(NamedTuple):
    """A task that was started for a worker: its answer, and which events are still to be added to it (for an activity: the scheduled event
    that its input is taken from). `suffix` is the encoded events that history does not hold."""

    response: PollWorkflowTaskQueueResponse | PollActivityTaskQueueResponse
    run: Run
    first: int
    last: int
    suffix: bytes = b""

    @property
    def is_activity(self) -> bool:
        return isinstance(self.response, PollActivityTaskQueueResponse)


def start(step: Step, run: Run, task: Task, poll: Poll) -> Started:
    """Starts the task for the poll. Raises NotFound when it is moot."""
    if task.kind == WORKFLOW_TASK:
        response = tasks.start_workflow_task(step, task.scheduled_event_id, task.attempt, poll)
        return shown(step.state, run, response)
    activity = activities.start_activity_task(step, task.scheduled_event_id, task.attempt, task.stamp, poll)
    return Started(activity, run, task.scheduled_event_id, task.scheduled_event_id)


def shown(state: State, run: Run, response: PollWorkflowTaskQueueResponse) -> Started:
    """What a worker sees with the workflow task that has just been started."""
    for id, query in run.queries.items():
        response.queries[id].CopyFrom(query.query)
    suffix = encode(tasks.virtual_events(state, state.core.task.identity))
    return Started(
        response,
        run,
        tasks.first_event_to_show(state),
        state.core.next_event_id - 1,
        suffix,
    )


def at_hand(started: Started) -> bytes | None:
    """The whole answer, if the events are in memory."""
    data = recent(started.run, started.first, started.last)
    return None if data is None else _answer(started, data, 0)


async def fetched(shard: Shard, started: Started) -> bytes:
    """The whole answer, with events from memory or the store. Raises Unavailable."""
    data, more = await page(shard, started.run, started.first, started.last, PAGE_ROWS_MAX)
    return _answer(started, data, more)


def _answer(started: Started, data: bytes, more: int) -> bytes:
    response = started.response
    if isinstance(response, PollActivityTaskQueueResponse):
        attributes = HistoryEvent.FromString(event_at(data, 0)).activity_task_scheduled_event_attributes
        if attributes.HasField("input"):
            response.input.CopyFrom(attributes.input)
        if attributes.HasField("header"):
            response.header.CopyFrom(attributes.header)
        return response.SerializeToString()
    if more:
        response.next_page_token = page_token(started.run.key.run_id, more, started.last + 1, running=True, more=True)
    return joined(response, "history", data if more else data + started.suffix)


def joined(response: Message, field: str, data: bytes) -> bytes:
    """The response with a message joined in that is encoded already."""
    return response.SerializeToString() + embedded(type(response), field, data)


def embedded(kind: type[Message], field: str, data: bytes) -> bytes:
    """An encoded message as a field of a message of that kind; may be joined to its encoding."""
    number = kind.DESCRIPTOR.fields_by_name[field].number
    return b"".join((varint(number << 3 | 2), varint(len(data)), data))


def page_token(run_id: str, first: int, after: int, *, running: bool, more: bool) -> bytes:
    """Where to go on: with event `first`; what was asked for ends before `after`; `more` of it is known to be there."""
    token = HistoryToken(
        run_id=run_id,
        first_event_id=first,
        next_event_id=after,
        running=running,
        more=b"1" * more,
    )
    return tokens.encode(token)


async def page(shard: Shard, run: Run, first: int, last: int, rows_max: int) -> tuple[bytes, int]:
    """Encoded events from `first`, up to `last` or until a page is full; and the first event that is not in it, 0 when all are. They must be
    durable. Raises Missing (the run was deleted), Unavailable."""
    data = recent(run, first, last) if rows_max >= PAGE_ROWS_MAX else None
    if data is not None:
        return data, 0
    key = RunKey(*run.key)
    rows = await shard.read(shard.parts.store.history, shard.lease, key, first, last, rows_max)
    chunks, size = [], 0
    for row in rows:
        chunks.append(Chunk(row.first, row.last, row.data))
        size += len(row.data)
        if size > PAGE_BYTES_MAX:
            break
    if not chunks:
        raise Missing.run(key.workflow_id, key.run_id)
    data = _joined(chunks, first)
    return data, 0 if chunks[-1].last >= last else chunks[-1].last + 1


def recent(run: Run, first: int, last: int) -> bytes | None:
    """Encoded events `first` to `last`, if they are in memory."""
    if first > last:
        return b""
    chunks = [chunk for chunk in run.recent if chunk.last >= first and chunk.first <= last]
    if not chunks or chunks[0].first > first or chunks[-1].last < last:
        return None
    return _joined(chunks, first, last)


def _joined(chunks: list[Chunk], first: int, last: int = 0) -> bytes:
    """The events from `first` (to `last`) of chunks that follow one another."""
    parts = [chunk.data for chunk in chunks]
    tail = chunks[-1]
    if last:
        parts[-1] = cut(tail, last).data
    if chunks[0].first < first:
        parts[0] = parts[0][_offset(chunks[0].data, first - chunks[0].first) :]
    return b"".join(parts)


def cut(chunk: Chunk, last: int) -> Chunk:
    """The chunk up to event `last`."""
    if chunk.last <= last:
        return chunk
    return Chunk(chunk.first, last, chunk.data[: _offset(chunk.data, last + 1 - chunk.first)])


def _offset(data: bytes, number: int) -> int:
    """Where the event of that number (from 0) begins in an encoded History."""
    at = 0
    for _ in range(number):
        size, at = _size(data, at)
        at += size
    return at


def _size(data: bytes, at: int) -> tuple[int, int]:
    """How long the event is whose tag is at `at`, and where it begins."""
    size, shift = 0, 0
    while True:
        at += 1
        size |= (data[at] & 0x7F) << shift
        shift += 7
        if data[at] < 0x80:
            return size, at + 1


def event_at(data: bytes, number: int) -> bytes:
    """The encoded HistoryEvent of that number (from 0) of an encoded History."""
    size, at = _size(data, _offset(data, number))
    return data[at : at + size]


def events(data: bytes) -> list[bytes]:
    """Every event of an encoded History, each as a History of its own."""
    out, at = [], 0
    while at < len(data):
        size, begin = _size(data, at)
        out.append(data[at : begin + size])
        at = begin + size
    return out
