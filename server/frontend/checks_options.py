"""What is checked of requests that pause a workflow or change its options. Raises Rejected with the official sentences.

Source: service/frontend/workflow_handler.go, service/history/api/pauseworkflow, api/unpauseworkflow, api/updateworkflowoptions.
"""

from __future__ import annotations

from google.protobuf.descriptor import Descriptor
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.workflowservice.v1 import (
    PauseWorkflowExecutionRequest,
    ResetWorkflowExecutionRequest,
    UnpauseWorkflowExecutionRequest,
    UpdateWorkflowExecutionOptionsRequest,
)

from server.core.outcome import Namespace
from server.core.rejected import Unimplemented
from server.frontend import checks
from server.frontend.checks import is_uuid, no_time_skipping, priority, require


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


def update(request: UpdateWorkflowExecutionOptionsRequest, _namespace: Namespace) -> None:
    """UpdateWorkflowExecutionOptions."""
    require(request.workflow_execution.workflow_id, "WorkflowId is not set on request.")
    require(request.HasField("update_mask"), "UpdateMask is required")
    require(request.HasField("workflow_execution_options"), "WorkflowExecutionOptions is required")
    options = request.workflow_execution_options
    _paths(request.update_mask, options.DESCRIPTOR, "error parsing UpdateMask")
    priority(options.priority)
    no_time_skipping(options)
    run_id = request.workflow_execution.run_id
    require(not run_id or is_uuid(run_id), "RunId is not valid UUID.")


def reset(request: ResetWorkflowExecutionRequest, namespace: Namespace) -> None:
    """ResetWorkflowExecution, with the options that the new run is to get."""
    checks.reset(request, namespace)
    for operation in request.post_reset_operations:
        asked = operation.update_workflow_options
        require(operation.HasField("update_workflow_options"), "unsupported post reset operation: <nil>")
        no_time_skipping(asked.workflow_execution_options)
        _paths(asked.update_mask, asked.workflow_execution_options.DESCRIPTOR, "error applying update_options")


def _paths(mask: FieldMask, options: Descriptor, told: str) -> None:
    for path in mask.paths:
        wrong = f'proto:\u00a0invalid path "{path}" for message "{options.full_name}"'
        require(_is_path(options, path), f"{told}: {wrong}")


def _is_path(message: Descriptor, path: str) -> bool:
    """Whether a field mask may name it."""
    name, _, rest = path.partition(".")
    field = message.fields_by_name.get(name)
    if field is None:
        return False
    return not rest or (field.message_type is not None and _is_path(field.message_type, rest))
