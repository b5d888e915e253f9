"""Stories as text: tests/core/stories/*.txt hold what happens to one run, a line each, and under it what comes of it.

    wait 5
    ----
    8 TIMER_FIRED timer_id: "t" started_event_id: 5

`REWRITE_STORIES=1 pytest tests/core/test_stories.py` writes what comes of it now into the files, to be read as a diff.

Lines: start, poll, complete [INSTRUCTION; ...], task-failed, poll-activity, done, failed, canceled, beat, wait SECONDS, signal NAME, cancel,
terminate, reload. Instructions: activity NAME, timer NAME SECONDS, cancel-activity EVENT, cancel-timer NAME, marker NAME, end, fail, next-run.
Answers for activities go by the newest token, by that of an earlier poll (token=1) or by the activity's id (id=a).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    RecordActivityTaskHeartbeatRequest,
    RequestCancelWorkflowExecutionRequest,
    RespondActivityTaskCanceledRequest,
    RespondActivityTaskCompletedRequest,
    RespondActivityTaskFailedRequest,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest,
    SignalWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
)

from server.core.rejected import Rejected
from server.core.state_pb2 import TaskToken
from server.core.workflow import activities, cancel, close, completion, signals
from tests.core.checks import check
from tests.core.commands import command, failure, payloads, schedule, seconds, timer
from tests.core.harness import SECOND, Run, start_request, token

STORIES = sorted((Path(__file__).parent / "stories").glob("*.txt"))
DULL = {
    "task_queue",
    "identity",
    "retry_policy",
    "request_id",
    "history_size_bytes",
    "activity_type",
    "workflow_task_timeout",
    "workflow_id",
}
POLICY = {"attempts": "maximum_attempts", "first": "initial_interval", "longest": "maximum_interval"}


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_story(path: Path) -> None:
    told = Story().tell(path.read_text())
    if os.environ.get("REWRITE_STORIES"):
        path.write_text(told)
    assert path.read_text() == told


class Story:
    """One run and who works on it."""

    def __init__(self) -> None:
        self.run: Run = None  # type: ignore[assignment]
        self.workflow_token = TaskToken()
        self.tokens: list[TaskToken] = []
        self.shown = 0

    def tell(self, text: str) -> str:
        """The same story with what comes of each line now."""
        out, skipping = [], False
        for line in text.splitlines():
            if line.startswith("----"):
                skipping = True
            elif not skipping and line and not line.startswith("#"):
                out += [line, "----", *self.happen(line), ""]
            elif line.startswith("#") or (not line and not skipping and out and out[-1]):
                out.append(line)
            skipping = skipping and bool(line)
        return "\n".join(out).rstrip() + "\n"

    def happen(self, line: str) -> list[str]:
        """What the line brings: what was answered, then the new events."""
        verb, *words = line.split()
        options = {key: value for key, _, value in (word.partition("=") for word in words) if value}
        plain = [word for word in words if "=" not in word]
        try:
            said = getattr(self, verb.replace("-", "_"))(line.partition(" ")[2], plain, options)
        except Rejected as error:
            said = f"{type(error).__name__}: {error.message}"
        check(self.run)
        new, self.shown = self.run.history[self.shown :], len(self.run.history)
        buffered = [f"buffered {shown(event)}" for event in self.run.state.buffered]
        return [*([said] if said else []), *(f"{event.event_id} {shown(event)}" for event in new), *buffered]

    # The run -------------------------------------------------------------------------------------------------------------------------

    def start(self, _line: str, _words: list[str], options: dict[str, str]) -> str:
        self.run = Run(start_request(**{name: seconds(float(value)) for name, value in options.items()}))
        return ""

    def wait(self, _line: str, words: list[str], _options: dict[str, str]) -> str:
        self.run.pass_time(float(words[0]))
        at = self.run.wake_at
        return "" if at is None else f"wakes in {(at - self.run.now) / SECOND:g} s"

    def signal(self, _line: str, words: list[str], _options: dict[str, str]) -> None:
        request = SignalWorkflowExecutionRequest(signal_name=words[0])
        self.run.do(lambda step: signals.signal_workflow_execution(step, request))

    def cancel(self, *_: Any) -> None:
        self.run.do(
            lambda step: cancel.request_cancel_workflow_execution(step, RequestCancelWorkflowExecutionRequest())
        )

    def terminate(self, *_: Any) -> None:
        request = TerminateWorkflowExecutionRequest(reason="enough")
        self.run.do(lambda step: close.terminate_workflow_execution(step, request, ""))

    def reload(self, *_: Any) -> None:
        self.run.state = self.run.rows.load(self.run.key)

    # The workflow's worker -----------------------------------------------------------------------------------------------------------

    def poll(self, *_: Any) -> str:
        response = self.run.poll_workflow()
        if response is None:
            return "nothing waits"
        self.workflow_token = token(response)
        return f"attempt {response.attempt}"

    def complete(self, line: str, _words: list[str], _options: dict[str, str]) -> None:
        request = RespondWorkflowTaskCompletedRequest(identity="worker")
        for instruction in filter(None, (part.strip() for part in line.split(";"))):
            if instruction == "again":
                request.force_create_new_workflow_task = True
            else:
                request.commands.append(instructed(*instruction.split()))
        self.run.do(lambda step: completion.complete_workflow_task(step, self.workflow_token, request))

    def task_failed(self, *_: Any) -> None:
        request = RespondWorkflowTaskFailedRequest(cause=23)
        self.run.do(lambda step: completion.fail_workflow_task(step, self.workflow_token, request))

    # The activities' worker ----------------------------------------------------------------------------------------------------------

    def poll_activity(self, *_: Any) -> str:
        response = self.run.poll_activity()
        if response is None:
            return "nothing waits"
        self.tokens.append(token(response))
        details = "".join(p.data.decode() for p in response.heartbeat_details.payloads)
        return f"activity {response.activity_id} attempt {response.attempt}" + (f" after {details}" if details else "")

    def _ref(self, options: dict[str, str]) -> TaskToken:
        if "id" in options:
            return TaskToken(activity_id=options["id"])
        return self.tokens[int(options.get("token", "0")) - 1]

    def done(self, _line: str, _words: list[str], options: dict[str, str]) -> None:
        request = RespondActivityTaskCompletedRequest(identity="worker", result=payloads("result"))
        self.run.do(lambda step: activities.complete_activity(step, self._ref(options), request))

    def failed(self, _line: str, words: list[str], options: dict[str, str]) -> None:
        delay = float(options["delay"]) if "delay" in options else None
        told = failure(options.get("type", "Error"), non_retryable="for-good" in words, delay=delay)
        request = RespondActivityTaskFailedRequest(identity="worker", failure=told)
        self.run.do(lambda step: activities.fail_activity(step, self._ref(options), request))

    def canceled(self, _line: str, _words: list[str], options: dict[str, str]) -> None:
        request = RespondActivityTaskCanceledRequest(identity="worker")
        self.run.do(lambda step: activities.cancel_activity(step, self._ref(options), request))

    def beat(self, _line: str, words: list[str], options: dict[str, str]) -> str:
        request = RecordActivityTaskHeartbeatRequest(details=payloads(" ".join(words)))
        reply = self.run.do(lambda step: activities.heartbeat_activity(step, self._ref(options), request))
        return "cancel requested" if reply.cancel_requested else ""


def instructed(verb: str, *words: str) -> Any:
    options = {key: value for key, _, value in (word.partition("=") for word in words) if value}
    simple: dict[str, Callable[[], Any]] = {
        "activity": lambda: an_activity(words[0], options),
        "timer": lambda: timer(words[0], float(words[1])),
        "cancel-activity": lambda: command("request_cancel_activity_task", scheduled_event_id=int(words[0])),
        "cancel-timer": lambda: command("cancel_timer", timer_id=words[0]),
        "marker": lambda: command("record_marker", marker_name=words[0]),
        "end": lambda: command("complete_workflow_execution"),
        "fail": lambda: command("fail_workflow_execution", failure=failure()),
        "next-run": lambda: command("continue_as_new_workflow_execution"),
    }
    return simple[verb]()


def an_activity(name: str, options: dict[str, str]) -> Any:
    out = schedule(name, **{key: float(value) for key, value in options.items() if "_to_" in key or key == "heartbeat"})
    policy = out.schedule_activity_task_command_attributes.retry_policy
    for word, field in POLICY.items():
        if word in options and word == "attempts":
            policy.maximum_attempts = int(options[word])
        elif word in options:
            getattr(policy, field).CopyFrom(seconds(float(options[word])))
    policy.non_retryable_error_types.extend(filter(None, options.get("fatal", "").split(",")))
    return out


def shown(event: HistoryEvent) -> str:
    """The event on one line, without what every event of its kind says."""
    name = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
    if event.event_id == 1:
        return name
    attributes = getattr(event, event.WhichOneof("attributes") or "")
    told = type(attributes)()
    told.CopyFrom(attributes)
    for field in DULL & {field.name for field in attributes.DESCRIPTOR.fields}:
        told.ClearField(field)
    return f"{name} {text_format.MessageToString(told, as_one_line=True)}".strip()
