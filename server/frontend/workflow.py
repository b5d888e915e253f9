"""The RPCs of clients on workflows, and what workers answer to workflow tasks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from temporalio.api.enums.v1 import EventType, HistoryEventFilterType
from temporalio.api.history.v1 import WorkflowExecutionContinuedAsNewEventAttributes
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    QueryWorkflowRequest,
    QueryWorkflowResponse,
    RespondQueryTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest,
)

from server.core.outcome import Namespace
from server.faces import Queues
from server.frontend import checks, checks_nexus, checks_options, checks_update, oversize
from server.frontend.rpc import Context, Rpc, Table
from server.frontend.versions import Versions
from server.history.service import Engine

# These show what is stored; all other clients want a repeated workflow task shown too (get_history_util.go).
LITERAL_CLIENTS = frozenset({"temporal-cli", "temporal-ui"})
FOLLOWS = "follows-next-run-id"
CLOSE_EVENT = HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT
CHAINED = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
    }
)


def table(engine: Engine, queues: Queues) -> Table:
    """RPC → handler."""

    async def query(namespace: Namespace, request: QueryWorkflowRequest, context: Context) -> QueryWorkflowResponse:
        return await engine.query_workflow(namespace, request, timeout=context.time_remaining())

    versions = Versions(engine, queues)
    signal_with_start = versions.checked(engine.signal_with_start_workflow_execution)
    return {
        "StartWorkflowExecution": Rpc(versions.checked(engine.start_workflow_execution), checks.start),
        "SignalWithStartWorkflowExecution": Rpc(signal_with_start, checks.signal_with_start),
        "SignalWorkflowExecution": Rpc(engine.signal_workflow_execution, checks.signal),
        "RequestCancelWorkflowExecution": Rpc(engine.request_cancel_workflow_execution, checks.cancel),
        "TerminateWorkflowExecution": Rpc(engine.terminate_workflow_execution, checks.terminate),
        "ResetWorkflowExecution": Rpc(versions.reset_workflow_execution, checks_options.reset),
        "PauseWorkflowExecution": Rpc(engine.pause_workflow_execution, checks_options.pause),
        "UnpauseWorkflowExecution": Rpc(engine.unpause_workflow_execution, checks_options.unpause),
        "UpdateWorkflowExecutionOptions": Rpc(versions.update_workflow_execution_options, checks_options.update),
        "DeleteWorkflowExecution": Rpc(engine.delete_workflow_execution, checks.of_workflow_execution),
        "DescribeWorkflowExecution": Rpc(engine.describe_workflow_execution, checks.of_execution),
        "GetWorkflowExecutionHistory": Rpc(_history(engine), checks.of_execution, contextual=True),
        "GetWorkflowExecutionHistoryReverse": Rpc(engine.get_workflow_execution_history_reverse, checks.of_execution),
        "UpdateWorkflowExecution": Rpc(engine.update_workflow_execution, checks_update.update),
        "PollWorkflowExecutionUpdate": Rpc(engine.poll_workflow_execution_update, checks_update.poll),
        "ExecuteMultiOperation": Rpc(versions.execute_multi_operation, checks_update.multi_operation),
        "QueryWorkflow": Rpc(query, checks.query, contextual=True),
        "ResetStickyTaskQueue": Rpc(engine.reset_sticky_task_queue, checks.of_execution),
        "RespondWorkflowTaskCompleted": Rpc(engine.respond_workflow_task_completed, _completed),
        "RespondWorkflowTaskFailed": Rpc(engine.respond_workflow_task_failed, _failed),
        "RespondQueryTaskCompleted": Rpc(engine.respond_query_task_completed, _answered),
        "RespondNexusTaskCompleted": Rpc(engine.respond_nexus_task_completed, checks_nexus.completed),
        "RespondNexusTaskFailed": Rpc(engine.respond_nexus_task_failed, checks_nexus.failed),
    }


def _history(engine: Engine) -> Callable[[Namespace, GetWorkflowExecutionHistoryRequest, Context], Awaitable[bytes]]:
    async def history(namespace: Namespace, request: GetWorkflowExecutionHistoryRequest, context: Context) -> bytes:
        virtual = _said(context, "client-name") not in LITERAL_CLIENTS
        data = await engine.get_workflow_execution_history(
            namespace, request, timeout=context.time_remaining(), virtual=virtual
        )
        if request.history_event_filter_type != CLOSE_EVENT or FOLLOWS in _said(context, "supported-features").split(
            ","
        ):
            return data
        return _led_on(data)

    return history


def _said(context: Context, name: str) -> str:
    """What the caller says of itself in the metadata of that name."""
    for key, value in context.invocation_metadata() or ():
        if key == name:
            return str(value)
    return ""


def _led_on(data: bytes) -> bytes:
    """The encoded closing event for a client (the Java SDK) that goes on to the next run of a chain only when the last continued as new:
    it is told so of retries and cron runs, too (get_history_util.go FixFollowEvents)."""
    response = GetWorkflowExecutionHistoryResponse.FromString(data)
    for event in response.history.events:
        name = event.WhichOneof("attributes") or ""
        attributes = getattr(event, name, None)
        next_run = getattr(attributes, "new_execution_run_id", "")
        if event.event_type in CHAINED and next_run:
            event.event_type = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
            event.workflow_execution_continued_as_new_event_attributes.CopyFrom(
                WorkflowExecutionContinuedAsNewEventAttributes(
                    new_execution_run_id=next_run,
                    failure=getattr(attributes, "failure", None),
                    last_completion_result=getattr(attributes, "result", None),
                )
            )
    return response.SerializeToString()


def _completed(request: RespondWorkflowTaskCompletedRequest, namespace: Namespace) -> None:
    checks.identity(request, namespace)
    checks.versioning(request.worker_version_stamp, request.deployment_options)


def _failed(request: RespondWorkflowTaskFailedRequest, namespace: Namespace) -> None:
    checks.identity(request, namespace)
    oversize.shorten_failure(request, namespace.limits)


def _answered(request: RespondQueryTaskCompletedRequest, namespace: Namespace) -> None:
    """An answer that is too big fails the query."""
    if oversize.too_big(request.query_result, namespace.limits):
        request.ClearField("query_result")
        request.ClearField("failure")
        request.completed_type = oversize.QUERY_FAILED
        request.error_message = checks.BLOB_TOO_BIG
