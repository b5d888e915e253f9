"""`tctl operator cluster`: whether the server serves, and what it is."""

from __future__ import annotations

from typing import Annotated

from tctl.command import CommandError, command, group
from tctl.flags import Call, option

app = group("Look at the cluster")
SERVICE = "temporal.api.workflowservice.v1.WorkflowService"


@command(app, "health")
def health(call: Call) -> None:
    """Say whether the server serves."""
    from grpc_health.v1.health_pb2 import (  # type: ignore[import-untyped]
        HealthCheckRequest,
        HealthCheckResponse,
    )
    from grpc_health.v1.health_pb2_grpc import HealthStub  # type: ignore[import-untyped]

    stub = HealthStub(call.client.channel)
    answer = call.client.ask(stub.Check, HealthCheckRequest(service=SERVICE), "failed checking cluster health")
    status = HealthCheckResponse.ServingStatus.Name(answer.status)
    if status != "SERVING":
        raise CommandError(f"failed checking cluster health: the server answers {status}")
    call.printer.data({"status": status})
    call.printer.line(status, "green")


@command(app, "system")
def system(call: Call) -> None:
    """Show the server's version and capabilities."""
    from temporalio.api.workflowservice.v1 import GetSystemInfoRequest

    failing = "unable to get system information"
    found = call.client.ask(call.client.workflow.GetSystemInfo, GetSystemInfoRequest(), failing)
    call.printer.data(found)
    can = found.capabilities
    columns = ("ServerVersion", "SupportsSchedules", "UpsertMemo", "EagerWorkflowStart")
    call.printer.table(
        columns, [(found.server_version, can.supports_schedules, can.upsert_memo, can.eager_workflow_start)]
    )


@command(app, "describe")
def describe(
    call: Call, *, detail: Annotated[bool, option("--detail", help="Add the number of shards and versions.")] = False
) -> None:
    """Show the cluster's name and stores."""
    from temporalio.api.workflowservice.v1 import GetClusterInfoRequest

    failing = "unable to get cluster information"
    found = call.client.ask(call.client.workflow.GetClusterInfo, GetClusterInfoRequest(), failing)
    call.printer.data(found)
    row = [
        ("ClusterName", found.cluster_name),
        ("PersistenceStore", found.persistence_store),
        ("VisibilityStore", found.visibility_store),
        ("HistoryShardCount", str(found.history_shard_count)),
        ("VersionInfo", found.version_info if found.HasField("version_info") else None),
    ]
    shown = row if detail else row[:3]
    call.printer.table([name for name, _ in shown], [[value for _, value in shown]])
