"""What workers answer to activity tasks, by token and by id: checked here, decided by the engine."""

from __future__ import annotations

from temporalio.api.workflowservice.v1 import (
    RecordActivityTaskHeartbeatByIdRequest,
    RespondActivityTaskCanceledByIdRequest,
    RespondActivityTaskCompletedByIdRequest,
    RespondActivityTaskFailedByIdRequest,
    RespondActivityTaskFailedRequest,
    UpdateActivityOptionsRequest,
)

from server.core.outcome import Namespace
from server.core.workflow.activity_edits import AnyControl
from server.frontend import checks
from server.frontend.rpc import Rpc, Table
from server.history.service import Engine

ById = (
    RespondActivityTaskCompletedByIdRequest
    | RespondActivityTaskCanceledByIdRequest
    | RespondActivityTaskFailedByIdRequest
    | RecordActivityTaskHeartbeatByIdRequest
)


NO_ACTIVITY_ID = "ActivityId is not set on request."


class Activities:
    """The engine does the work; what is too large for it fails the activity there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def table(self) -> Table:
        """RPC → handler."""
        engine = self._engine
        return {
            "RespondActivityTaskCompleted": Rpc(engine.respond_activity_task_completed, checks.identity),
            "RespondActivityTaskCompletedById": Rpc(engine.respond_activity_task_completed_by_id, _by_id),
            "RespondActivityTaskFailed": Rpc(engine.respond_activity_task_failed, _failed),
            "RespondActivityTaskFailedById": Rpc(engine.respond_activity_task_failed_by_id, _by_id),
            "RespondActivityTaskCanceled": Rpc(engine.respond_activity_task_canceled, checks.identity),
            "RespondActivityTaskCanceledById": Rpc(engine.respond_activity_task_canceled_by_id, _by_id),
            "PauseActivity": Rpc(engine.pause_activity, _controlled),
            "UnpauseActivity": Rpc(engine.unpause_activity, _controlled),
            "ResetActivity": Rpc(engine.reset_activity, _controlled),
            "UpdateActivityOptions": Rpc(engine.update_activity_options, _new_options),
            "RecordActivityTaskHeartbeat": Rpc(engine.record_activity_task_heartbeat),
            "RecordActivityTaskHeartbeatById": Rpc(engine.record_activity_task_heartbeat_by_id, _named),
        }


def _by_id(request: ById, namespace: Namespace) -> None:
    checks.require(request.activity_id, NO_ACTIVITY_ID)
    checks.identity(request, namespace)
    _named(request, namespace)


def _named(request: ById, _namespace: Namespace) -> None:
    checks.require(request.activity_id, NO_ACTIVITY_ID)
    request.workflow_id = request.workflow_id or request.activity_id  # an activity of no workflow
    checks.require(not request.run_id or checks.is_uuid(request.run_id), "RunId is not valid UUID.")


def _controlled(request: AnyControl, _: Namespace) -> None:
    checks.require(request.execution.workflow_id, "WorkflowId is not set on request.")
    checks.require(request.WhichOneof("activity"), "Either Activity.Id or Activity.Type should be set on request.")


def _new_options(request: UpdateActivityOptionsRequest, namespace: Namespace) -> None:
    _controlled(request, namespace)
    checks.priority(request.activity_options.priority)


def _failed(request: RespondActivityTaskFailedRequest, namespace: Namespace) -> None:
    checks.require(
        not request.HasField("failure") or request.failure.HasField("application_failure_info"),
        "Failure must have ApplicationFailureInfo.",
    )
    checks.identity(request, namespace)
