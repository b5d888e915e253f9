"""Arbitrary orders of requests and jumps of the clock: after each, the laws hold, the fold of the history is the state, what is stored loads to
an equal state, and what was rejected has changed nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from temporalio.api.common.v1 import RetryPolicy
from temporalio.api.enums.v1 import EventType as E
from temporalio.api.workflowservice.v1 import (
    PauseWorkflowExecutionRequest,
    PollActivityTaskQueueResponse,
    PollWorkflowTaskQueueResponse,
    RecordActivityTaskHeartbeatRequest,
    RequestCancelWorkflowExecutionRequest,
    RespondActivityTaskCanceledRequest,
    RespondActivityTaskCompletedRequest,
    RespondActivityTaskFailedRequest,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest,
    SignalWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
    UnpauseWorkflowExecutionRequest,
    UpdateWorkflowExecutionRequest,
)

from server.core import tables
from server.core.outcome import ACTIVITY_TASK, WORKFLOW_TASK
from server.core.rejected import Rejected
from server.core.state import State
from server.core.state_pb2 import TaskToken
from server.core.workflow import activities, cancel, close, completion, pauses, signals, tasks, updates
from tests.core.checks import check
from tests.core.commands import command, failure, payloads, schedule, seconds, timer
from tests.core.harness import Run, start_request, token
from tests.core.messages import accept, reject, respond

POLICIES = [None, RetryPolicy(maximum_attempts=2), RetryPolicy(maximum_attempts=1)]
index = st.integers(0, 7)
kinds = st.sampled_from(["activity", "activity", "timer", "cancel-activity", "cancel-timer", "marker"])
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
TestOneRun.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
