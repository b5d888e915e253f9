"""Starting runs: every attribute of the started event, the id policies, deduplication, and starts with a signal."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from temporalio.api.common.v1 import Link
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy as Conflict
from temporalio.api.enums.v1 import WorkflowIdReusePolicy as Reuse
from temporalio.api.workflowservice.v1 import (
    RequestCancelWorkflowExecutionRequest,
    SignalWithStartWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest,
)

from server.core.rejected import AlreadyStarted
from server.core.workflow import cancel, close, signals, start
from tests.core.chain import Chain, command, kinds, payload, payloads, seconds
from tests.core.harness import SECOND, start_request

USE_EXISTING = Conflict.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
TERMINATE_EXISTING = Conflict.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
LINK = Link(workflow_event=Link.WorkflowEvent(namespace="default", workflow_id="other", run_id="r"))


def start_again(chain: Chain, **fields: Any) -> Any:
    request = start_request(**{"request_id": "second", **fields})
    return chain.begin(lambda current, new: start.start_workflow_execution(current, new, request))


def signal_with_start(chain: Chain, **fields: Any) -> Any:
    fields = {"workflow_id": "wf", "request_id": "s1", "identity": "client", "signal_name": "sig", **fields}
    request = SignalWithStartWorkflowExecutionRequest(signal_input=payloads("1"), **fields)
    request.workflow_type.name, request.task_queue.name = "Type", "queue"
    return chain.begin(lambda current, new: start.signal_with_start_workflow_execution(current, new, request))


def test_a_plain_start_fills_what_the_official_server_fills() -> None:
    chain = Chain()
    assert MessageToDict(chain.asked, preserving_proto_field_name=True) == {
        "workflow_type": {"name": "Type"},
        "task_queue": {"name": "queue", "kind": "TASK_QUEUE_KIND_NORMAL"},
        "workflow_task_timeout": "10s",
        "original_execution_run_id": "run-1",
        "first_execution_run_id": "run-1",
        "identity": "client",
        "attempt": 1,
        "first_workflow_task_backoff": "0s",
        "workflow_id": "wf",
    }
    assert kinds(chain.history) == ["started", "task_scheduled"]
    assert chain.wake_at is None


def test_everything_that_can_be_asked_for_is_in_the_started_event() -> None:
    chain = Chain(
        input=payloads("1"),
        workflow_execution_timeout=seconds(100),
        workflow_run_timeout=seconds(200),
        workflow_task_timeout=seconds(300),
        retry_policy={"maximum_attempts": 3},
        memo={"fields": {"kept": payload("1"), "dropped": payload("null")}},
        search_attributes={"indexed_fields": {"Color": payload('"red"'), "Number": payload("null")}},
        header={"fields": {"h": payload("2")}},
        user_metadata={"summary": payload('"sum"')},
        links=[LINK],
        priority={"priority_key": 2},
        workflow_start_delay=seconds(1.5),
    )
    asked = MessageToDict(chain.asked, preserving_proto_field_name=True)
    assert (
        asked["workflow_execution_timeout"] == asked["workflow_run_timeout"] == asked["workflow_task_timeout"] == "100s"
    )
    assert asked["workflow_execution_expiration_time"] == "2023-11-14T22:15:00Z"
    assert asked["first_workflow_task_backoff"] == "1.500s"
    assert asked["priority"] == {"priority_key": 2}
    assert list(asked["memo"]["fields"]) == ["kept"]
    assert dict(chain.asked.search_attributes.indexed_fields) == {"Color": payload('"red"', type="Keyword")}
    policy = {"initial_interval": "1s", "backoff_coefficient": 2.0, "maximum_interval": "100s", "maximum_attempts": 3}
    assert asked["retry_policy"] == policy
    event = chain.history[0]
    assert event.user_metadata.summary == payload('"sum"')
    assert list(event.links) == [LINK]
    assert chain.asked.header.fields["h"] == payload("2")
    assert chain.asked.input == payloads("1")


def test_the_answer_names_the_started_event() -> None:
    chain = Chain()
    reply = start_again(chain, request_id="start")
    assert (reply.run_id, reply.first_execution_run_id, reply.started, reply.status) == ("run-1", "run-1", True, 1)
    event = reply.link.workflow_event
    assert (event.namespace, event.workflow_id, event.run_id, event.event_ref.event_id) == ("default", "wf", "run-1", 1)
    assert event.event_ref.event_type == 1
    assert len(chain.history) == 2


@pytest.mark.parametrize(
    ("asked", "run", "task"),
    [((0, 0, 0), 0, 10), ((0, 5, 0), 5, 5), ((9, 0, 0), 9, 9), ((9, 5, 3), 5, 3), ((0, 0, 999), 0, 120)],
)
def test_timeouts_default_to_and_are_cut_to_the_longer_ones(asked: tuple[int, int, int], run: int, task: int) -> None:
    execution_timeout, run_timeout, task_timeout = asked
    chain = Chain(
        workflow_execution_timeout=seconds(execution_timeout),
        workflow_run_timeout=seconds(run_timeout),
        workflow_task_timeout=seconds(task_timeout),
    )
    assert chain.asked.workflow_run_timeout == seconds(run)
    assert chain.asked.workflow_task_timeout == seconds(task)
    assert chain.state.core.run_deadline == (chain.now + run * SECOND if run else 0)


def test_a_start_delay_holds_the_first_task_back_and_lengthens_the_run() -> None:
    chain = Chain(workflow_start_delay=seconds(30), workflow_run_timeout=seconds(60))
    assert kinds(chain.history) == ["started"]
    core = chain.state.core
    assert (core.execution_time - core.start_time, core.run_deadline - core.start_time) == (30 * SECOND, 90 * SECOND)
    request = SignalWorkflowExecutionRequest(signal_name="sig", request_id="1")
    chain.do(lambda step: signals.signal_workflow_execution(step, request))
    assert kinds(chain.history) == ["started", "signaled"]
    chain.pass_time(30)
    assert kinds(chain.history) == ["started", "signaled", "task_scheduled"]


def test_a_cancel_request_or_a_start_with_signal_ends_the_delay() -> None:
    chain = Chain(workflow_start_delay=seconds(30))
    chain.do(lambda step: cancel.request_cancel_workflow_execution(step, RequestCancelWorkflowExecutionRequest()))
    assert kinds(chain.history) == ["started", "cancel_requested", "task_scheduled"]
    chain = Chain(workflow_start_delay=seconds(30))
    signal_with_start(chain)
    assert kinds(chain.history) == ["started", "signaled", "task_scheduled"]


def test_cron_waits_for_its_first_time() -> None:
    chain = Chain(cron_schedule="@every 1h")
    assert chain.asked.cron_schedule == "@every 1h"
    assert chain.asked.first_workflow_task_backoff == seconds(3600)
    assert chain.asked.initiator == 3
    assert chain.wake_at == chain.now + 3600 * SECOND


def test_a_running_workflow_refuses_another_start() -> None:
    chain = Chain()
    with pytest.raises(AlreadyStarted) as refused:
        start_again(chain)
    assert refused.value.message == "Workflow execution is already running. WorkflowId: wf, RunId: run-1."
    assert (refused.value.start_request_id, refused.value.run_id) == ("start", "run-1")


def test_a_running_workflow_can_stand_for_another() -> None:
    chain = Chain()
    reply = start_again(chain, workflow_id_conflict_policy=USE_EXISTING)
    assert (reply.run_id, reply.started, reply.status) == ("run-1", False, 1)
    assert reply.link.workflow_event.event_ref.event_id == 1
    assert len(chain.history) == 2


@pytest.mark.parametrize("held", [False, True])
def test_what_is_attached_to_a_running_workflow(held: bool) -> None:
    chain = Chain()
    task = chain.poll_workflow() if held else None
    options = {"attach_request_id": True, "attach_links": True}
    for _ in range(2):
        reply = start_again(chain, workflow_id_conflict_policy=USE_EXISTING, on_conflict_options=options, links=[LINK])
        assert (reply.run_id, reply.started) == ("run-1", False)
        assert reply.link.workflow_event.request_id_ref.request_id == "second"
    infos = chain.describe().workflow_extended_info.request_id_infos
    assert infos["second"].buffered == held
    if task:
        chain.complete(task)
    event = chain.history[-2 if held else -1]
    assert chain.describe().workflow_extended_info.request_id_infos["second"].event_id == event.event_id
    assert event.worker_may_ignore
    assert list(event.links) == [LINK]
    assert event.workflow_execution_options_updated_event_attributes.attached_request_id == "second"
    expected = ["options_updated", "task_scheduled"] if held else ["options_updated"]
    assert kinds(chain.history)[-len(expected) :] == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"workflow_id_conflict_policy": TERMINATE_EXISTING},
        {"workflow_id_reuse_policy": Reuse.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING},
    ],
)
def test_a_running_workflow_can_be_replaced(fields: dict[str, Any]) -> None:
    chain = Chain()
    chain.poll_workflow()
    reply = start_again(chain, **fields)
    assert reply.run_id == chain.key.run_id != "run-1"
    assert reply.started
    assert kinds(chain.ended[0])[-3:] == ["task_started", "task_failed", "terminated"]
    terminated = chain.ended[0][-1].workflow_execution_terminated_event_attributes
    assert terminated.reason == "TerminateIfRunning WorkflowIdReusePolicy"
    assert terminated.details == payloads(f'"terminated by new runID: {reply.run_id}"')
    assert terminated.identity == "history-service"
    assert chain.asked.first_execution_run_id == reply.run_id


@pytest.mark.parametrize(
    ("ending", "policy", "allowed"),
    [
        ("complete", Reuse.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, True),
        ("complete", Reuse.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, False),
        ("fail", Reuse.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, True),
        ("cancel", Reuse.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, True),
        ("terminate", Reuse.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, True),
        ("fail", Reuse.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, False),
        ("complete", Reuse.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING, True),
    ],
)
def test_whether_the_id_of_a_closed_run_may_be_used_again(ending: str, policy: Any, allowed: bool) -> None:
    chain = Chain()
    finish(chain, ending)
    if allowed:
        assert start_again(chain, workflow_id_reuse_policy=policy).run_id == chain.key.run_id
        return
    with pytest.raises(AlreadyStarted, match=r"Workflow execution already finished.*WorkflowId: wf, RunId: run-1\. "):
        start_again(chain, workflow_id_reuse_policy=policy)


def finish(chain: Chain, ending: str) -> None:
    if ending == "terminate":
        chain.do(lambda step: close.terminate(step, ""))
        return
    attributes = (
        {"failure": {"message": "boom"}} if ending == "fail" else {"details": None} if ending == "cancel" else {}
    )
    chain.answer(command(f"{ending}_workflow_execution", **attributes))


def test_the_same_request_finds_its_run_even_when_that_is_closed() -> None:
    chain = Chain()
    finish(chain, "complete")
    reply = start_again(
        chain, request_id="start", workflow_id_reuse_policy=Reuse.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
    )
    assert (reply.run_id, reply.started, reply.status) == ("run-1", True, 2)


def test_a_signal_goes_to_the_running_workflow_once() -> None:
    chain = Chain()
    for _ in range(2):
        reply = signal_with_start(chain)
        assert (reply.run_id, reply.first_execution_run_id, reply.started) == ("run-1", "run-1", False)
        assert reply.signal_link.workflow_event.request_id_ref.request_id == "s1"
    assert kinds(chain.history) == ["started", "task_scheduled", "signaled"]


def test_a_signal_starts_a_workflow_where_none_runs() -> None:
    chain = Chain()
    finish(chain, "complete")
    reply = signal_with_start(chain)
    assert reply.started
    assert reply.run_id == chain.key.run_id
    assert kinds(chain.history) == ["started", "signaled", "task_scheduled"]
    assert chain.history[1].workflow_execution_signaled_event_attributes.input == payloads("1")
    assert signal_with_start(chain).run_id == reply.run_id
    assert len(chain.history) == 3
    assert list(chain.describe().workflow_extended_info.request_id_infos) == ["s1"]


def test_a_start_with_signal_minds_the_policies() -> None:
    chain = Chain()
    reply = signal_with_start(chain, workflow_id_conflict_policy=TERMINATE_EXISTING)
    assert reply.started
    assert kinds(chain.ended[0])[-1] == "terminated"
    assert signal_with_start(chain, workflow_id_conflict_policy=TERMINATE_EXISTING).run_id == reply.run_id
    finish(chain, "complete")
    with pytest.raises(AlreadyStarted):
        signal_with_start(
            chain, request_id="s2", workflow_id_reuse_policy=Reuse.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
        )
