"""What clients ask of workflows: each method is named for its RPC, takes the namespace and the checked request, and answers once what it tells
of is durable."""

from __future__ import annotations

from functools import partial

from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    DeleteWorkflowExecutionResponse,
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryReverseRequest,
    PauseActivityRequest,
    PauseActivityResponse,
    QueryWorkflowRequest,
    QueryWorkflowResponse,
    RequestCancelWorkflowExecutionRequest,
    RequestCancelWorkflowExecutionResponse,
    ResetActivityRequest,
    ResetActivityResponse,
    SignalWithStartWorkflowExecutionRequest,
    SignalWithStartWorkflowExecutionResponse,
    SignalWorkflowExecutionRequest,
    SignalWorkflowExecutionResponse,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
    TerminateWorkflowExecutionRequest,
    TerminateWorkflowExecutionResponse,
    UnpauseActivityRequest,
    UnpauseActivityResponse,
    UpdateActivityOptionsRequest,
    UpdateActivityOptionsResponse,
)

from server.core.outcome import Namespace
from server.core.settle import settle
from server.core.step import Step
from server.core.workflow import activity_controls, activity_edits, cancel, close, describe, signals, start
from server.history import eager, pages, reader
from server.history.cache import Run
from server.history.shards import Shards


class Workflows(Shards):
    """The RPCs of clients. All raise Rejected."""

    async def start_workflow_execution(self, namespace: Namespace, request: StartWorkflowExecutionRequest) -> bytes:
        """An encoded response; with the first workflow task, started, when that was asked for and accepted."""
        shard = self.of(namespace.id, request.workflow_id)
        first: list[reader.Started] = []

        def decide(current: Step | None, new: Step) -> StartWorkflowExecutionResponse:
            first.clear()
            reply = start.start_workflow_execution(current, new, request)
            if new.events and new.state.asked.eager_execution_accepted:
                settle(new)
                first.append(eager.start_workflow_task(shard, new, request.identity))
            return reply

        reply = await shard.begin(namespace, request.workflow_id, decide)
        return await eager.answer(shard, reply, first, "eager_workflow_task")

    async def signal_with_start_workflow_execution(
        self, namespace: Namespace, request: SignalWithStartWorkflowExecutionRequest
    ) -> SignalWithStartWorkflowExecutionResponse:
        def decide(current: Step | None, new: Step) -> SignalWithStartWorkflowExecutionResponse:
            return start.signal_with_start_workflow_execution(current, new, request)

        return await self.begin(namespace, request.workflow_id, decide, likely=True)

    async def signal_workflow_execution(
        self, namespace: Namespace, request: SignalWorkflowExecutionRequest
    ) -> SignalWorkflowExecutionResponse:
        at = request.workflow_execution
        decide = partial(signals.signal_workflow_execution, request=request)
        return await self.run(namespace, at.workflow_id, at.run_id, decide)

    async def request_cancel_workflow_execution(
        self, namespace: Namespace, request: RequestCancelWorkflowExecutionRequest
    ) -> RequestCancelWorkflowExecutionResponse:
        at = request.workflow_execution
        decide = partial(cancel.request_cancel_workflow_execution, request=request)
        run_id = "" if request.first_execution_run_id else at.run_id
        return await self.run(namespace, at.workflow_id, run_id, decide)

    async def terminate_workflow_execution(
        self, namespace: Namespace, request: TerminateWorkflowExecutionRequest
    ) -> TerminateWorkflowExecutionResponse:
        at = request.workflow_execution

        def decide(step: Step) -> TerminateWorkflowExecutionResponse:
            return close.terminate_workflow_execution(step, request, request.identity)

        run_id = "" if request.first_execution_run_id else at.run_id
        return await self.run(namespace, at.workflow_id, run_id, decide)

    async def delete_workflow_execution(
        self, namespace: Namespace, request: DeleteWorkflowExecutionRequest
    ) -> DeleteWorkflowExecutionResponse:
        """An open run is terminated first (service/history/api/deleteworkflow/api.go)."""
        at, shard = request.workflow_execution, self.of(namespace.id, request.workflow_execution.workflow_id)
        key = await shard.look(namespace.id, at.workflow_id, at.run_id, lambda run: run.key)

        def terminate(step: Step) -> None:
            if step.state.running:
                close.terminate(step, "Delete workflow execution", identity="history-service")

        await shard.run(namespace, key.workflow_id, key.run_id, terminate)
        await shard.remove(*key)
        return DeleteWorkflowExecutionResponse()

    async def pause_activity(self, namespace: Namespace, request: PauseActivityRequest) -> PauseActivityResponse:
        at, decide = request.execution, partial(activity_controls.pause_activity, request=request)
        return await self.run(namespace, at.workflow_id, at.run_id, decide)

    async def unpause_activity(self, namespace: Namespace, request: UnpauseActivityRequest) -> UnpauseActivityResponse:
        at, decide = request.execution, partial(activity_controls.unpause_activity, request=request)
        return await self.run(namespace, at.workflow_id, at.run_id, decide)

    async def reset_activity(self, namespace: Namespace, request: ResetActivityRequest) -> ResetActivityResponse:
        at, decide = request.execution, partial(activity_controls.reset_activity, request=request)
        return await self.run(namespace, at.workflow_id, at.run_id, decide)

    async def update_activity_options(
        self, namespace: Namespace, request: UpdateActivityOptionsRequest
    ) -> UpdateActivityOptionsResponse:
        at, decide = request.execution, partial(activity_edits.update_activity_options, request=request)
        return await self.run(namespace, at.workflow_id, at.run_id, decide)

    async def describe_workflow_execution(
        self, namespace: Namespace, request: DescribeWorkflowExecutionRequest
    ) -> DescribeWorkflowExecutionResponse:
        at, shard = request.execution, self.of(namespace.id, request.execution.workflow_id)

        def view(run: Run) -> DescribeWorkflowExecutionResponse:
            assert run.state is not None
            return describe.describe(run.state, shard.parts.environment.now(), namespace)

        return await shard.look(namespace.id, at.workflow_id, at.run_id, view)

    async def get_workflow_execution_history(
        self,
        namespace: Namespace,
        request: GetWorkflowExecutionHistoryRequest,
        *,
        timeout: float | None = None,
        virtual: bool = True,
    ) -> bytes:
        """An encoded response. `timeout`: seconds the caller waits. `virtual`: show a workflow task that is being repeated, as every client
        but the official CLI and UI expects (get_history_util.go ClientSupportsTranOrSpecEvents)."""
        shard = self.of(namespace.id, request.execution.workflow_id)
        return await pages.forward(shard, namespace.id, request, timeout, virtual)

    async def get_workflow_execution_history_reverse(
        self, namespace: Namespace, request: GetWorkflowExecutionHistoryReverseRequest
    ) -> bytes:
        """An encoded response."""
        return await pages.reverse(self.of(namespace.id, request.execution.workflow_id), namespace.id, request)

    async def query_workflow(
        self, namespace: Namespace, request: QueryWorkflowRequest, *, timeout: float | None = None
    ) -> QueryWorkflowResponse:
        """`timeout`: seconds the caller waits."""
        shard = self.of(namespace.id, request.execution.workflow_id)
        return await self._queries.query_workflow(shard, namespace, request, timeout)
