"""The plumbing: one table serves both services, health and reflection answer, errors carry official details, metrics count, a stop is clean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from temporalio.api.errordetails.v1 import (
    NamespaceInvalidStateFailure,
    NamespaceNotFoundFailure,
    NotFoundFailure,
    WorkflowExecutionAlreadyStartedFailure,
)
from temporalio.api.operatorservice.v1 import service_pb2 as operator_service
from temporalio.api.workflowservice.v1 import (
    DeprecateNamespaceRequest,
    DescribeWorkflowExecutionRequest,
    GetClusterInfoRequest,
    GetSystemInfoRequest,
)
from temporalio.api.workflowservice.v1 import service_pb2 as workflow_service

from server.namespaces import Namespaces
from server.run import running
from server.settings import Settings, SettingsError
from tests.server.frontend_kit import Peer, details, peer, start_request

SERVICES = (
    workflow_service.DESCRIPTOR.services_by_name["WorkflowService"],
    operator_service.DESCRIPTOR.services_by_name["OperatorService"],
)
SERVED = {
    "AddSearchAttributes",
    "CountActivityExecutions",
    "CountNexusOperationExecutions",
    "CountWorkflowExecutions",
    "CreateNexusEndpoint",
    "DeleteActivityExecution",
    "DeleteNamespace",
    "DeleteNexusEndpoint",
    "DeleteNexusOperationExecution",
    "DeleteWorkflowExecution",
    "DeprecateNamespace",
    "DescribeActivityExecution",
    "DescribeNamespace",
    "DescribeNexusOperationExecution",
    "DescribeTaskQueue",
    "DescribeWorkflowExecution",
    "ExecuteMultiOperation",
    "GetClusterInfo",
    "GetNexusEndpoint",
    "GetSearchAttributes",
    "GetSystemInfo",
    "GetWorkflowExecutionHistory",
    "GetWorkflowExecutionHistoryReverse",
    "ListActivityExecutions",
    "ListArchivedWorkflowExecutions",
    "ListClosedWorkflowExecutions",
    "ListClusters",
    "ListNamespaces",
    "ListNexusEndpoints",
    "ListNexusOperationExecutions",
    "ListOpenWorkflowExecutions",
    "ListSearchAttributes",
    "ListTaskQueuePartitions",
    "ListWorkflowExecutions",
    "PauseActivity",
    "PauseActivityExecution",
    "PauseWorkflowExecution",
    "PollActivityExecution",
    "PollActivityTaskQueue",
    "PollNexusOperationExecution",
    "PollNexusTaskQueue",
    "PollWorkflowExecutionUpdate",
    "PollWorkflowTaskQueue",
    "QueryWorkflow",
    "RecordActivityTaskHeartbeat",
    "RecordActivityTaskHeartbeatById",
    "RegisterNamespace",
    "RemoveSearchAttributes",
    "RequestCancelActivityExecution",
    "RequestCancelNexusOperationExecution",
    "RequestCancelWorkflowExecution",
    "ResetActivity",
    "ResetActivityExecution",
    "ResetStickyTaskQueue",
    "ResetWorkflowExecution",
    "RespondActivityTaskCanceled",
    "RespondActivityTaskCanceledById",
    "RespondActivityTaskCompleted",
    "RespondActivityTaskCompletedById",
    "RespondActivityTaskFailed",
    "RespondActivityTaskFailedById",
    "RespondNexusTaskCompleted",
    "RespondNexusTaskFailed",
    "RespondQueryTaskCompleted",
    "RespondWorkflowTaskCompleted",
    "RespondWorkflowTaskFailed",
    "ScanWorkflowExecutions",
    "ShutdownWorker",
    "SignalWithStartWorkflowExecution",
    "SignalWorkflowExecution",
    "StartActivityExecution",
    "StartNexusOperationExecution",
    "StartWorkflowExecution",
    "TerminateActivityExecution",
    "TerminateNexusOperationExecution",
    "TerminateWorkflowExecution",
    "UnpauseActivity",
    "UnpauseActivityExecution",
    "UnpauseWorkflowExecution",
    "UpdateActivityExecutionOptions",
    "UpdateActivityOptions",
    "UpdateNamespace",
    "UpdateNexusEndpoint",
    "UpdateTaskQueueConfig",
    "UpdateWorkflowExecution",
    "UpdateWorkflowExecutionOptions",
}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Peer]:
    async with peer(tmp_path, metrics_port=0) as running_peer:
        yield running_peer


async def test_every_rpc_that_is_not_served_says_so(served: Peer) -> None:
    for service in SERVICES:
        for method in service.methods:
            call = served.channel.unary_unary(f"/{service.full_name}/{method.name}")
            request = GetMessageClass(method.input_type)().SerializeToString()
            try:
                await call(request, timeout=5)
                code, sentence = grpc.StatusCode.OK, ""
            except grpc.aio.AioRpcError as error:
                code, sentence = error.code(), error.details() or ""
            assert (code != grpc.StatusCode.UNIMPLEMENTED) == (method.name in SERVED), method.name
            if method.name not in SERVED:
                assert sentence == f"{method.name} is not implemented by this server."


async def test_system_info_claims_only_what_is_there(served: Peer) -> None:
    info = await served.workflow.GetSystemInfo(GetSystemInfoRequest())
    assert info.server_version == "1.32.0"
    assert info.capabilities.upsert_memo
    assert not info.capabilities.supports_schedules
    assert not info.capabilities.nexus
    assert info.capabilities.eager_workflow_start


async def test_cluster_info_names_the_stored_cluster(tmp_path: Path) -> None:
    async with peer(tmp_path, shards=2) as first:
        info = await first.workflow.GetClusterInfo(GetClusterInfoRequest())
    async with peer(tmp_path, shards=8) as second:
        again = await second.workflow.GetClusterInfo(GetClusterInfoRequest())
    assert info == again
    assert (info.cluster_name, info.history_shard_count, info.persistence_store) == ("active", 2, "sqlite")
    assert info.supported_clients["temporal-cli"]


async def test_health(served: Peer) -> None:
    stub = health_pb2_grpc.HealthStub(served.channel)
    for service in ("", "temporal.api.workflowservice.v1.WorkflowService"):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Check(health_pb2.HealthCheckRequest(service="other"))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_reflection_lists_the_services(served: Peer) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(served.channel)
    call = stub.ServerReflectionInfo()
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    await call.done_writing()
    names = {each.name for each in (await call.read()).list_services_response.service}
    assert {service.full_name for service in SERVICES} | {"grpc.health.v1.Health"} <= names


async def test_errors_carry_official_details(served: Peer) -> None:
    run_id = await served.start("taken")
    error = await served.error("StartWorkflowExecution", start_request("taken"))
    started = WorkflowExecutionAlreadyStartedFailure()
    assert details(error).details[0].Unpack(started)
    assert started.run_id == run_id

    missing = DescribeWorkflowExecutionRequest(namespace="default", execution={"workflow_id": "none"})
    error = await served.error("DescribeWorkflowExecution", missing)
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert details(error).details[0].Unpack(NotFoundFailure())

    missing.namespace = "none"
    error = await served.error("DescribeWorkflowExecution", missing)
    assert error.details() == "Namespace none is not found."
    unknown = NamespaceNotFoundFailure()
    assert details(error).details[0].Unpack(unknown)
    assert unknown.namespace == "none"


async def test_a_deprecated_namespace_takes_no_new_workflow(served: Peer) -> None:
    await served.start("before")
    await served.workflow.DeprecateNamespace(DeprecateNamespaceRequest(namespace="default"))
    error = await served.error("StartWorkflowExecution", start_request("after"))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == "Namespace has invalid state: Deprecated. Must be Registered."
    assert details(error).details[0].Unpack(NamespaceInvalidStateFailure())
    request = DescribeWorkflowExecutionRequest(namespace="default", execution={"workflow_id": "before"})
    assert (await served.workflow.DescribeWorkflowExecution(request)).workflow_execution_info.status == 1


async def test_text_that_is_not_utf8_is_refused(served: Peer) -> None:
    call = served.channel.unary_unary(f"/{SERVICES[0].full_name}/StartWorkflowExecution")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"\x0a\x02\xff\xfe", timeout=5)
    assert caught.value.code() == grpc.StatusCode.INTERNAL
    assert (caught.value.details() or "").startswith("grpc: error unmarshalling request")


async def test_a_message_over_4_mb_is_refused_by_grpc(served: Peer) -> None:
    call = served.channel.unary_unary(f"/{SERVICES[0].full_name}/StartWorkflowExecution")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"x" * (4 * 1024 * 1024 + 1), timeout=5)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_bug_is_told_without_details_and_logged(
    served: Peer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_self: Namespaces, _name: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Namespaces, "entry", broken)
    assert await served.refused("StartWorkflowExecution", start_request("x")) == (
        "INTERNAL",
        "the server could not carry out this request",
    )
    assert "ZeroDivisionError" in caplog.text


async def _metrics(port: int, path: str = "/metrics") -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    text = (await reader.read()).decode()
    writer.close()
    return text


async def test_metrics_have_the_official_names(served: Peer) -> None:
    await served.start("counted")
    await served.refused("StartWorkflowExecution", start_request("counted"))
    port = served.server.metrics_port
    assert port
    text = await _metrics(port)
    labels = 'namespace="default",operation="StartWorkflowExecution",service_name="frontend"'
    assert f"service_requests{{{labels}}} 2" in text
    assert f"service_errors{{{labels}}} 1" in text
    assert f'service_error_with_type{{error_type="serviceerror_AlreadyStarted",{labels}}} 1' in text
    assert f'service_latency_bucket{{{labels},le="+Inf"}} 2' in text
    assert "process_resident_memory_bytes" in text
    assert "404" in await _metrics(port, "/other")


async def test_a_stop_ends_polls_with_nothing(tmp_path: Path) -> None:
    async with peer(tmp_path) as served:
        poll = asyncio.ensure_future(served.poll("lonely"))
        while not served.server.telemetry.operation("PollWorkflowTaskQueue", "default").pending:
            await asyncio.sleep(0)
        served.server.matching.close()
        assert not (await poll).task_token


async def test_a_taken_port_is_an_error(served: Peer, tmp_path: Path) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path}/other.db", setup=True, port=served.server.port)
    with pytest.raises(OSError, match="cannot listen on 127.0.0.1"):
        async with running(settings):
            pass


async def test_an_old_schema_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has no schema"):
        async with running(Settings(store=f"sqlite:///{tmp_path}/empty.db", port=0)):
            pass
