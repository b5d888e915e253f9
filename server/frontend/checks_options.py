"""What is checked of requests that pause a workflow or change its options. Raises Rejected with the official sentences.

Source: service/frontend/workflow_handler.go, service/history/api/pauseworkflow, api/unpauseworkflow, api/updateworkflowoptions.
"""

from __future__ import annotations

from temporalio.api.workflowservice.v1 import PauseWorkflowExecutionRequest, UnpauseWorkflowExecutionRequest

from server.core.outcome import Namespace
from server.core.rejected import Unimplemented
from server.frontend.checks import is_uuid, require


def pause(request: PauseWorkflowExecutionRequest, namespace: Namespace) -> None:
    """PauseWorkflowExecution, which must be switched on."""
    if not namespace.limits.workflow_pause:
        raise Unimplemented(f"workflow pause is not enabled for namespace: {namespace.name}")
    unpause(request, namespace)


def unpause(request: PauseWorkflowExecutionRequest | UnpauseWorkflowExecutionRequest, namespace: Namespace) -> None:
    """UnpauseWorkflowExecution."""
    longest = namespace.limits.id_length_max
    require(len(request.reason.encode()) <= longest, "reason is too long.")
    require(len(request.request_id.encode()) <= longest, "request id is too long.")
    require(len(request.identity.encode()) <= longest, "identity is too long.")
    require(request.workflow_id, "Can't load workflow execution.  WorkflowId not set.")
    require(not request.run_id or is_uuid(request.run_id), "RunId is not valid UUID.")
