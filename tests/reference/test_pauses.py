"""Pauses of workflows told to the official server and to ours."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from temporalio.api.workflowservice import v1 as messages

from tests.core.chain import payloads, seconds
from tests.reference.conftest import Pair
from tests.reference.test_histories import BOOM, Teller, again, command, complete
from tests.reference.test_options import refused, same

FLAGS = ("--dynamic-config-value", "frontend.WorkflowPauseEnabled=true")
ACTIVITY = {"activity_type": {"name": "Act"}, "schedule_to_close_timeout": seconds(100)}


def pause(t: Teller, rpc: str = "Pause", **fields: Any) -> None:
    fields = {"workflow_id": t.id, "reason": "why", "request_id": rpc, **fields}
    refused(t, f"{rpc}WorkflowExecution", **fields)


def unpause(t: Teller, **fields: Any) -> None:
    pause(t, "Unpause", **fields)


def nothing(t: Teller, rpc: str, queue: str = "") -> None:
    """No task comes."""
    request = getattr(messages, f"{rpc}Request")(namespace="default", task_queue={"name": queue or t.id})
    try:
        t.told.append(bool(getattr(t.world.workflows, rpc)(request, timeout=2.5).task_token))
    except grpc.RpcError as error:
        t.told.append(error.code() == grpc.StatusCode.DEADLINE_EXCEEDED and False)  # type: ignore[attr-defined]


def while_a_task_waits(t: Teller) -> None:
    t.start()
    pause(t)
    t.look()
    nothing(t, "PollWorkflowTaskQueue")
    pause(t)
    pause(t, request_id="another")
    t.signal()
    t.look()
    refused(t, "QueryWorkflow", execution={"workflow_id": t.id}, query={"query_type": "q"})
    refused(t, "QueryWorkflow", execution={"workflow_id": t.id}, query={"query_type": "q"}, query_reject_condition=2)
    asked = {"meta": {"update_id": "u"}, "input": {"name": "n"}}
    update = {"request": asked, "wait_policy": {"lifecycle_stage": 2}}
    refused(t, "UpdateWorkflowExecution", workflow_execution={"workflow_id": t.id}, **update)
    t.on("RequestCancelWorkflowExecution", reason="why", request_id="cancel")
    time.sleep(1)
    t.tell(t.call("ListWorkflowExecutions", query=f'WorkflowId="{t.id}"'))
    t.tell(t.call("ListWorkflowExecutions", query=f'WorkflowId="{t.id}" and ExecutionStatus="Paused"'))
    unpause(t)
    t.look()
    unpause(t)
    t.answer(complete())
    t.look()
    pause(t)
    unpause(t)


def while_a_task_is_held(t: Teller) -> None:
    t.start()
    token = t.task()
    pause(t)
    t.look()
    t.signal()
    with pytest.raises(grpc.RpcError) as error:
        t.call("RespondWorkflowTaskCompleted", task_token=token, force_create_new_workflow_task=True)
    t.told.append([error.value.code().name, error.value.details()])
    queue = {"name": t.id}
    t.answer(
        command("schedule_activity_task", activity_id="a", task_queue=queue, **ACTIVITY),
        command("start_timer", timer_id="t", start_to_fire_timeout=seconds(0.5)),
        token=token,
    )
    t.look()
    nothing(t, "PollActivityTaskQueue")
    t.look()
    unpause(t)
    t.tell(t.call("PollActivityTaskQueue", task_queue=queue))
    t.look()
    t.answer(complete())
    t.look()


def while_activities_run(t: Teller) -> None:
    def look() -> None:
        t.look()
        t.told[-1].get("pending_activities", []).sort(key=lambda activity: activity["activity_id"])

    def take(id: str) -> Any:
        return t.call("PollActivityTaskQueue", task_queue={"name": f"{t.id}-{id}"})

    t.start()
    policy = {"initial_interval": seconds(1), "backoff_coefficient": 1}
    how = {**ACTIVITY, "retry_policy": policy, "heartbeat_timeout": seconds(50)}
    t.answer(
        *(
            command("schedule_activity_task", activity_id=id, task_queue={"name": f"{t.id}-{id}"}, **how)
            for id in "abcd"
        )
    )
    tokens = {id: take(id).task_token for id in "abc"}
    t.call("RespondActivityTaskFailed", task_token=tokens["c"], failure=BOOM)
    pause(t)
    look()
    t.tell(t.call("RecordActivityTaskHeartbeat", task_token=tokens["a"], details=payloads("2")))
    refused(t, "RespondActivityTaskCompleted", task_token=tokens["a"])
    nothing(t, "PollActivityTaskQueue", f"{t.id}-c")
    nothing(t, "PollActivityTaskQueue", f"{t.id}-d")
    look()
    unpause(t)
    t.told.append([take(id).attempt for id in "cd"])
    refused(t, "RespondActivityTaskFailed", task_token=tokens["b"], failure=BOOM)
    look()


def refusals(t: Teller) -> None:
    t.start()
    pause(t, workflow_id="")
    pause(t, workflow_id="none")
    pause(t, run_id="x")
    pause(t, run_id="3b1c6f0e-5a55-4ea5-9a34-4d5e8f1ac001")
    for rpc in ("Pause", "Unpause"):
        for name in ("reason", "request_id"):
            pause(t, rpc, **{name: "x" * 1001})
    unpause(t, workflow_id="")
    unpause(t, run_id="x")
    pause(t, reason="", request_id="")
    pause(t, reason="", request_id="")
    t.look()
    unpause(t, reason="", request_id="")
    t.look()


def ends_while_paused(t: Teller) -> None:
    t.start(workflow_run_timeout=seconds(2), retry_policy={"maximum_attempts": 2})
    pause(t)
    first = t.look()
    time.sleep(2.5)
    t.look(first)
    t.look()
    t.start(request_id="third", workflow_id_conflict_policy=3)
    t.look()
    pause(t)
    t.start(request_id="second", workflow_id_conflict_policy=2)
    t.start(request_id="second", signal_name="s", workflow_id_conflict_policy=2)
    t.on("TerminateWorkflowExecution", reason="why")
    t.look()


def continues_while_paused(t: Teller) -> None:
    t.start()
    first = t.look()
    token = t.task()
    pause(t)
    with pytest.raises(grpc.RpcError, match="UnhandledCommand"):
        t.answer(again(), token=token)
    t.look(first)
    unpause(t)
    t.answer(again())
    t.look(first)


def a_failing_task(t: Teller) -> None:
    t.start(workflow_task_timeout=seconds(2))
    t.call("RespondWorkflowTaskFailed", task_token=t.task(), cause=1, failure=BOOM)
    pause(t)
    t.look()
    unpause(t)
    t.look()
    t.task()
    pause(t, request_id="second")
    time.sleep(2.5)
    t.look()
    unpause(t, request_id="second")
    t.look()
    token = t.task()
    pause(t, request_id="third")
    t.call("RespondWorkflowTaskFailed", task_token=token, cause=1, failure=BOOM)
    t.look()
    unpause(t, request_id="third")
    t.look()


STORIES = [
    while_a_task_waits,
    while_a_task_is_held,
    while_activities_run,
    refusals,
    ends_while_paused,
    continues_while_paused,
    a_failing_task,
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_same_pauses(pair: Pair, story: Callable[[Teller], None]) -> None:
    same(pair, story)
