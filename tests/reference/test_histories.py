"""The same stories told to the official server and to ours: every attribute of every event, every field of descriptions and lists."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import CommandType
from temporalio.api.workflowservice import v1 as messages

from tests.core.chain import payload, payloads, seconds
from tests.reference.conftest import Pair
from tests.reference.world import UUID, World

SECONDS = 20.0
TIME = re.compile(r"\d{4}-\d\d-\d\dT.*Z")
UNLIKE = {  # differs between two runs of one server, or counts its transactions
    "poller_scaling_decision",  # advice that depends on how long a task waited
    "task_id",
    "history_size_bytes",
    "backlog_count_hint",
    "state_transition_count",
    "execution_duration",
    "current_retry_interval",
    "task_token",
}
BOOM = {"message": "boom", "source": "worker", "application_failure_info": {"type": "Boom"}}
LINK = {"workflow_event": {"namespace": "default", "workflow_id": "other", "run_id": str(uuid.uuid4())}}


class Teller:
    """Calls one server, and writes down what it answers in a form that can be compared."""

    def __init__(self, world: World, id: str) -> None:
        self.world, self.id = world, id
        self.told: list[Any] = []
        self._names: dict[str, str] = {}

    def call(self, rpc: str, **fields: Any) -> Any:
        kind = getattr(messages, f"{rpc}Request")
        if "identity" in kind.DESCRIPTOR.fields_by_name:
            fields["identity"] = "me"
        request = kind(namespace="default", **fields)
        return getattr(self.world.workflows, rpc)(request, timeout=SECONDS)

    def on(self, rpc: str, **fields: Any) -> Any:
        return self.call(rpc, workflow_execution={"workflow_id": self.id}, **fields)

    def start(self, **fields: Any) -> Any:
        queue, kind = {"name": self.id}, {"name": "Type"}
        request = {"workflow_id": self.id, "request_id": "first", "task_queue": queue, "workflow_type": kind, **fields}
        rpc = "SignalWithStartWorkflowExecution" if "signal_name" in fields else "StartWorkflowExecution"
        return self.tell(self.call(rpc, **request))

    def signal(self, **fields: Any) -> None:
        self.tell(
            self.on("SignalWorkflowExecution", signal_name="sig", request_id="signal", input=payloads("1"), **fields)
        )

    def task(self) -> bytes:
        build = {"build_id": "b1"}
        poll = self.call("PollWorkflowTaskQueue", task_queue={"name": self.id}, worker_version_capabilities=build)
        token: bytes = poll.task_token
        assert token
        return token

    def answer(self, *commands: Command, token: bytes = b"") -> None:
        token, stamp = token or self.task(), {"build_id": "b1"}
        self.call(
            "RespondWorkflowTaskCompleted",
            task_token=token,
            commands=commands,
            binary_checksum="sum",
            worker_version_stamp=stamp,
        )

    def look(self, run_id: str = "") -> str:
        """Writes down the history and the description of a run ("": the present one), and returns its id."""
        execution = {"workflow_id": self.id, "run_id": run_id}
        described = self.call("DescribeWorkflowExecution", execution=execution)
        self.tell(self.call("GetWorkflowExecutionHistory", execution=execution))
        self.tell(described)
        found: str = described.workflow_execution_info.execution.run_id
        return found

    def tell(self, message: Message) -> Any:
        self.told.append(self._plain("", MessageToDict(message, preserving_proto_field_name=True)))
        return message

    def _plain(self, key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._text(k): self._plain(k, v) for k, v in sorted(value.items()) if k not in UNLIKE}
        if isinstance(value, list):
            return [self._plain(key, each) for each in value]
        if key == "request_id" or (key == "first_workflow_task_backoff" and "." in value):
            return "*"
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        text = UUID.sub(lambda m: self._names.setdefault(m[0], f"uuid {len(self._names)}"), text)
        return text if text.startswith("0001") else TIME.sub("<time>", text)


def command(kind: str, user_metadata: Any = None, **attributes: Any) -> Command:
    number = CommandType.Value(f"COMMAND_TYPE_{kind.upper()}")
    fields: dict[str, Any] = {f"{kind}_command_attributes": attributes}
    return Command(command_type=number, user_metadata=user_metadata, **fields)


def complete(**attributes: Any) -> Command:
    return command("complete_workflow_execution", **attributes)


def fail(failure: Any = None) -> Command:
    return command("fail_workflow_execution", failure=failure or BOOM)


def again(**attributes: Any) -> Command:
    return command("continue_as_new_workflow_execution", **attributes)


def a_start_with_everything(t: Teller) -> None:
    everything: dict[str, Any] = {
        "input": payloads("1"),
        "workflow_execution_timeout": seconds(100),
        "workflow_run_timeout": seconds(200),
        "workflow_task_timeout": seconds(300),
        "retry_policy": {"maximum_attempts": 3, "initial_interval": seconds(1)},
        "memo": {"fields": {"m": payload("1"), "none": payload("null")}},
        "search_attributes": {"indexed_fields": {"Colour": payload('"red"'), "Size": payload("null")}},
        "header": {"fields": {"h": payload("2")}},
        "user_metadata": {"summary": payload("3"), "details": payload("4")},
        "links": [LINK],
        "priority": {"priority_key": 2},
        "workflow_start_delay": seconds(1),
    }
    t.start(**everything)
    first = t.look()
    t.start(**everything)
    existing = {"workflow_id_conflict_policy": 2, "on_conflict_options": {"attach_request_id": True}}
    t.start(request_id="second", workflow_id_conflict_policy=2)
    t.start(request_id="third", links=[LINK], **existing)
    t.signal(links=[LINK])
    t.signal()
    token = t.task()
    t.start(request_id="fourth", **existing)
    t.look()
    changes = {"indexed_fields": {"Colour": payload("null"), "Size": payload("5")}}
    upsert = command("upsert_workflow_search_attributes", search_attributes=changes)
    memo = {"fields": {"m": payload("null"), "n": payload("6")}}
    note = command(
        "record_marker", marker_name="m", details={"d": payloads("7")}, user_metadata={"summary": payload("8")}
    )
    t.answer(upsert, command("modify_workflow_properties", upserted_memo=memo), note, token=token)
    t.look()
    t.answer(fail())
    t.look(first)
    t.look()
    t.task()
    t.on("TerminateWorkflowExecution", reason="why", details=payloads("9"), links=[LINK])
    t.look()


def activities_as_they_go(t: Teller) -> None:
    t.start(workflow_run_timeout=seconds(60))
    queue, kind = {"name": t.id}, {"name": "Act"}
    common = {"task_queue": queue, "activity_type": kind, "start_to_close_timeout": seconds(10)}
    one = command(
        "schedule_activity_task", activity_id="a", input=payloads("1"), heartbeat_timeout=seconds(5), **common
    )
    t.answer(one)
    t.look()
    token = t.tell(t.call("PollActivityTaskQueue", task_queue=queue)).task_token
    t.call("RecordActivityTaskHeartbeat", task_token=token, details=payloads("2"))
    t.look()
    t.call("RespondActivityTaskFailed", task_token=token, failure=BOOM)
    t.look()
    t.tell(t.call("PollActivityTaskQueue", task_queue=queue))
    t.on("RequestCancelWorkflowExecution", reason="why", request_id="cancel")
    t.answer(command("request_cancel_activity_task", scheduled_event_id=5))
    t.look()
    t.on("TerminateWorkflowExecution", reason="why")
    t.look()


def continuing_as_new(t: Teller) -> None:
    t.start(
        workflow_execution_timeout=seconds(300),
        memo={"fields": {"m": payload("1")}},
        retry_policy={"maximum_attempts": 2},
        user_metadata={"summary": payload("2")},
        priority={"priority_key": 2},
        input=payloads("3"),
    )
    attributes = {"indexed_fields": {"Size": payload("4")}}
    memo = {"fields": {"n": payload("5"), "none": payload("null")}}
    t.answer(again(workflow_type={"name": "Other"}, input=payloads("6"), workflow_run_timeout=seconds(400), memo=memo, search_attributes=attributes, user_metadata={"summary": payload("7")}))  # fmt: skip
    second = t.look()
    t.answer(
        again(backoff_start_interval=seconds(9), header={"fields": {"h": payload("8")}}, retry_policy={}, initiator=1)
    )
    t.look(second)
    t.look()


def a_cron_chain(t: Teller) -> None:
    t.start(
        cron_schedule="@every 2s",
        workflow_run_timeout=seconds(3),
        input=payloads("1"),
        memo={"fields": {"m": payload("2")}},
    )
    first = t.look()
    t.answer(complete(result=payloads("3")))
    t.look(first)
    second = t.look()
    t.answer(fail())
    t.look(second)
    third = t.look()
    t.task()
    time.sleep(3.5)
    t.look(third)
    t.look()


def timeouts_and_retries(t: Teller) -> None:
    policy = {"initial_interval": seconds(0.5), "non_retryable_error_types": ["Boom"]}
    t.start(workflow_execution_timeout=seconds(8), workflow_run_timeout=seconds(2), retry_policy=policy)
    token = t.task()
    t.signal()
    time.sleep(2.3)
    t.look()
    with pytest.raises(Exception, match=r"(?i)not.?found"):
        t.answer(complete(), token=token)
    t.answer(fail())
    t.look()


def starts_with_a_signal(t: Teller) -> None:
    asked = {"signal_name": "sig", "signal_input": payloads("1"), "workflow_start_delay": seconds(50)}
    t.start(**asked)
    t.start(**asked)
    t.tell(t.call("GetWorkflowExecutionHistory", execution={"workflow_id": t.id}))
    t.start(request_id="second", **asked)
    t.tell(t.call("GetWorkflowExecutionHistory", execution={"workflow_id": t.id}))
    t.start(request_id="third", workflow_id_conflict_policy=3)
    t.answer(complete())
    t.look()
    t.start(request_id="third", workflow_id_reuse_policy=3)


def a_delay_that_a_cancel_request_ends(t: Teller) -> None:
    t.start(workflow_start_delay=seconds(50))
    t.signal()
    t.look()
    t.on("RequestCancelWorkflowExecution", reason="why", request_id="cancel", links=[LINK])
    t.look()


def what_lists_show(t: Teller) -> None:
    def shown() -> None:
        time.sleep(1)
        t.tell(t.call("ListWorkflowExecutions", query=f'WorkflowId="{t.id}"'))

    attributes = {"indexed_fields": {"Colour": payload('"red"'), "Size": payload("1")}}
    t.start(memo={"fields": {"m": payload("1")}}, search_attributes=attributes, priority={"priority_key": 1})
    shown()
    t.answer(command("modify_workflow_properties", upserted_memo={"fields": {"n": payload("2")}}), complete())
    shown()


STORIES = [
    a_start_with_everything,
    activities_as_they_go,
    continuing_as_new,
    a_cron_chain,
    timeouts_and_retries,
    starts_with_a_signal,
    a_delay_that_a_cancel_request_ends,
    what_lists_show,
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_same_story(pair: Pair, story: Callable[[Teller], None]) -> None:
    id = f"{story.__name__}-{pair.ours.tag}"
    tellers = [Teller(world, id) for world in (pair.official, pair.ours)]
    with ThreadPoolExecutor(2) as both:
        list(both.map(story, tellers))
    official, ours = ([json.dumps(each, indent=1).splitlines() for each in teller.told] for teller in tellers)
    assert ours == official
