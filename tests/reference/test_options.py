"""Options of running workflows, told to the official server and to ours."""

from __future__ import annotations

import contextlib
import difflib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from temporalio.api.workflowservice import v1 as messages

from tests.reference.conftest import Pair
from tests.reference.test_histories import Teller, again, command, complete


def refused(t: Teller, rpc: str, **fields: Any) -> Any:
    """Makes a call and tells the answer, be it a refusal."""
    try:
        return t.tell(t.call(rpc, **fields))
    except grpc.RpcError as error:
        t.told.append([error.code().name, t._text(error.details() or "")])  # type: ignore[attr-defined]


def same(pair: Pair, story: Callable[[Teller], None]) -> None:
    """Tells a story to both, and fails with what they told differently."""
    id = f"{story.__name__}-{pair.ours.tag}"
    tellers = [Teller(world, id) for world in (pair.official, pair.ours)]
    with ThreadPoolExecutor(2) as both:
        list(both.map(story, tellers))
    official, ours = ("\n".join(json.dumps(each, indent=1) for each in teller.told).splitlines() for teller in tellers)
    difference = list(difflib.unified_diff(official, ours, "official", "ours", n=4, lineterm=""))
    if difference:
        pytest.fail("\n".join(difference))


PINNED = {"pinned": {"behavior": 1, "version": {"deployment_name": "d", "build_id": "1"}}}
VERSIONED = {"deployment_name": "d", "build_id": "1", "worker_versioning_mode": 2}
AUTO = {"auto_upgrade": True}


def change(t: Teller, *paths: str, run_id: str = "", **options: Any) -> None:
    """Updates the options that the paths name, and tells the answer."""
    execution = {"workflow_id": t.id, "run_id": run_id}
    mask = {"paths": paths}
    refused(
        t,
        "UpdateWorkflowExecutionOptions",
        workflow_execution=execution,
        workflow_execution_options=options,
        update_mask=mask,
    )


def versioned_worker(t: Teller, build_id: str = "1") -> None:
    """A worker of deployment d polls the queue until the server knows its version."""
    options = {"deployment_name": "d", "build_id": build_id, "worker_versioning_mode": 2}
    request = messages.PollWorkflowTaskQueueRequest(
        namespace="default", task_queue={"name": t.id}, deployment_options=options, identity="versioned"
    )
    with contextlib.suppress(grpc.RpcError):
        t.world.workflows.PollWorkflowTaskQueue(request, timeout=4)


def priorities(t: Teller) -> None:
    t.start(priority={"priority_key": 2})
    change(t, "priority", priority={"priority_key": 3, "fairness_key": "f"})
    t.look()
    change(t, "priority", priority={"priority_key": 3, "fairness_key": "f"})
    change(t, "priority.fairness_weight", priority={"priority_key": 1, "fairness_weight": 2})
    token = t.task()
    change(t, "priority.priority_key", "priority.fairness_key", priority={"priority_key": 1})
    t.look()
    t.answer(token=token)
    t.look()
    change(t, "priority")
    t.look()
    t.answer(complete())
    change(t, "priority", priority={"priority_key": 4})


def auto_upgrade(t: Teller) -> None:
    t.start()
    change(t, "versioning_override", versioning_override=AUTO)
    t.look()
    change(t, "versioning_override", versioning_override=AUTO)
    change(t, "versioning_override", "priority", versioning_override=AUTO, priority={"priority_key": 1})
    change(t, "versioning_override.behavior", "versioning_override.deployment", versioning_override={"behavior": 2})
    t.look()
    t.answer()
    t.look()
    change(t, "versioning_override")
    t.look()


def refusals(t: Teller) -> None:
    t.start()
    run = "3b1c6f0e-5a55-4ea5-9a34-4d5e8f1ac001"
    rpc = "UpdateWorkflowExecutionOptions"
    at = {"workflow_execution": {"workflow_id": t.id}}
    refused(t, rpc)
    refused(t, rpc, **at)
    refused(t, rpc, update_mask={}, **at)
    refused(t, rpc, update_mask={}, workflow_execution_options={}, **at)
    refused(t, rpc, update_mask={"paths": ["nothing"]}, workflow_execution_options={}, **at)
    change(t, "versioning_override.pinned", versioning_override=AUTO)
    change(t, "versioning_override.behavior", versioning_override=AUTO)
    change(t, "versioning_override.deployment", versioning_override=AUTO)
    change(t, "versioning_override", versioning_override={})
    change(t, "versioning_override", versioning_override={"auto_upgrade": False})
    change(t, "versioning_override", versioning_override={"behavior": 1})
    change(t, "versioning_override", versioning_override={"behavior": 9})
    change(t, "versioning_override", versioning_override={"behavior": 2, "pinned_version": "d.1"})
    change(t, "versioning_override", versioning_override={"behavior": 1, "pinned_version": "nodelimiter"})
    change(t, "versioning_override", versioning_override={"behavior": 1, "pinned_version": "d.1"})
    change(t, "versioning_override", versioning_override={"pinned": {}})
    change(t, "versioning_override", versioning_override={"pinned": {"behavior": 1}})
    change(t, "versioning_override", versioning_override={"pinned": {"version": {"deployment_name": "d"}}})
    change(t, "versioning_override", versioning_override={"one_time": {}})
    change(t, "versioning_override", versioning_override=PINNED)
    change(t, "priority", versioning_override=PINNED)
    change(t, "priority", priority={"priority_key": -1})
    change(t, "priority", priority={"fairness_key": "x" * 65})
    change(t, "time_skipping_config", time_skipping_config={"enabled": True})
    change(t, "time_skipping_config.enabled")
    change(t, "priority", run_id=run)
    change(t, "priority", run_id="x")
    t.look()


def pinned(t: Teller) -> None:
    versioned_worker(t)
    t.start(versioning_override=PINNED)
    first = t.look()
    change(t, "versioning_override", versioning_override=AUTO)
    change(t, "versioning_override", versioning_override={"behavior": 1, "pinned_version": "d.1"})
    change(t, "versioning_override", versioning_override={"pinned": {"behavior": 1}})
    t.look()
    change(t, "versioning_override")
    t.look(first)


def starts(t: Teller) -> None:
    refused(t, "StartWorkflowExecution", **asked(t, versioning_override=PINNED))
    refused(t, "StartWorkflowExecution", **asked(t, versioning_override={}))
    refused(t, "StartWorkflowExecution", **asked(t, versioning_override={"pinned": {"behavior": 1}}))
    refused(t, "StartWorkflowExecution", **asked(t, versioning_override={"behavior": 1, "pinned_version": "d.1"}))
    refused(t, "SignalWithStartWorkflowExecution", **asked(t, signal_name="s", versioning_override=PINNED))
    t.start(versioning_override={"behavior": 2})
    first = t.look()
    t.answer(again())
    t.look(first)
    t.look()


def children(t: Teller) -> None:
    versioned_worker(t)
    t.start(versioning_override=PINNED)
    task = t.call("PollWorkflowTaskQueue", task_queue={"name": t.id}, deployment_options=VERSIONED)
    fields: dict[str, Any] = {"workflow_type": {"name": "Type"}}
    one = command("start_child_workflow_execution", workflow_id=f"{t.id}-same", **fields)
    elsewhere = {"task_queue": {"name": f"{t.id}-other"}}
    two = command("start_child_workflow_execution", workflow_id=f"{t.id}-other", **fields, **elsewhere)
    own = {"versioning_override": {"behavior": 2}}
    three = command("start_child_workflow_execution", workflow_id=f"{t.id}-own", **fields, **own)
    t.answer(one, two, three, token=task.task_token)
    for name in ("same", "other", "own"):
        execution = {"workflow_id": f"{t.id}-{name}"}
        history = None
        while history is None:
            with contextlib.suppress(grpc.RpcError):
                history = t.call("GetWorkflowExecutionHistory", execution=execution).history
        started = history.events[0].workflow_execution_started_event_attributes
        t.told.append([str(started.versioning_override), str(started.inherited_pinned_version)])
        described = t.call("DescribeWorkflowExecution", execution=execution).workflow_execution_info
        t.told.append(str(described.versioning_info))
    initiated = t.call("GetWorkflowExecutionHistory", execution={"workflow_id": t.id}).history.events
    overrides = [
        str(e.start_child_workflow_execution_initiated_event_attributes.versioning_override) for e in initiated
    ]
    t.told.append(overrides[4:7])


def updates_with_start(t: Teller) -> None:
    start = {**asked(t), "namespace": "default", "workflow_id_conflict_policy": 2, "versioning_override": PINNED}
    execution = {"workflow_id": t.id}
    meta = {"meta": {"update_id": "u"}, "input": {"name": "change"}}
    update = {"namespace": "default", "workflow_execution": execution, "request": meta}
    refused(t, "ExecuteMultiOperation", operations=[{"start_workflow": start}, {"update_workflow": update}])
    t.start()
    t.look()


def asked(t: Teller, **fields: Any) -> dict[str, Any]:
    return {"workflow_id": t.id, "task_queue": {"name": t.id}, "workflow_type": {"name": "Type"}, **fields}


STORIES = [priorities, auto_upgrade, refusals, pinned, starts, children, updates_with_start]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_same_options(pair: Pair, story: Callable[[Teller], None]) -> None:
    same(pair, story)
