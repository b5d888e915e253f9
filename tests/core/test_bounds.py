"""What happens to a run that grows beyond its limits."""

from __future__ import annotations

from dataclasses import replace

from temporalio.api.enums.v1 import WorkflowTaskFailedCause

from server.core.limits import Limits
from tests.core.chain import CHAIN_NAMESPACE, Chain, command, kinds, payloads
from tests.core.test_signals import signal


def chain_with(limits: Limits) -> Chain:
    return Chain(replace(CHAIN_NAMESPACE, limits=limits))


def test_a_history_that_is_too_long_ends_the_run() -> None:
    chain = chain_with(Limits(history_count_max=5))
    for _ in range(3):
        signal(chain)
    assert chain.state.running
    signal(chain)
    assert kinds(chain.history)[-2:] == ["signaled", "terminated"]
    a = chain.history[-1].workflow_execution_terminated_event_attributes
    assert (a.reason, a.identity) == ("Workflow history count exceeds limit.", "history-service")


def test_a_history_that_is_too_big_ends_the_run_while_a_worker_has_its_task() -> None:
    chain = chain_with(Limits(history_size_bytes_max=2000))
    chain.answer(command("record_marker", marker_name="m", details={"d": payloads("x" * 2000)}))
    signal(chain)
    reason = chain.history[-1].workflow_execution_terminated_event_attributes.reason
    assert reason == "Workflow history size exceeds limit."


def test_news_that_piles_up_takes_the_task_from_the_worker() -> None:
    for limits in (Limits(buffered_events_max=2), Limits(buffered_bytes_max=450)):
        chain = chain_with(limits)
        chain.poll_workflow()
        signal(chain, input=payloads("x" * 100))
        signal(chain, input=payloads("x" * 100))
        assert kinds(chain.history)[-1] == "task_started"
        signal(chain, input=payloads("x" * 100))
        assert kinds(chain.history)[3:] == ["task_failed", "signaled", "signaled", "signaled"]
        failed = chain.history[3].workflow_task_failed_event_attributes
        assert failed.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND
        assert chain.poll_workflow().attempt == 2
