"""A workflow id and all the runs that it has had: the harness of one run, moved on to the next whenever one follows."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.enums.v1 import CommandType, EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse, RespondWorkflowTaskCompletedRequest

from server.core import laws, search_attributes
from server.core.durations import duration
from server.core.outcome import Namespace
from server.core.settle import settle
from server.core.state import Key, State
from server.core.step import Step
from server.core.workflow import completion, describe
from tests.core.harness import NAMESPACE, SECOND, Rows, Run, start_request, token

KNOWN = {
    **search_attributes.PREDEFINED,
    "Color": search_attributes.KEYWORD,
    "Number": search_attributes.INT,
    "Tags": search_attributes.KEYWORD_LIST,
    "When": search_attributes.DATETIME,
    "Flag": search_attributes.BOOL,
    "Ratio": search_attributes.DOUBLE,
    "Story": search_attributes.TEXT,
}
CHAIN_NAMESPACE = Namespace(NAMESPACE.id, NAMESPACE.name, NAMESPACE.retention, search_attributes=KNOWN)


class Chain(Run):
    """`ended` holds the history of every run before the present one, and `past` its state."""

    def __init__(self, namespace: Namespace = CHAIN_NAMESPACE, **fields: Any) -> None:
        self.ended: list[list[HistoryEvent]] = []
        self.past: list[State] = []
        super().__init__(start_request(**fields), namespace)

    def _commit(self, step: Step) -> None:
        super()._commit(step)
        laws.check(self.history, open=self.state.running)
        if step.next is not None:
            self._move_on(step.next, self.followed_by[-1])

    def _move_on(self, step: Step, outcome: Any) -> None:
        self.ended.append(self.rows.history)
        self.past.append(self.state)
        self.key, self.state, self.rows = step.state.key, step.state, Rows()
        self.rows.commit(outcome)
        self.wake_at = outcome.wake_at

    def begin(self, decide: Callable[[Step, Step], Any]) -> Any:
        """A decision on the present run and one that does not exist yet. When it raises, nothing has changed."""
        before = copy.deepcopy(self.state.core)
        current = self._step(self.state)
        new = self._step(State(Key(*self.key[:2], self.ids.run_id())))
        try:
            reply = decide(current, new)
        except Exception:
            assert self.state.core == before and not current.events and not new.events
            raise
        for step in (current, new):
            if step is current or step.events:
                settle(step)
        if current.events or current.state.buffered:
            self._commit(current)
        if new.events:
            self._move_on(new, new.finish())
        return reply

    def answer(self, *commands: Command, **fields: Any) -> Any:
        """A worker takes the workflow task that waits and answers with commands."""
        task = self.poll_workflow()
        assert task is not None
        return self.complete(task, *commands, **fields)

    def complete(self, task: Any, *commands: Command, **fields: Any) -> Any:
        request = RespondWorkflowTaskCompletedRequest(identity="worker", commands=commands, **fields)
        return self.do(lambda step: completion.complete_workflow_task(step, token(task), request))

    def describe(self, state: State | None = None) -> DescribeWorkflowExecutionResponse:
        return describe.describe(state or self.state, self.now, self.namespace)

    @property
    def asked(self) -> Any:
        return self.history[0].workflow_execution_started_event_attributes


def command(kind: str, user_metadata: Any = None, **attributes: Any) -> Command:
    """`kind` in snake case."""
    number = CommandType.Value(f"COMMAND_TYPE_{kind.upper()}")
    fields: dict[str, Any] = {f"{kind}_command_attributes": attributes}
    return Command(command_type=number, user_metadata=user_metadata, **fields)


def payload(data: str, **metadata: str) -> Payload:
    metadata = {"encoding": "json/plain", **metadata}
    return Payload(metadata={k: v.encode() for k, v in metadata.items()}, data=data.encode())


def payloads(*data: str) -> Payloads:
    return Payloads(payloads=[payload(each) for each in data])


def seconds(number: float) -> Any:
    return duration(int(number * SECOND))


def kinds(events: Sequence[HistoryEvent]) -> list[str]:
    """The types of the events, short: started, task_scheduled, …"""
    return [
        EventType.Name(e.event_type).removeprefix("EVENT_TYPE_WORKFLOW_").removeprefix("EXECUTION_").lower()
        for e in events
    ]
