"""History pages, waiting for news, and what goes with a task, compared with what was written."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import HistoryEventFilterType
from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryReverseRequest,
    GetWorkflowExecutionHistoryReverseResponse,
)

from server import tokens
from server.core.outcome import encode
from server.core.rejected import InvalidArgument, Missing
from server.core.state_pb2 import HistoryToken, TaskToken
from server.history import pages, reader
from server.history.cache import Chunk, Run
from tests.server.history_kit import NAMESPACE, Rig, complete_workflow, kinds, rig

pytestmark = pytest.mark.asyncio
CLOSE = HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT


async def with_signals(r: Rig, number: int) -> list[HistoryEvent]:
    await r.start()
    for n in range(number):
        await r.signal(f"s{n}")
    return await r.events()


async def test_pages_join_to_the_whole(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        whole = await with_signals(r, 20)
        for size in (1, 3, 7, 21, 300):
            page, events = await r.page(maximum_page_size=size), list[HistoryEvent]()
            events += page.history.events
            while page.next_page_token:
                page = await r.page(maximum_page_size=size, next_page_token=page.next_page_token)
                events += page.history.events
            assert events == whole


async def test_the_reverse_is_the_reverse(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        whole = await with_signals(r, 20)
        for size in (1, 3, 7, 300):
            events, token = list[HistoryEvent](), b""
            while True:
                request = GetWorkflowExecutionHistoryReverseRequest(
                    execution=WorkflowExecution(workflow_id="w"), maximum_page_size=size, next_page_token=token
                )
                data = await r.engine.get_workflow_execution_history_reverse(NAMESPACE, request)
                page = GetWorkflowExecutionHistoryReverseResponse.FromString(data)
                events += page.history.events
                token = page.next_page_token
                if not token:
                    break
            assert events == whole[::-1]


async def test_pages_are_the_same_from_memory_and_from_the_store(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        whole = await with_signals(r, 5)
    async with rig(tmp_path / "db") as r:
        assert await r.events() == whole


async def test_a_long_poll_waits_for_news(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start()
        first = await r.page(wait_new_event=True)
        assert (len(first.history.events), bool(first.next_page_token)) == (2, True)
        more: dict[str, Any] = {"wait_new_event": True, "next_page_token": first.next_page_token}
        polls = [asyncio.create_task(r.page(**more)) for _ in range(3)]
        await asyncio.sleep(0.02)
        assert not any(poll.done() for poll in polls)
        await r.signal("s")
        for poll in polls:
            page = await poll
            assert kinds(page.history.events) == ["workflow_execution_signaled"]
            assert page.next_page_token


async def test_a_long_poll_ends_before_the_caller_gives_up(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        run_id = await r.start()
        first = await r.page(wait_new_event=True)
        page = await r.page(wait_new_event=True, next_page_token=first.next_page_token, timeout=1.01)
        assert (len(page.history.events), page.next_page_token) == (0, first.next_page_token)
        page = await r.page(wait_new_event=True, history_event_filter_type=CLOSE, timeout=1.01)
        assert (len(page.history.events), bool(page.next_page_token)) == (0, True)
        run = r.engine.of(NAMESPACE.id, "w").cache.get(NAMESPACE.id, "w").runs[run_id]
        assert not run.watchers


async def test_a_cancelled_long_poll_leaves_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        run_id = await r.start()
        poll = asyncio.create_task(r.page(wait_new_event=True, history_event_filter_type=CLOSE))
        await asyncio.sleep(0.02)
        poll.cancel()
        await asyncio.gather(poll, return_exceptions=True)
        assert not r.engine.of(NAMESPACE.id, "w").cache.get(NAMESPACE.id, "w").runs[run_id].watchers


async def test_the_close_event_alone(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start()
        open_page = await r.page(history_event_filter_type=CLOSE)
        assert (len(open_page.history.events), open_page.next_page_token) == (0, b"")
        waiting = asyncio.create_task(r.page(history_event_filter_type=CLOSE, wait_new_event=True))
        task = await r.take_task()
        await r.signal("buffered")
        assert not waiting.done()
        reply = await r.complete(task, return_new_workflow_task=True)
        await r.complete(reply.workflow_task, complete_workflow())
        page = await waiting
        assert (kinds(page.history.events), page.next_page_token) == (["workflow_execution_completed"], b"")
        assert await r.events(history_event_filter_type=CLOSE) == list(page.history.events)


async def test_a_closed_run_ends_a_long_poll(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start()
        first = await r.page(wait_new_event=True)
        await r.complete(await r.take_task(), complete_workflow())
        page = await r.page(wait_new_event=True, next_page_token=first.next_page_token)
        assert (len(page.history.events), page.next_page_token) == (3, b"")


async def test_what_does_not_exist(tmp_path: Path) -> None:
    other = str(uuid.uuid4())
    async with rig(tmp_path / "db") as r:
        await r.start()
        with pytest.raises(Missing, match=r"^workflow not found for ID: nope$"):
            await r.events("nope")
        sentence = rf'^workflow execution not found for workflow ID "w" and run ID "{other}"$'
        with pytest.raises(Missing, match=sentence):
            await r.events("w", run_id=other)


async def test_page_tokens_are_checked(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start()
        page = await r.page(maximum_page_size=1, wait_new_event=True)
        with pytest.raises(InvalidArgument, match=pages.OTHER_RUN):
            await r.page(run_id=str(uuid.uuid4()), next_page_token=page.next_page_token)
        for forged in (b"x", b"\xff\xff", HistoryToken(version=1).SerializeToString(), b"\x08\x02"):
            with pytest.raises(InvalidArgument, match=r"^Invalid NextPageToken\.$"):
                await r.page(next_page_token=forged)


async def test_task_tokens_are_checked() -> None:
    token = TaskToken(namespace_id="n", workflow_id="w", run_id="r")
    assert tokens.decode_task(tokens.encode(token)) == token
    with pytest.raises(InvalidArgument, match=r"^Task token not set on request\.$"):
        tokens.decode_task(b"")
    for forged in (b"hello", b"\xff", TaskToken(version=1).SerializeToString(), b"\x08\x02"):
        with pytest.raises(InvalidArgument, match=r"^Error deserializing task token\.$"):
            tokens.decode_task(forged)


async def test_a_long_history_comes_in_pages_with_the_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "PAGE_ROWS_MAX", 4)
    async with rig(tmp_path / "db") as r:
        whole = await with_signals(r, 10)
        r.engine.of(NAMESPACE.id, "w").cache.get(NAMESPACE.id, "w").runs[whole_run(r)].spoil()
        task = await r.take_task()
        events, token = list(task.history.events), task.next_page_token
        assert len(events) < 12
        while token:
            page = await r.page(next_page_token=token)
            events += page.history.events
            token = page.next_page_token
        assert events[:-1] == whole
        assert events[-1].event_id == task.started_event_id


def whole_run(r: Rig) -> str:
    return next(iter(r.engine.of(NAMESPACE.id, "w").cache.get(NAMESPACE.id, "w").runs))


async def test_recent_history_is_cut_at_events() -> None:
    events = [HistoryEvent(event_id=n, task_id=1 << n) for n in range(1, 31)]
    run = Run(("n", "w", "r"))  # type: ignore[arg-type]
    for begin, end in ((1, 4), (4, 5), (5, 20), (20, 31)):
        run.remember(Chunk(begin, end - 1, encode(events[begin - 1 : end - 1])))
    for first in range(1, 31):
        for last in range(first, 31):
            data = reader.recent(run, first, last)
            assert data is not None
            assert list(History.FromString(data).events) == events[first - 1 : last]
    assert reader.recent(run, 5, 31) is None
    assert reader.recent(run, 9, 8) == b""
    assert [History.FromString(data).events[0] for data in reader.events(encode(events))] == events
