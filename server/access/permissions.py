"""What each RPC of each service needs: a role in the namespace that the request names, or in the cluster.

Source: common/api/metadata.go, common/authorization/frontend_api.go. Reflection and health's Watch and List, which the official server lets nobody
call, are for readers of the cluster; the test service is for its administrators.
"""

from __future__ import annotations

from typing import NamedTuple

from server.access.claims import Role

WORKFLOW_SERVICE = "temporal.api.workflowservice.v1.WorkflowService"
OPERATOR_SERVICE = "temporal.api.operatorservice.v1.OperatorService"
TEST_SERVICE = "temporal.api.testservice.v1.TestService"
NAMESPACE, CLUSTER = "namespace", "cluster"


class Permission(NamedTuple):
    """A role that is needed in the request's namespace, or (`scope` is CLUSTER) in the cluster."""

    scope: str
    role: Role


_NEEDED = {
    (WORKFLOW_SERVICE, NAMESPACE, Role.READ): """
        CountActivityExecutions CountNexusOperationExecutions CountSchedules CountWorkers
        CountWorkflowExecutions DescribeActivityExecution DescribeBatchOperation DescribeDeployment
        DescribeNamespace DescribeNexusOperationExecution DescribeSchedule DescribeTaskQueue DescribeWorker
        DescribeWorkerDeployment DescribeWorkerDeploymentVersion DescribeWorkflowExecution DescribeWorkflowRule
        FetchWorkerConfig GetCurrentDeployment GetDeploymentReachability GetWorkerBuildIdCompatibility
        GetWorkerTaskReachability GetWorkerVersioningRules GetWorkflowExecutionHistory
        GetWorkflowExecutionHistoryReverse ListActivityExecutions ListArchivedWorkflowExecutions
        ListBatchOperations ListClosedWorkflowExecutions ListDeployments ListNexusOperationExecutions
        ListOpenWorkflowExecutions ListScheduleMatchingTimes ListSchedules ListTaskQueuePartitions
        ListWorkerDeployments ListWorkers ListWorkflowExecutions ListWorkflowRules PollActivityExecution
        PollNexusOperationExecution PollWorkflowExecutionTimeSkipping PollWorkflowExecutionUpdate QueryWorkflow
        ScanWorkflowExecutions ValidateWorkerDeploymentVersionComputeConfig
    """,
    (WORKFLOW_SERVICE, NAMESPACE, Role.WRITE): """
        CreateSchedule CreateWorkerDeployment CreateWorkerDeploymentVersion CreateWorkflowRule
        DeleteActivityExecution DeleteNexusOperationExecution DeleteSchedule DeleteWorkerDeployment
        DeleteWorkerDeploymentVersion DeleteWorkflowExecution DeleteWorkflowRule ExecuteMultiOperation
        PatchSchedule PauseActivity PauseActivityExecution PauseWorkflowExecution PollActivityTaskQueue
        PollNexusTaskQueue PollWorkflowTaskQueue RecordActivityTaskHeartbeat RecordActivityTaskHeartbeatById
        RecordWorkerHeartbeat RequestCancelActivityExecution RequestCancelNexusOperationExecution
        RequestCancelWorkflowExecution ResetActivity ResetActivityExecution ResetStickyTaskQueue
        ResetWorkflowExecution RespondActivityTaskCanceled RespondActivityTaskCanceledById
        RespondActivityTaskCompleted RespondActivityTaskCompletedById RespondActivityTaskFailed
        RespondActivityTaskFailedById RespondNexusTaskCompleted RespondNexusTaskFailed RespondQueryTaskCompleted
        RespondWorkflowTaskCompleted RespondWorkflowTaskFailed SetCurrentDeployment
        SetWorkerDeploymentCurrentVersion SetWorkerDeploymentManager SetWorkerDeploymentRampingVersion
        ShutdownWorker SignalWithStartWorkflowExecution SignalWorkflowExecution StartActivityExecution
        StartBatchOperation StartNexusOperationExecution StartWorkflowExecution StopBatchOperation
        TerminateActivityExecution TerminateNexusOperationExecution TerminateWorkflowExecution
        TriggerWorkflowRule UnpauseActivity UnpauseActivityExecution UnpauseWorkflowExecution
        UpdateActivityExecutionOptions UpdateActivityOptions UpdateSchedule UpdateTaskQueueConfig
        UpdateWorkerBuildIdCompatibility UpdateWorkerConfig UpdateWorkerDeploymentVersionComputeConfig
        UpdateWorkerDeploymentVersionMetadata UpdateWorkerVersioningRules UpdateWorkflowExecution
        UpdateWorkflowExecutionOptions
    """,
    (WORKFLOW_SERVICE, NAMESPACE, Role.ADMIN): """
        DeprecateNamespace RegisterNamespace UpdateNamespace
    """,
    (WORKFLOW_SERVICE, CLUSTER, Role.READ): """
        GetClusterInfo GetSearchAttributes GetSystemInfo ListNamespaces
    """,
    (OPERATOR_SERVICE, NAMESPACE, Role.READ): """
        ListSearchAttributes
    """,
    (OPERATOR_SERVICE, NAMESPACE, Role.ADMIN): """
        AddSearchAttributes DeleteNamespace RemoveSearchAttributes
    """,
    (OPERATOR_SERVICE, CLUSTER, Role.ADMIN): """
        AddOrUpdateRemoteCluster CreateNexusEndpoint DeleteNexusEndpoint GetNexusEndpoint ListClusters
        ListNexusEndpoints RemoveRemoteCluster UpdateNexusEndpoint
    """,
    (TEST_SERVICE, CLUSTER, Role.ADMIN): """
        GetCurrentTime LockTimeSkipping Sleep SleepUntil UnlockTimeSkipping UnlockTimeSkippingWithSleep
    """,
    ("grpc.health.v1.Health", CLUSTER, Role.READ): "Check List Watch",
    ("grpc.reflection.v1alpha.ServerReflection", CLUSTER, Role.READ): "ServerReflectionInfo",
}
PERMISSIONS = {
    f"/{service}/{name}": Permission(scope, role)
    for (service, scope, role), names in _NEEDED.items()
    for name in names.split()
}
# Whoever calls may know whether the server is there, and what it can; yet wrong credentials are refused here, too.
OPEN = frozenset({"/grpc.health.v1.Health/Check", f"/{WORKFLOW_SERVICE}/GetSystemInfo"})
