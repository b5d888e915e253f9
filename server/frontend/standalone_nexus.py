"""Nexus operations of no workflow: their RPCs, checked, and their lists. Source: chasm/lib/nexusoperation (frontend.go, validator.go)."""

from __future__ import annotations

from typing import Any

from temporalio.api.common.v1 import SearchAttributes
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.nexus.v1 import NexusOperationExecutionListInfo
from temporalio.api.workflowservice.v1 import (
    CountNexusOperationExecutionsRequest,
    CountNexusOperationExecutionsResponse,
    ListNexusOperationExecutionsRequest,
    ListNexusOperationExecutionsResponse,
    StartNexusOperationExecutionRequest,
)

from drivers.base import Visibility, Visible
from server.core import search_attributes
from server.core.outcome import Namespace, operations_of, timestamp
from server.core.workflow.standalone import STATUS
from server.environment import Environment
from server.frontend import checks
from server.frontend.rpc import Rpc, Table
from server.frontend.standalone import counted, listed, parsed, patient
from server.history.service import Engine

# As filters call them, and as stores do.
NAMES = {"OperationId": "WorkflowId", "Operation": "WorkflowType", "Endpoint": "TaskQueue", "Service": "Service"}


class StandaloneOperations:
    """Each method is named for its RPC, and raises Rejected."""

    def __init__(self, engine: Engine, visibility: Visibility, environment: Environment) -> None:
        self._engine = engine
        self._visibility = visibility
        self._environment = environment

    def table(self) -> Table:
        """RPC → handler."""
        e = self._engine
        return {
            "StartNexusOperationExecution": Rpc(e.start_nexus_operation_execution, _start),
            "DescribeNexusOperationExecution": Rpc(
                patient(e.describe_nexus_operation_execution), _named, contextual=True
            ),
            "PollNexusOperationExecution": Rpc(patient(e.poll_nexus_operation_execution), _named, contextual=True),
            "RequestCancelNexusOperationExecution": Rpc(e.request_cancel_nexus_operation_execution, _asked),
            "TerminateNexusOperationExecution": Rpc(e.terminate_nexus_operation_execution, _asked),
            "DeleteNexusOperationExecution": Rpc(e.delete_nexus_operation_execution, _named),
            "ListNexusOperationExecutions": Rpc(self.list_nexus_operation_executions),
            "CountNexusOperationExecutions": Rpc(self.count_nexus_operation_executions),
        }

    async def list_nexus_operation_executions(
        self, namespace: Namespace, request: ListNexusOperationExecutionsRequest
    ) -> ListNexusOperationExecutionsResponse:
        query = parsed(request.query, namespace, NAMES)
        of = operations_of(namespace.id)
        rows, token = await listed(self._visibility, self._environment, of, query, request)
        return ListNexusOperationExecutionsResponse(operations=map(_info, rows), next_page_token=token)

    async def count_nexus_operation_executions(
        self, namespace: Namespace, request: CountNexusOperationExecutionsRequest
    ) -> CountNexusOperationExecutionsResponse:
        query = parsed(request.query, namespace, NAMES)
        count, groups = await counted(self._visibility, self._environment, operations_of(namespace.id), query)
        response = CountNexusOperationExecutionsResponse(count=count)
        for each, value in groups:
            response.groups.add(count=each, group_values=[value])
        return response


def _start(request: StartNexusOperationExecutionRequest, namespace: Namespace) -> None:
    limits = namespace.limits
    _named(request, namespace)
    checks.request_id(request, limits)
    checks.identity(request, namespace)
    for name in ("endpoint", "service", "operation"):
        checks.require(getattr(request, name), f"{name} is required")
    search_attributes.check(request.search_attributes, namespace)
    checks.callbacks(request.completion_callbacks, limits)
    checks.links(request.links)


def _named(request: Any, namespace: Namespace) -> None:
    checks.require(request.operation_id, "operation ID is required")
    size, most = len(request.operation_id.encode()), namespace.limits.id_length_max
    checks.require(size <= most, f"operation ID exceeds length limit. Length={size} Limit={most}")
    run_id = getattr(request, "run_id", "")
    checks.require(not run_id or checks.is_uuid(run_id), "invalid run id: must be a valid UUID")


def _asked(request: Any, namespace: Namespace) -> None:
    _named(request, namespace)
    checks.identity(request, namespace)
    checks.require(len(request.reason.encode()) <= namespace.limits.id_length_max, "reason exceeds length limit")


def _info(row: Visible) -> NexusOperationExecutionListInfo:
    info = NexusOperationExecutionListInfo(
        operation_id=row.key.workflow_id,
        run_id=row.key.run_id,
        endpoint=row.task_queue,
        service=str(row.search_attributes.get("Service", "")),
        operation=row.workflow_type,
        schedule_time=timestamp(row.start_time),
        status=int(STATUS[WorkflowExecutionStatus.ValueType(row.status)]),  # type: ignore[arg-type]
        search_attributes=SearchAttributes.FromString(row.attributes),
        state_transition_count=row.state_transition_count,
    )
    if row.close_time:
        info.close_time.CopyFrom(timestamp(row.close_time))
        info.execution_duration.FromNanoseconds(row.close_time - row.start_time)
    return info
