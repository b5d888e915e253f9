"""Whether a version of workers that a workflow is to be pinned to is there: one of its workers has polled the workflow's task queue lately.

Source: common/worker_versioning ValidateVersioningOverrideAndGetReactivationEligibility.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy as Conflict
from temporalio.api.workflow.v1 import VersioningOverride
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    ExecuteMultiOperationRequest,
    ExecuteMultiOperationResponse,
    ResetWorkflowExecutionRequest,
    ResetWorkflowExecutionResponse,
    UpdateWorkflowExecutionOptionsRequest,
    UpdateWorkflowExecutionOptionsResponse,
)

from server.core.outcome import WORKFLOW_TASK, Namespace
from server.core.rejected import FailedPrecondition, MultiOperationAborted, MultiOperationFailed, NotFound
from server.core.workflow import versioning
from server.faces import Queues
from server.history.service import Engine

Handle = Callable[[Namespace, Any], Awaitable[Any]]


class Versions:
    """Looks before what may pin a workflow is carried out. Raises FailedPrecondition."""

    def __init__(self, engine: Engine, queues: Queues) -> None:
        self._engine = engine
        self._queues = queues

    def checked(self, handle: Handle) -> Handle:
        """The handler of a start, which names queue and override."""

        async def check(namespace: Namespace, request: Any) -> Any:
            await self._check(namespace, request.task_queue.name, request.versioning_override)
            return await handle(namespace, request)

        return lambda namespace, request: (check if request.HasField("versioning_override") else handle)(
            namespace, request
        )

    async def execute_multi_operation(
        self, namespace: Namespace, request: ExecuteMultiOperationRequest
    ) -> ExecuteMultiOperationResponse:
        """Looks only where the workflow is started. Raises MultiOperationFailed."""
        begin = request.operations[0].start_workflow
        try:
            if begin.HasField("versioning_override"):
                await self._check(namespace, begin.task_queue.name, begin.versioning_override)
        except FailedPrecondition as missing:
            ends = begin.workflow_id_conflict_policy == Conflict.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
            if ends or not await self._runs(namespace, begin.workflow_id):
                raise MultiOperationFailed(missing, MultiOperationAborted()) from missing
        return await self._engine.execute_multi_operation(namespace, request)

    async def _runs(self, namespace: Namespace, workflow_id: str) -> bool:
        asked = DescribeWorkflowExecutionRequest(execution={"workflow_id": workflow_id})  # type: ignore[arg-type]
        try:
            described = await self._engine.describe_workflow_execution(namespace, asked)
        except NotFound:
            return False
        return not described.workflow_execution_info.HasField("close_time")

    async def reset_workflow_execution(
        self, namespace: Namespace, request: ResetWorkflowExecutionRequest
    ) -> ResetWorkflowExecutionResponse:
        for operation in request.post_reset_operations:
            override = operation.update_workflow_options.workflow_execution_options.versioning_override
            if _named(override):
                asked = DescribeWorkflowExecutionRequest(execution=request.workflow_execution)
                described = await self._engine.describe_workflow_execution(namespace, asked)
                await self._check(namespace, described.execution_config.task_queue.name, override)
        return await self._engine.reset_workflow_execution(namespace, request)

    async def update_workflow_execution_options(
        self, namespace: Namespace, request: UpdateWorkflowExecutionOptionsRequest
    ) -> UpdateWorkflowExecutionOptionsResponse:
        override = request.workflow_execution_options.versioning_override
        if _named(override):
            asked = DescribeWorkflowExecutionRequest(execution=request.workflow_execution)
            described = await self._engine.describe_workflow_execution(namespace, asked)
            if not described.workflow_execution_info.HasField("close_time"):
                await self._check(namespace, described.execution_config.task_queue.name, override)
        return await self._engine.update_workflow_execution_options(namespace, request)

    async def _check(self, namespace: Namespace, queue: str, override: VersioningOverride) -> None:
        versioning.check(override)
        version = _named(override)
        if version is None:
            return
        pollers = await self._queues.pollers(namespace.id, WORKFLOW_TASK, queue)
        there = {(p.deployment_options.deployment_name, p.deployment_options.build_id) for p in pollers}
        name, build_id = version.deployment_name, version.build_id
        if (name, build_id) not in there:
            msg = f"Pinned version '{name}:{build_id}' is not present in task queue '{queue}' of type 'Workflow'"
            raise FailedPrecondition(msg)


def _named(override: VersioningOverride) -> WorkerDeploymentVersion | None:
    """The version that has to be there: not that of the oldest form, which is taken as it is."""
    version = versioning.target(versioning.today(override))
    return version if version and version.ByteSize() and not override.HasField("deployment") else None
