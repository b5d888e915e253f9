"""Bad calls about updates of workflows, and about the rates of task queues."""

from __future__ import annotations

from typing import Any

from tests.reference.cases_clients import LONG, NOWHERE, RUN, START, unknown
from tests.reference.world import Case, Fields, World

REQUEST: Fields = {"meta": {"update_id": "u"}, "input": {"name": "update"}}
ACCEPTED_STAGE = {"lifecycle_stage": 2}


def update(what: str, name: str = "open", **changes: Any) -> Case:
    def fields(world: World) -> Fields:
        good = {"namespace": "default", "workflow_execution": {"workflow_id": world.id(name)}}
        return good | {"request": REQUEST, "wait_policy": ACCEPTED_STAGE} | changes

    return Case("UpdateWorkflowExecution", what, fields)


def poll(what: str, name: str = "open", **changes: Any) -> Case:
    def fields(world: World) -> Fields:
        ref = {"workflow_execution": {"workflow_id": world.id(name)}, "update_id": "u"}
        return {"namespace": "default", "update_ref": ref | changes, "wait_policy": ACCEPTED_STAGE}

    return Case("PollWorkflowExecutionUpdate", what, fields)


def both(what: str, start: Fields, updated: Fields) -> Case:
    """A start with an update; each part is a good one but for the changes."""
    update = {
        "namespace": "default",
        "workflow_execution": {"workflow_id": "refused"},
        "request": REQUEST,
        "wait_policy": ACCEPTED_STAGE,
    }
    conflict = {"workflow_id_conflict_policy": 2}
    parts = [{"start_workflow": START | conflict | start}, {"update_workflow": update | updated}]
    return Case("ExecuteMultiOperation", what, {"namespace": "default", "operations": parts})


def config(what: str, **changes: Any) -> Case:
    good = {"namespace": "default", "task_queue": "q", "task_queue_type": 2}
    return Case("UpdateTaskQueueConfig", what, good | changes)


CASES = [
    *unknown("UpdateWorkflowExecution", "workflow_execution", request=REQUEST, wait_policy=ACCEPTED_STAGE),
    update("no request", request=None),
    update("no input", request={"meta": {"update_id": "u"}}),
    update("no name", request={"meta": {"update_id": "u"}, "input": {}}),
    update("long update id", request={"meta": {"update_id": LONG}, "input": {"name": "update"}}),
    update("wait until admitted", wait_policy={"lifecycle_stage": 1}),
    update("another first run", first_execution_run_id=RUN),
    update("first run id that is none", first_execution_run_id="x"),
    update("closed", "closed"),
    poll("unknown update"),
    poll("no update id", update_id=""),
    poll("unknown workflow", workflow_execution={"workflow_id": NOWHERE}),
    poll("no workflow", workflow_execution=None),
    poll("run id that is none", workflow_execution={"workflow_id": "w", "run_id": "x"}),
    poll("closed", "closed"),
    Case("PollWorkflowExecutionUpdate", "no reference", {"namespace": "default"}),
    Case("PollWorkflowExecutionUpdate", "unknown namespace", {"namespace": "nowhere"}),
    Case("ExecuteMultiOperation", "nothing", {"namespace": "default"}),
    Case("ExecuteMultiOperation", "unknown namespace", {"namespace": "nowhere"}),
    Case("ExecuteMultiOperation", "one part", {"namespace": "default", "operations": [{"start_workflow": START}]}),
    Case(
        "ExecuteMultiOperation", "two starts", {"namespace": "default", "operations": [{"start_workflow": START}] * 2}
    ),
    Case("ExecuteMultiOperation", "empty parts", {"namespace": "default", "operations": [{}, {}]}),
    both("another workflow", {}, {"workflow_execution": {"workflow_id": "other"}}),
    both("no workflow id", {"workflow_id": ""}, {"workflow_execution": {"workflow_id": ""}}),
    both("no workflow type", {"workflow_type": None}, {}),
    both("no request", {}, {"request": None}),
    both("cron", {"cron_schedule": "* * * * *"}, {}),
    both("start delay", {"workflow_start_delay": {"seconds": 1}}, {}),
    both("eager start", {"request_eager_execution": True}, {}),
    both("run id", {}, {"workflow_execution": {"workflow_id": "refused", "run_id": RUN}}),
    both("first run id", {}, {"first_execution_run_id": RUN}),
    both("another namespace", {"namespace": "temporal-system"}, {}),
    both("update in another namespace", {}, {"namespace": "temporal-system"}),
    both("long update id", {}, {"request": {"meta": {"update_id": LONG}, "input": {"name": "update"}}}),
    both("no conflict policy", {"workflow_id_conflict_policy": 0}, {"request": None}),
    config("no namespace", namespace=""),
    config("unknown namespace", namespace="nowhere"),
    config("reserved task queue", task_queue="/_sys/q/1"),
    config("of workflow tasks", task_queue_type=1, update_queue_rate_limit={"rate_limit": {"requests_per_second": 1}}),
    config("negative rate", update_queue_rate_limit={"rate_limit": {"requests_per_second": -1}}),
    config("long reason", update_queue_rate_limit={"reason": "x" * 1001, "rate_limit": {"requests_per_second": 1}}),
    config("long identity", identity=LONG),
]

ACCEPTED = [
    config("no task queue", task_queue=""),
    config("long task queue", task_queue=LONG),
]
