"""What happens to the answer of a workflow's worker that is larger than one blob may be: a sentence takes its place.

Source: service/frontend/workflow_handler.go, common/failure/failure.go.
"""

from __future__ import annotations

from typing import Any

from temporalio.api.enums.v1 import QueryResultType

from server.core.failures import too_large
from server.core.limits import Limits

QUERY_FAILED = QueryResultType.QUERY_RESULT_TYPE_FAILED


def too_big(message: Any, limits: Limits) -> bool:
    """The message takes more bytes than a blob may have."""
    size: int = message.ByteSize()
    return size > limits.blob_size_bytes_max


def shorten_failure(request: Any, limits: Limits) -> None:
    """Puts a sentence in place of the field `failure` where that is too big, with what fits of it as the cause."""
    failure = too_large(request.failure, limits)
    if failure is not None:
        request.failure.CopyFrom(failure)
