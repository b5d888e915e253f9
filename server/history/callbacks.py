"""Delivers completion callbacks: to the Nexus operation of another run of this cluster, or by HTTP to whoever asked.

Source: components/callbacks/executors.go, nexus_invocation.go, service/frontend/nexus_completion_http_handler.go.
"""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.failure.v1 import Failure

from server.core.outcome import SEND_NEXUS_COMPLETED, timestamp
from server.core.rejected import InvalidArgument, Rejected
from server.core.state import State
from server.core.state_pb2 import Callback, NexusCalls, Outgoing
from server.core.step import Step
from server.core.workflow import callbacks
from server.history.calling import Caller
from server.nexus import failures, http
from server.nexus.callbacks import CALLBACK_HEADER, SYSTEM_URL, TOKEN_HEADER, decode_token

GONE = "operation not found"


async def deliver(caller: Caller) -> bool:
    """Calls until the receiver has taken it, or said that it never will. See Caller.until_said."""
    note = caller.note
    id = note.callback_id

    def look(state: State) -> tuple[Outgoing, NexusCalls] | None:
        record = callbacks.pending(state, id)
        return None if record is None else (_completion(caller, state, record), _copy(record.calls))

    async def call(completion: Outgoing) -> Callable[[Step], bool]:
        failure, retryable = await _call(caller, completion)
        return lambda step: callbacks.called(step, id, failure, retryable)

    return await caller.until_said(look, call)


def _copy(calls: NexusCalls) -> NexusCalls:
    out = NexusCalls()
    out.CopyFrom(calls)
    return out


def _completion(caller: Caller, state: State, record: Callback) -> Outgoing:
    """What is to be told: the message for a run of this cluster, or what an HTTP call is made of."""
    header = dict(record.callback.nexus.header)
    return Outgoing(
        kind=SEND_NEXUS_COMPLETED,
        source_namespace_id=caller.note.source_namespace_id,
        source_workflow_id=caller.note.source_workflow_id,
        source_run_id=caller.note.source_run_id,
        event=caller.note.event,
        operation_token=header.get(TOKEN_HEADER, ""),
        start_time=state.core.start_time,
        links=[callbacks.link(state, caller.namespace.name, record.request_id)],
        callback=record.callback,
    )


async def _call(caller: Caller, completion: Outgoing) -> tuple[Failure | None, bool]:
    """Why it was not taken, and whether to try again. This is where the URL chooses the way."""
    asked = completion.callback.nexus
    if asked.url != SYSTEM_URL:
        return await _post(caller, completion)
    try:
        token = decode_token(asked.header.get(CALLBACK_HEADER, ""))
    except InvalidArgument as wrong:
        return failures.handler_failure("BAD_REQUEST", wrong.message), False
    completion.target_namespace_id, completion.target_workflow_id = token.namespace_id, token.workflow_id
    completion.target_run_id, completion.initiated_event_id = token.run_id, token.scheduled_event_id
    completion.request_id = token.request_id
    completion.ClearField("callback")
    try:
        reached = await caller.shard.parts.reach(completion)
    except Rejected as rejected:
        return failures.handler_failure("UNAVAILABLE", rejected.message), True
    return (failures.handler_failure("NOT_FOUND", GONE), False) if reached.cause else (None, False)


async def _post(caller: Caller, completion: Outgoing) -> tuple[Failure | None, bool]:
    said = callbacks.came_to(completion.event)
    times: tuple[Timestamp, Timestamp] = (timestamp(completion.start_time), completion.event.event_time)
    timeout = caller.namespace.limits.callback_request_timeout
    asked = completion.callback.nexus
    failure = await http.complete(
        asked.url, dict(asked.header), said._replace(links=list(completion.links)), times, timeout
    )
    return failure, failure is not None and failures.retryable(failure)
