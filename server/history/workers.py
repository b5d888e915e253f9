"""What workers answer to their tasks: each method is named for its RPC. A task token names the run, the task and the attempt; one that is not
of the task that is started now is the official NotFound."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from temporalio.api.workflowservice.v1 import (
    RecordActivityTaskHeartbeatByIdRequest,
    RecordActivityTaskHeartbeatByIdResponse,
    RecordActivityTaskHeartbeatRequest,
    RecordActivityTaskHeartbeatResponse,
    ResetStickyTaskQueueRequest,
    ResetStickyTaskQueueResponse,
    RespondActivityTaskCanceledByIdRequest,
    RespondActivityTaskCanceledByIdResponse,
    RespondActivityTaskCanceledRequest,
    RespondActivityTaskCanceledResponse,
    RespondActivityTaskCompletedByIdRequest,
    RespondActivityTaskCompletedByIdResponse,
    RespondActivityTaskCompletedRequest,
    RespondActivityTaskCompletedResponse,
    RespondActivityTaskFailedByIdRequest,
    RespondActivityTaskFailedByIdResponse,
    RespondActivityTaskFailedRequest,
    RespondActivityTaskFailedResponse,
    RespondNexusTaskCompletedRequest,
    RespondNexusTaskCompletedResponse,
    RespondNexusTaskFailedRequest,
    RespondNexusTaskFailedResponse,
    RespondQueryTaskCompletedRequest,
    RespondQueryTaskCompletedResponse,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskCompletedResponse,
    RespondWorkflowTaskFailedRequest,
    RespondWorkflowTaskFailedResponse,
)

from server import tokens
from server.core.outcome import Namespace
from server.core.rejected import InvalidArgument, NotFound, Rejected
from server.core.state_pb2 import TaskToken
from server.core.step import Step
from server.core.workflow import activities, completion, tasks
from server.history import eager, queries, reader
from server.history.cache import Run
from server.history.shards import Shards

FOREIGN = "Operation requested with a token from a different namespace."

R = TypeVar("R")
ById = (
    RespondActivityTaskCompletedByIdRequest
    | RespondActivityTaskFailedByIdRequest
    | RespondActivityTaskCanceledByIdRequest
    | RecordActivityTaskHeartbeatByIdRequest
)


class Workers(Shards):
    """The RPCs of workers. All raise Rejected."""

    async def respond_workflow_task_completed(
        self, namespace: Namespace, request: RespondWorkflowTaskCompletedRequest
    ) -> bytes:
        """An encoded response; with what the worker asks for and there is at once: its next workflow task, its activities."""
        token = _token(namespace, request.task_token)
        shard = self.of(namespace.id, token.workflow_id)
        wanted: list[reader.Started] = []

        def decide(step: Step) -> RespondWorkflowTaskCompletedResponse | Rejected:
            wanted.clear()
            reply = completion.complete_workflow_task(step, token, request)
            if not isinstance(reply, Rejected):
                wanted.extend(eager.start_wanted(shard, step, request))
            return reply

        def after(run: Run) -> None:
            queries.answered(run, request.query_results)

        reply = await shard.run(namespace, token.workflow_id, token.run_id, decide, after)
        assert isinstance(reply, RespondWorkflowTaskCompletedResponse)
        return await eager.answer(shard, reply, wanted, "workflow_task", "activity_tasks")

    async def respond_workflow_task_failed(
        self, namespace: Namespace, request: RespondWorkflowTaskFailedRequest
    ) -> RespondWorkflowTaskFailedResponse:
        token = _token(namespace, request.task_token)
        return await self._on(namespace, token, lambda step: completion.fail_workflow_task(step, token, request))

    async def respond_query_task_completed(
        self, namespace: Namespace, request: RespondQueryTaskCompletedRequest
    ) -> RespondQueryTaskCompletedResponse:
        _token(namespace, request.task_token)
        self._queries.respond_query_task_completed(request)
        return RespondQueryTaskCompletedResponse()

    async def respond_nexus_task_completed(
        self, namespace: Namespace, request: RespondNexusTaskCompletedRequest
    ) -> RespondNexusTaskCompletedResponse:
        _token(namespace, request.task_token)
        self._parts.nexus.respond(request.task_token, request)
        return RespondNexusTaskCompletedResponse()

    async def respond_nexus_task_failed(
        self, namespace: Namespace, request: RespondNexusTaskFailedRequest
    ) -> RespondNexusTaskFailedResponse:
        _token(namespace, request.task_token)
        self._parts.nexus.respond(request.task_token, request)
        return RespondNexusTaskFailedResponse()

    async def reset_sticky_task_queue(
        self, namespace: Namespace, request: ResetStickyTaskQueueRequest
    ) -> ResetStickyTaskQueueResponse:
        at = request.execution

        def decide(step: Step) -> ResetStickyTaskQueueResponse:
            if not step.state.running:
                msg = "workflow execution already completed"
                raise NotFound(msg)
            tasks.reset_sticky(step)
            return ResetStickyTaskQueueResponse()

        return await self.run(namespace, at.workflow_id, at.run_id, decide)

    async def respond_activity_task_completed(
        self, namespace: Namespace, request: RespondActivityTaskCompletedRequest
    ) -> RespondActivityTaskCompletedResponse:
        token = _token(namespace, request.task_token)
        await self._on(namespace, token, lambda step: activities.complete_activity(step, token, request))
        return RespondActivityTaskCompletedResponse()

    async def respond_activity_task_completed_by_id(
        self, namespace: Namespace, request: RespondActivityTaskCompletedByIdRequest
    ) -> RespondActivityTaskCompletedByIdResponse:
        token = _token_by_id(namespace, request)
        await self._on(namespace, token, lambda step: activities.complete_activity(step, token, request))
        return RespondActivityTaskCompletedByIdResponse()

    async def respond_activity_task_failed(
        self, namespace: Namespace, request: RespondActivityTaskFailedRequest
    ) -> RespondActivityTaskFailedResponse:
        token = _token(namespace, request.task_token)
        return await self._on(namespace, token, lambda step: activities.fail_activity(step, token, request))

    async def respond_activity_task_failed_by_id(
        self, namespace: Namespace, request: RespondActivityTaskFailedByIdRequest
    ) -> RespondActivityTaskFailedByIdResponse:
        token = _token_by_id(namespace, request)
        reply = await self._on(namespace, token, lambda step: activities.fail_activity(step, token, request))
        return RespondActivityTaskFailedByIdResponse(failures=reply.failures)

    async def respond_activity_task_canceled(
        self, namespace: Namespace, request: RespondActivityTaskCanceledRequest
    ) -> RespondActivityTaskCanceledResponse:
        token = _token(namespace, request.task_token)
        await self._on(namespace, token, lambda step: activities.cancel_activity(step, token, request))
        return RespondActivityTaskCanceledResponse()

    async def respond_activity_task_canceled_by_id(
        self, namespace: Namespace, request: RespondActivityTaskCanceledByIdRequest
    ) -> RespondActivityTaskCanceledByIdResponse:
        token = _token_by_id(namespace, request)
        await self._on(namespace, token, lambda step: activities.cancel_activity(step, token, request))
        return RespondActivityTaskCanceledByIdResponse()

    async def record_activity_task_heartbeat(
        self, namespace: Namespace, request: RecordActivityTaskHeartbeatRequest
    ) -> RecordActivityTaskHeartbeatResponse:
        token = _token(namespace, request.task_token)
        return await self._on(namespace, token, lambda step: activities.heartbeat_activity(step, token, request))

    async def record_activity_task_heartbeat_by_id(
        self, namespace: Namespace, request: RecordActivityTaskHeartbeatByIdRequest
    ) -> RecordActivityTaskHeartbeatByIdResponse:
        token = _token_by_id(namespace, request)
        reply = await self._on(namespace, token, lambda step: activities.heartbeat_activity(step, token, request))
        return RecordActivityTaskHeartbeatByIdResponse(
            cancel_requested=reply.cancel_requested,
            activity_paused=reply.activity_paused,
            activity_reset=reply.activity_reset,
        )

    async def _on(self, namespace: Namespace, token: TaskToken, decide: Callable[[Step], R]) -> R:
        return await self.run(namespace, token.workflow_id, token.run_id, decide)


def _token(namespace: Namespace, data: bytes) -> TaskToken:
    token = tokens.decode_task(data)
    if token.namespace_id != namespace.id:
        raise InvalidArgument(FOREIGN)
    return token


def _token_by_id(namespace: Namespace, request: ById) -> TaskToken:
    """Names an activity without an attempt: whichever is under way."""
    return TaskToken(
        namespace_id=namespace.id,
        workflow_id=request.workflow_id,
        run_id=request.run_id,
        activity_id=request.activity_id,
    )
