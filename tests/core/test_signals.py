"""Signals and cancel requests from outside."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import RequestCancelWorkflowExecutionRequest, SignalWorkflowExecutionRequest

from server.core.limits import Limits
from server.core.rejected import InvalidArgument, NotFound
from server.core.workflow import cancel, close, signals
from tests.core.chain import CHAIN_NAMESPACE, Chain, kinds, payload, payloads
from tests.core.test_start import LINK


def signal(chain: Chain, sender: WorkflowExecution | None = None, **fields: Any) -> Any:
    request = SignalWorkflowExecutionRequest(**{"signal_name": "sig", "identity": "client", **fields})
    return chain.do(lambda step: signals.signal_workflow_execution(step, request, sender))


def request_cancel(chain: Chain, **fields: Any) -> None:
    request = RequestCancelWorkflowExecutionRequest(**{"identity": "client", "reason": "why", **fields})
    chain.do(lambda step: cancel.request_cancel_workflow_execution(step, request))


def test_a_signal_is_in_history_with_all_that_was_sent() -> None:
    chain = Chain()
    header = {"fields": {"h": payload("2")}}
    sender = WorkflowExecution(workflow_id="from", run_id="r")
    reply = signal(chain, sender, input=payloads("1"), header=header, request_id="id", links=[LINK])
    event = chain.history[-1]
    a = event.workflow_execution_signaled_event_attributes
    assert (a.signal_name, a.identity, a.request_id, a.input) == ("sig", "client", "id", payloads("1"))
    assert a.header.fields["h"] == payload("2")
    assert a.external_workflow_execution == sender
    assert list(event.links) == [LINK]
    link = reply.link.workflow_event
    assert (link.namespace, link.workflow_id, link.run_id) == ("default", "wf", "run-1")
    assert link.request_id_ref.request_id == "id"
    assert link.request_id_ref.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED


def test_the_same_request_id_signals_once_even_while_a_worker_holds_the_task() -> None:
    chain = Chain()
    task = chain.poll_workflow()
    for _ in range(3):
        signal(chain, request_id="same")
        signal(chain)
    chain.complete(task)
    signal(chain, request_id="same")
    assert kinds(chain.history)[4:] == ["signaled"] * 4 + ["task_scheduled"]
    assert chain.state.core.signal_count == 4


def test_a_signal_may_have_the_request_id_of_the_start() -> None:
    chain = Chain()
    signal(chain, request_id="start")
    assert kinds(chain.history)[-1] == "signaled"


def test_a_closed_run_takes_no_signal_but_knows_the_ones_it_had() -> None:
    chain = Chain()
    signal(chain, request_id="before")
    chain.do(lambda step: close.terminate(step, ""))
    signal(chain, request_id="before")
    with pytest.raises(NotFound, match="workflow execution already completed"):
        signal(chain, request_id="after")


def test_a_run_takes_so_many_signals() -> None:
    chain = Chain(replace(CHAIN_NAMESPACE, limits=Limits(signals_max=2)))
    signal(chain)
    signal(chain)
    with pytest.raises(InvalidArgument, match="exceeded workflow execution limit for signal events"):
        signal(chain)
    assert chain.state.core.signal_count == 2


def test_a_cancel_request_is_written_once() -> None:
    chain = Chain()
    request_cancel(chain, request_id="id", links=[LINK])
    request_cancel(chain, request_id="other")
    assert kinds(chain.history) == ["started", "task_scheduled", "cancel_requested"]
    event = chain.history[-1]
    a = event.workflow_execution_cancel_requested_event_attributes
    assert (a.cause, a.identity, a.external_initiated_event_id) == ("why", "client", 0)
    assert not a.HasField("external_workflow_execution")
    assert list(event.links) == [LINK]
    assert chain.state.core.cancel_request_id == "id"
    assert chain.describe().workflow_extended_info.cancel_requested


def test_a_cancel_request_waits_while_a_worker_holds_the_task() -> None:
    chain = Chain()
    task = chain.poll_workflow()
    request_cancel(chain)
    request_cancel(chain)
    chain.complete(task)
    assert kinds(chain.history)[-2:] == ["cancel_requested", "task_scheduled"]


def test_a_cancel_request_is_for_the_chain_that_the_caller_means() -> None:
    chain = Chain()
    with pytest.raises(NotFound, match="workflow execution not found"):
        request_cancel(chain, first_execution_run_id="another")
    chain.do(lambda step: close.terminate(step, ""))
    request_cancel(chain, first_execution_run_id="another")
    assert kinds(chain.history)[-1] == "terminated"
