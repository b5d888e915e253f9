"""Bad calls of clients: starting, signalling, ending, reading and listing workflows."""

from __future__ import annotations

from tests.reference.world import Case, Fields, World, big, start_fields

LONG = "x" * 1001
NOWHERE = "never-started"
RUN = "6d3a1c2e-0d7e-4a7b-9a65-2f4d0a4e5c11"  # of nothing

START = start_fields("refused", "queue")
RETRY = {"initial_interval": {"seconds": 1}, "backoff_coefficient": 2.0, "maximum_attempts": 3}


def start(what: str, **changes: object) -> Case:
    return Case("StartWorkflowExecution", what, START | changes)


def accepted(what: str, **changes: object) -> Case:
    """A start that the official server takes; each makes a workflow of its own."""
    return start(what, workflow_id=f"accepted {what}", request_id=f"accepted {what}", **changes)


def retry(what: str, **changes: object) -> Case:
    return start(f"retry policy with {what}", retry_policy=RETRY | changes)


def both(what: str, **changes: object) -> Case:
    return Case("SignalWithStartWorkflowExecution", what, START | {"signal_name": "s"} | changes)


def on(rpc: str, what: str, name: str = "open", **changes: object) -> Case:
    """A call that names its workflow in `workflow_execution`."""

    def fields(world: World) -> Fields:
        return {"namespace": "default", "workflow_execution": {"workflow_id": world.id(name)}} | changes

    return Case(rpc, what, fields)


def of(rpc: str, what: str, name: str = "open", **changes: object) -> Case:
    """A call that names its workflow in `execution`."""

    def fields(world: World) -> Fields:
        return {"namespace": "default", "execution": {"workflow_id": world.id(name)}} | changes

    return Case(rpc, what, fields)


def unknown(rpc: str, field: str, **more: object) -> list[Case]:
    """What every call on one workflow refuses."""
    shared: Fields = {"namespace": "default", **more}
    return [
        Case(rpc, "no namespace", {**shared, "namespace": "", field: {"workflow_id": NOWHERE}}),
        Case(rpc, "unknown namespace", {**shared, "namespace": "nowhere", field: {"workflow_id": NOWHERE}}),
        Case(rpc, "long namespace", {**shared, "namespace": LONG, field: {"workflow_id": NOWHERE}}),
        Case(rpc, "no execution", shared),
        Case(rpc, "no workflow id", {**shared, field: {"run_id": RUN}}),
        Case(rpc, "unknown workflow id", {**shared, field: {"workflow_id": NOWHERE}}),
        Case(rpc, "unknown workflow and run id", {**shared, field: {"workflow_id": NOWHERE, "run_id": RUN}}),
        Case(rpc, "unknown run id", lambda w: {**shared, field: {"workflow_id": w.id("open"), "run_id": RUN}}),
        Case(rpc, "run id that is none", lambda w: {**shared, field: {"workflow_id": w.id("open"), "run_id": "x"}}),
    ]


CASES = [
    start("no namespace", namespace=""),
    start("unknown namespace", namespace="nowhere"),
    start("long namespace", namespace=LONG),
    start("no workflow id", workflow_id=""),
    start("long workflow id", workflow_id=LONG),
    start("long request id", request_id=LONG),
    start("no workflow type", workflow_type=None),
    start("empty workflow type", workflow_type={"name": ""}),
    start("long workflow type", workflow_type={"name": LONG}),
    start("no task queue", task_queue=None),
    start("empty task queue", task_queue={"name": ""}),
    start("long task queue", task_queue={"name": LONG}),
    start("reserved task queue", task_queue={"name": "/_sys/queue/1"}),
    start("negative execution timeout", workflow_execution_timeout={"seconds": -1}),
    start("negative run timeout", workflow_run_timeout={"seconds": -1}),
    start("negative task timeout", workflow_task_timeout={"seconds": -1}),
    start("broken execution timeout", workflow_execution_timeout={"seconds": 1, "nanos": -1}),
    start("negative start delay", workflow_start_delay={"seconds": -1}),
    start("cron and start delay", cron_schedule="* * * * *", workflow_start_delay={"seconds": 1}),
    start("bad cron", cron_schedule="every day"),
    start("cron with too many fields", cron_schedule="* * * * * * * *"),
    start("reuse policy against conflict policy", workflow_id_reuse_policy=4, workflow_id_conflict_policy=2),
    start("rejected duplicate with terminate existing", workflow_id_reuse_policy=3, workflow_id_conflict_policy=3),
    retry("no backoff", backoff_coefficient=0.5),
    retry("a negative interval", initial_interval={"seconds": -1}),
    retry("a negative maximum interval", maximum_interval={"seconds": -1}),
    retry("a maximum below the initial interval", initial_interval={"seconds": 9}, maximum_interval={"seconds": 1}),
    retry("negative attempts", maximum_attempts=-1),
    retry("an unknown timeout type", non_retryable_error_types=["TemporalTimeout:Unknown"]),
    start("big input", input=big(3_000_000)),
    start("big memo", memo={"fields": {"m": big(3_000_000).payloads[0]}}),
    start("unknown search attribute", search_attributes={"indexed_fields": {"Nope": big(1).payloads[0]}}),
    start("system search attribute", search_attributes={"indexed_fields": {"RunId": big(1).payloads[0]}}),
    start(
        "search attribute of another type",
        search_attributes={
            "indexed_fields": {"Size": {"metadata": {"encoding": b"json/plain", "type": b"Keyword"}, "data": b'"x"'}}
        },
    ),
    start("search attribute that is no JSON", search_attributes={"indexed_fields": {"Colour": {"data": b"x"}}}),
    start("eager start and start delay", request_eager_execution=True, workflow_start_delay={"seconds": -5}),
    start("completion callback without a URL", completion_callbacks=[{"nexus": {"url": ""}}]),
    start("completion callback of no kind", completion_callbacks=[{}]),
    start("versioning override of no kind", versioning_override={"behavior": 0, "deployment": {"build_id": "x"}}),
    start("pinned override without a version", versioning_override={"pinned": {"behavior": 1}}),
    start("priority below zero", priority={"priority_key": -1}),
    start("long fairness key", priority={"fairness_key": "x" * 65}),
    start("links without a workflow", links=[{"workflow_event": {"namespace": "default"}}]),
    Case("StartWorkflowExecution", "running already", lambda w: START | {"workflow_id": w.id("open")}),
    Case(
        "StartWorkflowExecution",
        "not again",
        lambda w: START | {"workflow_id": w.id("closed"), "workflow_id_reuse_policy": 3},
    ),
    both("no namespace", namespace=""),
    both("no workflow id", workflow_id=""),
    both("long workflow id", workflow_id=LONG),
    both("no signal name", signal_name=""),
    both("long signal name", signal_name=LONG),
    both("no workflow type", workflow_type=None),
    both("no task queue", task_queue=None),
    both("negative run timeout", workflow_run_timeout={"seconds": -1}),
    both("bad cron", cron_schedule="every day"),
    both("long request id", request_id=LONG),
    both("big input", input=big(3_000_000)),
    both("big signal", signal_input=big(3_000_000)),
    both("fail on conflict", workflow_id_conflict_policy=1),
    both("unknown search attribute", search_attributes={"indexed_fields": {"Nope": big(1).payloads[0]}}),
    *unknown("SignalWorkflowExecution", "workflow_execution", signal_name="s"),
    on("SignalWorkflowExecution", "no signal name"),
    on("SignalWorkflowExecution", "long signal name", signal_name=LONG),
    on("SignalWorkflowExecution", "long request id", signal_name="s", request_id=LONG),
    on("SignalWorkflowExecution", "big input", signal_name="s", input=big(3_000_000)),
    on("SignalWorkflowExecution", "closed", "closed", signal_name="s"),
    *unknown("RequestCancelWorkflowExecution", "workflow_execution"),
    on("RequestCancelWorkflowExecution", "another first run", first_execution_run_id=RUN),
    on("RequestCancelWorkflowExecution", "first run id that is none", first_execution_run_id="x"),
    *unknown("TerminateWorkflowExecution", "workflow_execution"),
    on("TerminateWorkflowExecution", "another first run", first_execution_run_id=RUN),
    on("TerminateWorkflowExecution", "first run id that is none", first_execution_run_id="x"),
    on("TerminateWorkflowExecution", "closed", "closed"),
    *unknown("DeleteWorkflowExecution", "workflow_execution"),
    *unknown("DescribeWorkflowExecution", "execution"),
    *unknown("GetWorkflowExecutionHistory", "execution"),
    of("GetWorkflowExecutionHistory", "page token that is none", next_page_token=b"junk"),
    of("GetWorkflowExecutionHistory", "empty page token in JSON", next_page_token=b"{}"),
    *unknown("GetWorkflowExecutionHistoryReverse", "execution"),
    of("GetWorkflowExecutionHistoryReverse", "page token that is none", next_page_token=b"junk"),
    *unknown("QueryWorkflow", "execution", query={"query_type": "q"}),
    of("QueryWorkflow", "no query"),
    of("QueryWorkflow", "no query type", query={}),
    of("QueryWorkflow", "big arguments", query={"query_type": "q", "query_args": big(3_000_000)}),
    of("QueryWorkflow", "rejected when not open", "closed", query={"query_type": "q"}, query_reject_condition=99),
    *unknown("ResetStickyTaskQueue", "execution"),
    of("ResetStickyTaskQueue", "closed", "closed"),
]

ACCEPTED = [
    accepted("sticky task queue without a normal name", task_queue={"name": "q", "kind": 2}),
    accepted("sticky task queue", task_queue={"name": "q", "kind": 2, "normal_name": "n"}),
    accepted("unknown kind of task queue", task_queue={"name": "q", "kind": 99}),
    accepted("endless run timeout", workflow_run_timeout={"seconds": 400_000_000_000}),
    accepted("unknown reuse policy", workflow_id_reuse_policy=99),
    accepted("unknown conflict policy", workflow_id_conflict_policy=99),
    accepted("on conflict options without use existing", on_conflict_options={"attach_request_id": True}),
    accepted("long summary", user_metadata={"summary": big(3_000).payloads[0]}),
    accepted("long details", user_metadata={"details": big(30_000).payloads[0]}),
]
