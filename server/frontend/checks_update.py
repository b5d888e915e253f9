"""Checks of the requests of updates, alone and with a start; see checks.py.

Source: service/frontend/workflow_handler.go prepareUpdateWorkflowRequest, convertToHistoryMultiOperationItem.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

from temporalio.api.enums.v1 import UpdateWorkflowExecutionLifecycleStage as Stage
from temporalio.api.workflowservice.v1 import (
    ExecuteMultiOperationRequest,
    PollWorkflowExecutionUpdateRequest,
    StartWorkflowExecutionRequest,
    UpdateWorkflowExecutionRequest,
)

from server.core.outcome import Namespace
from server.core.rejected import (
    InvalidArgument,
    MultiOperationAborted,
    MultiOperationFailed,
    NamespaceNotFound,
    PermissionDenied,
    Rejected,
)
from server.frontend import checks
from server.frontend.checks import require

ADMITTED = Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED
COMPLETED = Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED
NO_WAIT = "UpdateWorkflowExecution issued asynchronously and waiting on update admitted is not supported."
NOT_START_AND_UPDATE = "Operations have to be exactly [Start, Update]."
OTHER_NAMESPACE = "Operation namespace did not match request's namespace."
OTHER_WORKFLOW = "WorkflowId is not consistent with previous operation(s)."


def update(request: UpdateWorkflowExecutionRequest, namespace: Namespace) -> None:
    """UpdateWorkflowExecution. An update without an id gets one; who does not say what to wait for waits for the result."""
    checks.of_workflow_execution(request, namespace)
    asked = request.request
    require(asked.HasField("meta"), "Update meta is not set on request.")
    checks.short(asked.meta.update_id, "UpdateId", namespace.limits)
    asked.meta.update_id = asked.meta.update_id or str(uuid.uuid4())
    require(asked.HasField("input"), "Update input is not set on request.")
    require(asked.input.name, "Update name is not set on request.")
    policy = request.wait_policy
    policy.lifecycle_stage = policy.lifecycle_stage or COMPLETED
    if policy.lifecycle_stage == ADMITTED:
        raise PermissionDenied(NO_WAIT)
    checks.callbacks(asked.completion_callbacks, namespace.limits)
    missing = "invalid *update.Request: request_id is required when completion_callbacks are set"
    require(asked.request_id or not asked.completion_callbacks, missing)
    checks.links(asked.links)


def poll(request: PollWorkflowExecutionUpdateRequest, _namespace: Namespace) -> None:
    """PollWorkflowExecutionUpdate."""
    require(request.HasField("update_ref"), "UpdateRef is not set on request.")
    named = request.update_ref.workflow_execution
    require(not named.run_id or checks.is_uuid(named.run_id), "RunId is not valid UUID.")
    require(named.workflow_id, "Can't load workflow execution.  WorkflowId not set.")


def multi_operation(request: ExecuteMultiOperationRequest, namespace: Namespace) -> None:
    """ExecuteMultiOperation: a start and an update of the same workflow. Raises MultiOperationFailed, with what is wrong with each."""
    asked = request.operations
    if [each.WhichOneof("operation") for each in asked] != ["start_workflow", "update_workflow"]:
        raise InvalidArgument(NOT_START_AND_UPDATE)
    begin, change = asked[0].start_workflow, asked[1].update_workflow
    errors = [
        _error(lambda: _start(begin, request.namespace, namespace)),
        _error(lambda: _update(change, request.namespace, namespace)),
    ]
    if errors == [None, None] and begin.workflow_id != change.workflow_execution.workflow_id:
        errors[1] = InvalidArgument(OTHER_WORKFLOW)
    if errors != [None, None]:
        raise MultiOperationFailed(*(error or MultiOperationAborted() for error in errors))


def _error(check: Callable[[], None]) -> Rejected | None:
    try:
        check()
    except Rejected as error:
        return error
    return None


def _start(request: StartWorkflowExecutionRequest, name: str, namespace: Namespace) -> None:
    require(request.namespace in ("", name), OTHER_NAMESPACE)
    if not request.namespace:
        raise NamespaceNotFound("")  # the official server looks it up by this name
    checks.start(request, namespace)
    require(not request.cron_schedule, "CronSchedule is not allowed.")
    require(not request.request_eager_execution, "RequestEagerExecution is not supported.")
    require(request.workflow_start_delay.ToNanoseconds() <= 0, "WorkflowStartDelay is not supported.")


def _update(request: UpdateWorkflowExecutionRequest, name: str, namespace: Namespace) -> None:
    require(request.namespace in ("", name), OTHER_NAMESPACE)
    update(request, namespace)
    require(not request.first_execution_run_id, "FirstExecutionRunId is not allowed.")
    require(not request.workflow_execution.run_id, "RunId is not allowed.")
