"""Updates, played without I/O: what is written for them, what is not, and who is told what."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import EventType, TimeoutType
from temporalio.api.failure.v1 import Failure
from temporalio.api.protocol.v1 import Message as Packet
from temporalio.api.update.v1 import Acceptance, Outcome, Response
from temporalio.api.workflowservice.v1 import (
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest,
    SignalWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
    UpdateWorkflowExecutionRequest,
)

from server.core import laws, tables
from server.core.outcome import Updated
from server.core.rejected import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    WorkflowNotReady,
)
from server.core.state import State
from server.core.state_pb2 import WorkflowTask
from server.core.step import Step
from server.core.workflow import close, completion, signals, updates
from tests.core.commands import command, timer
from tests.core.harness import NAMESPACE, Run, token
from tests.core.messages import accept, packet, reject, respond

BEGUN = ["workflow_execution_started", "workflow_task_scheduled", "workflow_task_started", "workflow_task_completed"]
TASK = ["workflow_task_scheduled", "workflow_task_started", "workflow_task_completed"]


class Story(Run):
    """A run whose first workflow task is done; `told` is what callers of updates have heard."""

    def __init__(self, **limits: int) -> None:
        self.told: list[Updated] = []
        super().__init__(
            namespace=dataclasses.replace(NAMESPACE, limits=dataclasses.replace(NAMESPACE.limits, **limits))
        )
        self.complete(self.poll_workflow())

    def _commit(self, step: Step) -> None:
        self.told += step.updates
        super()._commit(step)

    def update(self, id: str = "u", **more: Any) -> None:
        request = UpdateWorkflowExecutionRequest(**more)
        request.request.meta.update_id, request.request.input.name = id, "change"
        self.do(lambda step: updates.admit(step, request))

    def complete(self, task: Any, *commands: Command, messages: Any = (), **more: Any) -> Any:
        request = RespondWorkflowTaskCompletedRequest(identity="worker", commands=commands, messages=messages, **more)
        return self.do(lambda step: completion.complete_workflow_task(step, token(task), request))

    def fail(self, task: Any) -> None:
        request = RespondWorkflowTaskFailedRequest(identity="worker")
        self.do(lambda step: completion.fail_workflow_task(step, token(task), request))

    def signal(self) -> None:
        request = SignalWorkflowExecutionRequest(signal_name="s", request_id=self.ids.run_id())
        self.do(lambda step: signals.signal_workflow_execution(step, request))

    def kinds(self) -> list[str]:
        laws.check(self.history)
        return [EventType.Name(e.event_type).removeprefix("EVENT_TYPE_").lower() for e in self.history]


def speaks(message: Packet) -> Command:
    return command("protocol_message", message_id=message.id)


def test_an_accepted_update_is_written_with_the_task_that_was_made_for_it() -> None:
    run = Story()
    run.update()
    assert run.kinds() == BEGUN
    assert run.state.core.task.kind == WorkflowTask.SPECULATIVE
    task = run.poll_workflow()
    assert [(m.id, m.protocol_instance_id, m.event_id) for m in task.messages] == [("u/request", "u", 5)]
    assert run.kinds() == BEGUN
    run.complete(task, speaks(accept()), timer(), messages=[accept()])
    assert run.kinds() == [*BEGUN, *TASK, "workflow_execution_update_accepted", "timer_started"]
    accepted = run.history[7].workflow_execution_update_accepted_event_attributes
    assert accepted.accepted_request.input.name == "change"
    assert run.told == [Updated("u")]
    run.pass_time(1)
    run.complete(run.poll_workflow(), messages=[respond()])
    assert run.history[-1].workflow_execution_update_completed_event_attributes.accepted_event_id == 8
    assert run.told[1].outcome == Outcome(success={})  # type: ignore[arg-type]
    assert run.state.updates["u"].completed_event_id == run.history[-1].event_id


def test_commands_say_when_a_message_counts_and_the_others_come_last() -> None:
    run = Story()
    run.update()
    messages = [respond(), accept()]
    run.complete(run.poll_workflow(), timer(), speaks(accept()), messages=messages)
    assert run.kinds()[-3:] == [
        "timer_started",
        "workflow_execution_update_accepted",
        "workflow_execution_update_completed",
    ]


def test_a_rejected_update_leaves_no_trace() -> None:
    run = Story()
    before = run.state.core.next_event_id
    run.update()
    reply = run.complete(run.poll_workflow(), messages=[reject()])
    assert reply.reset_history_event_id == 3
    assert (run.kinds(), run.state.core.next_event_id) == (BEGUN, before)
    assert not run.state.core.HasField("task")
    assert run.told == [Updated("u", Outcome(failure=Failure(message="no")))]
    run.update("again")
    assert run.poll_workflow().previous_started_event_id == 3


def test_a_rejection_on_a_task_with_commands_or_new_events_is_no_reason_to_forget_the_task() -> None:
    run = Story()
    run.update()
    run.complete(run.poll_workflow(), timer(), messages=[reject()])
    assert run.kinds() == [*BEGUN, *TASK, "timer_started"]
    run.update()
    assert run.complete(run.poll_workflow(), messages=[reject()]).reset_history_event_id == 0
    assert run.kinds() == [*BEGUN, *TASK, "timer_started", *TASK]


def test_a_worker_that_knows_no_updates_rejects_them() -> None:
    run = Story()
    run.update()
    run.complete(run.poll_workflow())
    assert run.told[0].outcome is not None
    assert run.told[0].outcome.failure.application_failure_info.type == "UnprocessedUpdate"


def test_an_update_that_comes_while_a_task_is_held_goes_with_the_next_one() -> None:
    run = Story()
    run.update("a")
    task = run.poll_workflow()
    run.update("b")
    run.complete(task, messages=[reject("a")], return_new_workflow_task=True)
    assert [m.protocol_instance_id for m in run.poll_workflow().messages] == ["b"]
    assert run.kinds() == BEGUN


def test_an_update_that_comes_while_a_task_is_held_gets_one_on_record_when_the_worker_wants_none_at_once() -> None:
    run = Story()
    run.signal()
    task = run.poll_workflow()
    run.update("a")
    run.complete(task)
    assert run.kinds()[-2:] == ["workflow_task_completed", "workflow_task_scheduled"]


def test_news_puts_the_task_on_record() -> None:
    run = Story()
    run.update()
    run.signal()
    assert run.kinds() == [*BEGUN, "workflow_task_scheduled", "workflow_execution_signaled"]
    run.complete(run.poll_workflow(), messages=[reject()])
    assert run.kinds()[6:] == ["workflow_task_started", "workflow_task_completed"]


def test_news_puts_a_held_task_on_record_under_the_ids_that_its_worker_knows() -> None:
    run = Story()
    run.update()
    task = run.poll_workflow()
    run.signal()
    run.complete(task, messages=[reject()])
    assert run.kinds() == [*BEGUN, *TASK, "workflow_execution_signaled", "workflow_task_scheduled"]


def test_a_task_that_fails_is_written_and_its_updates_are_sent_again() -> None:
    run = Story()
    run.update()
    run.fail(run.poll_workflow())
    assert run.kinds() == [*BEGUN, *TASK[:2], "workflow_task_failed"]
    task = run.poll_workflow()
    assert (task.attempt, len(task.messages)) == (2, 1)
    run.complete(task, messages=[accept()])
    assert run.kinds()[-1] == "workflow_execution_update_accepted"


def test_a_task_that_nobody_takes_becomes_a_normal_one() -> None:
    run = Story()
    run.update()
    run.pass_time(5)
    assert run.kinds() == [*BEGUN, "workflow_task_scheduled", "workflow_task_timed_out", "workflow_task_scheduled"]
    timed_out = run.history[5].workflow_task_timed_out_event_attributes
    assert timed_out.timeout_type == TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START
    assert len(run.poll_workflow().messages) == 1


def test_what_was_admitted_is_lost_with_the_process_and_nothing_is_written_for_it() -> None:
    run = Story()
    run.update()
    run.state = run.rows.load(run.key)
    run.pass_time(5)
    assert run.kinds() == BEGUN
    run.update()
    task = run.poll_workflow()
    run.state = run.rows.load(run.key)
    with pytest.raises(NotFound, match="Workflow task not found"):
        run.complete(task, messages=[accept()])
    assert run.kinds() == BEGUN
    assert not run.state.core.HasField("task")


def test_accepted_updates_are_loaded_and_folded_alike() -> None:
    run = Story()
    run.update()
    run.complete(run.poll_workflow(), messages=[accept()])
    folded = State(run.key)
    tables.replay(folded, run.history)
    assert dict(folded.updates) == dict(run.rows.load(run.key).updates) == dict(run.state.updates)


def test_an_update_is_admitted_once() -> None:
    run = Story()
    run.update()
    run.update()
    assert len(run.state.admitted) == 1
    run.complete(run.poll_workflow(), messages=[accept(), respond()])
    run.update()
    assert not run.state.admitted
    assert not run.state.core.HasField("task")


def test_limits() -> None:
    run = Story(updates_in_flight_max=2, updates_max=3, updates_suggest_fraction=1)
    run.update("a")
    run.update("b")
    with pytest.raises(ResourceExhausted, match=r"concurrent in-flight updates has been reached \(2\)"):
        run.update("c")
    run.complete(run.poll_workflow(), messages=[accept("a"), respond("a"), reject("b")])
    run.update("c")
    run.complete(run.poll_workflow(), messages=[accept("c"), respond("c")])
    run.update("d")
    with pytest.raises(
        FailedPrecondition, match=r"total number of distinct updates in this workflow has been reached \(3\)"
    ):
        run.update("e")
    run.signal()
    run.poll_workflow()
    assert run.history[-1].workflow_task_started_event_attributes.suggest_continue_as_new


def test_limit_of_bytes() -> None:
    run = Story(updates_in_flight_bytes_max=100)
    with pytest.raises(ResourceExhausted, match=r"payload size of in-flight updates has been reached \(100 bytes\)"):
        run.update("x" * 100)


def test_closing_ends_what_is_open() -> None:
    run = Story()
    run.update("a")
    run.complete(run.poll_workflow(), messages=[accept("a")])
    run.update("b")
    task = run.poll_workflow()
    run.update("late")
    run.told.clear()
    run.complete(task, command("complete_workflow_execution"))
    told = {news.id: news for news in run.told}
    assert told["a"].outcome == updates.outlived()
    for id in ("b", "late"):
        assert isinstance(told[id].error, NotFound)
    with pytest.raises(NotFound, match="workflow execution already completed"):
        run.update("c")
    run.update("a")


def test_termination_writes_a_task_only_when_a_worker_holds_it() -> None:
    for held in (False, True):
        run = Story()
        run.update()
        if held:
            run.poll_workflow()
        terminate = TerminateWorkflowExecutionRequest()
        run.do(lambda step: close.terminate_workflow_execution(step, terminate, ""))  # noqa: B023
        task = [*TASK[:2], "workflow_task_failed"] if held else []
        assert run.kinds() == [*BEGUN, *task, "workflow_execution_terminated"]


def test_a_run_that_continues_sends_its_updates_to_the_next() -> None:
    run = Story()
    run.update()
    again = command("continue_as_new_workflow_execution")
    again.continue_as_new_workflow_execution_command_attributes.workflow_type.name = "Type"
    again.continue_as_new_workflow_execution_command_attributes.task_queue.name = "queue"
    run.complete(run.poll_workflow(), again)
    assert isinstance(run.told[0].error, ResourceExhausted)


def test_a_workflow_that_keeps_failing_takes_no_updates() -> None:
    run = Story()
    run.signal()
    run.fail(run.poll_workflow())
    run.poll_workflow()
    run.pass_time(10)
    with pytest.raises(WorkflowNotReady, match="Workflow Task in failed state"):
        run.update()


def test_a_workflow_that_wants_to_end_takes_no_updates() -> None:
    run = Story()
    run.signal()
    task = run.poll_workflow()
    run.signal()
    with pytest.raises(InvalidArgument, match="UnhandledCommand"):
        run.complete(task, command("complete_workflow_execution"))
    run.poll_workflow()
    with pytest.raises(ResourceExhausted, match="workflow is closing"):
        run.update()


def test_another_chain_is_not_meant() -> None:
    with pytest.raises(NotFound, match="workflow execution not found"):
        Story().update(first_execution_run_id="another")


WRONG: list[tuple[str, list[Packet], list[Command]]] = [
    ("BadUpdateWorkflowExecutionMessage: update x wasn't found on the server", [accept("x")], []),
    ("received \\*update.Response message while in state Sent", [respond()], []),
    ("accepted_request_sequencing_event_id is not set", [packet(Acceptance())], []),
    ("unsupported protocol type temporal.api.failure.v1", [packet(Failure())], []),
    ("ProtocolMessageCommand referenced absent message ID m", [], [command("protocol_message", message_id="m")]),
    ("MessageID is not set on ProtocolMessageCommand", [], [command("protocol_message")]),
    ("outcome is not set", [accept(), packet(Response(meta={"update_id": "u"}))], []),  # type: ignore[arg-type]
    ("meta is not set", [accept(), packet(Response())], []),
]


@pytest.mark.parametrize(("sentence", "messages", "commands"), WRONG)
def test_a_message_that_makes_no_sense_fails_the_task(
    sentence: str, messages: list[Packet], commands: list[Command]
) -> None:
    run = Story()
    run.update()
    run.signal()
    with pytest.raises(InvalidArgument, match=sentence):
        run.complete(run.poll_workflow(), *commands, messages=messages)
    assert run.kinds()[-1] == "workflow_task_failed"


def test_a_worker_may_bring_an_update_back_to_life() -> None:
    run = Story()
    run.signal()
    acceptance = Acceptance(accepted_request_message_id="u/request", accepted_request_sequencing_event_id=1)
    acceptance.accepted_request.input.name = "change"
    run.complete(run.poll_workflow(), messages=[packet(acceptance)])
    assert run.kinds()[-1] == "workflow_execution_update_accepted"
