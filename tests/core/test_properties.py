"""Arbitrary orders of requests and jumps of the clock: after each, the laws hold, the fold of the history is the state, what is stored loads to
an equal state, and what was rejected has changed nothing."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from temporalio.api.common.v1 import Memo, RetryPolicy, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import EventType as E
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PauseActivityRequest,
    PauseWorkflowExecutionRequest,
    PollActivityTaskQueueResponse,
    PollWorkflowTaskQueueResponse,
    RecordActivityTaskHeartbeatRequest,
    RequestCancelWorkflowExecutionRequest,
    ResetActivityRequest,
    RespondActivityTaskCanceledRequest,
    RespondActivityTaskCompletedRequest,
    RespondActivityTaskFailedRequest,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest,
    SignalWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
    UnpauseActivityRequest,
    UnpauseWorkflowExecutionRequest,
    UpdateActivityOptionsRequest,
    UpdateWorkflowExecutionRequest,
)

from server.core import tables
from server.core.outcome import (
    ACTIVITY_TASK,
    SEND_CANCEL,
    SEND_NEXUS_CANCEL,
    SEND_NEXUS_START,
    SEND_SIGNAL,
    SEND_START_CHILD,
    WORKFLOW_TASK,
)
from server.core.rejected import Rejected
from server.core.state import State
from server.core.state_pb2 import Outgoing, TaskToken
from server.core.step import Step
from server.core.workflow import (
    activities,
    activity_controls,
    activity_edits,
    cancel,
    children,
    close,
    completion,
    external,
    nexus,
    pauses,
    signals,
    start,
    tasks,
    updates,
)
from server.core.workflow.calls import Said
from tests.core.checks import check
from tests.core.commands import command, failure, payloads, schedule, seconds, timer
from tests.core.harness import Run, start_request, token
from tests.core.messages import accept, reject, respond

POLICIES = [None, RetryPolicy(maximum_attempts=2), RetryPolicy(maximum_attempts=1)]
index = st.integers(0, 7)
kinds = st.sampled_from(
    [
        "activity",
        "activity",
        "timer",
        "cancel-activity",
        "cancel-timer",
        "marker",
        "nexus",
        "cancel-nexus",
        "child",
        "signal-other",
        "cancel-other",
        "properties",
    ]
)
instructions = st.lists(st.tuples(kinds, index), min_size=1, max_size=4)
says = st.sampled_from(["accept", "finish", "finish", "reject", "reject", "nonsense"])
ending = st.sampled_from([""] * 12 + ["bad", "bad", "complete", "fail", "continue"])


class OneRun(RuleBasedStateMachine):
    """Keeps every token ever handed out: stale ones are tried as well."""

    @initialize(
        run_timeout=st.sampled_from([0, 0, 0, 100]),
        delay=st.sampled_from([0, 0, 5]),
        at_once=st.booleans(),
        retries=st.booleans(),
    )
    def begin(self, run_timeout: int, delay: int, at_once: bool, retries: bool) -> None:
        more: dict[str, Any] = {
            "retry_policy": RetryPolicy(maximum_attempts=3, initial_interval=seconds(1), backoff_coefficient=2)
        }
        self.run = Run(
            start_request(
                workflow_run_timeout=seconds(run_timeout),
                workflow_start_delay=seconds(delay),
                **(more if retries else {}),
            )
        )
        self.run.at_once = at_once
        self.names = 0
        self.signals: set[str] = set()
        self.workflow_tokens: list[TaskToken] = []
        self.activity_tokens: list[TaskToken] = []

    def attempt(self, decide: Any) -> Any:
        try:
            return self.run.do(decide)
        except Rejected:
            return None
        finally:
            self.collect()

    def collect(self) -> None:
        handed, self.run.handed = self.run.handed, []
        for response in handed:
            self.keep(response)

    def keep(self, response: Any) -> None:
        if isinstance(response, PollWorkflowTaskQueueResponse):
            self.workflow_tokens.append(token(response))
        elif isinstance(response, PollActivityTaskQueueResponse):
            self.activity_tokens.append(token(response))

    def waits(self, kind: int) -> bool:
        return any(d.kind == kind for d in self.run.rows.waiting.values())

    # The workflow's worker -----------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.waits(WORKFLOW_TASK))
    @rule()
    def poll_workflow(self) -> None:
        self.keep(self.run.poll_workflow())
        self.collect()

    @precondition(lambda self: self.workflow_tokens)
    @rule(wanted=instructions, end=ending, sticky=st.booleans(), again=st.booleans(), which=index, says=says)
    def complete_workflow_task(
        self, wanted: list[tuple[str, int]], end: str, sticky: bool, again: bool, which: int, says: str
    ) -> None:
        request = RespondWorkflowTaskCompletedRequest(identity="worker", force_create_new_workflow_task=again)
        request.commands.extend(self.instruct(kind, n) for kind, n in wanted)
        request.commands.extend(closing(end))
        request.messages.extend(self.say(says))
        if sticky:
            request.sticky_attributes.worker_task_queue.name = "sticky"
            request.sticky_attributes.schedule_to_start_timeout.seconds = 5
        ref = self.workflow_tokens[-1 - which // 7 % len(self.workflow_tokens)]
        self.attempt(lambda step: completion.complete_workflow_task(step, ref, request))

    @rule(wanted=instructions, sticky=st.booleans(), again=st.booleans(), says=says)
    def work(self, wanted: list[tuple[str, int]], sticky: bool, again: bool, says: str) -> None:
        """A whole turn of a worker that lives."""
        if not self.run.state.core.task.started_time:
            self.keep(self.run.poll_workflow())
        if self.workflow_tokens:
            self.complete_workflow_task(wanted, "", sticky, again, 0, says)

    @rule(sticky=st.booleans(), says=says)
    def work_on_updates(self, sticky: bool, says: str) -> None:
        """A turn without commands, which may leave no trace."""
        self.work([], sticky, False, says)

    def say(self, how: str) -> list[Any]:
        state = self.run.state
        if how == "nonsense":
            return [respond("none")]
        if how == "reject":
            return [reject(id) for id in state.admitted]
        open = [id for id, update in state.updates.items() if not update.completed_event_id] if how == "finish" else []
        return [accept(id) for id in state.admitted] + [respond(id) for id in open]

    def instruct(self, kind: str, n: int) -> Any:
        if kind == "activity":
            self.names += 1
            timeouts = [
                {"start_to_close": 3},
                {"schedule_to_close": 6},
                {"start_to_close": 9, "heartbeat": 2, "schedule_to_start": 4},
            ]
            return schedule(f"activity-{self.names}", policy=POLICIES[n % 3], **timeouts[n % 3])
        if kind == "timer":
            self.names += 1
            return timer(f"timer-{self.names if n else 0}", n)
        pending: list[Any] = list(self.run.state.activities)
        if kind == "cancel-activity" and (pending or n == 7):
            return command(
                "request_cancel_activity_task", scheduled_event_id=pending[n % len(pending)] if pending else 5
            )
        known = [*self.run.state.timers, *fired_unseen(self.run.state)]
        if kind == "cancel-timer" and (known or n == 7):
            return command("cancel_timer", timer_id=known[n % len(known)] if known else "none")
        return self.instruct_others(kind, n)

    def instruct_others(self, kind: str, n: int) -> Any:
        """What is asked of others, and what concerns this run alone."""
        operations: list[Any] = list(self.run.state.nexus)
        if kind == "nexus":
            timeouts: dict[str, Any] = [{}, {"schedule_to_close": 3}, {"start_to_close": 2, "schedule_to_start": 4}][
                n % 3
            ]
            given = {f"{name}_timeout": seconds(value) for name, value in timeouts.items()}
            return command("schedule_nexus_operation", endpoint="endpoint", service="s", operation="o", **given)
        if kind == "cancel-nexus" and (operations or n == 7):
            id = operations[n % len(operations)] if operations else 5
            return command("request_cancel_nexus_operation", scheduled_event_id=id)
        if kind == "child":
            self.names += 1
            names = {"workflow_id": f"child-{self.names}", "workflow_type": WorkflowType(name="Type")}
            return command("start_child_workflow_execution", **names, task_queue=TaskQueue(name="queue"))
        other = WorkflowExecution(workflow_id="other")
        if kind == "signal-other":
            return command("signal_external_workflow_execution", execution=other, signal_name="s")
        if kind == "cancel-other":
            return command("request_cancel_external_workflow_execution", workflow_id="other")
        if kind == "properties":
            memo = Memo(fields={"n": payloads(str(n)).payloads[0]})
            return command("modify_workflow_properties", upserted_memo=memo)
        return command("record_marker", marker_name="m")

    @precondition(lambda self: self.run.state.core.task.started_time)
    @rule(which=index)
    def fail_workflow_task(self, which: int) -> None:
        ref = self.workflow_tokens[-1 - which // 6 % len(self.workflow_tokens)]
        request = RespondWorkflowTaskFailedRequest(cause=23, identity="worker")
        self.attempt(lambda step: completion.fail_workflow_task(step, ref, request))

    @rule()
    def reset_sticky(self) -> None:
        self.attempt(tasks.reset_sticky)

    # The activities' worker ----------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.waits(ACTIVITY_TASK))
    @rule(n=index)
    def poll_activity(self, n: int) -> None:
        self.keep(self.run.poll_activity(n))
        self.collect()

    @precondition(lambda self: self.activity_tokens or self.run.state.activities)
    @rule(how=st.sampled_from(["complete", "fail", "fail-for-good", "cancel", "beat"]), n=index, by_id=st.booleans())
    def answer(self, how: str, n: int, by_id: bool) -> None:
        refs = (
            [TaskToken(activity_id=a.activity_id) for a in self.run.state.activities.values()]
            if by_id
            else self.activity_tokens
        )
        if not refs:
            return
        ref = refs[-1 - n % len(refs)]
        decide: Any = {
            "complete": lambda step: activities.complete_activity(
                step, ref, RespondActivityTaskCompletedRequest(identity="w")
            ),
            "fail": lambda step: activities.fail_activity(step, ref, FAILED),
            "fail-for-good": lambda step: activities.fail_activity(step, ref, FAILED_FOR_GOOD),
            "cancel": lambda step: activities.cancel_activity(
                step, ref, RespondActivityTaskCanceledRequest(identity="w")
            ),
            "beat": lambda step: activities.heartbeat_activity(
                step, ref, RecordActivityTaskHeartbeatRequest(details=payloads(str(n)))
            ),
        }[how]
        self.attempt(decide)

    # Those who are asked -------------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.run.rows.sent)
    @rule(how=index, n=index, again=st.booleans())
    def others_answer(self, how: int, n: int, again: bool) -> None:
        """One message is answered, for good unless `again`; the same answer may come twice."""
        id, note = list(self.run.rows.sent.items())[n % len(self.run.rows.sent)]
        decide = answers(note, how)

        def answered(step: Step) -> None:
            decide(step)
            if not again:
                step.lapsed.append(("x", id))

        try:
            self.run.do(answered)
        except Rejected:
            self.run.rows.sent.pop(id)  # nobody waits for it any more
        self.collect()

    @precondition(lambda self: self.run.state.nexus)
    @rule(n=index, canceled=st.booleans(), right=st.booleans())
    def complete_operation(self, n: int, canceled: bool, right: bool) -> None:
        operation = list(self.run.state.nexus.values())[n % len(self.run.state.nexus)]
        said = Said("token", failure=failure() if canceled else None, canceled=canceled)
        id, request_id = operation.scheduled_event_id, operation.request_id if right else "another"
        self.attempt(lambda step: nexus.completed(step, id, request_id, self.run.now, said))

    # Operators -----------------------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.run.state.activities)
    @rule(verb=st.sampled_from(["pause", "unpause", "reset", "edit", "restore"]), n=index, flag=st.booleans())
    def control_activity(self, verb: str, n: int, flag: bool) -> None:
        which: dict[str, Any] = {
            "id": list(self.run.state.activities.values())[n % len(self.run.state.activities)].activity_id
        }
        decide: Any = {
            "pause": lambda step: activity_controls.pause_activity(step, PauseActivityRequest(**which)),
            "unpause": lambda step: activity_controls.unpause_activity(
                step, UnpauseActivityRequest(**which, reset_attempts=flag)
            ),
            "reset": lambda step: activity_controls.reset_activity(
                step,
                ResetActivityRequest(**which, keep_paused=flag, restore_original_options=n > 4, reset_heartbeat=n < 2),
            ),
            "edit": lambda step: activity_edits.update_activity_options(
                step,
                UpdateActivityOptionsRequest(
                    **which,
                    activity_options={"start_to_close_timeout": seconds(n), "retry_policy": {"maximum_attempts": n}},  # type: ignore[arg-type]
                    update_mask={"paths": ["start_to_close_timeout", "retry_policy.maximum_attempts"][flag:]},  # type: ignore[arg-type]
                ),
            ),
            "restore": lambda step: activity_edits.update_activity_options(
                step, UpdateActivityOptionsRequest(**which, restore_original=True)
            ),
        }[verb]
        self.attempt(decide)

    @precondition(lambda self: self.run.state.running)
    @rule(n=index)
    def start_again(self, n: int) -> None:
        """Another start comes to this run, and what it wants attached is attached."""
        options = {"attach_request_id": n > 1, "attach_links": n > 3}
        request = start_request(request_id=f"start-{n}", workflow_id_conflict_policy=2, on_conflict_options=options)
        self.attempt(lambda step: start.start_workflow_execution(step, step, request))

    # The world outside ---------------------------------------------------------------------------------------------------------------

    @rule(n=st.integers(0, 20))
    def signal(self, n: int) -> None:
        request = SignalWorkflowExecutionRequest(signal_name="s", request_id=f"signal-{n}")
        taken = self.attempt(lambda step: signals.signal_workflow_execution(step, request))
        self.signals |= (
            {f"signal-{n}"} if taken is not None else set()
        )  # one is refused while the run tries to close, too

    @rule(n=index)
    def update(self, n: int) -> None:
        request = UpdateWorkflowExecutionRequest()
        request.request.meta.update_id, request.request.input.name = f"update-{n}", "change"
        self.attempt(lambda step: updates.admit(step, request))

    @precondition(lambda self: not self.run.state.core.cancel_requested)
    @rule()
    def pause(self) -> None:
        self.attempt(lambda step: pauses.pause_workflow_execution(step, PauseWorkflowExecutionRequest(reason="why")))

    @rule()
    def unpause(self) -> None:
        self.attempt(lambda step: pauses.unpause_workflow_execution(step, UnpauseWorkflowExecutionRequest()))

    @rule()
    def ask_to_cancel(self) -> None:
        self.attempt(
            lambda step: cancel.request_cancel_workflow_execution(step, RequestCancelWorkflowExecutionRequest())
        )

    @precondition(lambda self: len(self.run.history) > 40)
    @rule()
    def terminate(self) -> None:
        request = TerminateWorkflowExecutionRequest(reason="enough")
        self.attempt(lambda step: close.terminate_workflow_execution(step, request, request.identity))

    @rule(by=st.sampled_from([0.5, 1, 2, 3, 5, 11]))
    def pass_time(self, by: float) -> None:
        self.run.pass_time(by)
        self.collect()
        at = tables.next_wake(self.run.state)
        assert not self.run.state.running or at is None or at > self.run.now, "something due has not happened"

    @precondition(lambda self: self.run.wake_at and self.run.state.running)
    @rule()
    def wait_for_what_is_due(self) -> None:
        self.run.now = max(self.run.now, self.run.wake_at or 0)
        self.pass_time(0)

    @rule()
    def evict(self) -> None:
        self.run.state = self.run.rows.load(self.run.key)

    @rule(at_once=st.booleans())
    def workers_wait(self, at_once: bool) -> None:
        self.run.at_once = at_once

    # What always holds ---------------------------------------------------------------------------------------------------------------

    @invariant()
    def all_is_well(self) -> None:
        check(self.run)

    @invariant()
    def no_signal_is_lost(self) -> None:
        events = [*self.run.history, *self.run.state.buffered]
        ids = [e.workflow_execution_signaled_event_attributes.request_id for e in events if e.event_type == SIGNALED]
        assert sorted(ids) == sorted(self.signals)


def answers(note: Outgoing, how: int) -> Any:
    """What one who was asked says: `how` 0 is a failure, 1 (of Nexus) one that is called again; else all is well."""
    id, cause = note.initiated_event_id, int(how == 0)
    if note.kind == SEND_START_CHILD:
        return lambda step: children.child_answered(step, note, "child-run", cause)
    if note.kind == SEND_SIGNAL:
        return lambda step: external.signal_answered(step, note, cause)
    if note.kind == SEND_CANCEL:
        return lambda step: external.cancel_answered(step, note, cause)
    broken = failure() if how < 2 else None
    if note.kind == SEND_NEXUS_START:
        said = Said("token" if how < 5 else "", failure=broken, retryable=how == 1)
        return lambda step: nexus.start_said(step, id, said)
    if note.kind == SEND_NEXUS_CANCEL:
        return lambda step: nexus.cancel_said(step, id, broken, how == 1)
    return lambda step: None  # told others, who say nothing


FAILED = RespondActivityTaskFailedRequest(
    identity="w", failure=failure(delay=None), last_heartbeat_details=payloads("last")
)
FAILED_FOR_GOOD = RespondActivityTaskFailedRequest(identity="w", failure=failure(non_retryable=True))
SIGNALED = E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED


def closing(end: str) -> list[Any]:
    if end == "complete":
        return [command("complete_workflow_execution")]
    if end == "fail":
        return [command("fail_workflow_execution", failure=failure())]
    if end == "continue":
        return [command("continue_as_new_workflow_execution")]
    return [command("start_timer", timer_id="")] if end == "bad" else []


def fired_unseen(state: State) -> list[str]:
    fired = (e.timer_fired_event_attributes.timer_id for e in state.buffered)
    return [id for id in fired if id]


TestOneRun = OneRun.TestCase
STEPS = int(os.environ.get("STEPS", "50000"))  # an example has about 33
TestOneRun.settings = settings(max_examples=STEPS // 32, stateful_step_count=40, deadline=None)
