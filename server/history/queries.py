"""Queries: asked of a worker directly when nothing has happened that it has not seen, else together with the next workflow task.

Source: service/history/api/queryworkflow/api.go, service/history/workflow/query_registry.go. Nothing of a query is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from temporalio.api.common.v1 import Link, WorkflowExecution
from temporalio.api.enums.v1 import (
    QueryRejectCondition,
    QueryResultType,
    ResourceExhaustedCause,
    ResourceExhaustedScope,
    TaskQueueKind,
    WorkflowExecutionStatus,
)
from temporalio.api.query.v1 import WorkflowQueryResult
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueResponse,
    QueryWorkflowRequest,
    QueryWorkflowResponse,
    RespondQueryTaskCompletedRequest,
)

from server import tokens
from server.core.outcome import WORKFLOW_TASK, Namespace
from server.core.rejected import (
    DeadlineExceeded,
    Internal,
    NotFound,
    QueryFailed,
    ResourceExhausted,
    WorkflowNotReady,
)
from server.core.state import State
from server.core.state_pb2 import TaskToken
from server.core.workflow import tasks
from server.history import reader
from server.history.cache import Buffered, Run

if TYPE_CHECKING:
    from server.history.shard import Shard

FAILING_ATTEMPT = 3  # a workflow task that fails that often will not answer: failQueryWorkflowTaskAttemptCount
CLOSED_UNSEEN = "Workflow execution closed before WorkflowTaskStarted event"
NOT_SCHEDULED = "Workflow task is not scheduled yet."
FAILING = "Unable to query workflow due to Workflow Task in failed state."
BUFFER_FULL = "consistent query buffer is full, this may be caused by too many queries and workflow not able to process query fast enough"
TIMED_OUT = "query timed out before a worker could process it"
EXPIRED = "query task not found, or already expired"


class Direct(NamedTuple):
    """The query can go to a worker at once."""

    response: PollWorkflowTaskQueueResponse
    sticky_queue: str
    sticky_timeout: int
    normal_queue: str
    running: bool
    started: reader.Started


class Queries:
    """The queries that workers of this process have been asked."""

    def __init__(self) -> None:
        self._asked: dict[str, asyncio.Future[RespondQueryTaskCompletedRequest]] = {}

    async def query_workflow(
        self,
        shard: Shard,
        namespace: Namespace,
        request: QueryWorkflowRequest,
        timeout: float | None,
    ) -> QueryWorkflowResponse:
        """The worker's answer, within `timeout` seconds. Raises QueryFailed, WorkflowNotReady, DeadlineExceeded, Missing…"""
        try:
            async with asyncio.timeout(timeout):
                return await self._ask(shard, namespace, request, timeout)
        except TimeoutError:
            raise DeadlineExceeded(TIMED_OUT) from None

    def respond_query_task_completed(self, request: RespondQueryTaskCompletedRequest) -> None:
        """A worker answers. Raises InvalidArgument (token), NotFound (nobody waits any more)."""
        token = tokens.decode_task(request.task_token)
        future = self._asked.get(token.query_id)
        if future is None or future.done():
            raise NotFound(EXPIRED)
        future.set_result(request)

    async def _ask(
        self,
        shard: Shard,
        namespace: Namespace,
        request: QueryWorkflowRequest,
        timeout: float | None,
    ) -> QueryWorkflowResponse:
        at = request.execution
        now = shard.parts.environment.now()
        until = None if timeout is None else now + int(timeout * 1e9)
        buffered: list[tuple[Run, str]] = []

        def plan(run: Run) -> QueryWorkflowResponse | Direct | Buffered:
            assert run.state is not None
            if rejection := _rejection(run.state, request):
                return rejection if run.state.paused else _linked(rejection, namespace, run, "Query rejected")
            _check(run.state, until)
            if _direct_is_safe(run.state):
                return _direct(run, request)
            query = _buffer(run, namespace, request, id := shard.parts.environment.run_id())
            buffered.append((run, id))
            return query

        try:
            planned = await shard.look(namespace.id, at.workflow_id, at.run_id, plan)
            if isinstance(planned, QueryWorkflowResponse):
                return planned
            result = await planned.future if isinstance(planned, Buffered) else None
        finally:
            for run, id in buffered:
                run.queries.pop(id, None)
        if buffered:
            run = buffered[0][0]
            if result is not None:
                return _linked(_result(result), namespace, run, "Query processed")
            planned = await shard.look(*run.key, lambda run: _direct(run, request))
        assert isinstance(planned, Direct)
        answer = await self._ask_directly(shard, namespace, planned)
        return _linked(answer, namespace, planned.started.run, "Query processed")

    async def _ask_directly(self, shard: Shard, namespace: Namespace, direct: Direct) -> QueryWorkflowResponse:
        """The sticky worker first; when it has gone, any worker, with the whole history."""
        run = direct.started.run
        if direct.sticky_queue:
            try:
                async with asyncio.timeout((direct.sticky_timeout or 5e9) / 1e9):
                    answer = await self._dispatch(shard, direct, direct.sticky_queue, direct.normal_queue, None)
            except TimeoutError:
                answer = None
            if answer is not None:
                return answer
            if direct.running:
                with suppress(NotFound):  # it has just been closed, or deleted
                    await shard.run(namespace, run.key.workflow_id, run.key.run_id, tasks.reset_sticky)
        answer = await self._dispatch(shard, direct, direct.normal_queue, "", direct.started)
        assert answer is not None
        return answer

    async def _dispatch(
        self,
        shard: Shard,
        direct: Direct,
        queue: str,
        normal_queue: str,
        started: reader.Started | None,
    ) -> QueryWorkflowResponse | None:
        """Hands the query to the next poll of the queue and waits for the answer. None: no worker polls that sticky queue."""
        key, id = direct.started.run.key, shard.parts.environment.run_id()
        token = TaskToken(
            namespace_id=key.namespace_id,
            workflow_id=key.workflow_id,
            run_id=key.run_id,
            query_id=id,
            query_queue=queue,
        )
        direct.response.task_token = tokens.encode(token)
        if started is None:  # a sticky worker has the events, and the SDK core wants a History that holds none
            direct.response.history.SetInParent()
        data = await reader.fetched(shard, started) if started else direct.response.SerializeToString()
        future = self._asked[id] = asyncio.get_running_loop().create_future()
        try:
            if not await shard.parts.matching.query(key.namespace_id, WORKFLOW_TASK, queue, normal_queue, data):
                return None
            answer = await future
        finally:
            del self._asked[id]
        result = WorkflowQueryResult(
            result_type=answer.completed_type,
            answer=answer.query_result if answer.HasField("query_result") else None,
            error_message=answer.error_message,
            failure=answer.failure if answer.HasField("failure") else None,
        )
        return _result(result)


def answered(run: Run, results: Mapping[str, WorkflowQueryResult]) -> None:
    """A completed workflow task brought the results of queries that went along with it."""
    for id, result in results.items():
        if id in run.queries:
            run.queries[id].answer(result)


def _rejection(state: State, request: QueryWorkflowRequest) -> QueryWorkflowResponse | None:
    """The caller wants no answer from a workflow in this status; one that is paused gives none."""
    condition = request.query_reject_condition
    status = state.core.status
    not_open = condition == QueryRejectCondition.QUERY_REJECT_CONDITION_NOT_OPEN
    not_clean = (
        condition == QueryRejectCondition.QUERY_REJECT_CONDITION_NOT_COMPLETED_CLEANLY
        and status != WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED
    )
    if not state.paused and (state.running or not (not_open or not_clean)):
        return None
    return QueryWorkflowResponse(query_rejected={"status": status})  # type: ignore[arg-type]


def _check(state: State, until: int | None) -> None:
    """Raises WorkflowNotReady when no worker could answer."""
    core = state.core
    seen, pending = core.last_started_event_id, core.HasField("task")
    if not state.running and not seen:
        raise WorkflowNotReady(CLOSED_UNSEEN)
    if not seen and not pending and (until is None or core.first_task_at > until):
        raise WorkflowNotReady(NOT_SCHEDULED)
    if max(core.task_attempt, core.task.attempt) >= FAILING_ATTEMPT:
        raise WorkflowNotReady(FAILING)


def _direct_is_safe(state: State) -> bool:
    """The workers know all that has happened. Before the first completed workflow task they know nothing."""
    return bool(state.core.last_started_event_id) and not (state.running and state.core.HasField("task"))


def _buffer(run: Run, namespace: Namespace, request: QueryWorkflowRequest, id: str) -> Buffered:
    if sum(not query.future.done() for query in run.queries.values()) >= namespace.limits.buffered_queries_max:
        cause = ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW
        raise ResourceExhausted(
            BUFFER_FULL,
            cause,
            ResourceExhaustedScope.RESOURCE_EXHAUSTED_SCOPE_NAMESPACE,
        )
    query = run.queries[id] = Buffered(request.query)
    return query


def _direct(run: Run, request: QueryWorkflowRequest) -> Direct:
    assert run.state is not None
    state, core = run.state, run.state.core
    queue = state.asked.task_queue.name
    response = PollWorkflowTaskQueueResponse(
        workflow_execution=WorkflowExecution(workflow_id=run.key.workflow_id, run_id=run.key.run_id),
        workflow_type=state.asked.workflow_type,
        previous_started_event_id=core.last_started_event_id,
        attempt=1,
        query=request.query,
        workflow_execution_task_queue=TaskQueue(name=queue, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL),
    )
    started = reader.Started(response, run, 1, core.next_event_id - 1)
    sticky = core.sticky
    return Direct(
        response,
        sticky.queue,
        sticky.schedule_to_start_timeout,
        queue,
        state.running,
        started,
    )


def _result(result: WorkflowQueryResult) -> QueryWorkflowResponse:
    """Raises QueryFailed when the worker says so."""
    if result.result_type == QueryResultType.QUERY_RESULT_TYPE_ANSWERED:
        return QueryWorkflowResponse(query_result=result.answer)
    if result.result_type == QueryResultType.QUERY_RESULT_TYPE_FAILED:
        raise QueryFailed(result.error_message, result.failure if result.HasField("failure") else None)
    msg = "unknown query completed type"
    raise Internal(msg)


def _linked(response: QueryWorkflowResponse, namespace: Namespace, run: Run, reason: str) -> QueryWorkflowResponse:
    """The answer says which run it came from."""
    link = Link.Workflow(
        namespace=namespace.name,
        workflow_id=run.key.workflow_id,
        run_id=run.key.run_id,
        reason=reason,
    )
    response.link.workflow.CopyFrom(link)
    return response
