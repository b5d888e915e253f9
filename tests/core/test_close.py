"""How runs end, and what follows them: results, failures, timeouts, termination, retries, cron and continue-as-new."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import RetryState, WorkflowTaskFailedCause
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest, TerminateWorkflowExecutionRequest

from server.core.limits import MIB
from server.core.rejected import InvalidArgument, NotFound
from server.core.workflow import close, signals
from tests.core.chain import Chain, command, kinds, payload, payloads, seconds
from tests.core.harness import NAMESPACE, SECOND

COMPLETE, FAIL, CONTINUE = (
    "complete_workflow_execution",
    "fail_workflow_execution",
    "continue_as_new_workflow_execution",
)
BOOM = {"message": "boom", "application_failure_info": {"type": "Boom"}}


def terminate(chain: Chain, **fields: Any) -> None:
    request = TerminateWorkflowExecutionRequest(**fields)
    chain.do(lambda step: close.terminate_workflow_execution(step, request, request.identity))


def test_a_run_completes_with_its_result() -> None:
    chain = Chain()
    chain.now += SECOND
    chain.answer(command(COMPLETE, result=payloads("1"), user_metadata={"summary": payload("2")}))
    assert kinds(chain.history) == ["started", "task_scheduled", "task_started", "task_completed", "completed"]
    closing = chain.history[-1]
    assert MessageToDict(closing.workflow_execution_completed_event_attributes) == {
        "result": MessageToDict(payloads("1")),
        "workflowTaskCompletedEventId": "4",
    }
    assert closing.user_metadata.summary == payload("2")
    core = chain.state.core
    assert (core.status, core.close_time, core.close_event_id) == (2, chain.now, 5)
    assert chain.wake_at == core.retention_deadline == chain.now + NAMESPACE.retention
    assert chain.rows.waiting == {}


def test_a_run_fails_and_says_that_nothing_retries_it() -> None:
    chain = Chain()
    chain.answer(command(FAIL, failure=BOOM))
    a = chain.history[-1].workflow_execution_failed_event_attributes
    assert (a.failure.message, a.retry_state, a.new_execution_run_id) == (
        "boom",
        RetryState.RETRY_STATE_RETRY_POLICY_NOT_SET,
        "",
    )
    assert chain.state.core.status == 3


def test_a_run_lets_itself_be_cancelled() -> None:
    chain = Chain(cron_schedule="@every 1h")
    chain.pass_time(3600)
    chain.answer(command("cancel_workflow_execution", details=payloads("1")))
    assert chain.history[-1].workflow_execution_canceled_event_attributes.details == payloads("1")
    assert chain.state.core.status == 4
    assert chain.ended == []


@pytest.mark.parametrize(
    ("kind", "attributes", "cause", "sentence"),
    [
        (COMPLETE, None, "BadCompleteWorkflowExecutionAttributes", "CompleteWorkflowExecutionCommandAttributes is not set on CompleteWorkflowExecutionCommand."),
        (FAIL, {}, "BadFailWorkflowExecutionAttributes", "Failure is not set on FailWorkflowExecutionCommand."),
        (CONTINUE, {"workflow_run_timeout": seconds(-1)}, "BadContinueAsNewAttributes", "Invalid WorkflowRunTimeout on ContinueAsNewWorkflowExecutionCommand: negative duration. WorkflowType=Type"),
        (CONTINUE, {"retry_policy": {"maximum_attempts": -1}}, "BadContinueAsNewAttributes", "invalid WorkflowRetryPolicy on ContinueAsNewWorkflowExecutionCommand: MaximumAttempts cannot be negative on retry policy."),
        (CONTINUE, {"workflow_type": {"name": "x" * 1001}}, "BadContinueAsNewAttributes", "WorkflowType on ContinueAsNewWorkflowExecutionCommand exceeds length limit. WorkflowType=x"),
        (CONTINUE, {"search_attributes": {"indexed_fields": {"Unknown": payload("1")}}}, "BadSearchAttributes", "Namespace default has no mapping defined for search attribute Unknown"),
    ],
)  # fmt: skip
def test_a_bad_closing_command_fails_the_task(
    kind: str, attributes: dict[str, Any] | None, cause: str, sentence: str
) -> None:
    chain = Chain()
    bad = Command(command_type=command(kind).command_type) if attributes is None else command(kind, **attributes)
    with pytest.raises(InvalidArgument) as refused:
        chain.answer(bad)
    assert refused.value.message.startswith(f"{cause}: {sentence}")
    assert kinds(chain.history)[-1] == "task_failed"
    failed = chain.history[-1].workflow_task_failed_event_attributes
    assert WorkflowTaskFailedCause.Name(failed.cause).title().replace("_", "").endswith(cause)
    assert chain.state.running


def test_a_result_over_the_limit_terminates_the_run() -> None:
    chain = Chain()
    with pytest.raises(InvalidArgument, match="Result exceeds size limit"):
        chain.answer(command(COMPLETE, result=payloads("x" * (2 * MIB))))
    assert kinds(chain.history)[-2:] == ["task_failed", "terminated"]
    reason = chain.history[-1].workflow_execution_terminated_event_attributes.reason
    assert reason.endswith("CompleteWorkflowExecutionCommandAttributes.Result exceeds size limit.")


# Termination -----------------------------------------------------------------------------------------------------------------------


def test_termination_fails_the_held_task_and_numbers_what_was_buffered() -> None:
    chain = Chain()
    chain.poll_workflow()
    request = SignalWorkflowExecutionRequest(signal_name="sig")
    chain.do(lambda step: signals.signal_workflow_execution(step, request))
    terminate(chain, reason="why", identity="me", details=payloads("1"))
    assert kinds(chain.history)[2:] == ["task_started", "task_failed", "signaled", "terminated"]
    failed = chain.history[3].workflow_task_failed_event_attributes
    assert failed.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND
    assert failed.identity == "history-service"
    a = chain.history[-1].workflow_execution_terminated_event_attributes
    assert (a.reason, a.identity, a.details) == ("why", "me", payloads("1"))
    with pytest.raises(NotFound, match="workflow execution already completed"):
        terminate(chain)


def test_termination_is_for_the_chain_that_the_caller_means() -> None:
    chain = Chain()
    with pytest.raises(NotFound, match="workflow execution not found"):
        terminate(chain, first_execution_run_id="another")
    terminate(chain, first_execution_run_id="run-1")
    assert chain.state.core.status == 5


# Timeouts --------------------------------------------------------------------------------------------------------------------------


def test_a_run_times_out() -> None:
    chain = Chain(workflow_run_timeout=seconds(60))
    chain.pass_time(59)
    assert chain.state.running
    chain.pass_time(1)
    assert kinds(chain.history)[-1] == "timed_out"
    a = chain.history[-1].workflow_execution_timed_out_event_attributes
    assert (a.retry_state, a.new_execution_run_id) == (RetryState.RETRY_STATE_RETRY_POLICY_NOT_SET, "")
    assert chain.state.core.status == 7


def test_a_run_that_times_out_is_retried_while_its_chain_has_time() -> None:
    chain = Chain(workflow_run_timeout=seconds(60), workflow_execution_timeout=seconds(100), retry_policy={})
    chain.pass_time(5)
    chain.poll_workflow()
    chain.pass_time(55)
    assert kinds(chain.ended[0])[-1] == "timed_out"
    a = chain.ended[0][-1].workflow_execution_timed_out_event_attributes
    assert (a.retry_state, a.new_execution_run_id) == (RetryState.RETRY_STATE_IN_PROGRESS, chain.key.run_id)
    assert chain.asked.continued_failure.timeout_failure_info.timeout_type == 1
    assert chain.asked.continued_failure.message == "workflow timeout"
    assert chain.state.core.run_deadline == chain.past[0].core.execution_deadline
    chain.pass_time(40)
    a = chain.history[-1].workflow_execution_timed_out_event_attributes
    assert (a.retry_state, a.new_execution_run_id) == (RetryState.RETRY_STATE_TIMEOUT, "")
    assert len(chain.ended) == 1


# Retries ---------------------------------------------------------------------------------------------------------------------------


def test_a_retry_is_asked_for_what_the_run_was_asked_for() -> None:
    chain = Chain(
        input=payloads("1"),
        workflow_execution_timeout=seconds(1000),
        workflow_run_timeout=seconds(100),
        retry_policy={"maximum_attempts": 2, "initial_interval": seconds(3)},
        memo={"fields": {"m": payload("1")}},
        search_attributes={"indexed_fields": {"Color": payload('"red"')}},
        header={"fields": {"h": payload("2")}},
        user_metadata={"summary": payload("3")},
        priority={"priority_key": 2},
    )
    started = chain.asked
    chain.answer(command("upsert_workflow_search_attributes", search_attributes={"indexed_fields": {"Color": payload("null")}}), command(FAIL, failure=BOOM))  # fmt: skip
    closing = chain.ended[0][-1].workflow_execution_failed_event_attributes
    assert (closing.retry_state, closing.new_execution_run_id) == (
        RetryState.RETRY_STATE_IN_PROGRESS,
        chain.key.run_id,
    )
    asked = chain.asked
    for name in ("input", "workflow_execution_timeout", "workflow_run_timeout", "workflow_task_timeout", "retry_policy", "memo", "search_attributes", "header", "priority", "workflow_type", "task_queue", "workflow_execution_expiration_time", "workflow_id"):  # fmt: skip
        assert getattr(asked, name) == getattr(started, name), name
    assert (asked.attempt, asked.initiator, asked.identity) == (2, 2, "")
    assert (asked.continued_execution_run_id, asked.first_execution_run_id) == ("run-1", "run-1")
    assert asked.original_execution_run_id == chain.key.run_id
    assert asked.continued_failure.message == "boom"
    assert asked.first_workflow_task_backoff == seconds(3)
    assert asked.prev_auto_reset_points.points[0].run_id == "run-1"
    assert not chain.history[0].HasField("user_metadata")
    assert kinds(chain.history) == ["started"]
    chain.pass_time(3)
    chain.answer(command(FAIL, failure=BOOM))
    closing = chain.history[-1].workflow_execution_failed_event_attributes
    assert closing.retry_state == RetryState.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED
    assert not closing.new_execution_run_id


def test_some_failures_are_not_retried() -> None:
    chain = Chain(retry_policy={"non_retryable_error_types": ["Boom"]})
    chain.answer(command(FAIL, failure=BOOM))
    closing = chain.history[-1].workflow_execution_failed_event_attributes
    assert closing.retry_state == RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE
    assert chain.ended == []


# Cron ------------------------------------------------------------------------------------------------------------------------------


def test_cron_runs_follow_each_other_with_the_last_result() -> None:
    chain = Chain(cron_schedule="@every 10s", input=payloads("1"), workflow_run_timeout=seconds(4))
    chain.pass_time(10)
    chain.answer(command(COMPLETE, result=payloads("2")))
    closing = chain.ended[0][-1].workflow_execution_completed_event_attributes
    assert closing.new_execution_run_id == chain.key.run_id
    asked = chain.asked
    assert (asked.initiator, asked.attempt, asked.cron_schedule) == (3, 1, "@every 10s")
    assert (asked.last_completion_result, asked.input) == (payloads("2"), payloads("1"))
    assert asked.first_workflow_task_backoff == seconds(10)
    chain.pass_time(10)
    chain.answer(command(FAIL, failure=BOOM))
    assert chain.asked.last_completion_result == payloads("2")
    assert chain.asked.continued_failure.message == "boom"
    chain.pass_time(14)
    assert kinds(chain.ended[2])[-1] == "timed_out"
    assert chain.asked.last_completion_result == payloads("2")
    assert chain.asked.continued_failure.message == "workflow timeout"
    assert chain.asked.first_workflow_task_backoff == seconds(6)
    assert chain.asked.first_execution_run_id == "run-1"


def test_a_retry_goes_before_cron() -> None:
    chain = Chain(cron_schedule="@every 10s", retry_policy={"maximum_attempts": 2})
    chain.pass_time(10)
    chain.answer(command(FAIL, failure=BOOM))
    assert (chain.asked.initiator, chain.asked.attempt) == (2, 2)
    chain.pass_time(1)
    chain.answer(command(FAIL, failure=BOOM))
    assert (chain.asked.initiator, chain.asked.attempt) == (3, 1)


# Continue as new -------------------------------------------------------------------------------------------------------------------


def test_continue_as_new_takes_from_the_run_what_the_worker_leaves_out() -> None:
    chain = Chain(workflow_run_timeout=seconds(60), priority={"priority_key": 2}, memo={"fields": {"m": payload("1")}})
    chain.now += 5 * SECOND
    chain.answer(command(CONTINUE))
    closing = chain.ended[0][-1].workflow_execution_continued_as_new_event_attributes
    assert MessageToDict(closing, preserving_proto_field_name=True) == {
        "new_execution_run_id": chain.key.run_id,
        "workflow_type": {"name": "Type"},
        "task_queue": {"name": "queue", "kind": "TASK_QUEUE_KIND_NORMAL"},
        "workflow_run_timeout": "60s",
        "workflow_task_timeout": "10s",
        "workflow_task_completed_event_id": "4",
    }
    asked = MessageToDict(chain.asked, preserving_proto_field_name=True)
    del asked["prev_auto_reset_points"]
    assert asked == {
        "workflow_type": {"name": "Type"},
        "task_queue": {"name": "queue", "kind": "TASK_QUEUE_KIND_NORMAL"},
        "workflow_run_timeout": "60s",
        "workflow_task_timeout": "10s",
        "continued_execution_run_id": "run-1",
        "initiator": "CONTINUE_AS_NEW_INITIATOR_WORKFLOW",
        "original_execution_run_id": chain.key.run_id,
        "first_execution_run_id": "run-1",
        "attempt": 1,
        "workflow_id": "wf",
        "priority": {"priority_key": 2},
    }
    assert kinds(chain.history) == ["started", "task_scheduled"]
    assert chain.past[0].core.status == 6
    assert chain.past[0].core.new_run_id == chain.key.run_id


def test_continue_as_new_takes_what_the_worker_says() -> None:
    chain = Chain(workflow_execution_timeout=seconds(300), retry_policy={"maximum_attempts": 9})
    chain.now += 5 * SECOND
    attributes: dict[str, Any] = {
        "workflow_type": {"name": "Other"},
        "task_queue": {"name": "other"},
        "input": payloads("1"),
        "header": {"fields": {"h": payload("2")}},
        "workflow_run_timeout": seconds(400),
        "workflow_task_timeout": seconds(7),
        "backoff_start_interval": seconds(20),
        "retry_policy": {"maximum_attempts": 5},
        "memo": {"fields": {"m": payload("3"), "none": payload("null")}},
        "search_attributes": {"indexed_fields": {"Number": payload("4")}},
        "last_completion_result": payloads("5"),
        "failure": BOOM,
        "initiator": 2,
    }
    chain.answer(command(CONTINUE, user_metadata={"summary": payload("6")}, **attributes))
    closing = chain.ended[0][-1].workflow_execution_continued_as_new_event_attributes
    asked = chain.asked
    for each in (closing, asked):
        assert (each.workflow_type.name, each.task_queue.name, each.initiator) == ("Other", "other", 2)
        assert (each.input, each.last_completion_result) == (payloads("1"), payloads("5"))
        assert (each.workflow_run_timeout, each.workflow_task_timeout) == (seconds(300), seconds(7))
        assert dict(each.memo.fields) == {"m": payload("3")}
        assert dict(each.search_attributes.indexed_fields) == {"Number": payload("4", type="Int")}
        assert each.header.fields["h"] == payload("2")
    assert closing.backoff_start_interval == asked.first_workflow_task_backoff == seconds(20)
    assert asked.continued_failure.message == closing.failure.message == "boom"
    assert (asked.retry_policy.maximum_attempts, asked.attempt) == (5, 2)
    assert chain.state.core.run_deadline == chain.state.core.execution_deadline
    assert chain.ended[0][-1].user_metadata.summary == payload("6")


def test_runs_do_not_follow_each_other_too_quickly() -> None:
    chain = Chain()
    chain.now += SECOND // 4
    chain.answer(command(CONTINUE))
    assert chain.asked.first_workflow_task_backoff == seconds(0.75)


def test_news_that_the_worker_has_not_seen_keeps_the_run_open() -> None:
    chain = Chain()
    task = chain.poll_workflow()
    request = SignalWorkflowExecutionRequest(signal_name="sig")
    chain.do(lambda step: signals.signal_workflow_execution(step, request))
    with pytest.raises(InvalidArgument, match="UnhandledCommand"):
        chain.complete(task, command(COMPLETE))
    assert kinds(chain.history)[-3:] == ["task_failed", "signaled", "task_scheduled"]
    chain.answer(command(COMPLETE))
    assert chain.state.core.status == 2
