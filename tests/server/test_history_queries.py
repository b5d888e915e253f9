"""Queries: which way they go, what they wait for, and the official sentences."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payloads, WorkflowExecution
from temporalio.api.enums.v1 import QueryRejectCondition, QueryResultType
from temporalio.api.query.v1 import WorkflowQuery, WorkflowQueryResult
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueResponse,
    QueryWorkflowRequest,
    QueryWorkflowResponse,
    RespondQueryTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest,
)

from server.core.rejected import (
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    QueryFailed,
    ResourceExhausted,
    WorkflowNotReady,
)
from tests.server.history_kit import NAMESPACE, QUEUE, Rig, complete_workflow, kinds, rig

pytestmark = pytest.mark.asyncio
ANSWERED = QueryResultType.QUERY_RESULT_TYPE_ANSWERED
FAILED = QueryResultType.QUERY_RESULT_TYPE_FAILED
RESULT = Payloads(payloads=[{"data": b"42"}])  # type: ignore[list-item]
STICKY = {"worker_task_queue": {"name": "sticky"}, "schedule_to_start_timeout": {"seconds": 5}}


def ask(r: Rig, timeout: float | None = 5, **more: Any) -> asyncio.Task[QueryWorkflowResponse]:
    request = QueryWorkflowRequest(
        execution=WorkflowExecution(workflow_id="w"), query=WorkflowQuery(query_type="q"), **more
    )
    return asyncio.create_task(r.engine.query_workflow(NAMESPACE, request, timeout=timeout))


async def answer(r: Rig, data: bytes, **more: Any) -> PollWorkflowTaskQueueResponse:
    """A worker answers the query task."""
    task = PollWorkflowTaskQueueResponse.FromString(data)
    fields = more or {"completed_type": ANSWERED, "query_result": RESULT}
    request = RespondQueryTaskCompletedRequest(task_token=task.task_token, **fields)
    await r.engine.respond_query_task_completed(NAMESPACE, request)
    return task


async def idle(r: Rig, **more: Any) -> None:
    """A workflow that has nothing to do."""
    await r.start()
    await r.complete(await r.take_task(), **more)


async def test_an_idle_workflow_is_asked_directly(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await idle(r)
        asked = ask(r)
        queue, normal, data = await r.queues.asked.get()
        assert (queue, normal) == (QUEUE, "")
        task = await answer(r, data)
        assert (task.query.query_type, task.started_event_id, task.attempt) == ("q", 0, 1)
        assert kinds(task.history.events)[-1] == "workflow_task_completed"
        reply = await asked
        assert (reply.query_result, reply.link.workflow.reason) == (RESULT, "Query processed")
        with pytest.raises(NotFound, match="^query task not found, or already expired$"):
            await answer(r, data)


async def test_a_sticky_worker_is_asked_first(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await idle(r, sticky_attributes=STICKY)
        asked = ask(r)
        queue, normal, data = await r.queues.asked.get()
        assert (queue, normal) == ("sticky", QUEUE)
        task = await answer(r, data)
        assert not task.history.events
        await asked


async def test_a_sticky_worker_that_has_gone_is_passed_over(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await idle(r, sticky_attributes=STICKY)
        r.queues.gone.add("sticky")
        asked = ask(r)
        queue, _, data = await r.queues.asked.get()
        assert queue == QUEUE
        assert len((await answer(r, data)).history.events) == 4
        await asked
        sticky = await r.engine.run(NAMESPACE, "w", "", lambda step: step.state.core.HasField("sticky"))
        assert not sticky


async def test_a_failed_query_says_why(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await idle(r)
        asked = ask(r)
        _, _, data = await r.queues.asked.get()
        await answer(r, data, completed_type=FAILED, error_message="unknown queryType")
        with pytest.raises(QueryFailed, match="^unknown queryType$"):
            await asked


async def test_a_query_goes_along_with_a_pending_workflow_task(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await idle(r)
        await r.signal("s")
        asked = ask(r)
        await asyncio.sleep(0.02)
        with pytest.raises(ResourceExhausted, match="^consistent query buffer is full"):
            await ask(r)
        task = await r.take_task()
        ((id, query),) = task.queries.items()
        assert query.query_type == "q"
        result = WorkflowQueryResult(result_type=ANSWERED, answer=RESULT)
        await r.complete(task, complete_workflow(), query_results={id: result})
        assert (await asked).query_result == RESULT


async def test_a_query_that_the_task_does_not_answer_is_asked_directly(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await idle(r)
        await r.signal("s")
        task = await r.take_task()
        asked = ask(r)
        await asyncio.sleep(0.02)
        await r.complete(task)
        _, _, data = await r.queues.asked.get()
        await answer(r, data)
        assert (await asked).query_result == RESULT


async def test_a_closed_workflow_is_asked_too_unless_the_caller_does_not_want_that(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start()
        await r.complete(await r.take_task(), complete_workflow())
        asked = ask(r)
        _, _, data = await r.queues.asked.get()
        await answer(r, data)
        await asked
        not_open = QueryRejectCondition.QUERY_REJECT_CONDITION_NOT_OPEN
        reply = await ask(r, query_reject_condition=not_open)
        assert (reply.query_rejected.status, reply.link.workflow.reason) == (2, "Query rejected")
        unclean = QueryRejectCondition.QUERY_REJECT_CONDITION_NOT_COMPLETED_CLEANLY
        asked = ask(r, query_reject_condition=unclean)
        await answer(r, (await r.queues.asked.get())[2])
        await asked


async def test_a_query_waits_for_the_first_workflow_task(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start()
        with pytest.raises(DeadlineExceeded, match="^query timed out before a worker could process it$"):
            await ask(r, timeout=0.05)
        run = next(iter(r.engine.of(NAMESPACE.id, "w").cache.get(NAMESPACE.id, "w").runs.values()))
        assert not run.queries


async def test_a_workflow_task_that_waits_longer_than_the_caller(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start(workflow_start_delay={"seconds": 100})
        with pytest.raises(WorkflowNotReady, match=r"^Workflow task is not scheduled yet\.$"):
            await ask(r)


async def test_a_failing_workflow_task_answers_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start()
        await r.engine.run(NAMESPACE, "w", "", lambda step: setattr(step.state.core, "task_attempt", 3))
        with pytest.raises(WorkflowNotReady, match="^Unable to query workflow due to Workflow Task in failed state"):
            await ask(r)


async def test_foreign_answers_are_refused(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await r.start()
        task = await r.take_task()
        with pytest.raises(NotFound, match=r"^query task not found, or already expired$"):
            await r.engine.respond_query_task_completed(
                NAMESPACE, RespondQueryTaskCompletedRequest(task_token=task.task_token)
            )
        failed = RespondWorkflowTaskFailedRequest(task_token=b"forged")
        with pytest.raises(InvalidArgument):
            await r.engine.respond_workflow_task_failed(NAMESPACE, failed)
