"""Bad calls of workers: polls, and answers to tasks with forged, stale and foreign tokens."""

from __future__ import annotations

from typing import Any

from tests.reference.cases_clients import LONG, NOWHERE, RUN
from tests.reference.world import Case, Fields, World

TOKENS = ("RespondWorkflowTaskCompleted", "RespondWorkflowTaskFailed")
ACTIVITY_TOKENS = (
    "RespondActivityTaskCompleted",
    "RespondActivityTaskFailed",
    "RespondActivityTaskCanceled",
    "RecordActivityTaskHeartbeat",
)
BY_ID = tuple(f"{rpc}ById" for rpc in ACTIVITY_TOKENS)


def token(rpc: str, what: str, name: str, **more: Any) -> Case:
    """A call with a token of the world."""
    return Case(rpc, what, lambda w: {"namespace": "default", "task_token": w.tokens[name], **more})


def tokens(rpc: str) -> list[Case]:
    """What every call with a task token refuses."""
    return [
        Case(rpc, "no token", {"namespace": "default"}),
        Case(rpc, "token of noise", {"namespace": "default", "task_token": b"\xff\xfe\xfd"}),
        Case(rpc, "token of nothing but zeros", {"namespace": "default", "task_token": bytes(64)}),
    ]


def foreign(rpc: str, name: str) -> list[Case]:
    """A good token in a bad request."""
    return [
        Case(rpc, "token with an unknown namespace", lambda w: {"namespace": "nowhere", "task_token": w.tokens[name]}),
        Case(
            rpc,
            "token of another namespace",
            lambda w: {"namespace": "temporal-system", "task_token": w.tokens[name]},
        ),
    ]


def by_id(rpc: str, what: str, name: str = "busy", **changes: Any) -> Case:
    def fields(world: World) -> Fields:
        return {"namespace": "default", "workflow_id": world.id(name), "activity_id": "a"} | changes

    return Case(rpc, what, fields)


def by_ids(rpc: str) -> list[Case]:
    """What every call with an activity id refuses."""
    return [
        by_id(rpc, "no namespace", namespace=""),
        by_id(rpc, "unknown namespace", namespace="nowhere"),
        by_id(rpc, "no workflow id", workflow_id=""),
        by_id(rpc, "unknown workflow id", workflow_id=NOWHERE),
        by_id(rpc, "no activity id", activity_id=""),
        by_id(rpc, "unknown activity id", activity_id="b"),
        by_id(rpc, "unknown run id", run_id=RUN),
        by_id(rpc, "run id that is none", run_id="x"),
        by_id(rpc, "completed before", "done"),
        by_id(rpc, "closed workflow", "closed"),
    ]


def poll(rpc: str, what: str, **changes: Any) -> Case:
    return Case(rpc, what, {"namespace": "default", "task_queue": {"name": "q"}} | changes)


def polls(rpc: str) -> list[Case]:
    """What every poll refuses."""
    return [
        poll(rpc, "no namespace", namespace=""),
        poll(rpc, "unknown namespace", namespace="nowhere"),
        poll(rpc, "no task queue", task_queue=None),
        poll(rpc, "empty task queue", task_queue={"name": ""}),
        poll(rpc, "long task queue", task_queue={"name": LONG}),
        poll(rpc, "reserved task queue", task_queue={"name": "/_sys/queue/x"}),
        poll(rpc, "long identity", identity=LONG),
        poll(rpc, "long build id", worker_version_capabilities={"build_id": LONG, "use_versioning": True}),
        poll(rpc, "versioned without a name", deployment_options={"worker_versioning_mode": 2, "build_id": "b"}),
        poll(
            rpc, "versioned without a build", deployment_options={"worker_versioning_mode": 2, "deployment_name": "d"}
        ),
    ]


CASES = [
    *[case for rpc in TOKENS for case in tokens(rpc)],
    *[case for rpc in TOKENS for case in foreign(rpc, "held")],
    *[token(rpc, "answered before", "busy workflow") for rpc in TOKENS],
    *[token(rpc, "closed workflow", "closed") for rpc in TOKENS],
    *[token(rpc, "token of an activity", "busy") for rpc in TOKENS],
    *[case for rpc in ACTIVITY_TOKENS for case in tokens(rpc)],
    *[case for rpc in ACTIVITY_TOKENS for case in foreign(rpc, "busy")],
    *[token(rpc, "long identity", "held", identity=LONG) for rpc in TOKENS],
    *[token(rpc, "long identity", "busy", identity=LONG) for rpc in ACTIVITY_TOKENS[:-1]],
    *[token(rpc, "answered before", "done") for rpc in ACTIVITY_TOKENS],
    *[token(rpc, "closed workflow", "closed") for rpc in ACTIVITY_TOKENS],
    *[token(rpc, "token of a workflow task", "held") for rpc in ACTIVITY_TOKENS],
    token("RespondActivityTaskFailed", "failure of another kind", "busy", failure={"timeout_failure_info": {}}),
    *[case for rpc in BY_ID for case in by_ids(rpc)],
    *[by_id(rpc, "long identity", identity=LONG) for rpc in BY_ID[:-1]],
    *tokens("RespondQueryTaskCompleted"),
    token("RespondQueryTaskCompleted", "token of a workflow task", "held", completed_type=1),
    *polls("PollWorkflowTaskQueue"),
    *polls("PollActivityTaskQueue"),
    Case("ShutdownWorker", "no namespace", {"sticky_task_queue": "q"}),
    Case("ShutdownWorker", "unknown namespace", {"namespace": "nowhere", "sticky_task_queue": "q"}),
]

ACCEPTED = [
    token("RecordActivityTaskHeartbeat", "long identity", "busy", identity=LONG),
    by_id("RecordActivityTaskHeartbeatById", "long identity", identity=LONG),
]
