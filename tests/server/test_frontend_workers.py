"""What workers see through the frontend: polls, answers that are too big, task queues, lists of what they have done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.command.v1 import Command
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DescribeTaskQueueRequest,
    GetWorkflowExecutionHistoryRequest,
    ListClosedWorkflowExecutionsRequest,
    ListOpenWorkflowExecutionsRequest,
    ListTaskQueuePartitionsRequest,
    ListWorkflowExecutionsRequest,
    PollActivityTaskQueueRequest,
    RecordActivityTaskHeartbeatRequest,
    RespondActivityTaskCompletedByIdRequest,
    RespondActivityTaskCompletedRequest,
    RespondActivityTaskFailedRequest,
    RespondWorkflowTaskCompletedRequest,
    ShutdownWorkerRequest,
    TerminateWorkflowExecutionRequest,
    UpdateTaskQueueConfigRequest,
)

from tests.server.frontend_kit import Peer, payloads, peer

BIG = payloads(2 * 1024 * 1024 + 1)
FIVE_SECONDS = Duration(seconds=5)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Peer]:
    async with peer(tmp_path) as running_peer:
        yield running_peer


async def activity(served: Peer, workflow_id: str = "w") -> Any:
    """An activity task of a new workflow."""
    await served.start(workflow_id)
    command = Command(command_type=1)  # type: ignore[arg-type]
    command.schedule_activity_task_command_attributes.activity_id = "a"
    command.schedule_activity_task_command_attributes.activity_type.name = "Work"
    command.schedule_activity_task_command_attributes.task_queue.name = "queue"
    command.schedule_activity_task_command_attributes.start_to_close_timeout.CopyFrom(FIVE_SECONDS)
    command.schedule_activity_task_command_attributes.retry_policy.maximum_attempts = 1
    token = (await served.poll()).task_token
    await served.workflow.RespondWorkflowTaskCompleted(
        RespondWorkflowTaskCompletedRequest(task_token=token, commands=[command])
    )
    request = PollActivityTaskQueueRequest(namespace="default", task_queue={"name": "queue"}, identity="worker")
    return await served.workflow.PollActivityTaskQueue(request, timeout=10)


async def events(served: Peer, workflow_id: str = "w") -> list[HistoryEvent]:
    request = GetWorkflowExecutionHistoryRequest(namespace="default", execution={"workflow_id": workflow_id})
    return list((await served.workflow.GetWorkflowExecutionHistory(request)).history.events)


async def failure(served: Peer) -> Failure:
    """Of the activity that has failed."""
    failed = [each for each in await events(served) if each.HasField("activity_task_failed_event_attributes")]
    return failed[0].activity_task_failed_event_attributes.failure


async def test_a_result_that_is_too_big_fails_the_activity(served: Peer) -> None:
    task = await activity(served)
    request = RespondActivityTaskCompletedRequest(task_token=task.task_token, result=BIG)
    await served.workflow.RespondActivityTaskCompleted(request)
    found = await failure(served)
    assert found.message == "Complete result exceeds size limit."
    assert found.server_failure_info.non_retryable


async def test_a_result_by_id_that_is_too_big_fails_the_activity(served: Peer) -> None:
    await activity(served)
    request = RespondActivityTaskCompletedByIdRequest(namespace="default", workflow_id="w", activity_id="a", result=BIG)
    await served.workflow.RespondActivityTaskCompletedById(request)
    assert (await failure(served)).message == "Complete result exceeds size limit."


async def test_heartbeat_details_that_are_too_big_fail_the_activity(served: Peer) -> None:
    task = await activity(served)
    request = RecordActivityTaskHeartbeatRequest(task_token=task.task_token, details=BIG)
    assert (await served.workflow.RecordActivityTaskHeartbeat(request)).cancel_requested
    assert (await failure(served)).message == "Heartbeat details exceed size limit."


async def test_a_failure_that_is_too_big_is_cut(served: Peer) -> None:
    task = await activity(served)
    request = RespondActivityTaskFailedRequest(
        task_token=task.task_token,
        failure=Failure(message="x" * 3_000_000, application_failure_info={"type": "Odd", "non_retryable": True}),
    )
    told = await served.workflow.RespondActivityTaskFailed(request)
    assert [each.message for each in told.failures] == ["Failure exceeds size limit."]
    found = await failure(served)
    assert found.message == "Failure exceeds size limit."
    assert found.cause.application_failure_info.type == "Odd"
    assert 400_000 < len(found.cause.message) < 600_000


async def test_a_failure_needs_its_info(served: Peer) -> None:
    task = await activity(served)
    request = RespondActivityTaskFailedRequest(task_token=task.task_token, failure=Failure(message="x"))
    assert await served.refused("RespondActivityTaskFailed", request) == (
        "INVALID_ARGUMENT",
        "Failure must have ApplicationFailureInfo.",
    )
    await served.workflow.RespondActivityTaskCompleted(RespondActivityTaskCompletedRequest(task_token=task.task_token))


async def test_an_empty_poll_ends_before_the_worker_gives_up(served: Peer) -> None:
    started = asyncio.get_running_loop().time()
    assert not (await served.poll("empty", seconds=2.2)).task_token
    assert asyncio.get_running_loop().time() - started < 2.2


async def test_a_worker_that_shuts_down_gets_its_polls_back(served: Peer) -> None:
    sticky = asyncio.ensure_future(served.poll("sticky-queue"))
    while not served.server.telemetry.operation("PollWorkflowTaskQueue", "default").pending:
        await asyncio.sleep(0)
    request = ShutdownWorkerRequest(namespace="default", sticky_task_queue="sticky-queue", identity="worker")
    await served.workflow.ShutdownWorker(request)
    assert not (await sticky).task_token


async def test_a_task_queue_is_described(served: Peer) -> None:
    await served.start("waits")
    request = DescribeTaskQueueRequest(
        namespace="default",
        task_queue={"name": "queue"},
        report_stats=True,
        report_pollers=True,
        api_mode=1,  # type: ignore[arg-type]
    )
    described = await served.workflow.DescribeTaskQueue(request)
    kinds = described.versions_info[""].types_info
    assert kinds[1].stats.approximate_backlog_count == 1
    assert kinds[2].stats.approximate_backlog_count == 0
    await served.poll()
    plain = DescribeTaskQueueRequest(namespace="default", task_queue={"name": "queue"}, report_stats=True)
    found = await served.workflow.DescribeTaskQueue(plain)
    assert [each.identity for each in found.pollers] == ["worker"]
    assert found.stats.approximate_backlog_count == 0
    parts = await served.workflow.ListTaskQueuePartitions(
        ListTaskQueuePartitionsRequest(namespace="default", task_queue={"name": "queue"})
    )
    assert [each.key for each in parts.workflow_task_queue_partitions] == ["queue"]


async def listed(served: Peer, query: str) -> list[str]:
    request = ListWorkflowExecutionsRequest(namespace="default", query=query)
    return [each.execution.workflow_id for each in (await served.workflow.ListWorkflowExecutions(request)).executions]


async def test_lists_and_counts(served: Peer) -> None:
    for name in ("a", "b", "c"):
        await served.start(name)
    await served.workflow.TerminateWorkflowExecution(
        TerminateWorkflowExecutionRequest(namespace="default", workflow_execution={"workflow_id": "b"})
    )
    assert await listed(served, "") == ["c", "a", "b"]
    assert await listed(served, "ExecutionStatus = 'Terminated'") == ["b"]
    assert await listed(served, "WorkflowId IN ('a', 'x')") == ["a"]
    grouped = CountWorkflowExecutionsRequest(namespace="default", query="GROUP BY ExecutionStatus")
    count = await served.workflow.CountWorkflowExecutions(grouped)
    assert count.count == 3
    groups = {each.group_values[0].data: each.count for each in count.groups}
    assert groups == {b'"Running"': 2, b'"Terminated"': 1}


async def test_a_list_comes_in_pages(served: Peer) -> None:
    for name in ("a", "b", "c"):
        await served.start(name)
    request = ListWorkflowExecutionsRequest(namespace="default", page_size=2)
    first = await served.workflow.ListWorkflowExecutions(request)
    request.next_page_token = first.next_page_token
    second = await served.workflow.ListWorkflowExecutions(request)
    found = [each.execution.workflow_id for each in (*first.executions, *second.executions)]
    assert sorted(found) == ["a", "b", "c"]
    assert not second.next_page_token


async def test_the_lists_of_old(served: Peer) -> None:
    for name in ("a", "b"):
        await served.start(name)
    await served.workflow.TerminateWorkflowExecution(
        TerminateWorkflowExecutionRequest(namespace="default", workflow_execution={"workflow_id": "a"})
    )
    by_type = ListOpenWorkflowExecutionsRequest(namespace="default", type_filter={"name": "Sample"})
    opened = await served.workflow.ListOpenWorkflowExecutions(by_type)
    assert [each.execution.workflow_id for each in opened.executions] == ["b"]
    terminated = ListClosedWorkflowExecutionsRequest(namespace="default", status_filter={"status": 5})  # type: ignore[arg-type]
    closed = await served.workflow.ListClosedWorkflowExecutions(terminated)
    assert [(each.execution.workflow_id, each.status) for each in closed.executions] == [("a", 5)]
    none = ListClosedWorkflowExecutionsRequest(namespace="default", execution_filter={"workflow_id": "b"})
    assert not (await served.workflow.ListClosedWorkflowExecutions(none)).executions


async def test_a_rate_set_by_hand_holds_after_a_restart(tmp_path: Path) -> None:
    request = UpdateTaskQueueConfigRequest(
        namespace="default",
        identity="me",
        task_queue="queue",
        task_queue_type=2,  # type: ignore[arg-type]
    )
    request.update_queue_rate_limit.rate_limit.requests_per_second = 0
    request.update_queue_rate_limit.reason = "pause"
    async with peer(tmp_path) as served:
        config = (await served.workflow.UpdateTaskQueueConfig(request)).config
        assert config.queue_rate_limit.metadata.reason == "pause"
    describe = DescribeTaskQueueRequest(
        namespace="default",
        task_queue={"name": "queue"},
        task_queue_type=2,
        report_config=True,  # type: ignore[arg-type]
    )
    async with peer(tmp_path) as served:
        assert (await served.workflow.DescribeTaskQueue(describe)).config == config
        stopped = asyncio.ensure_future(activity(served))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(stopped), 0.5)
        request.update_queue_rate_limit.ClearField("rate_limit")
        await served.workflow.UpdateTaskQueueConfig(request)
        assert (await stopped).activity_id == "a"


async def test_the_rate_of_a_workflow_queue_cannot_be_set(served: Peer) -> None:
    request = UpdateTaskQueueConfigRequest(namespace="default", task_queue="queue", task_queue_type=1)  # type: ignore[arg-type]
    request.update_queue_rate_limit.rate_limit.requests_per_second = 5
    assert await served.refused("UpdateTaskQueueConfig", request) == (
        "INVALID_ARGUMENT",
        "Setting rate limit on workflow task queues is not allowed.",
    )
