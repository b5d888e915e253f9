"""One server with the same few workflows on it, whichever server it is: what bad input is aimed at.

A `World` holds the tokens and run ids that cases need, answers a call as an `Answer` that can be compared, and shows what a call changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.operatorservice.v1.service_pb2_grpc import OperatorServiceStub
from temporalio.api.workflowservice import v1 as messages
from temporalio.api.workflowservice.v1.service_pb2_grpc import WorkflowServiceStub

SECONDS = 10.0
NAMES = ("open", "held", "busy", "done", "closed")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SIZED = re.compile(r"\(\d+ vs\. \d+\)")
NANOS = re.compile(r"\b1[6-9]\d{17}\b")

Fields = dict[str, Any]


class Answer(NamedTuple):
    """What a caller sees: the status, the sentence, and the official details that SDKs turn into their errors."""

    code: str
    sentence: str = ""
    details: str = ""


class Case(NamedTuple):
    """One call with something wrong in it. `fields` may need a token or a run id of the world."""

    rpc: str
    what: str
    fields: Fields | Callable[[World], Fields]

    def __str__(self) -> str:
        return f"{self.rpc}-{self.what}".replace(" ", "_")


class World:
    """Workflows open (its task waits), held (its task is with a worker), busy (an activity is with a worker, a timer runs), done (an activity
    completed, the workflow goes on) and closed (terminated while its task was with a worker), all in the namespace default."""

    def __init__(self, channel: grpc.Channel, tag: str) -> None:
        self.tag = tag
        self.workflows = WorkflowServiceStub(channel)
        self.operator = OperatorServiceStub(channel)
        self.runs: dict[str, str] = {}
        self.tokens: dict[str, bytes] = {}
        self._fresh = 0
        for name in NAMES:
            self.start(name)
        self.tokens["held"] = self.poll("held")
        self._schedule("busy")
        self._schedule("done")
        self._call("RespondActivityTaskCompleted", task_token=self.tokens["done"])
        self.tokens["closed"] = self.poll("closed")
        self._call("TerminateWorkflowExecution", workflow_execution={"workflow_id": self.id("closed")})

    def id(self, name: str) -> str:
        return f"{name}-{self.tag}"

    def start(self, name: str, **more: Any) -> None:
        """Starts the workflow of that name on a task queue of its own."""
        fields = start_fields(self.id(name), self.id(name)) | more
        self.runs[name] = self._call("StartWorkflowExecution", **fields).run_id

    def poll(self, name: str) -> bytes:
        """The token of the workflow's task."""
        poll = self._call("PollWorkflowTaskQueue", task_queue={"name": self.id(name)}, identity="worker")
        token: bytes = poll.task_token
        assert token, name
        return token

    def fresh(self) -> str:
        """The name of a new workflow whose first task is with a worker, for a call that changes it."""
        self._fresh += 1
        name = f"fresh{self._fresh}"
        self.start(name)
        self.tokens[name] = self.poll(name)
        return name

    def _schedule(self, name: str) -> None:
        """Answers the first task with an activity and a timer, and takes the activity."""
        self.tokens[f"{name} workflow"] = self.poll(name)
        commands = [activity_command(self.id(name)), timer_command()]
        self._call("RespondWorkflowTaskCompleted", task_token=self.tokens[f"{name} workflow"], commands=commands)
        task = self._call("PollActivityTaskQueue", task_queue={"name": self.id(name)}, identity="worker")
        self.tokens[name] = task.task_token

    def _call(self, rpc: str, **fields: Any) -> Any:
        request = getattr(messages, f"{rpc}Request")(**{"namespace": "default", **fields})
        return getattr(self.workflows, rpc)(request, timeout=SECONDS)

    def answer(self, rpc: str, request: Message) -> Answer:
        """Makes the call."""
        stub = self.workflows if hasattr(self.workflows, rpc) else self.operator
        try:
            getattr(stub, rpc)(request, timeout=SECONDS)
        except grpc.RpcError as error:
            return Answer(error.code().name, self.plain(error.details() or ""), self._details(error))
        return Answer("OK")

    def _details(self, error: Any) -> str:
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                return self.plain("; ".join(str(detail) for detail in Status.FromString(value).details))
        return ""

    def plain(self, text: str) -> str:
        """Text without what differs between two runs of one server."""
        text = UUID.sub("<uuid>", text.replace(self.tag, "<tag>"))
        return NANOS.sub("<ns>", SIZED.sub("(sizes)", text))

    def events(self, name: str) -> list[HistoryEvent]:
        """The whole history of the workflow's first run."""
        execution = {"workflow_id": self.id(name), "run_id": self.runs[name]}
        page = self._call("GetWorkflowExecutionHistory", execution=execution)
        return list(page.history.events)

    def snapshot(self) -> dict[str, Any]:
        """What must not change: histories, and pending activities with their attempts and heartbeats."""
        return {name: (self._kinds(name), self._pending(name)) for name in NAMES}

    def _kinds(self, name: str) -> list[str]:
        return [EventType.Name(event.event_type) for event in self.events(name)]

    def _pending(self, name: str) -> list[str]:
        execution = {"workflow_id": self.id(name)}
        described = self._call("DescribeWorkflowExecution", execution=execution)
        assert described.workflow_execution_info.execution.run_id == self.runs[name], f"{name} has another run"
        return [
            f"{a.activity_id} {a.state} {a.attempt} {a.heartbeat_details}" for a in described.pending_activities
        ] + [f"{described.execution_config.default_workflow_task_timeout.seconds}"]


def start_fields(workflow_id: str, queue: str) -> Fields:
    """A good request to start a workflow, whose tasks wait two minutes for their worker."""
    return {
        "namespace": "default",
        "workflow_id": workflow_id,
        "workflow_type": {"name": "Sample"},
        "task_queue": {"name": queue},
        "request_id": f"start-{workflow_id}",
        "workflow_task_timeout": {"seconds": 120},
    }


def activity_command(queue: str, **changes: Any) -> Fields:
    attributes = {
        "activity_id": "a",
        "activity_type": {"name": "Sample"},
        "task_queue": {"name": queue},
        "start_to_close_timeout": {"seconds": 3600},
        **changes,
    }
    return {"command_type": 1, "schedule_activity_task_command_attributes": attributes}


def timer_command(**changes: Any) -> Fields:
    attributes = {"timer_id": "t", "start_to_fire_timeout": {"seconds": 3600}, **changes}
    return {"command_type": 3, "start_timer_command_attributes": attributes}


def big(size: int) -> Payloads:
    """One payload of so many bytes."""
    return Payloads(payloads=[Payload(metadata={"encoding": b"binary/plain"}, data=bytes(size))])


def request_of(case: Case, world: World) -> Message:
    """The request of a case, aimed at this world."""
    fields = case.fields(world) if callable(case.fields) else case.fields
    module = messages if hasattr(messages, f"{case.rpc}Request") else _operator()
    made: Message = getattr(module, f"{case.rpc}Request")(**fields)
    return made


def _operator() -> Any:
    from temporalio.api.operatorservice import v1

    return v1
