"""Activities of no workflow: their RPCs, checked, and their lists. Source: chasm/lib/activity (frontend.go, validator.go)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from temporalio.api.activity.v1 import ActivityExecutionListInfo
from temporalio.api.common.v1 import Payload, SearchAttributes
from temporalio.api.enums.v1 import IndexedValueType, WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import (
    CountActivityExecutionsRequest,
    CountActivityExecutionsResponse,
    ListActivityExecutionsRequest,
    ListActivityExecutionsResponse,
    PauseActivityExecutionRequest,
    PauseActivityExecutionResponse,
    PauseActivityRequest,
    ResetActivityExecutionRequest,
    ResetActivityExecutionResponse,
    ResetActivityRequest,
    StartActivityExecutionRequest,
    UnpauseActivityExecutionRequest,
    UnpauseActivityExecutionResponse,
    UnpauseActivityRequest,
    UpdateActivityExecutionOptionsRequest,
    UpdateActivityExecutionOptionsResponse,
    UpdateActivityOptionsRequest,
)

from drivers.base import Compare, Filter, IsNull, Junction, Not, OneOf, Visibility, Visible
from server.core import payloads, search_attributes
from server.core.outcome import Namespace, activities_of, timestamp
from server.core.workflow.standalone import STATUS
from server.environment import Environment
from server.frontend import checks
from server.frontend.rpc import Context, Rpc, Table
from server.frontend.visibility import PAGE_MAX
from server.frontend.visibility import STATUS as STATUS_NAMES
from server.history.service import Engine
from server.visibility.parse import Query, parse

KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
NAMES = {"ActivityId": "WorkflowId", "ActivityType": "WorkflowType"}  # as filters call them, and as stores do


class StandaloneActivities:
    """Each method is named for its RPC, and raises Rejected."""

    def __init__(self, engine: Engine, visibility: Visibility, environment: Environment) -> None:
        self._engine = engine
        self._visibility = visibility
        self._environment = environment

    def table(self) -> Table:
        """RPC → handler."""
        engine = self._engine
        return {
            "StartActivityExecution": Rpc(engine.start_activity_execution, _start),
            "DescribeActivityExecution": Rpc(patient(engine.describe_activity_execution), _named, contextual=True),
            "PollActivityExecution": Rpc(patient(engine.poll_activity_execution), _named, contextual=True),
            "RequestCancelActivityExecution": Rpc(engine.request_cancel_activity_execution, _asked),
            "TerminateActivityExecution": Rpc(engine.terminate_activity_execution, _asked),
            "DeleteActivityExecution": Rpc(engine.delete_activity_execution, _named),
            "PauseActivityExecution": Rpc(self.pause_activity_execution, _asked),
            "UnpauseActivityExecution": Rpc(self.unpause_activity_execution, _asked),
            "ResetActivityExecution": Rpc(self.reset_activity_execution, _named),
            "UpdateActivityExecutionOptions": Rpc(self.update_activity_execution_options, _named),
            "ListActivityExecutions": Rpc(self.list_activity_executions),
            "CountActivityExecutions": Rpc(self.count_activity_executions),
        }

    async def pause_activity_execution(
        self, namespace: Namespace, request: PauseActivityExecutionRequest
    ) -> PauseActivityExecutionResponse:
        old = PauseActivityRequest(**_which(request), reason=request.reason, request_id=request.request_id)
        await self._engine.pause_activity(namespace, old)
        return PauseActivityExecutionResponse()

    async def unpause_activity_execution(
        self, namespace: Namespace, request: UnpauseActivityExecutionRequest
    ) -> UnpauseActivityExecutionResponse:
        await self._engine.unpause_activity(namespace, UnpauseActivityRequest(**_which(request), jitter=request.jitter))
        return UnpauseActivityExecutionResponse()

    async def reset_activity_execution(
        self, namespace: Namespace, request: ResetActivityExecutionRequest
    ) -> ResetActivityExecutionResponse:
        same = ("keep_paused", "jitter", "restore_original_options", "reset_heartbeat")
        given = {name: getattr(request, name) for name in same}
        await self._engine.reset_activity(namespace, ResetActivityRequest(**_which(request), **given))
        return ResetActivityExecutionResponse()

    async def update_activity_execution_options(
        self, namespace: Namespace, request: UpdateActivityExecutionOptionsRequest
    ) -> UpdateActivityExecutionOptionsResponse:
        old = UpdateActivityOptionsRequest(**_which(request), restore_original=request.restore_original)
        for name in ("activity_options", "update_mask"):
            if request.HasField(name):  # type: ignore[arg-type]
                getattr(old, name).CopyFrom(getattr(request, name))
        checks.priority(old.activity_options.priority)
        changed = await self._engine.update_activity_options(namespace, old)
        return UpdateActivityExecutionOptionsResponse(activity_options=changed.activity_options)

    async def list_activity_executions(
        self, namespace: Namespace, request: ListActivityExecutionsRequest
    ) -> ListActivityExecutionsResponse:
        query = parsed(request.query, namespace, NAMES)
        of = activities_of(namespace.id)
        rows, token = await listed(self._visibility, self._environment, of, query, request)
        return ListActivityExecutionsResponse(executions=map(_info, rows), next_page_token=token)

    async def count_activity_executions(
        self, namespace: Namespace, request: CountActivityExecutionsRequest
    ) -> CountActivityExecutionsResponse:
        query = parsed(request.query, namespace, NAMES)
        count, groups = await counted(self._visibility, self._environment, activities_of(namespace.id), query)
        response = CountActivityExecutionsResponse(count=count)
        for each, value in groups:
            response.groups.add(count=each, group_values=[value])
        return response


def _which(request: Any) -> dict[str, Any]:
    """How the older calls name the activity: it is of a workflow, or of none."""
    at = {"workflow_id": request.workflow_id or request.activity_id, "run_id": request.run_id}
    return {"execution": at, "id": request.activity_id, "identity": request.identity}


def patient(handle: Callable[..., Awaitable[Any]]) -> Callable[[Namespace, Any, Context], Awaitable[Any]]:
    """A handler that is told how long its caller waits."""
    return lambda namespace, request, context: handle(namespace, request, timeout=context.time_remaining())


def _start(request: StartActivityExecutionRequest, namespace: Namespace) -> None:
    limits = namespace.limits
    checks.queue(request, limits)
    checks.request_id(request, limits)
    checks.identity(request, namespace)
    checks.priority(request.priority)
    search_attributes.check(request.search_attributes, namespace)
    checks.callbacks(request.completion_callbacks, limits)
    checks.blob(request.input, limits)
    checks.links(request.links)


def _named(request: Any, namespace: Namespace) -> None:
    checks.require(request.activity_id, "activity ID is required")
    size, most = len(request.activity_id.encode()), namespace.limits.id_length_max
    checks.require(size <= most, f"activity ID exceeds length limit. Length={size} Limit={most}")
    checks.require(not request.run_id or checks.is_uuid(request.run_id), "invalid run id: must be a valid UUID")


def _asked(request: Any, namespace: Namespace) -> None:
    _named(request, namespace)
    checks.identity(request, namespace)
    checks.require(len(request.reason.encode()) <= namespace.limits.id_length_max, "reason exceeds length limit")


def parsed(text: str, namespace: Namespace, names: Mapping[str, str]) -> Query:
    """A filter in whose `names` stores know others. Raises InvalidArgument."""
    query = parse(text, {**namespace.search_attributes, **dict.fromkeys(names, KEYWORD)})
    renamed = None if query.filter is None else _renamed(query.filter, names)
    return query._replace(filter=renamed, group_by=names.get(query.group_by, query.group_by))


def _renamed(filter: Filter, names: Mapping[str, str]) -> Filter:
    if isinstance(filter, Junction):
        return filter._replace(parts=tuple(_renamed(part, names) for part in filter.parts))
    if isinstance(filter, Not):
        return filter._replace(part=_renamed(filter.part, names))
    assert isinstance(filter, Compare | IsNull | OneOf)
    return filter._replace(field=names.get(filter.field, filter.field))


async def listed(
    visibility: Visibility, environment: Environment, namespace_id: str, query: Query, request: Any
) -> tuple[list[Visible], bytes]:
    """A page of what a list request asks for. Raises InvalidArgument."""
    checks.require(not query.group_by, "invalid query: operation is not supported: 'GROUP BY' clause")
    size = request.page_size if 0 < request.page_size <= PAGE_MAX else PAGE_MAX
    return await environment.blocking(
        visibility.list_visible, namespace_id, query.filter, request.next_page_token, size
    )


async def counted(
    visibility: Visibility, environment: Environment, namespace_id: str, query: Query
) -> tuple[int, list[tuple[int, Payload]]]:
    """How many there are, and the groups of a query that wants some: how many are in each, and what they have in common."""
    rows = await environment.blocking(visibility.count_visible, namespace_id, query.filter, query.group_by)
    groups: list[tuple[int, Payload]] = []
    for value, count in rows if query.group_by else ():
        shown: Any = value
        if query.group_by == "ExecutionStatus":
            shown = STATUS_NAMES.get(shown, shown)
        groups.append((count, payloads.json_payload(shown)))
    return sum(count for _, count in rows), groups


def _info(row: Visible) -> ActivityExecutionListInfo:
    info = ActivityExecutionListInfo(
        activity_id=row.key.workflow_id,
        run_id=row.key.run_id,
        activity_type={"name": row.workflow_type},  # type: ignore[arg-type]
        schedule_time=timestamp(row.start_time),
        status=STATUS[WorkflowExecutionStatus.ValueType(row.status)],
        search_attributes=SearchAttributes.FromString(row.attributes),
        task_queue=row.task_queue,
        state_transition_count=row.state_transition_count,
    )
    if row.close_time:
        info.close_time.CopyFrom(timestamp(row.close_time))
        info.execution_duration.FromNanoseconds(row.close_time - row.start_time)
    return info
