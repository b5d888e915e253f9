"""Failures of the Nexus protocol as failures of ours, and which of them are worth another try.

Source: common/nexus/failure.go; nexus-rpc/sdk-go nexus/errors.go (which errors of a handler may be retried).
"""

from __future__ import annotations

import base64
import json
from typing import Any

from google.protobuf import json_format
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.enums.v1 import NexusHandlerErrorRetryBehavior
from temporalio.api.failure.v1 import ApplicationFailureInfo, CanceledFailureInfo, Failure, NexusHandlerFailureInfo
from temporalio.api.nexus.v1 import Failure as NexusFailure
from temporalio.api.nexus.v1 import HandlerError

R = NexusHandlerErrorRetryBehavior
OURS, HANDLER, OPERATION = Failure.DESCRIPTOR.full_name, "nexus.HandlerError", "nexus.OperationError"
FINAL = frozenset({"BAD_REQUEST", "UNAUTHENTICATED", "UNAUTHORIZED", "NOT_FOUND", "CONFLICT", "NOT_IMPLEMENTED"})
OVERRIDES = {
    None: R.NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_UNSPECIFIED,
    True: R.NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_RETRYABLE,
    False: R.NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_NON_RETRYABLE,
}


def handler_failure(kind: str, message: str) -> Failure:
    """What the server itself says in place of a handler."""
    return Failure(message=message, nexus_handler_failure_info=NexusHandlerFailureInfo(type=kind))


def call_failure(message: str, *, retryable: bool) -> Failure:
    """The call itself went wrong."""
    info = ApplicationFailureInfo(type="CallError", non_retryable=not retryable)
    return Failure(message=message, application_failure_info=info)


def retryable(failure: Failure) -> bool:
    """Whether a call that failed so may be made again."""
    info = failure.nexus_handler_failure_info
    if info.retry_behavior:
        return info.retry_behavior == R.NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_RETRYABLE
    return info.type not in FINAL


def of_handler(error: HandlerError) -> Failure:
    """The older form of a handler's error."""
    out = Failure(
        nexus_handler_failure_info=NexusHandlerFailureInfo(type=error.error_type, retry_behavior=error.retry_behavior)
    )
    if error.HasField("failure"):
        out.message = error.failure.message
        out.cause.CopyFrom(from_nexus(error.failure))
    return out


def from_nexus(failure: NexusFailure) -> Failure:
    """Raises ValueError when its details cannot be read."""
    out = Failure(message=failure.message, stack_trace=failure.stack_trace)
    kind = failure.metadata.get("type")
    try:
        if kind == OURS:
            json_format.Parse(failure.details, out, ignore_unknown_fields=True)
            out.message, out.stack_trace = failure.message, failure.stack_trace
        elif kind == HANDLER:
            _read_handler(out, json.loads(failure.details))
        elif kind == OPERATION:
            _read_operation(out, json.loads(failure.details))
        elif failure.metadata or failure.details:
            out.application_failure_info.CopyFrom(_foreign(failure))
    except (json_format.ParseError, KeyError) as wrong:
        raise ValueError(str(wrong)) from wrong
    if failure.HasField("cause"):
        out.cause.CopyFrom(from_nexus(failure.cause))
    return out


def _read_handler(out: Failure, said: dict[str, Any]) -> None:
    info = NexusHandlerFailureInfo(type=said.get("type", ""), retry_behavior=OVERRIDES[said.get("retryableOverride")])
    out.nexus_handler_failure_info.CopyFrom(info)
    if encoded := said.get("encodedAttributes"):
        text = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        json_format.Parse(text, out.encoded_attributes)


def _read_operation(out: Failure, said: dict[str, Any]) -> None:
    if said.get("state") == "canceled":
        out.canceled_failure_info.CopyFrom(CanceledFailureInfo())
    else:
        out.application_failure_info.CopyFrom(ApplicationFailureInfo(type="OperationError", non_retryable=True))


def _foreign(failure: NexusFailure) -> ApplicationFailureInfo:
    """What we do not know is kept as it is."""
    content: dict[str, Any] = {"message": ""}
    if failure.metadata:
        content["metadata"] = dict(failure.metadata)
    if failure.details:
        content["details"] = json.loads(failure.details)
    data = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(content, separators=(",", ":")).encode())
    return ApplicationFailureInfo(type="NexusFailure", details=Payloads(payloads=[data]))
