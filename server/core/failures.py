"""Failures that the server itself makes, and failures cut down to size. Source: common/failure/failure.go."""

from __future__ import annotations

from temporalio.api.enums.v1 import TimeoutType
from temporalio.api.failure.v1 import Failure, ServerFailureInfo, TimeoutFailureInfo

from server.core.limits import Limits

RESULT_TOO_LARGE = "Complete result exceeds size limit."
FAILURE_TOO_LARGE = "Failure exceeds size limit."
CANCEL_DETAILS_TOO_LARGE = "Cancel details exceed size limit."
HEARTBEAT_TOO_LARGE = "Heartbeat details exceed size limit."
DEPTH_MAX = 20


def server_failure(message: str, *, non_retryable: bool) -> Failure:
    """The server's own verdict."""
    return Failure(message=message, server_failure_info=ServerFailureInfo(non_retryable=non_retryable))


def timeout_failure(message: str, kind: TimeoutType.ValueType) -> Failure:
    """A timeout of `kind`."""
    return Failure(message=message, source="Server", timeout_failure_info=TimeoutFailureInfo(timeout_type=kind))


def too_large(failure: Failure, limits: Limits) -> Failure | None:
    """What takes the place of a failure that is larger than a blob may be, with what fits of it as the cause; None for any other."""
    if failure.ByteSize() <= limits.blob_size_bytes_max:
        return None
    out = server_failure(FAILURE_TOO_LARGE, non_retryable=True)
    out.cause.CopyFrom(truncated(failure, limits.blob_size_bytes_warn))
    return out


def truncated(failure: Failure, bytes_max: int, depth: int = DEPTH_MAX) -> Failure:
    """A copy whose texts take about `bytes_max` bytes: type, source, message, stack trace, then the cause, while room is left. Only what decides
    about a retry is kept of the details."""
    out, room = Failure(), bytes_max

    def cut(text: str) -> str:
        nonlocal room
        kept = text.encode()[: max(room, 0)].decode(errors="ignore")
        room -= len(kept.encode()) + (4 if kept else 0)
        return kept

    if failure.HasField("application_failure_info"):
        info = failure.application_failure_info
        out.application_failure_info.non_retryable = info.non_retryable
        out.application_failure_info.type = cut(info.type)
        room -= 8
    elif failure.HasField("server_failure_info"):
        out.server_failure_info.non_retryable = failure.server_failure_info.non_retryable
        room -= 4
    out.source, out.message, out.stack_trace = cut(failure.source), cut(failure.message), cut(failure.stack_trace)
    if failure.HasField("cause") and room > 4 and depth:
        out.cause.CopyFrom(truncated(failure.cause, room - 4, depth - 1))
    return out


def kept(failure: Failure, bytes_max: int) -> Failure:
    """The failure as it is remembered between attempts."""
    if failure.ByteSize() <= bytes_max:
        return failure
    out = server_failure(FAILURE_TOO_LARGE, non_retryable=False)
    out.cause.CopyFrom(truncated(failure, bytes_max))
    return out
