"""Lists and counts of workflows. The filter's language is server/visibility's, the answer to it is the store's."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from temporalio.api.common.v1 import Memo, SearchAttributes, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.filter.v1 import StartTimeFilter
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    CountWorkflowExecutionsResponse,
    GetSearchAttributesRequest,
    GetSearchAttributesResponse,
    ListArchivedWorkflowExecutionsRequest,
    ListClosedWorkflowExecutionsRequest,
    ListClosedWorkflowExecutionsResponse,
    ListOpenWorkflowExecutionsRequest,
    ListOpenWorkflowExecutionsResponse,
    ListWorkflowExecutionsRequest,
    ListWorkflowExecutionsResponse,
    ScanWorkflowExecutionsRequest,
    ScanWorkflowExecutionsResponse,
)

from drivers.base import Compare, Filter, Junction, Visibility, Visible
from server.core import payloads, search_attributes
from server.core.outcome import Namespace, timestamp
from server.core.rejected import InvalidArgument
from server.environment import Environment
from server.frontend.checks import require
from server.frontend.rpc import Plain, Rpc, Table
from server.visibility.parse import STATUS_NAMES, parse

PAGE_MAX = 1000  # dynamic configuration frontend.visibilityMaxPageSize
RUNNING = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
STATUS = {number: name for name, number in STATUS_NAMES.items()}
OPEN = Compare("ExecutionStatus", "=", RUNNING)
CLOSED = Compare("ExecutionStatus", "!=", RUNNING)

AnyOldList = ListOpenWorkflowExecutionsRequest | ListClosedWorkflowExecutionsRequest
Response = TypeVar(
    "Response",
    ListWorkflowExecutionsResponse,
    ScanWorkflowExecutionsResponse,
    ListOpenWorkflowExecutionsResponse,
    ListClosedWorkflowExecutionsResponse,
)


class Page(NamedTuple):
    """Which part of a list is asked for."""

    size: int
    token: bytes


class Lists:
    """Each method is named for its RPC, and raises Rejected."""

    def __init__(self, visibility: Visibility, environment: Environment) -> None:
        self._visibility = visibility
        self._environment = environment

    def table(self) -> Table:
        """RPC → handler."""
        return {
            "ListWorkflowExecutions": Rpc(self.list),
            "ScanWorkflowExecutions": Rpc(self.scan),
            "CountWorkflowExecutions": Rpc(self.count),
            "ListOpenWorkflowExecutions": Rpc(self.list_open),
            "ListClosedWorkflowExecutions": Rpc(self.list_closed),
            "ListArchivedWorkflowExecutions": Rpc(self.list_archived),
            "GetSearchAttributes": Plain(self.attributes),
        }

    async def list(
        self, namespace: Namespace, request: ListWorkflowExecutionsRequest
    ) -> ListWorkflowExecutionsResponse:
        filter = _parsed(request.query, namespace)
        page = Page(request.page_size, request.next_page_token)
        return await self._page(namespace, filter, page, ListWorkflowExecutionsResponse())

    async def scan(
        self, namespace: Namespace, request: ScanWorkflowExecutionsRequest
    ) -> ScanWorkflowExecutionsResponse:
        filter = _parsed(request.query, namespace)
        page = Page(request.page_size, request.next_page_token)
        return await self._page(namespace, filter, page, ScanWorkflowExecutionsResponse())

    async def list_open(
        self, namespace: Namespace, request: ListOpenWorkflowExecutionsRequest
    ) -> ListOpenWorkflowExecutionsResponse:
        filter = Junction("AND", (OPEN, *_old_filters(request)))
        page = Page(request.maximum_page_size, request.next_page_token)
        return await self._page(namespace, filter, page, ListOpenWorkflowExecutionsResponse())

    async def list_closed(
        self, namespace: Namespace, request: ListClosedWorkflowExecutionsRequest
    ) -> ListClosedWorkflowExecutionsResponse:
        parts = [CLOSED, *_old_filters(request)]
        if request.HasField("status_filter"):
            status = request.status_filter.status
            require(status and status != RUNNING, "StatusFilter must be specified and must be not Running.")
            parts.append(Compare("ExecutionStatus", "=", status))
        page = Page(request.maximum_page_size, request.next_page_token)
        return await self._page(namespace, Junction("AND", tuple(parts)), page, ListClosedWorkflowExecutionsResponse())

    async def list_archived(self, _namespace: Namespace, request: ListArchivedWorkflowExecutionsRequest) -> bytes:
        """There is no archive."""
        require(request.page_size <= PAGE_MAX, f"PageSize is larger than allowed {PAGE_MAX}.")
        msg = "Cluster is not configured for visibility archival."
        raise InvalidArgument(msg)

    async def count(
        self, namespace: Namespace, request: CountWorkflowExecutionsRequest
    ) -> CountWorkflowExecutionsResponse:
        query = parse(request.query, namespace.search_attributes)
        rows = await self._environment.blocking(
            self._visibility.count_visible, namespace.id, query.filter, query.group_by
        )
        response = CountWorkflowExecutionsResponse(count=sum(count for _, count in rows))
        if query.group_by:
            for value, count in rows:
                shown = STATUS.get(value, value) if query.group_by == "ExecutionStatus" else value  # type: ignore[call-overload]
                response.groups.add(count=count, group_values=[payloads.json_payload(shown)])
        return response

    async def attributes(self, _request: GetSearchAttributesRequest) -> GetSearchAttributesResponse:
        """Every field, as the official server on a SQL database: names of custom ones are a namespace's own."""
        return GetSearchAttributesResponse(keys={**search_attributes.PREDEFINED, **search_attributes.fields()})  # type: ignore[dict-item]

    async def _page(self, namespace: Namespace, filter: Filter | None, page: Page, response: Response) -> Response:
        size = page.size if 0 < page.size <= PAGE_MAX else PAGE_MAX
        rows, token = await self._environment.blocking(
            self._visibility.list_visible, namespace.id, filter, page.token, size
        )
        response.executions.extend(_info(row) for row in rows)
        response.next_page_token = token
        return response


def _parsed(text: str, namespace: Namespace) -> Filter | None:
    query = parse(text, namespace.search_attributes)
    require(not query.group_by, "invalid query: operation is not supported: 'GROUP BY' clause")
    return query.filter


def _old_filters(request: AnyOldList) -> list[Filter]:
    """The filters of the calls from before there was a language."""
    parts = _started(request.start_time_filter)
    if request.HasField("execution_filter"):
        parts.append(Compare("WorkflowId", "=", request.execution_filter.workflow_id))
    elif request.HasField("type_filter"):
        parts.append(Compare("WorkflowType", "=", request.type_filter.name))
    return parts


def _started(span: StartTimeFilter) -> list[Filter]:
    earliest, latest = span.earliest_time.ToNanoseconds(), span.latest_time.ToNanoseconds()
    parts: list[Filter] = []
    if earliest:
        parts.append(Compare("StartTime", ">=", earliest))
    if latest:
        require(earliest <= latest, "EarliestTime in StartTimeFilter should not be larger than LatestTime.")
        parts.append(Compare("StartTime", "<=", latest))
    return parts


def _info(row: Visible) -> WorkflowExecutionInfo:
    info = WorkflowExecutionInfo(
        execution=WorkflowExecution(workflow_id=row.key.workflow_id, run_id=row.key.run_id),
        type=WorkflowType(name=row.workflow_type),
        task_queue=row.task_queue,
        status=row.status,  # type: ignore[arg-type]
        start_time=timestamp(row.start_time),
        execution_time=timestamp(row.execution_time),
        history_length=row.history_length,
        history_size_bytes=row.history_size_bytes,
        state_transition_count=row.state_transition_count,
        memo=Memo.FromString(row.memo),
        search_attributes=SearchAttributes.FromString(row.attributes),
        root_execution=WorkflowExecution(workflow_id=row.root_workflow_id, run_id=row.root_run_id),
    )
    if row.close_time:
        info.close_time.CopyFrom(timestamp(row.close_time))
        info.execution_duration.FromNanoseconds(row.close_time - row.execution_time)
    if row.parent_workflow_id:
        info.parent_execution.workflow_id = row.parent_workflow_id
        info.parent_execution.run_id = row.parent_run_id
    return info
