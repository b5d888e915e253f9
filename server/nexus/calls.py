"""Nexus requests to the workers that poll a task queue. A request waits for a poll and then for the worker's word; nothing of it is stored,
so that who asks has to ask again.

Source: service/matching/matching_engine.go (DispatchNexusTask), service/frontend/nexus_handler.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.api.nexus.v1 import Request, Response, StartOperationResponse
from temporalio.api.workflowservice.v1 import (
    PollNexusTaskQueueResponse,
    RespondNexusTaskCompletedRequest,
    RespondNexusTaskFailedRequest,
)

from server import tokens
from server.core.limits import SECOND
from server.core.outcome import NEXUS_TASK, timestamp
from server.core.rejected import NotFound
from server.core.state_pb2 import TaskToken
from server.core.workflow.calls import Said
from server.environment import Environment
from server.faces import Matching
from server.nexus import failures, links

EXPIRED = "Nexus task not found or already expired"
TIMED_OUT = "upstream timeout"
EMPTY = "empty outcome"
MILLISECOND = SECOND // 1000

Answer = RespondNexusTaskCompletedRequest | RespondNexusTaskFailedRequest


class Calls:
    """The requests that workers have been asked by this process. `mine` tells whether the answer to a task of that namespace id and workflow
    id would be brought here."""

    def __init__(self, environment: Environment, matching: Matching, mine: Callable[[str, str], bool]) -> None:
        self._environment = environment
        self._matching = matching
        self._mine = mine
        self._asked: dict[str, asyncio.Future[Answer]] = {}

    async def start(self, namespace_id: str, queue: str, request: Request, timeout: int) -> Said:
        """What the worker said to a start request, within `timeout` ns. Never raises."""
        answer = await self._ask(namespace_id, queue, request, timeout)
        if isinstance(answer, Failure):
            return Said(failure=answer, retryable=failures.retryable(answer))
        return _said(answer.start_operation)

    async def cancel(self, namespace_id: str, queue: str, request: Request, timeout: int) -> Failure | None:
        """Why the worker could not take the cancel request, within `timeout` ns; None when it did. Never raises."""
        answer = await self._ask(namespace_id, queue, request, timeout)
        return answer if isinstance(answer, Failure) else None

    def respond(self, task_token: bytes, answer: Answer) -> None:
        """A worker answers. Raises InvalidArgument (token), NotFound (nobody waits any more)."""
        future = self._asked.get(tokens.decode_task(task_token).query_id)
        if future is None or future.done():
            raise NotFound(EXPIRED)
        future.set_result(answer)

    async def _ask(self, namespace_id: str, queue: str, request: Request, timeout: int) -> Response | Failure:
        id = self._environment.run_id()
        while not self._mine(namespace_id, id):
            id = self._environment.run_id()
        token = TaskToken(namespace_id=namespace_id, workflow_id=id, run_id=id, query_id=id, query_queue=queue)
        request.scheduled_time.CopyFrom(timestamp(self._environment.now()))
        request.header["request-timeout"] = f"{timeout // MILLISECOND}ms"
        request.capabilities.temporal_failure_responses = True
        data = PollNexusTaskQueueResponse(task_token=tokens.encode(token), request=request).SerializeToString()
        future = self._asked[id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout / SECOND):
                await self._matching.query(namespace_id, NEXUS_TASK, queue, "", data)
                answer = await future
        except TimeoutError:
            return failures.handler_failure("UPSTREAM_TIMEOUT", TIMED_OUT)
        finally:
            del self._asked[id]
        if isinstance(answer, RespondNexusTaskCompletedRequest):
            return answer.response
        return answer.failure if answer.HasField("failure") else failures.of_handler(answer.error)


def _said(response: StartOperationResponse) -> Said:
    kind = response.WhichOneof("variant")
    if kind == "sync_success":
        result: Payload | None = response.sync_success.payload if response.sync_success.HasField("payload") else None
        return Said(result=result, links=links.from_nexus(response.sync_success.links))
    if kind == "async_success":
        started = response.async_success
        return Said(started.operation_token or started.operation_id, links=links.from_nexus(started.links))
    if kind == "failure":
        return Said(failure=response.failure, canceled=response.failure.HasField("canceled_failure_info"))
    if kind == "operation_error":
        error = response.operation_error
        try:
            failure = failures.from_nexus(error.failure)
        except ValueError:
            return _internal("internal error")
        return Said(failure=failure, canceled=error.operation_state == "canceled")
    return _internal(EMPTY)


def _internal(message: str) -> Said:
    return Said(failure=failures.handler_failure("INTERNAL", message), retryable=True)
