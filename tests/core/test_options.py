"""Options of running workflows: what is pinned stays so along the chain, and a task that waits goes by what holds now."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import VersioningOverride
from temporalio.api.workflowservice.v1 import RespondWorkflowTaskCompletedRequest, UpdateWorkflowExecutionOptionsRequest

from server.core.rejected import FailedPrecondition, InvalidArgument
from server.core.state import Key, State
from server.core.state_pb2 import Outgoing
from server.core.step import Step
from server.core.workflow import children, completion, options, versioning
from tests.core.checks import check
from tests.core.commands import command
from tests.core.harness import Run, start_request, token

PINNED = VersioningOverride(pinned={"behavior": 1, "version": {"deployment_name": "d", "build_id": "1"}})
OTHER = VersioningOverride(pinned={"behavior": 1, "version": {"deployment_name": "d", "build_id": "2"}})


def change(run: Run, *paths: str, **fields: Any) -> Any:
    request = UpdateWorkflowExecutionOptionsRequest(
        workflow_execution_options=fields, update_mask={"paths": paths}, identity="me"
    )
    return run.do(lambda step: options.update_workflow_execution_options(step, request))


def test_a_waiting_task_is_offered_again_by_its_new_priority() -> None:
    run = Run()
    change(run, "priority.priority_key", priority={"priority_key": 5, "fairness_key": "ignored"})
    (dispatch,) = run.rows.waiting.values()
    assert dispatch.priority is not None
    assert (dispatch.priority.priority_key, dispatch.priority.fairness_key) == (5, "")
    length = len(run.history)
    change(run, "priority", priority={"priority_key": 5})
    assert len(run.history) == length
    check(run)


def test_another_version_ends_stickiness() -> None:
    run = Run()
    sticky = {"worker_task_queue": {"name": "sticky"}, "schedule_to_start_timeout": {"seconds": 5}}
    request = RespondWorkflowTaskCompletedRequest(sticky_attributes=sticky, force_create_new_workflow_task=True)
    held = run.poll_workflow()
    run.do(lambda step: completion.complete_workflow_task(step, token(held), request))
    change(run, "versioning_override", versioning_override=PINNED)
    (dispatch,) = run.rows.waiting.values()
    assert (dispatch.queue, dispatch.expires_at) == ("queue", 0)
    assert run.state.core.worker_deployment_name == "d"
    check(run)


def test_a_pinned_run_pins_the_next_one() -> None:
    run = Run(start_request(versioning_override=PINNED))
    held = run.poll_workflow()
    request = RespondWorkflowTaskCompletedRequest(commands=[command("continue_as_new_workflow_execution")])
    run.do(lambda step: completion.complete_workflow_task(step, token(held), request))
    (following,) = run.followed_by
    assert following.state.core.versioning_info.versioning_override == PINNED


def test_pin_where_it_is() -> None:
    run = Run()
    here = VersioningOverride(pinned={"behavior": 1})
    with pytest.raises(FailedPrecondition, match="has behavior Unspecified and is not yet pinned"):
        change(run, "versioning_override", versioning_override=here)
    change(run, "versioning_override", versioning_override=PINNED)
    assert (
        change(run, "versioning_override", versioning_override=here).workflow_execution_options.versioning_override
        == PINNED
    )


def test_earlier_forms_become_today_s() -> None:
    old = VersioningOverride(behavior=1, deployment={"series_name": "d", "build_id": "1"})
    assert versioning.today(old) == PINNED
    assert versioning.today(VersioningOverride(behavior=1, pinned_version="d.1")) == PINNED
    with pytest.raises(InvalidArgument, match="not recognized"):
        versioning.check(VersioningOverride(behavior=9))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "build_id"),
    [({}, "1"), ({"task_queue": TaskQueue(name="another")}, ""), ({"versioning_override": OTHER}, "2")],
)
def test_a_child_goes_where_its_parent_is_pinned_to(asked: dict[str, Any], build_id: str) -> None:
    run = Run(start_request(versioning_override=PINNED))
    fields = {"workflow_id": "child", "workflow_type": WorkflowType(name="W"), **asked}
    commands = [command("start_child_workflow_execution", **fields)]
    request = RespondWorkflowTaskCompletedRequest(commands=commands)
    sends: list[Outgoing] = []

    def decide(step: Step) -> Any:
        reply = completion.complete_workflow_task(step, token(polled), request)
        sends.extend(note for _, note in step.sends)
        return reply

    polled = run.poll_workflow()
    run.do(decide)
    child = State(Key(run.namespace.id, "child", "child-run"))
    children.begin_child(None, Step(child, run.now, run.namespace, run.ids), sends[0])
    assert child.core.versioning_info.versioning_override.pinned.version.build_id == build_id
    assert child.asked.versioning_override.pinned.version.build_id == build_id
