"""What this server is and can: GetSystemInfo, GetClusterInfo, ListClusters."""

from __future__ import annotations

from temporalio.api.operatorservice.v1 import ClusterMetadata, ListClustersRequest, ListClustersResponse
from temporalio.api.workflowservice.v1 import (
    GetClusterInfoRequest,
    GetClusterInfoResponse,
    GetSystemInfoRequest,
    GetSystemInfoResponse,
)

from server.frontend.rpc import Plain, Table

# The official server whose behaviour this one has: clients decide by it what they may ask.
SERVER_VERSION = "1.32.0"
SUPPORTED_CLIENTS = {
    "temporal-go": "<2.0.0",
    "temporal-java": "<2.0.0",
    "temporal-php": "<2.0.0",
    "temporal-typescript": "<2.0.0",
    "temporal-cli": "<2.0.0",
    "temporal-server": "<2.0.0",
    "temporal-ui": "<3.0.0",
    "Nexus-go-sdk": "<2.0.0",
}
# Only what is here: no schedules, no Nexus. Build ids: workers name theirs, and no client sends binary checksums.
CAPABILITIES = GetSystemInfoResponse.Capabilities(
    signal_and_query_header=True,
    internal_error_differentiation=True,
    activity_failure_include_heartbeat=True,
    encoded_failure_attributes=True,
    upsert_memo=True,
    eager_workflow_start=True,
    sdk_metadata=True,
    build_id_based_versioning=True,
    count_group_by_execution_status=True,
)


class System:
    """Each method is named for its RPC. `cluster` is what GetClusterInfo answers, as the store keeps it."""

    def __init__(self, cluster: GetClusterInfoResponse, address: str) -> None:
        self._cluster = cluster
        self._address = address

    def table(self) -> Table:
        """RPC → handler."""
        return {"GetSystemInfo": Plain(self.system_info), "GetClusterInfo": Plain(self.cluster_info)}

    def operator_table(self) -> Table:
        """RPC → handler of the operator's service."""
        return {"ListClusters": Plain(self.clusters)}

    async def system_info(self, _request: GetSystemInfoRequest) -> GetSystemInfoResponse:
        return GetSystemInfoResponse(server_version=SERVER_VERSION, capabilities=CAPABILITIES)

    async def cluster_info(self, _request: GetClusterInfoRequest) -> GetClusterInfoResponse:
        response = GetClusterInfoResponse(server_version=SERVER_VERSION, supported_clients=SUPPORTED_CLIENTS)
        response.MergeFrom(self._cluster)
        return response

    async def clusters(self, _request: ListClustersRequest) -> ListClustersResponse:
        own = ClusterMetadata(
            cluster_name=self._cluster.cluster_name,
            cluster_id=self._cluster.cluster_id,
            address=self._address,
            initial_failover_version=self._cluster.initial_failover_version,
            history_shard_count=self._cluster.history_shard_count,
            is_connection_enabled=True,
        )
        return ListClustersResponse(clusters=[own])
