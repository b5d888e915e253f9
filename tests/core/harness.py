"""Plays the engine over one run without any I/O: decide, settle, finish, and what a worker would be handed; keeps the history as committed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest

from server.core import tables
from server.core.outcome import ACTIVITY_TASK, WORKFLOW_TASK, Dispatch, Namespace, Outcome, Poll
from server.core.rejected import Discard, Rejected
from server.core.settle import settle
from server.core.state import Key, State
from server.core.state_pb2 import Outgoing, TaskToken
from server.core.step import Step
from server.core.workflow import activities, start, tasks

R = TypeVar("R")
SECOND = 1_000_000_000
NAMESPACE = Namespace("ns-id", "default", 3 * 24 * 3600 * SECOND, endpoints={"endpoint": "endpoint-id"})


class Numbers:
    """Ids that are counted, so that every run of a test gives the same ones."""

    def __init__(self) -> None:
        self.last = 0

    def run_id(self) -> str:
        return f"run-{self.task_id()}"

    def task_id(self) -> int:
        self.last += 1
        return self.last

    def random(self) -> float:
        return 0.5


class Rows:
    """What the store would hold of one run."""

    def __init__(self) -> None:
        self.core = b""
        self.pending: dict[tuple[int, str], bytes] = {}
        self.waiting: dict[int, Dispatch] = {}
        self.history: list[HistoryEvent] = []
        self.sent: dict[int, Outgoing] = {}  # messages that nobody has answered

    def commit(self, outcome: Outcome) -> None:
        for kind, id, data in outcome.state.changes():
            if data is None:
                self.pending.pop((kind, id), None)
            else:
                self.pending[kind, id] = data
        self.core = outcome.state.core.SerializeToString()
        self.history += [copy.deepcopy(event) for event in outcome.events]
        self.waiting |= {dispatch.id: dispatch for dispatch in outcome.dispatches}
        self.sent |= dict(outcome.sends)
        for row, lapsed in outcome.lapsed:
            del (self.sent if row == "x" else self.waiting)[lapsed]

    def load(self, key: Key) -> State:
        return State.load(key, self.core, [(kind, id, data) for (kind, id), data in self.pending.items()])


class Run:
    """One run from its start on. `now` is nanoseconds; `at_once` lets a task that is offered be started within the same step."""

    def __init__(self, request: StartWorkflowExecutionRequest | None = None, namespace: Namespace = NAMESPACE) -> None:
        self.namespace, self.ids, self.rows = namespace, Numbers(), Rows()
        self.now = 1_700_000_000 * SECOND
        self.key = Key(namespace.id, "wf", self.ids.run_id())
        self.state = State(self.key)
        self.followed_by: list[Outcome] = []
        self.handed: list[Any] = []
        self.at_once = False
        self.wake_at: int | None = None
        request = request or start_request()
        self.do(lambda step: start.start_workflow_execution(None, step, request))

    @property
    def history(self) -> list[HistoryEvent]:
        return self.rows.history

    def do(self, decide: Callable[[Step], R]) -> Any:
        """The decision's answer, committed. Raises Rejected, returned ones too; raised ones are checked to leave the state as it was."""
        before, step = snapshot(self.state), self._step(self.state)
        try:
            try:
                reply: Any = decide(step)
            except Discard as discard:
                self.state = self.rows.load(self.key)
                step = self._step(self.state)
                reply = discard.instead(step)
        except Rejected as error:
            assert snapshot(self.state) == before, f"rejected, and yet something changed: {error}"
            assert not (step.events or step.dispatches or step.lapsed or step.late), (
                f"rejected, and yet it wrote: {error}"
            )
            raise
        settle(step)
        self._hand_over(step)
        self._commit(step)
        if isinstance(reply, Rejected):
            raise reply
        return reply

    def _step(self, state: State) -> Step:
        return Step(state, self.now, self.namespace, self.ids)

    def _hand_over(self, step: Step) -> None:
        for d in list(step.dispatches) if self.at_once else ():
            self.handed.append(self._start(step, d))
            settle(step)

    def _start(self, step: Step, d: Dispatch) -> Any:
        poll = Poll("worker", f"poll-{self.ids.task_id()}", d.queue)
        if d.kind == WORKFLOW_TASK:
            return tasks.start_workflow_task(step, d.scheduled_event_id, d.attempt, poll)
        return activities.start_activity_task(step, d.scheduled_event_id, d.attempt, d.stamp, poll)

    def _commit(self, step: Step) -> None:
        outcome = step.finish()
        self.rows.commit(outcome)
        self.wake_at = outcome.wake_at
        following = step.next
        while following is not None:
            self.followed_by.append(following.finish())
            following = following.next

    def poll(self, kind: int, index: int = 0) -> Any:
        """Starts a waiting task of that kind; None when none waits."""
        waiting = [d for d in self.rows.waiting.values() if d.kind == kind]
        if not waiting:
            return None
        return self.do(lambda step: self._start(step, waiting[index % len(waiting)]))

    def poll_workflow(self) -> Any:
        return self.poll(WORKFLOW_TASK)

    def poll_activity(self, index: int = 0) -> Any:
        return self.poll(ACTIVITY_TASK, index)

    def pass_time(self, seconds: float) -> None:
        """The clock jumps, and what is due by then happens in one go."""
        self.now += int(seconds * SECOND)
        self.do(tables.wake)


def token(response: Any) -> TaskToken:
    return TaskToken.FromString(response.task_token)


def start_request(**fields: Any) -> StartWorkflowExecutionRequest:
    request = StartWorkflowExecutionRequest(
        namespace="default", workflow_id="wf", request_id="start", identity="client"
    )
    request.workflow_type.name, request.task_queue.name = "Type", "queue"
    request.MergeFrom(StartWorkflowExecutionRequest(**fields))
    return request


def snapshot(state: State) -> dict[str, Any]:
    """Everything of a state that counts, as values that can be compared."""
    return {
        "core": state.core.SerializeToString(deterministic=True),
        "started": state.started and state.started.SerializeToString(deterministic=True),
        "buffered": [event.SerializeToString(deterministic=True) for event in state.buffered],
        "saved": list(state.buffered_saved),
        "activity_ids": dict(state.activity_ids),
        **{
            str(table.kind): {key: record.SerializeToString(deterministic=True) for key, record in table.items()}
            for table in state.tables
        },
    }
