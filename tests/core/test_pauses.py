"""Pauses: nothing is offered while one lasts, what is held goes on, and everything comes back afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.api.workflowservice.v1 import (
    PauseWorkflowExecutionRequest,
    RespondActivityTaskFailedRequest,
    RespondWorkflowTaskCompletedRequest,
    UnpauseWorkflowExecutionRequest,
    UpdateWorkflowExecutionRequest,
)

from server.core.rejected import FailedPrecondition
from server.core.workflow import activities, completion, pauses, updates
from tests.core.chain import kinds
from tests.core.checks import check
from tests.core.commands import failure, schedule
from tests.core.harness import Run, start_request, token


def pause(run: Run, request_id: str = "p") -> Any:
    request = PauseWorkflowExecutionRequest(reason="why", identity="me", request_id=request_id)
    return run.do(lambda step: pauses.pause_workflow_execution(step, request))


def unpause(run: Run) -> Any:
    return run.do(lambda step: pauses.unpause_workflow_execution(step, UnpauseWorkflowExecutionRequest()))


def complete(run: Run, response: Any, *commands: Any, **fields: Any) -> Any:
    request = RespondWorkflowTaskCompletedRequest(commands=commands, **fields)
    return run.do(lambda step: completion.complete_workflow_task(step, token(response), request))


def test_a_waiting_task_fails_and_another_one_comes_afterwards() -> None:
    run = Run()
    pause(run)
    assert not run.rows.waiting
    assert kinds(run.history)[2:] == ["task_failed", "paused"]
    unpause(run)
    assert kinds(run.history)[4:] == ["unpaused", "task_scheduled"]
    check(run)


def test_an_attempt_that_fails_meanwhile_is_tried_again_afterwards() -> None:
    run = Run()
    complete(run, run.poll_workflow(), schedule("a", start_to_close=50), schedule("b", start_to_close=50))
    held = run.poll_activity()
    pause(run)
    assert not run.rows.waiting
    failed = RespondActivityTaskFailedRequest(failure=failure())
    run.do(lambda step: activities.fail_activity(step, token(held), failed))
    run.pass_time(2)
    assert not run.rows.waiting
    unpause(run)
    attempts = sorted((run.poll_activity().attempt, run.poll_activity().attempt))
    assert attempts == [1, 2]
    check(run)


def test_a_start_delay_goes_on() -> None:
    run = Run(start_request(workflow_start_delay={"seconds": 5}))
    pause(run)
    run.pass_time(6)
    assert kinds(run.history) == ["started", "paused"]
    unpause(run)
    assert kinds(run.history) == ["started", "paused", "unpaused", "task_scheduled"]


def test_what_is_refused() -> None:
    run = Run()
    held = run.poll_workflow()
    pause(run)
    pause(run)
    with pytest.raises(FailedPrecondition, match="already paused"):
        pause(run, "another")
    with pytest.raises(FailedPrecondition, match="Cannot update"):
        run.do(lambda step: updates.admit(step, UpdateWorkflowExecutionRequest()))
    with pytest.raises(FailedPrecondition, match="force create"):
        complete(run, held, force_create_new_workflow_task=True)
    unpause(run)
    with pytest.raises(FailedPrecondition, match="not paused"):
        unpause(run)
