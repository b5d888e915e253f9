"""What is wrong with a worker's answer to a Nexus task. Source: service/frontend/workflow_handler.go RespondNexusTask…"""

from __future__ import annotations

import json

from temporalio.api.nexus.v1 import Failure
from temporalio.api.workflowservice.v1 import RespondNexusTaskCompletedRequest, RespondNexusTaskFailedRequest

from server.core.outcome import Namespace
from server.frontend.checks import require

NOT_JSON = "failure details must be JSON serializable"


def completed(request: RespondNexusTaskCompletedRequest, namespace: Namespace) -> None:
    """Raises InvalidArgument."""
    start = request.response.start_operation
    if start.HasField("async_success"):
        token = start.async_success.operation_token or start.async_success.operation_id
        require(token, "missing opration token in response")
        size, most = len(token.encode()), namespace.limits.nexus_token_length_max
        require(size <= most, f"operation token length exceeds allowed limit ({size}/{most})")
    if start.HasField("operation_error"):
        _details(start.operation_error.failure)


def failed(request: RespondNexusTaskFailedRequest, _namespace: Namespace) -> None:
    """Raises InvalidArgument."""
    said = request.HasField("error") or request.HasField("failure")
    require(said, "request must contain error or failure")
    _details(request.error.failure)
    require(
        not request.HasField("failure") or request.failure.HasField("nexus_handler_failure_info"),
        "request Failure must contain error or failure with NexusHandlerFailureInfo",
    )


def _details(failure: Failure) -> None:
    if failure.details:
        try:
            json.loads(failure.details)
        except ValueError:
            require(False, NOT_JSON)
