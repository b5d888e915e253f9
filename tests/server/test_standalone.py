"""Activities of no workflow, as clients and workers see them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import ActivityExecutionStatus as Status
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflowservice.v1 import (
    CountActivityExecutionsRequest,
    DeleteActivityExecutionRequest,
    DescribeActivityExecutionRequest,
    ListActivityExecutionsRequest,
    ListWorkflowExecutionsRequest,
    PauseActivityExecutionRequest,
    PollActivityExecutionRequest,
    PollActivityTaskQueueRequest,
    RequestCancelActivityExecutionRequest,
    RespondActivityTaskCompletedByIdRequest,
    RespondActivityTaskCompletedRequest,
    StartActivityExecutionRequest,
    TerminateActivityExecutionRequest,
    UnpauseActivityExecutionRequest,
    UpdateActivityExecutionOptionsRequest,
)

from tests.server.frontend_kit import Peer, details, payloads, peer

NS = {"namespace": "default"}
MINUTE = Duration(seconds=60)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Peer]:
    async with peer(tmp_path) as running_peer:
        yield running_peer


def start_request(id: str = "a", **more: Any) -> StartActivityExecutionRequest:
    given: dict[str, Any] = {
        "activity_id": id,
        "activity_type": {"name": "Work"},
        "task_queue": {"name": "queue"},
        "schedule_to_close_timeout": MINUTE,
        "input": payloads(1),
        **more,
    }
    return StartActivityExecutionRequest(**NS, **given)


async def started(served: Peer, id: str = "a", **more: Any) -> str:
    return str((await served.workflow.StartActivityExecution(start_request(id, **more))).run_id)


async def taken(served: Peer, seconds: float = 10) -> Any:
    request = PollActivityTaskQueueRequest(**NS, task_queue={"name": "queue"}, identity="worker")  # type: ignore[arg-type]
    return await served.workflow.PollActivityTaskQueue(request, timeout=seconds)


async def described(served: Peer, id: str = "a", **more: Any) -> Any:
    request = DescribeActivityExecutionRequest(**NS, activity_id=id, **more)
    return await served.workflow.DescribeActivityExecution(request)


async def outcome(served: Peer, id: str = "a") -> Any:
    polled = await served.workflow.PollActivityExecution(PollActivityExecutionRequest(**NS, activity_id=id), timeout=10)
    return polled.outcome


async def test_it_is_worked_on_and_has_an_outcome(served: Peer) -> None:
    run_id = await started(served)
    task = await taken(served)
    assert (task.activity_id, task.activity_run_id, task.workflow_execution.workflow_id) == ("a", run_id, "")
    assert task.input == payloads(1)
    done = RespondActivityTaskCompletedRequest(**NS, task_token=task.task_token, result=payloads(2))
    await served.workflow.RespondActivityTaskCompleted(done)
    assert (await outcome(served)).result == payloads(2)
    shown = await described(served, include_outcome=True, include_input=True)
    assert shown.info.status == Status.ACTIVITY_EXECUTION_STATUS_COMPLETED
    assert (shown.outcome.result, shown.input) == (payloads(2), payloads(1))


async def test_it_survives_a_restart_and_is_answered_by_id(tmp_path: Path) -> None:
    async with peer(tmp_path) as served:
        await started(served)
    async with peer(tmp_path) as served:
        assert (await taken(served)).activity_id == "a"
        done = RespondActivityTaskCompletedByIdRequest(**NS, activity_id="a", result=payloads(3))
        await served.workflow.RespondActivityTaskCompletedById(done)
        assert (await outcome(served)).result == payloads(3)


async def test_one_that_nobody_holds_is_cancelled_at_once(served: Peer) -> None:
    await started(served)
    ask = RequestCancelActivityExecutionRequest(**NS, activity_id="a", request_id="1", reason="why")
    await served.workflow.RequestCancelActivityExecution(ask)
    assert (await outcome(served)).failure.HasField("canceled_failure_info")
    shown = (await described(served)).info
    assert (shown.status, shown.canceled_reason) == (Status.ACTIVITY_EXECUTION_STATUS_CANCELED, "why")


async def test_it_can_be_terminated_and_deleted(served: Peer) -> None:
    await started(served)
    end = TerminateActivityExecutionRequest(**NS, activity_id="a", reason="enough")
    await served.workflow.TerminateActivityExecution(end)
    assert (await outcome(served)).failure.message == "enough"
    await served.workflow.DeleteActivityExecution(DeleteActivityExecutionRequest(**NS, activity_id="a"))
    gone = await served.refused("DescribeActivityExecution", DescribeActivityExecutionRequest(**NS, activity_id="a"))
    assert gone == ("NOT_FOUND", "activity not found for ID: a")


async def test_its_id_is_its_own_but_not_a_workflows(served: Peer) -> None:
    run_id = await started(served, request_id="1")
    assert await started(served, request_id="1") == run_id
    error = await served.error("StartActivityExecution", start_request(request_id="2"))
    assert error.code().name == "ALREADY_EXISTS"
    assert details(error).details[0].type_url.endswith("ActivityExecutionAlreadyStartedFailure")
    assert await started(served, request_id="3", id_conflict_policy=2) == run_id
    await served.start("a")


async def test_lists_and_counts_are_apart_from_those_of_workflows(served: Peer) -> None:
    await started(served, "a")
    await started(served, "b")
    await served.start("w")
    listed = await served.workflow.ListActivityExecutions(ListActivityExecutionsRequest(**NS, query="ActivityId = 'a'"))
    assert [each.activity_id for each in listed.executions] == ["a"]
    counted = await served.workflow.CountActivityExecutions(
        CountActivityExecutionsRequest(**NS, query="ActivityType = 'Work'")
    )
    assert counted.count == 2
    workflows = await served.workflow.ListWorkflowExecutions(ListWorkflowExecutionsRequest(**NS))
    assert [each.execution.workflow_id for each in workflows.executions] == ["w"]


async def test_a_description_waits_for_what_changes(served: Peer) -> None:
    await started(served)
    first = await described(served)
    assert first.info.run_state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    pause = PauseActivityExecutionRequest(**NS, activity_id="a", reason="why")
    await served.workflow.PauseActivityExecution(pause)
    paused = await described(served, run_id=first.run_id, long_poll_token=first.long_poll_token)
    assert paused.info.run_state == PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED
    await served.workflow.UnpauseActivityExecution(UnpauseActivityExecutionRequest(**NS, activity_id="a"))
    assert (await taken(served)).activity_id == "a"


async def test_its_options_can_be_changed(served: Peer) -> None:
    await started(served)
    change = UpdateActivityExecutionOptionsRequest(
        **NS,
        activity_id="a",
        activity_options={"heartbeat_timeout": Duration(seconds=7)},  # type: ignore[arg-type]
        update_mask={"paths": ["heartbeat_timeout"]},  # type: ignore[arg-type]
    )
    changed = await served.workflow.UpdateActivityExecutionOptions(change)
    assert changed.activity_options.heartbeat_timeout.seconds == 7
    assert (await described(served)).info.heartbeat_timeout.seconds == 7


async def test_it_times_out(served: Peer) -> None:
    await started(served, schedule_to_close_timeout=Duration(seconds=1))
    assert (await outcome(served)).failure.HasField("timeout_failure_info")
    assert (await described(served)).info.status == Status.ACTIVITY_EXECUTION_STATUS_TIMED_OUT


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"id": ""}, "activityId is not set"),
        ({"activity_type": {}}, "activityType is not set"),
        ({"task_queue": {}}, "missing task queue name"),
        ({"start_delay": Duration(seconds=-1)}, "invalid StartDelay: negative duration"),
        (
            {"schedule_to_close_timeout": Duration()},
            "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity. ActivityId=a ActivityType=Work",
        ),
    ],
)
async def test_a_bad_start_is_refused(served: Peer, more: dict[str, Any], sentence: str) -> None:
    assert await served.refused("StartActivityExecution", start_request(**more)) == ("INVALID_ARGUMENT", sentence)
