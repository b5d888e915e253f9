"""What workers answer to activity tasks, by token and by id. An answer that is too big fails the activity."""

from __future__ import annotations

from temporalio.api.failure.v1 import Failure
from temporalio.api.workflowservice.v1 import (
    RecordActivityTaskHeartbeatByIdRequest,
    RecordActivityTaskHeartbeatByIdResponse,
    RecordActivityTaskHeartbeatRequest,
    RecordActivityTaskHeartbeatResponse,
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
)

from server.core import failures
from server.core.outcome import Namespace
from server.core.rejected import NotFound
from server.frontend import checks, oversize
from server.frontend.rpc import Rpc, Table
from server.history.service import Engine

ByToken = RespondActivityTaskCompletedRequest | RespondActivityTaskCanceledRequest | RecordActivityTaskHeartbeatRequest
ById = (
    RespondActivityTaskCompletedByIdRequest
    | RespondActivityTaskCanceledByIdRequest
    | RespondActivityTaskFailedByIdRequest
    | RecordActivityTaskHeartbeatByIdRequest
)


NO_ACTIVITY_ID = "ActivityId is not set on request."


class Activities:
    """Each method is named for its RPC, and raises Rejected."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def table(self) -> Table:
        """RPC → handler."""
        return {
            "RespondActivityTaskCompleted": Rpc(self.completed, checks.identity),
            "RespondActivityTaskCompletedById": Rpc(self.completed_by_id, _by_id),
            "RespondActivityTaskFailed": Rpc(self.failed, _failed),
            "RespondActivityTaskFailedById": Rpc(self.failed_by_id, _by_id),
            "RespondActivityTaskCanceled": Rpc(self.canceled, checks.identity),
            "RespondActivityTaskCanceledById": Rpc(self.canceled_by_id, _by_id),
            "RecordActivityTaskHeartbeat": Rpc(self.heartbeat),
            "RecordActivityTaskHeartbeatById": Rpc(self.heartbeat_by_id, _named),
        }

    async def completed(
        self, namespace: Namespace, request: RespondActivityTaskCompletedRequest
    ) -> RespondActivityTaskCompletedResponse:
        if oversize.too_big(request.result, namespace.limits):
            await self._fail(namespace, request, failures.RESULT_TOO_LARGE)
            return RespondActivityTaskCompletedResponse()
        return await self._engine.respond_activity_task_completed(namespace, request)

    async def completed_by_id(
        self, namespace: Namespace, request: RespondActivityTaskCompletedByIdRequest
    ) -> RespondActivityTaskCompletedByIdResponse:
        if oversize.too_big(request.result, namespace.limits):
            await self._fail_by_id(namespace, request, failures.RESULT_TOO_LARGE)
            return RespondActivityTaskCompletedByIdResponse()
        return await self._engine.respond_activity_task_completed_by_id(namespace, request)

    async def failed(
        self, namespace: Namespace, request: RespondActivityTaskFailedRequest
    ) -> RespondActivityTaskFailedResponse:
        replaced = _replaced(request, namespace)
        await self._engine.respond_activity_task_failed(namespace, request)
        return RespondActivityTaskFailedResponse(failures=replaced)

    async def failed_by_id(
        self, namespace: Namespace, request: RespondActivityTaskFailedByIdRequest
    ) -> RespondActivityTaskFailedByIdResponse:
        replaced = _replaced(request, namespace)
        await self._engine.respond_activity_task_failed_by_id(namespace, request)
        return RespondActivityTaskFailedByIdResponse(failures=replaced)

    async def canceled(
        self, namespace: Namespace, request: RespondActivityTaskCanceledRequest
    ) -> RespondActivityTaskCanceledResponse:
        if oversize.too_big(request.details, namespace.limits):
            await self._fail(namespace, request, failures.CANCEL_DETAILS_TOO_LARGE)
            return RespondActivityTaskCanceledResponse()
        return await self._engine.respond_activity_task_canceled(namespace, request)

    async def canceled_by_id(
        self, namespace: Namespace, request: RespondActivityTaskCanceledByIdRequest
    ) -> RespondActivityTaskCanceledByIdResponse:
        if oversize.too_big(request.details, namespace.limits):
            await self._fail_by_id(namespace, request, failures.CANCEL_DETAILS_TOO_LARGE)
            return RespondActivityTaskCanceledByIdResponse()
        return await self._engine.respond_activity_task_canceled_by_id(namespace, request)

    async def heartbeat(
        self, namespace: Namespace, request: RecordActivityTaskHeartbeatRequest
    ) -> RecordActivityTaskHeartbeatResponse:
        if oversize.too_big(request.details, namespace.limits):
            await self._fail(namespace, request, failures.HEARTBEAT_TOO_LARGE)
            return RecordActivityTaskHeartbeatResponse(cancel_requested=True)
        return await self._engine.record_activity_task_heartbeat(namespace, request)

    async def heartbeat_by_id(
        self, namespace: Namespace, request: RecordActivityTaskHeartbeatByIdRequest
    ) -> RecordActivityTaskHeartbeatByIdResponse:
        if oversize.too_big(request.details, namespace.limits):
            await self._fail_by_id(namespace, request, failures.HEARTBEAT_TOO_LARGE)
            return RecordActivityTaskHeartbeatByIdResponse(cancel_requested=True)
        return await self._engine.record_activity_task_heartbeat_by_id(namespace, request)

    async def _fail(self, namespace: Namespace, request: ByToken, sentence: str) -> None:
        failing = RespondActivityTaskFailedRequest(
            task_token=request.task_token,
            failure=failures.server_failure(sentence, non_retryable=True),
            identity=request.identity,
            namespace=request.namespace,
        )
        await self._engine.respond_activity_task_failed(namespace, failing)

    async def _fail_by_id(self, namespace: Namespace, request: ById, sentence: str) -> None:
        failing = RespondActivityTaskFailedByIdRequest(
            namespace=request.namespace,
            workflow_id=request.workflow_id,
            run_id=request.run_id,
            activity_id=request.activity_id,
            failure=failures.server_failure(sentence, non_retryable=True),
            identity=request.identity,
        )
        await self._engine.respond_activity_task_failed_by_id(namespace, failing)


def _by_id(request: ById, namespace: Namespace) -> None:
    checks.require(request.activity_id, NO_ACTIVITY_ID)
    checks.identity(request, namespace)
    _named(request, namespace)


def _named(request: ById, _namespace: Namespace) -> None:
    checks.require(request.activity_id, NO_ACTIVITY_ID)
    if not request.workflow_id:  # an activity of no workflow: there are none
        raise NotFound(f"activity not found for ID: {request.activity_id}")
    checks.require(not request.run_id or checks.is_uuid(request.run_id), "RunId is not valid UUID.")


def _failed(request: RespondActivityTaskFailedRequest, namespace: Namespace) -> None:
    checks.require(
        not request.HasField("failure") or request.failure.HasField("application_failure_info"),
        "Failure must have ApplicationFailureInfo.",
    )
    checks.identity(request, namespace)


def _replaced(
    request: RespondActivityTaskFailedRequest | RespondActivityTaskFailedByIdRequest, namespace: Namespace
) -> list[Failure]:
    """What was too big in the request is no more; the failures that the worker is told of."""
    told = []
    if oversize.too_big(request.last_heartbeat_details, namespace.limits):
        told.append(failures.server_failure(failures.HEARTBEAT_TOO_LARGE, non_retryable=True))
        request.ClearField("last_heartbeat_details")
    return told + oversize.shorten_failure(request, namespace.limits)
