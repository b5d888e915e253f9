"""The RPCs of Nexus operations of no workflow. Each gets the namespace as these operations know it."""

from __future__ import annotations

from functools import partial

from temporalio.api.enums.v1 import NexusOperationWaitStage
from temporalio.api.workflowservice.v1 import (
    DeleteNexusOperationExecutionRequest,
    DeleteNexusOperationExecutionResponse,
    DescribeNexusOperationExecutionRequest,
    DescribeNexusOperationExecutionResponse,
    PollNexusOperationExecutionRequest,
    PollNexusOperationExecutionResponse,
    RequestCancelNexusOperationExecutionRequest,
    RequestCancelNexusOperationExecutionResponse,
    StartNexusOperationExecutionRequest,
    StartNexusOperationExecutionResponse,
    TerminateNexusOperationExecutionRequest,
    TerminateNexusOperationExecutionResponse,
)

from server.core.outcome import Namespace
from server.core.rejected import AlreadyStarted, NotFound, OperationAlreadyStarted
from server.core.step import Step
from server.core.workflow import close, standalone_nexus
from server.history.cache import Run
from server.history.standalone import StandaloneActivities

Described = DescribeNexusOperationExecutionResponse
STARTED, CLOSED = (
    NexusOperationWaitStage.NEXUS_OPERATION_WAIT_STAGE_STARTED,
    NexusOperationWaitStage.NEXUS_OPERATION_WAIT_STAGE_CLOSED,
)


class StandaloneOperations(StandaloneActivities):
    """All raise Rejected."""

    async def start_nexus_operation_execution(
        self, namespace: Namespace, request: StartNexusOperationExecutionRequest
    ) -> StartNexusOperationExecutionResponse:
        def decide(current: Step | None, new: Step) -> StartNexusOperationExecutionResponse:
            return standalone_nexus.start_nexus_operation_execution(current, new, request)

        try:
            return await self.begin(namespace, request.operation_id, decide, likely=True)
        except AlreadyStarted as there:
            raise OperationAlreadyStarted(there.start_request_id, there.run_id) from there

    async def describe_nexus_operation_execution(
        self, namespace: Namespace, request: DescribeNexusOperationExecutionRequest, *, timeout: float | None = None
    ) -> DescribeNexusOperationExecutionResponse:
        """With a token, once something has changed since it was given; empty when nothing does."""
        seen = int(request.long_poll_token or b"-1")

        def view(run: Run) -> tuple[Run, Described]:
            assert run.state is not None
            info = standalone_nexus.info(run.state, namespace)
            token = str(run.state.core.state_transition_count).encode()
            return run, Described(run_id=run.key.run_id, info=info, long_poll_token=token)

        def changed(viewed: tuple[Run, Described]) -> bool:
            return seen < 0 or int(viewed[1].long_poll_token) > seen

        run, response = await self.until(namespace, request.operation_id, request.run_id, view, changed, timeout)
        if not changed((run, response)):
            return Described()
        if response.info.HasField("close_time"):
            response.ClearField("long_poll_token")
            if request.include_outcome:
                events = await self.last_events(namespace, run, 2)
                response.MergeFrom(Described(**standalone_nexus.outcome(events)))
        return response

    async def poll_nexus_operation_execution(
        self, namespace: Namespace, request: PollNexusOperationExecutionRequest, *, timeout: float | None = None
    ) -> PollNexusOperationExecutionResponse:
        """Once the operation has come so far as the caller waits for; empty when it does not within the time that a poll may take."""

        def view(run: Run) -> tuple[Run, int, str]:
            assert run.state is not None
            info = standalone_nexus.info(run.state, namespace)
            started = bool(info.operation_token)
            return run, CLOSED if not run.state.running else STARTED if started else 0, info.operation_token

        wanted = request.wait_stage or CLOSED
        run, stage, token = await self.until(
            namespace, request.operation_id, request.run_id, view, lambda seen: seen[1] >= wanted, timeout
        )
        if stage < wanted:
            return PollNexusOperationExecutionResponse()
        response = PollNexusOperationExecutionResponse(run_id=run.key.run_id, operation_token=token)
        response.wait_stage = NexusOperationWaitStage.ValueType(stage)
        if stage == CLOSED:
            events = await self.last_events(namespace, run, 2)
            response.MergeFrom(PollNexusOperationExecutionResponse(**standalone_nexus.outcome(events)))
        return response

    async def request_cancel_nexus_operation_execution(
        self, namespace: Namespace, request: RequestCancelNexusOperationExecutionRequest
    ) -> RequestCancelNexusOperationExecutionResponse:
        decide = partial(standalone_nexus.request_cancel, request=request)
        await self.run(namespace, request.operation_id, request.run_id, decide)
        return RequestCancelNexusOperationExecutionResponse()

    async def terminate_nexus_operation_execution(
        self, namespace: Namespace, request: TerminateNexusOperationExecutionRequest
    ) -> TerminateNexusOperationExecutionResponse:
        def decide(step: Step) -> None:
            if not step.state.running:
                raise NotFound(standalone_nexus.COMPLETED)
            close.terminate(step, request.reason, identity=request.identity)

        await self.run(namespace, request.operation_id, request.run_id, decide)
        return TerminateNexusOperationExecutionResponse()

    async def delete_nexus_operation_execution(
        self, namespace: Namespace, request: DeleteNexusOperationExecutionRequest
    ) -> DeleteNexusOperationExecutionResponse:
        """One that has not ended is terminated first."""
        await self.deleted(namespace, request.operation_id, request.run_id, "Delete operation execution")
        return DeleteNexusOperationExecutionResponse()
