"""Pauses and resets of activities told to the official server and to ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.core.chain import payloads, seconds
from tests.reference.conftest import Pair
from tests.reference.test_histories import BOOM, Teller, command
from tests.reference.test_options import refused, same
from tests.reference.test_pauses import nothing

OPTIONS = {"activity_type": {"name": "Act"}, "schedule_to_close_timeout": seconds(100)}
RETRY = {"retry_policy": {"initial_interval": seconds(0.2), "backoff_coefficient": 1}}


def control(t: Teller, verb: str, **fields: Any) -> None:
    """Pause, Unpause or Reset of activity `a`, and what the description says then."""
    fields = {"execution": {"workflow_id": t.id}, "identity": "me", "id": "a", **fields}
    if "type" in fields or "unpause_all" in fields:
        del fields["id"]
    refused(t, f"{verb}Activity", **fields)
    described = t.call("DescribeWorkflowExecution", execution={"workflow_id": t.id})
    described.pending_activities.sort(key=lambda activity: activity.activity_id)
    t.tell(described)


def schedule(t: Teller, *ids: str) -> None:
    t.start()
    asked = [
        command("schedule_activity_task", activity_id=id, task_queue={"name": f"{t.id}-{id}"}, **OPTIONS, **RETRY)
        for id in ids
    ]
    t.answer(*asked)


def take(t: Teller, id: str = "a") -> bytes:
    poll = t.tell(t.call("PollActivityTaskQueue", task_queue={"name": f"{t.id}-{id}"}))
    token: bytes = poll.task_token
    assert token
    return token


def before_a_worker_has_it(t: Teller) -> None:
    schedule(t, "a")
    control(t, "Pause", reason="why", request_id="1")
    control(t, "Pause", request_id="1")
    control(t, "Pause", request_id="2")
    nothing(t, "PollActivityTaskQueue", f"{t.id}-a")
    control(t, "Unpause")
    control(t, "Unpause")
    t.call("RespondActivityTaskCompleted", task_token=take(t), result=payloads("1"))
    t.look()


def while_a_worker_has_it(t: Teller) -> None:
    schedule(t, "a")
    token = take(t)
    control(t, "Pause", reason="why")
    t.tell(t.call("RecordActivityTaskHeartbeat", task_token=token, details=payloads("2")))
    t.call("RespondActivityTaskFailed", task_token=token, failure=BOOM)
    control(t, "Reset", keep_paused=True)
    nothing(t, "PollActivityTaskQueue", f"{t.id}-a")
    control(t, "Unpause", reset_attempts=True, reset_heartbeat=True)
    t.call("RespondActivityTaskCompleted", task_token=take(t))
    t.look()


def resets(t: Teller) -> None:
    schedule(t, "a")
    token = take(t)
    t.call("RecordActivityTaskHeartbeat", task_token=token, details=payloads("2"))
    control(t, "Reset", reset_heartbeat=True)
    t.tell(t.call("RecordActivityTaskHeartbeat", task_token=token, details=payloads("3")))
    t.call("RespondActivityTaskFailed", task_token=token, failure=BOOM)
    token = take(t)
    control(t, "Pause")
    control(t, "Reset")
    refused(t, "RespondActivityTaskCompleted", task_token=token)
    t.look()


def several_at_once(t: Teller) -> None:
    schedule(t, "a", "b")
    control(t, "Pause", type="Act", identity="", reason="")
    control(t, "Unpause", unpause_all=True)
    control(t, "Pause", type="Act")
    control(t, "Reset", type="Act")
    take(t)
    take(t, "b")
    control(t, "Pause", type="Other")


def bad_requests(t: Teller) -> None:
    schedule(t, "a")
    for verb in ("Pause", "Unpause", "Reset"):
        control(t, verb, id="other")
        control(t, verb, execution={})
        refused(t, f"{verb}Activity", execution={"workflow_id": t.id})
        refused(t, f"{verb}Activity", execution={"workflow_id": "nobody"}, id="a")
    t.on("TerminateWorkflowExecution", reason="why")
    control(t, "Pause")


def edit(t: Teller, options: dict[str, Any] | None, *paths: str, **fields: Any) -> None:
    """New options for activity `a`; what is answered, and what the description says then."""
    fields = {"execution": {"workflow_id": t.id}, "identity": "me", "id": "a", **fields}
    if "type" in fields or "match_all" in fields:
        del fields["id"]
    more = {"activity_options": options} if options is not None else {}
    mask = {"update_mask": {"paths": list(paths)}} if paths else {}
    refused(t, "UpdateActivityOptions", **fields, **more, **mask)
    described = t.call("DescribeWorkflowExecution", execution={"workflow_id": t.id})
    described.pending_activities.sort(key=lambda activity: activity.activity_id)
    t.tell(described)


def new_options(t: Teller) -> None:
    schedule(t, "a")
    edit(t, {"start_to_close_timeout": seconds(700)}, "startToCloseTimeout")
    edit(t, {"priority": {"priority_key": 2, "fairness_key": "f"}}, "priority.priority_key")
    edit(t, {"retry_policy": {"maximum_attempts": 2}}, "retry_policy.maximum_attempts", "no_such_field")
    edit(t, {"task_queue": {"name": f"{t.id}-b"}}, "task_queue.name", type="Act")
    nothing(t, "PollActivityTaskQueue", f"{t.id}-a")
    token = take(t, "b")
    edit(t, {"heartbeat_timeout": seconds(3)}, "heartbeat_timeout")
    refused(t, "RespondActivityTaskCompleted", task_token=token)
    t.look()


def original_options(t: Teller) -> None:
    schedule(t, "a", "b")
    edit(t, {"schedule_to_close_timeout": seconds(9)}, "schedule_to_close_timeout", match_all=True)
    edit(t, None, restore_original=True)
    edit(t, None, "heartbeat_timeout", restore_original=True)
    control(t, "Reset", id="b", restore_original_options=True)


def bad_options(t: Teller) -> None:
    schedule(t, "a")
    edit(t, None, "heartbeat_timeout")
    edit(t, {"heartbeat_timeout": seconds(3)})
    edit(t, {"heartbeat_timeout": seconds(3)}, "retry_policy")
    edit(t, {"heartbeat_timeout": seconds(3)}, "task_queue.name")
    edit(t, {"retry_policy": {"backoff_coefficient": 0.5}}, "retry_policy.backoff_coefficient")
    edit(t, {"heartbeat_timeout": seconds(-3)}, "heartbeat_timeout")
    edit(t, {"priority": {"priority_key": -1}}, "priority")
    edit(t, {"heartbeat_timeout": seconds(3)}, "heartbeat_timeout", id="other")


STORIES = [before_a_worker_has_it, while_a_worker_has_it, resets, several_at_once, bad_requests]
STORIES += [new_options, original_options, bad_options]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_same_controls(pair: Pair, story: Callable[[Teller], None]) -> None:
    same(pair, story)
