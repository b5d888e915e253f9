"""What clients change of running workflows: pauses and options."""

from __future__ import annotations

from functools import partial

from temporalio.api.workflowservice.v1 import (
    PauseWorkflowExecutionRequest,
    PauseWorkflowExecutionResponse,
    UnpauseWorkflowExecutionRequest,
    UnpauseWorkflowExecutionResponse,
    UpdateWorkflowExecutionOptionsRequest,
    UpdateWorkflowExecutionOptionsResponse,
)

from server.core.outcome import Namespace
from server.core.workflow import options, pauses
from server.history.shards import Shards


class Options(Shards):
    """The RPCs of pauses and options. All raise Rejected."""

    async def pause_workflow_execution(
        self, namespace: Namespace, request: PauseWorkflowExecutionRequest
    ) -> PauseWorkflowExecutionResponse:
        decide = partial(pauses.pause_workflow_execution, request=request)
        return await self.run(namespace, request.workflow_id, request.run_id, decide)

    async def unpause_workflow_execution(
        self, namespace: Namespace, request: UnpauseWorkflowExecutionRequest
    ) -> UnpauseWorkflowExecutionResponse:
        decide = partial(pauses.unpause_workflow_execution, request=request)
        return await self.run(namespace, request.workflow_id, request.run_id, decide)

    async def update_workflow_execution_options(
        self, namespace: Namespace, request: UpdateWorkflowExecutionOptionsRequest
    ) -> UpdateWorkflowExecutionOptionsResponse:
        at = request.workflow_execution
        decide = partial(options.update_workflow_execution_options, request=request)
        return await self.run(namespace, at.workflow_id, at.run_id, decide)
