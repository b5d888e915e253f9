"""Resets told to the official server and to ours: the history of the run that is reset, and of the one that comes of it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as Packed
from temporalio.api.enums.v1 import EventType
from temporalio.api.protocol.v1 import Message as Packet
from temporalio.api.update.v1 import Acceptance, Outcome, Request, Response
from temporalio.api.update.v1 import Meta as UpdateMeta

from tests.core.chain import payloads, seconds
from tests.reference.conftest import Pair
from tests.reference.test_histories import BOOM, Teller, again, command, complete

# The official server also looks at where its batches of events begin and end.
OUTSIDE = re.compile(r"Can only reset workflow to event ID.*|StateRebuilder unable to Rebuild mutable state.*")
CHILD_COMPLETED = EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED
ACTIVITY = {"activity_type": {"name": "Act"}, "schedule_to_close_timeout": seconds(100)}


def reset(t: Teller, event_id: int, run_id: str = "", **fields: Any) -> str:
    """Resets the workflow and tells the history of the new run; a refusal is told as it is."""
    request = {"reason": "why", "request_id": f"reset {event_id}", "workflow_task_finish_event_id": event_id, **fields}
    execution = {"workflow_execution": {"workflow_id": t.id, "run_id": run_id}}
    try:
        found: str = t.call("ResetWorkflowExecution", **{**execution, **request}).run_id
    except grpc.RpcError as error:
        t.told.append([error.code().name, OUTSIDE.sub("no such task", t._text(error.details() or ""))])  # type: ignore[attr-defined]
        return ""
    t.look(found)
    return found


def an_open_run(t: Teller) -> None:
    t.start(workflow_execution_timeout=seconds(100), workflow_run_timeout=seconds(50), memo={"fields": {}})
    queue = {"name": t.id}
    first = t.look()
    t.answer(
        command("schedule_activity_task", activity_id="a", task_queue=queue, **ACTIVITY),
        command("schedule_activity_task", activity_id="b", task_queue={"name": f"{t.id}-b"}, **ACTIVITY),
        command("start_timer", timer_id="t", start_to_fire_timeout=seconds(60)),
    )
    token = t.call("PollActivityTaskQueue", task_queue=queue).task_token
    t.call("RespondActivityTaskCompleted", task_token=token, result=payloads("1"))
    t.signal(header={"fields": {}})
    held = t.task()
    t.on("SignalWorkflowExecution", signal_name="late", request_id="late")
    second = reset(t, 13)
    t.look(first)
    with pytest.raises(grpc.RpcError):
        t.answer(complete(), token=held)
    t.tell(t.call("PollWorkflowTaskQueue", task_queue=queue))
    third = reset(t, 4)
    t.look(second)
    t.answer(complete(result=payloads("2")))
    t.look(third)
    for event_id in (3, 4, 5, 6, 7):
        reset(t, event_id, third)


def refusals(t: Teller) -> None:
    t.start()
    t.answer(command("start_timer", timer_id="t", start_to_fire_timeout=seconds(60)))
    for event_id in (0, 1, 2, 5, 6, 99):
        reset(t, event_id)
    reset(t, 3, "3b1c6f0e-5a55-4ea5-9a34-4d5e8f1ac001")
    reset(t, 3, request_id="")
    reset(t, 3, request_id="x" * 1001)
    reset(t, 3, workflow_execution={})


def the_same_request_twice(t: Teller) -> None:
    t.start()
    t.answer(complete())
    first = reset(t, 4, request_id="same")
    second = reset(t, 4, request_id="same")
    t.told.append(first == second)


def what_is_excluded(t: Teller) -> None:
    for number, wanted in enumerate(({"reset_reapply_type": 2}, {"reset_reapply_exclude_types": [1]}, {})):
        t.start(request_id=f"start {number}", workflow_id_conflict_policy=3)
        t.answer(command("start_timer", timer_id="t", start_to_fire_timeout=seconds(60)))
        t.on("SignalWorkflowExecution", signal_name=f"sig {number}", request_id=f"signal {number}")
        t.on("RequestCancelWorkflowExecution", request_id=f"cancel {number}")
        t.start(
            request_id=f"attached {number}",
            workflow_id_conflict_policy=2,
            on_conflict_options={"attach_request_id": True},
        )
        reset(t, 3, **wanted)


def a_chain(t: Teller) -> None:
    t.start()
    first = t.look()
    t.signal()
    t.answer(complete(), token=t.task())
    t.start(request_id="again")
    base = t.look()
    t.on("SignalWorkflowExecution", signal_name="one", request_id="one")
    t.answer(again(backoff_start_interval=seconds(0)))
    second = t.look()
    t.on("SignalWorkflowExecution", signal_name="two", request_id="two")
    reset(t, 4, base)
    t.look(base)
    t.look(second)
    reset(t, 4, first)


def packet(id: str, body: Any) -> tuple[Packet, Any]:
    any = Packed()
    any.Pack(body)
    name = f"{id}/{type(body).__name__}"
    return Packet(id=name, protocol_instance_id=id, body=any), command("protocol_message", message_id=name)


def accept(id: str, request: Request | None = None) -> tuple[Packet, Any]:
    return packet(
        id,
        Acceptance(
            accepted_request_message_id=f"{id}/request",
            accepted_request_sequencing_event_id=2,
            accepted_request=request,
        ),
    )


def finish(id: str) -> tuple[Packet, Any]:
    return packet(id, Response(meta=UpdateMeta(update_id=id), outcome=Outcome(success=payloads("1"))))


def updates(t: Teller) -> None:
    t.start()
    queue = {"name": t.id}
    t.answer(command("start_timer", timer_id="t", start_to_fire_timeout=seconds(60)))

    def update(id: str) -> Any:
        request = {"meta": {"update_id": id}, "input": {"name": "change", "args": payloads("1")}}
        return t.on("UpdateWorkflowExecution", request=request, wait_policy={"lifecycle_stage": 2})

    def answer(token: bytes, *packets: tuple[Packet, Any]) -> None:
        messages, commands = [p for p, _ in packets], [c for _, c in packets]
        t.call("RespondWorkflowTaskCompleted", task_token=token, messages=messages, commands=commands)

    with ThreadPoolExecutor(2) as pool:
        for id, ends in (("u1", False), ("u2", True)):
            waiting = pool.submit(update, id)
            poll = t.call("PollWorkflowTaskQueue", task_queue=queue)
            packets = [accept(id), finish(id)] if ends else [accept(id)]
            answer(poll.task_token, *packets)
            waiting.result()
    t.look()
    second = reset(t, 4)
    t.tell(t.call("PollWorkflowTaskQueue", task_queue=queue))
    third = reset(t, 4)
    t.look(second)
    poll = t.tell(t.call("PollWorkflowTaskQueue", task_queue=queue))
    answer(poll.task_token, accept("u1"), accept("u2"), finish("u2"))
    t.look(third)
    reset(t, 4, reset_reapply_exclude_types=[2])


def children(t: Teller) -> None:
    t.start()
    queue = {"name": t.id}
    child = {"workflow_type": {"name": "Child"}, "task_queue": {"name": f"{t.id}-child"}}
    first = t.look()
    t.answer(command("start_child_workflow_execution", workflow_id=f"{t.id}-child", **child))
    t.answer(command("start_timer", timer_id="t", start_to_fire_timeout=seconds(60)))
    second = reset(t, 9)
    t.look(first)
    poll = t.call("PollWorkflowTaskQueue", task_queue={"name": f"{t.id}-child"})
    t.call("RespondWorkflowTaskCompleted", task_token=poll.task_token, commands=[complete(result=payloads("1"))])
    poll = t.call("PollWorkflowTaskQueue", task_queue=queue)
    kinds = [event.event_type for event in poll.history.events]
    if CHILD_COMPLETED not in kinds:  # the child's end comes with a task of its own
        t.answer(token=poll.task_token)
        poll = t.call("PollWorkflowTaskQueue", task_queue=queue)
    t.told.append([event.event_type for event in poll.history.events].count(CHILD_COMPLETED))
    t.call("RespondWorkflowTaskCompleted", task_token=poll.task_token, commands=[complete()])
    t.told.append(t.call("DescribeWorkflowExecution", execution={"workflow_id": t.id}).pending_children[:] == [])
    third = reset(t, 9, second)
    t.told.append(bool(third))


def failed_before(t: Teller) -> None:
    t.start()
    t.call("RespondWorkflowTaskFailed", task_token=t.task(), cause=1, failure=BOOM)
    t.answer(complete())
    reset(t, 4)
    reset(t, 7)


def with_other_options(t: Teller) -> None:
    t.start()
    t.answer(command("start_timer", timer_id="t", start_to_fire_timeout=seconds(60)))
    options = {"priority": {"priority_key": 2}, "versioning_override": {"auto_upgrade": True}}
    change = {"workflow_execution_options": options, "update_mask": {"paths": ["priority", "versioning_override"]}}
    reset(t, 4, post_reset_operations=[{"update_workflow_options": change}])
    wrong = {"workflow_execution_options": options, "update_mask": {"paths": ["nothing"]}}
    reset(t, 4, post_reset_operations=[{"update_workflow_options": wrong}])
    reset(t, 4, post_reset_operations=[{}])
    t.look()


STORIES = [
    with_other_options,
    an_open_run,
    refusals,
    the_same_request_twice,
    what_is_excluded,
    a_chain,
    updates,
    children,
    failed_before,
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_same_resets(pair: Pair, story: Callable[[Teller], None]) -> None:
    id = f"{story.__name__}-{pair.ours.tag}"
    tellers = [Teller(world, id) for world in (pair.official, pair.ours)]
    with ThreadPoolExecutor(2) as both:
        list(both.map(story, tellers))
    official, ours = ("\n".join(json.dumps(each, indent=1) for each in teller.told).splitlines() for teller in tellers)
    difference = list(difflib.unified_diff(official, ours, "official", "ours", n=4, lineterm=""))
    if difference:
        pytest.fail("\n".join(difference))
