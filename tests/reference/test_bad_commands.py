"""Bad commands fail the workflow task: with the answer, the cause, the sentence and the events of the official server."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import RespondWorkflowTaskCompletedRequest

from tests.reference.conftest import Pair
from tests.reference.world import Fields, World, activity_command, big, timer_command

LONG = "x" * 1001
QUEUE = "commands"
DONE = {"command_type": 4, "complete_workflow_execution_command_attributes": {}}
TASK = 4  # the event that ends the first workflow task
NOWHERE = {"workflow_id": "never-started"}


class Commands(NamedTuple):
    """What a worker answers, and what is wrong with it."""

    what: str
    commands: list[Fields]

    def __str__(self) -> str:
        return self.what.replace(" ", "_")


def activity(what: str, **changes: Any) -> Commands:
    return Commands(f"activity with {what}", [activity_command(QUEUE, **changes)])


def timer(what: str, **changes: Any) -> Commands:
    return Commands(f"timer with {what}", [timer_command(**changes)])


def of_type(kind: int, field: str, what: str, **attributes: Any) -> Commands:
    return Commands(what, [{"command_type": kind, f"{field}_command_attributes": attributes}])


def again(what: str, **changes: Any) -> Commands:
    return of_type(10, "continue_as_new_workflow_execution", f"continue as new with {what}", **changes)


def child(what: str, **changes: Any) -> Commands:
    good = {"workflow_id": "child", "workflow_type": {"name": "Sample"}, "task_queue": {"name": QUEUE}}
    return of_type(11, "start_child_workflow_execution", f"child with {what}", **(good | changes))


def signal(what: str, **changes: Any) -> Commands:
    good = {"execution": NOWHERE, "signal_name": "s"}
    return of_type(12, "signal_external_workflow_execution", f"signal to {what}", **(good | changes))


def marker(what: str, **attributes: Any) -> Commands:
    return of_type(9, "record_marker", f"marker with {what}", **attributes)


def upsert(what: str, **fields: Any) -> Commands:
    attributes = {"search_attributes": {"indexed_fields": fields}}
    return of_type(13, "upsert_workflow_search_attributes", f"upsert of {what}", **attributes)


def keyword(text: str) -> Payload:
    return Payload(metadata={"encoding": b"json/plain", "type": b"Keyword"}, data=text.encode())


CASES = [
    Commands("no type", [{}]),
    Commands("unknown type", [{"command_type": 99}]),
    Commands("type without attributes", [{"command_type": 1}]),
    Commands("attributes of another type", [{**DONE, "command_type": 1}]),
    Commands("something after the close", [DONE, timer_command()]),
    Commands("two closes", [DONE, DONE]),
    Commands("a good one before a bad one", [timer_command(), {"command_type": 1}]),
    Commands("the same timer twice", [timer_command(), timer_command()]),
    Commands("the same activity twice", [activity_command(QUEUE), activity_command(QUEUE)]),
    activity("no id", activity_id=""),
    activity("a long id", activity_id=LONG),
    activity("no type", activity_type=None),
    activity("a long type", activity_type={"name": LONG}),
    activity("no timeouts", start_to_close_timeout=None),
    activity("a negative timeout", start_to_close_timeout={"seconds": -1}),
    activity("a negative schedule to close", schedule_to_close_timeout={"seconds": -1}),
    activity("a negative schedule to start", schedule_to_start_timeout={"seconds": -1}),
    activity("a negative heartbeat", heartbeat_timeout={"seconds": -1}),
    activity("a long task queue", task_queue={"name": LONG}),
    activity("a reserved task queue", task_queue={"name": "/_sys/x"}),
    activity("no backoff", retry_policy={"backoff_coefficient": 0.5, "initial_interval": {"seconds": 1}}),
    activity("negative attempts", retry_policy={"maximum_attempts": -1}),
    activity("a big input", input=big(2_500_000)),
    activity("a big header", header={"fields": {"h": big(2_500_000).payloads[0]}}),
    activity("a priority below zero", priority={"priority_key": -1}),
    timer("no id", timer_id=""),
    timer("a long id", timer_id=LONG),
    timer("no timeout", start_to_fire_timeout=None),
    timer("a zero timeout", start_to_fire_timeout={}),
    timer("a negative timeout", start_to_fire_timeout={"seconds": -1}),
    of_type(2, "request_cancel_activity_task", "cancel of no activity"),
    of_type(2, "request_cancel_activity_task", "cancel of an unknown activity", scheduled_event_id=77),
    of_type(6, "cancel_timer", "cancel of no timer"),
    of_type(6, "cancel_timer", "cancel of an unknown timer", timer_id="u"),
    of_type(6, "cancel_timer", "cancel of a long timer", timer_id=LONG),
    of_type(5, "fail_workflow_execution", "failure without a failure"),
    of_type(4, "complete_workflow_execution", "a big result", result=big(2_500_000)),
    marker("no name"),
    marker("a long name", marker_name=LONG),
    marker("big details", marker_name="m", details={"d": big(2_500_000)}),
    again("a long type", workflow_type={"name": LONG}),
    again("a long task queue", task_queue={"name": LONG}),
    again("a negative timeout", workflow_run_timeout={"seconds": -1}),
    again("a negative task timeout", workflow_task_timeout={"seconds": -1}),
    again("a bad retry policy", retry_policy={"backoff_coefficient": 0.1, "initial_interval": {"seconds": 1}}),
    again("a negative backoff", backoff_start_interval={"seconds": -1}),
    again("an unknown search attribute", search_attributes={"indexed_fields": {"Nope": keyword('"x"')}}),
    again("a bad cron", cron_schedule="every day"),
    upsert("nothing"),
    upsert("an unknown attribute", Nope=keyword('"x"')),
    upsert("a system attribute", RunId=keyword('"x"')),
    upsert("a word for a number", Size=keyword('"x"')),
    upsert("no JSON", Colour=keyword("x")),
    upsert("too much", Colour=keyword('"' + "x" * 3000 + '"')),
    of_type(16, "modify_workflow_properties", "properties of nothing"),
    of_type(16, "modify_workflow_properties", "big memo", upserted_memo={"fields": {"m": big(2_500_000).payloads[0]}}),
    child("no id", workflow_id=""),
    child("a long id", workflow_id=LONG),
    child("no type", workflow_type=None),
    child("a long type", workflow_type={"name": LONG}),
    child("a long task queue", task_queue={"name": LONG}),
    child("a negative timeout", workflow_run_timeout={"seconds": -1}),
    child("a bad retry policy", retry_policy={"backoff_coefficient": 0.1, "initial_interval": {"seconds": 1}}),
    child("a reserved task queue", task_queue={"name": "/_sys/x"}),
    child("a priority below zero", priority={"priority_key": -1}),
    child("a bad cron", cron_schedule="every day"),
    child("an unknown namespace", namespace="nowhere"),
    child("an unknown search attribute", search_attributes={"indexed_fields": {"Nope": keyword('"x"')}}),
    child("a big input", input=big(2_500_000)),
    signal("no workflow", execution={}),
    signal("a run id that is none", execution={"workflow_id": "w", "run_id": "x"}),
    signal("an unknown namespace", namespace="nowhere"),
    Commands("a good one before an unknown namespace", [timer_command(), *signal("x", namespace="nowhere").commands]),
    signal("a long workflow id", execution={"workflow_id": LONG}),
    signal("no name", signal_name=""),
    signal("a long name", signal_name=LONG),
    of_type(8, "request_cancel_external_workflow_execution", "cancel of no workflow"),
    of_type(8, "request_cancel_external_workflow_execution", "cancel of a long workflow id", workflow_id=LONG),
    of_type(
        8,
        "request_cancel_external_workflow_execution",
        "cancel of a run id that is none",
        workflow_id="w",
        run_id="x",
    ),
    of_type(
        8,
        "request_cancel_external_workflow_execution",
        "cancel in an unknown namespace",
        workflow_id="w",
        namespace="nowhere",
    ),
]


def told(world: World, case: Commands) -> list[str]:
    """The answer to these commands, and what they leave in the history."""
    name = world.fresh()
    request = RespondWorkflowTaskCompletedRequest(
        namespace="default", task_token=world.tokens[name], identity="worker", commands=case.commands
    )
    answer = world.answer("RespondWorkflowTaskCompleted", request)
    lines = [" | ".join(answer), *(line for event in world.events(name) for line in described(world, event))]
    return [line.replace(name, "<name>").replace(LONG, "<long>") for line in lines]


def described(world: World, event: HistoryEvent) -> list[str]:
    """The event, unless it came later than the answer: a timer that fired, what became of a call to another workflow."""
    attributes: Any = getattr(event, str(event.WhichOneof("attributes")))
    failed, kind = event.workflow_task_failed_event_attributes, EventType.Name(event.event_type)
    if failed.cause:
        return [kind, WorkflowTaskFailedCause.Name(failed.cause), world.plain(failed.failure.message)]
    if kind.endswith("EXTERNAL_WORKFLOW_EXECUTION_FAILED"):
        return []
    at_once = event.event_id <= TASK or getattr(attributes, "workflow_task_completed_event_id", 0) == TASK
    return [kind, str(getattr(attributes, "reason", ""))] if at_once else []


@pytest.mark.parametrize("case", CASES, ids=str)
def test_same_failure(pair: Pair, case: Commands) -> None:
    assert told(pair.ours, case) == told(pair.official, case)
