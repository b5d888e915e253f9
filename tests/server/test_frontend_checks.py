"""Bad input gets the official status and sentence, and changes nothing. The sentences were read off the official server 1.32.0."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Callback, Link, Memo, Payload, Priority, RetryPolicy, SearchAttributes
from temporalio.api.filter.v1 import StartTimeFilter
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DescribeTaskQueueRequest,
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    ListClosedWorkflowExecutionsRequest,
    ListOpenWorkflowExecutionsRequest,
    PollActivityTaskQueueRequest,
    PollWorkflowTaskQueueRequest,
    QueryWorkflowRequest,
    RecordActivityTaskHeartbeatByIdRequest,
    RespondActivityTaskCompletedByIdRequest,
    RespondActivityTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest,
    SignalWithStartWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
)

from tests.server.frontend_kit import Peer, payloads, peer, start_request

LONG = "x" * 1001
OTHER_RUN = "32049b68-7872-4094-8e63-d0dd59896a83"
MIB = 1024 * 1024


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Peer]:
    async with peer(tmp_path) as running_peer:
        yield running_peer


def attribute(name: str, text: str) -> dict[str, Any]:
    payload = Payload(metadata={"encoding": b"json/plain"}, data=text.encode())
    return {"search_attributes": SearchAttributes(indexed_fields={name: payload})}


NEGATIVE = Duration(seconds=-1)
STARTS: list[tuple[dict[str, Any], str]] = [
    ({"workflow_id": ""}, "WorkflowId is not set on request."),
    ({"workflow_id": LONG}, "WorkflowId exceeds maximum allowed length (1001/1000)"),
    ({"workflow_id": "😀" * 251}, "WorkflowId exceeds maximum allowed length (1004/1000)"),
    ({"task_queue": None}, "taskQueue is not set"),
    ({"task_queue": TaskQueue()}, "missing task queue name"),
    ({"task_queue": TaskQueue(name=LONG)}, "taskQueue length exceeds limit"),
    ({"task_queue": TaskQueue(name="/_sys/x")}, "task queue name cannot start with reserved prefix /_sys/"),
    (
        {"task_queue": TaskQueue(name="temporal-sys-per-ns-tq")},
        "cannot use internal per-namespace task queue:temporal-sys-per-ns-tq",
    ),
    (
        {"workflow_run_timeout": NEGATIVE},
        "An invalid WorkflowRunTimeoutSeconds is set on request. cause: negative duration",
    ),
    (
        {"workflow_execution_timeout": Duration(seconds=1, nanos=-1)},
        (
            "An invalid WorkflowExecutionTimeoutSeconds is set on request. "
            "cause: duration has seconds and nanos with different signs"
        ),
    ),
    (
        {"workflow_start_delay": NEGATIVE},
        "An invalid WorkflowStartDelaySeconds is set on request. cause: negative duration",
    ),
    (
        {"cron_schedule": "* * * * *", "workflow_start_delay": Duration(seconds=1)},
        "CronSchedule and WorkflowStartDelay may not be used together.",
    ),
    ({"cron_schedule": "foo"}, "invalid CronSchedule."),
    ({"cron_schedule": "0 0 30 2 *"}, "invalid CronSchedule, no time can be found to satisfy the schedule"),
    (
        {"retry_policy": RetryPolicy(backoff_coefficient=0.5)},
        "BackoffCoefficient cannot be less than 1 on retry policy.",
    ),
    (
        {"retry_policy": RetryPolicy(initial_interval=NEGATIVE)},
        "invalid InitialInterval set on retry policy: negative duration",
    ),
    ({"retry_policy": RetryPolicy(maximum_attempts=-1)}, "MaximumAttempts cannot be negative on retry policy."),
    ({"input": payloads(2 * MIB + 1)}, "Blob data size exceeds limit."),
    ({"memo": Memo(fields={"a": Payload(data=b"x" * (2 * MIB + 1))})}, "Memo size exceeds limit."),
    (attribute("Foo", '"x"'), "Namespace default has no mapping defined for search attribute Foo"),
    (attribute("WorkflowId", '"x"'), "WorkflowId attribute can't be set in SearchAttributes"),
    (attribute("BatcherUser", "3"), "invalid value for search attribute BatcherUser of type Keyword: 3"),
    (attribute("BatcherUser", '{"a":1}'), "invalid value for search attribute BatcherUser of type Keyword: map[a:1]"),
    (
        attribute("TemporalSchedulePaused", "[true,false]"),
        "invalid value for search attribute TemporalSchedulePaused of type Bool: [true false]",
    ),
    (
        attribute("BatcherUser", '"' + "x" * 2100 + '"'),
        "search attribute BatcherUser value size 2102 exceeds size limit 2048",
    ),
    ({"priority": Priority(priority_key=-1)}, "priority key can't be negative"),
    ({"priority": Priority(fairness_key="x" * 65)}, "fairness key length exceeds limit"),
    ({"links": [Link()]}, "unsupported link variant"),
    ({"links": [Link(batch_job={"job_id": "x"})] * 11}, "cannot attach more than 10 links per request, got 11"),
    ({"links": [Link(workflow_event={})]}, "workflow event link must not have an empty namespace field"),
    (
        {"workflow_id_reuse_policy": 3, "workflow_id_conflict_policy": 3},
        (
            "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be used together with "
            "WorkflowIdConflictPolicy WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING"
        ),
    ),
]
ONLY_START: list[tuple[dict[str, Any], str]] = [
    ({"workflow_type": None}, "WorkflowType is not set on request."),
    ({"workflow_type": {"name": LONG}}, "WorkflowType length exceeds limit."),
    ({"request_id": LONG}, "RequestId length exceeds limit."),
    (
        {"completion_callbacks": [Callback(nexus={"url": "http://x"})]},
        "invalid url: url does not match any configured callback address: http://x",
    ),
]
ONLY_SIGNAL: list[tuple[dict[str, Any], str]] = [
    ({"workflow_type": None}, "workflow type not set"),
    ({"request_id": LONG}, "Request ID exceeds maximum allowed length (1001/1000)"),
    ({"signal_name": ""}, "signal not set"),
    ({"signal_input": payloads(2 * MIB + 1)}, "Blob data size exceeds limit."),
    (
        {"workflow_id_conflict_policy": 1},
        "Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported for this operation.",
    ),
]


def _fields(given: dict[str, Any], **more: Any) -> dict[str, Any]:
    good = {
        "namespace": "default",
        "workflow_id": "bad",
        "workflow_type": {"name": "Sample"},
        "task_queue": {"name": "queue"},
        **more,
        **given,
    }
    return {name: value for name, value in good.items() if value is not None}


async def test_starts(served: Peer) -> None:
    for given, sentence in STARTS + ONLY_START:
        request = start_request(**{"workflow_id": "bad", **{k: v for k, v in given.items() if v is not None}})
        for name in (name for name, value in given.items() if value is None):
            request.ClearField(name)
        assert await served.refused("StartWorkflowExecution", request) == ("INVALID_ARGUMENT", sentence)
    await _nothing_was_started(served)


async def test_signals_with_start(served: Peer) -> None:
    for given, sentence in STARTS + ONLY_SIGNAL:
        request = SignalWithStartWorkflowExecutionRequest(**_fields(given, **({"signal_name": "go"} | given)))
        found = await served.refused("SignalWithStartWorkflowExecution", request)
        assert found == ("INVALID_ARGUMENT", sentence)
    await _nothing_was_started(served)


async def _nothing_was_started(served: Peer) -> None:
    count = await served.workflow.CountWorkflowExecutions(CountWorkflowExecutionsRequest(namespace="default"))
    assert count.count == 0


@pytest.mark.parametrize(
    ("given", "code", "sentence"),
    [
        (None, "INVALID_ARGUMENT", "Execution is not set on request."),
        ({}, "INVALID_ARGUMENT", "WorkflowId is not set on request."),
        ({"workflow_id": "x", "run_id": "foo"}, "INVALID_ARGUMENT", "Invalid RunId."),
        ({"workflow_id": "none"}, "NOT_FOUND", "workflow not found for ID: none"),
        (
            {"workflow_id": "none", "run_id": OTHER_RUN},
            "NOT_FOUND",
            f'workflow execution not found for workflow ID "none" and run ID "{OTHER_RUN}"',
        ),
    ],
)
async def test_executions(served: Peer, given: dict[str, str] | None, code: str, sentence: str) -> None:
    requests: dict[str, tuple[Any, str, dict[str, Any]]] = {
        "SignalWorkflowExecution": (SignalWorkflowExecutionRequest, "workflow_execution", {"signal_name": "s"}),
        "TerminateWorkflowExecution": (TerminateWorkflowExecutionRequest, "workflow_execution", {}),
        "DescribeWorkflowExecution": (DescribeWorkflowExecutionRequest, "execution", {}),
        "GetWorkflowExecutionHistory": (GetWorkflowExecutionHistoryRequest, "execution", {}),
        "QueryWorkflow": (QueryWorkflowRequest, "execution", {"query": {"query_type": "q"}}),
    }
    for rpc, (kind, field, more) in requests.items():
        named = {} if given is None else {field: given}
        assert await served.refused(rpc, kind(namespace="default", **named, **more)) == (code, sentence), rpc


OTHERS: list[tuple[str, Any, str, str]] = [
    (
        "QueryWorkflow",
        QueryWorkflowRequest(namespace="default", execution={"workflow_id": "x"}),
        "INVALID_ARGUMENT",
        "WorkflowQuery is not set on request.",
    ),
    (
        "SignalWorkflowExecution",
        SignalWorkflowExecutionRequest(namespace="default", workflow_execution={"workflow_id": "x"}),
        "INVALID_ARGUMENT",
        "SignalName is not set on request.",
    ),
    (
        "RespondWorkflowTaskCompleted",
        RespondWorkflowTaskCompletedRequest(namespace="default"),
        "INVALID_ARGUMENT",
        "Task token not set on request.",
    ),
    (
        "RespondActivityTaskCompleted",
        RespondActivityTaskCompletedRequest(namespace="default", task_token=b"\xff"),
        "INVALID_ARGUMENT",
        "Error deserializing task token.",
    ),
    (
        "RespondActivityTaskCompletedById",
        RespondActivityTaskCompletedByIdRequest(namespace="default"),
        "INVALID_ARGUMENT",
        "ActivityId is not set on request.",
    ),
    (
        "RespondActivityTaskCompletedById",
        RespondActivityTaskCompletedByIdRequest(namespace="default", activity_id="a", workflow_id="w", run_id="x"),
        "INVALID_ARGUMENT",
        "RunId is not valid UUID.",
    ),
    (
        "RecordActivityTaskHeartbeatById",
        RecordActivityTaskHeartbeatByIdRequest(namespace="default", activity_id="a"),
        "NOT_FOUND",
        "activity not found for ID: a",
    ),
    (
        "PollWorkflowTaskQueue",
        PollWorkflowTaskQueueRequest(namespace="default"),
        "INVALID_ARGUMENT",
        "taskQueue is not set",
    ),
    (
        "PollWorkflowTaskQueue",
        PollWorkflowTaskQueueRequest(
            namespace="default", task_queue={"name": "q"}, worker_version_capabilities={"use_versioning": True}
        ),
        "INVALID_ARGUMENT",
        "WorkerVersionStamp must be present if UseVersioning is true.",
    ),
    (
        "PollActivityTaskQueue",
        PollActivityTaskQueueRequest(namespace="default", task_queue={"name": "q"}, identity=LONG),
        "INVALID_ARGUMENT",
        "Identity length exceeds limit.",
    ),
    (
        "PollActivityTaskQueue",
        PollActivityTaskQueueRequest(
            namespace="default", task_queue={"name": "q"}, worker_version_capabilities={"build_id": LONG}
        ),
        "INVALID_ARGUMENT",
        "Build ID exceeds configured limit.workerBuildIdSize, use a shorter build ID.",
    ),
    ("DescribeTaskQueue", DescribeTaskQueueRequest(namespace="default"), "INVALID_ARGUMENT", "taskQueue is not set"),
    (
        "DescribeTaskQueue",
        DescribeTaskQueueRequest(namespace="default", task_queue={"name": "x", "kind": 2}, api_mode=1),  # type: ignore[arg-type]
        "INVALID_ARGUMENT",
        "Enhanced DescribeTaskQueue is not valid for a sticky queue, use api_mode=UNSPECIFIED or a normal queue.",
    ),
    (
        "ListOpenWorkflowExecutions",
        ListOpenWorkflowExecutionsRequest(
            namespace="default",
            start_time_filter=StartTimeFilter(earliest_time={"seconds": 9}, latest_time={"seconds": 5}),
        ),
        "INVALID_ARGUMENT",
        "EarliestTime in StartTimeFilter should not be larger than LatestTime.",
    ),
    (
        "ListClosedWorkflowExecutions",
        ListClosedWorkflowExecutionsRequest(namespace="default", status_filter={"status": 1}),  # type: ignore[arg-type]
        "INVALID_ARGUMENT",
        "StatusFilter must be specified and must be not Running.",
    ),
    (
        "DescribeWorkflowExecution",
        DescribeWorkflowExecutionRequest(),
        "INVALID_ARGUMENT",
        "Namespace is empty.",
    ),
    (
        "DescribeWorkflowExecution",
        DescribeWorkflowExecutionRequest(namespace=LONG),
        "INVALID_ARGUMENT",
        "Namespace length exceeds limit.",
    ),
]


@pytest.mark.parametrize(("rpc", "request_", "code", "sentence"), OTHERS)
async def test_other_requests(served: Peer, rpc: str, request_: Any, code: str, sentence: str) -> None:
    assert await served.refused(rpc, request_) == (code, sentence)


async def test_tokens_of_another_namespace_and_used_ones(served: Peer) -> None:
    await served.start("tokens")
    token = (await served.poll()).task_token
    foreign = RespondWorkflowTaskCompletedRequest(namespace="temporal-system", task_token=token)
    assert await served.refused("RespondWorkflowTaskCompleted", foreign) == (
        "INVALID_ARGUMENT",
        "Operation requested with a token from a different namespace.",
    )
    mine = RespondWorkflowTaskCompletedRequest(task_token=token)
    await served.workflow.RespondWorkflowTaskCompleted(mine)
    assert await served.refused("RespondWorkflowTaskCompleted", mine) == ("NOT_FOUND", "Workflow task not found.")


async def test_a_poll_needs_some_patience(served: Peer) -> None:
    request = PollWorkflowTaskQueueRequest(namespace="default", task_queue={"name": "q"})
    for timeout, code, sentence in (
        (1.0, "FAILED_PRECONDITION", "Context timeout is too short."),
        (None, "INVALID_ARGUMENT", "Context timeout is not set."),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await served.workflow.PollWorkflowTaskQueue(request, timeout=timeout)
        assert (caught.value.code().name, caught.value.details()) == (code, sentence)
