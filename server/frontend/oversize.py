"""What happens to the answer of a worker that is larger than one blob may be: the activity fails with a sentence in its place.

Source: service/frontend/workflow_handler.go RespondActivityTask…, common/failure/failure.go.
"""

from __future__ import annotations

from typing import Any

from temporalio.api.enums.v1 import QueryResultType
from temporalio.api.failure.v1 import Failure

from server.core.failures import FAILURE_TOO_LARGE, server_failure, truncated
from server.core.limits import Limits

QUERY_FAILED = QueryResultType.QUERY_RESULT_TYPE_FAILED


def too_big(message: Any, limits: Limits) -> bool:
    """The message takes more bytes than a blob may have."""
    size: int = message.ByteSize()
    return size > limits.blob_size_bytes_max


def shorten_failure(request: Any, limits: Limits) -> list[Failure]:
    """Puts a sentence in place of the field `failure` where that is too big, with what fits of it as the cause; and returns it."""
    if not too_big(request.failure, limits):
        return []
    failure = server_failure(FAILURE_TOO_LARGE, non_retryable=True)
    failure.cause.CopyFrom(truncated(request.failure, limits.blob_size_bytes_warn))
    request.failure.CopyFrom(failure)
    return [failure]
