"""The Nexus protocol over HTTP, as far as this server is the one who calls: completions of operations.

Source: common/nexus/nexusrpc/completion.go, client.go, common/nexus/payload_serializer.go (which content type stands for which encoding).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.utils import formatdate

import aiohttp
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.api.nexus.v1 import Failure as NexusFailure

from server.core.limits import SECOND
from server.core.workflow.calls import Said
from server.nexus import failures, links

USER_AGENT = "temporalio/server"
UPSTREAM_TIMEOUT = 520
KINDS = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "UNAUTHORIZED",
    404: "NOT_FOUND",
    408: "REQUEST_TIMEOUT",
    409: "CONFLICT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "NOT_IMPLEMENTED",
    503: "UNAVAILABLE",
    UPSTREAM_TIMEOUT: "UPSTREAM_TIMEOUT",
}
ENCODINGS = {b"json/plain": "application/json", b"binary/plain": "application/octet-stream", b"binary/null": ""}
TYPED = {
    b"json/protobuf": 'application/json; format=protobuf; message-type="{}"',
    b"binary/protobuf": 'application/x-protobuf; message-type="{}"',
}


async def complete(
    url: str, header: Mapping[str, str], said: Said, times: tuple[Timestamp, Timestamp], timeout: int
) -> Failure | None:
    """Tells how an operation ended that ran between two times, within `timeout` ns; why that was not taken, or None. Never raises."""
    body, own = _content(said.result)
    if said.failure is not None:
        body, own = json.dumps(_failure(said.failure)).encode(), {"Content-Type": "application/json"}
    state = "succeeded" if said.failure is None else "canceled" if said.canceled else "failed"
    own |= {
        "User-Agent": USER_AGENT,
        "Nexus-Operation-State": state,
        "Nexus-Operation-Start-Time": formatdate(times[0].seconds, usegmt=True),
        "Nexus-Operation-Close-Time": times[1].ToJsonString(),
    }
    given = [each for each in map(links.to_nexus, said.links) if each is not None]
    if given:
        own["Nexus-Link"] = ", ".join(f'<{each.url}>; type="{each.type}"' for each in given)
    try:
        client = aiohttp.ClientTimeout(total=timeout / SECOND)
        async with (
            aiohttp.ClientSession(timeout=client) as session,
            session.post(url, data=body, headers={**own, **header}) as response,
        ):
            return None if response.ok else _refused(response.status, await response.read())
    except TimeoutError:
        return failures.call_failure("request timed out", retryable=True)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return failures.call_failure(str(error), retryable=True)


def _content(payload: Payload | None) -> tuple[bytes, dict[str, str]]:
    """The body that stands for a payload, and the header that says what it is."""
    if payload is None:
        return b"", {}
    encoding = payload.metadata.get("encoding", b"")
    if len(payload.metadata) == 1 and encoding in ENCODINGS:
        kind = ENCODINGS[encoding]
        return payload.data, {"Content-Type": kind} if kind else {}
    message = payload.metadata.get("messageType", b"").decode()
    if len(payload.metadata) == 2 and encoding in TYPED and message:
        return payload.data, {"Content-Type": TYPED[encoding].format(message)}
    return payload.SerializeToString(), {"Content-Type": "application/x-temporal-payload"}


def _failure(failure: Failure) -> dict[str, object]:
    """Our failure in the protocol's JSON: what it does not know goes along as details."""
    rest = Failure()
    rest.CopyFrom(failure)
    rest.ClearField("message")
    rest.ClearField("stack_trace")
    rest.ClearField("cause")
    out: dict[str, object] = {
        "message": failure.message,
        "metadata": {"type": failures.OURS},
        "details": json_format.MessageToDict(rest),
    }
    if failure.stack_trace:
        out["stackTrace"] = failure.stack_trace
    if failure.HasField("cause"):
        out["cause"] = _failure(failure.cause)
    return out


def _refused(status: int, body: bytes) -> Failure:
    """What an answer that is no success says; a handler's error where its body is one."""
    kind = KINDS.get(status)
    try:
        said = json.loads(body)
        found = NexusFailure(message=said["message"], metadata=said.get("metadata", {}))
        found.details = json.dumps(said["details"]).encode() if "details" in said else b""
        failure = failures.from_nexus(found)
    except (ValueError, KeyError, TypeError):
        failure = Failure(message=f"unexpected response status: {status}")
    if failure.HasField("nexus_handler_failure_info"):
        return failure
    if kind is None:
        return failures.call_failure(failure.message, retryable=True)
    return failures.handler_failure(kind, failure.message)
