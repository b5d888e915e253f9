"""Updates as callers see them: admitted by a decision, awaited in memory until a worker's answer is durable, found in history afterwards.

Source: service/history/api/updateworkflow, api/pollupdate, api/multioperation, workflow/update/update.go WaitLifecycleStage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from temporalio.api.common.v1 import Link, WorkflowExecution
from temporalio.api.enums.v1 import EventType, UpdateWorkflowExecutionLifecycleStage, WorkflowIdConflictPolicy
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.update.v1 import Outcome, UpdateRef
from temporalio.api.workflowservice.v1 import (
    ExecuteMultiOperationRequest,
    ExecuteMultiOperationResponse,
    PollWorkflowExecutionUpdateRequest,
    PollWorkflowExecutionUpdateResponse,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
    UpdateWorkflowExecutionRequest,
    UpdateWorkflowExecutionResponse,
)

from server.core.outcome import Namespace
from server.core.rejected import (
    Aborted,
    MultiOperationAborted,
    MultiOperationFailed,
    NotFound,
    Rejected,
    ResourceExhausted,
    Unavailable,
)
from server.core.step import Step
from server.core.workflow import start, updates
from server.history import pages, reader
from server.history.cache import Progress, Run
from server.history.shards import Shards

Stage = UpdateWorkflowExecutionLifecycleStage
ADMITTED = Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED
ACCEPTED = Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED
COMPLETED = Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED
USE_EXISTING = WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
TRIES_MAX = 4  # of an update that was lost from memory, or whose run was followed by another


class Reached(NamedTuple):
    """How far an update has come; `outcome` when it is completed or rejected."""

    run: Run
    stage: Stage.ValueType
    outcome: Outcome | None = None


class Follower:
    """Somebody who waits for an update of a run; `join` it within a decision on, or a look at, that run."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.run: Run | None = None
        self.progress = Progress()

    def join(self, run: Run) -> None:
        """From here on nothing that becomes of the update is missed. Raises NotFound."""
        self.leave()
        assert run.state is not None
        known = run.state.updates.get(self.id)
        if known is None and self.id not in run.state.admitted:
            raise NotFound(f'update "{self.id}" not found')
        self.run, self.progress = run, run.updates.setdefault(self.id, Progress())
        self.progress.followers += 1
        if known is not None:
            self.progress.accepted = True
            self.progress.event_id = known.completed_event_id
            if not run.state.running and not known.completed_event_id:
                self.progress.outcome = updates.outlived()

    def leave(self) -> None:
        """Stops waiting."""
        if self.run is None:
            return
        self.progress.followers -= 1
        if not self.progress.followers and self.run.updates.get(self.id) is self.progress:
            del self.run.updates[self.id]
        self.run = None


@contextmanager
def following(id: str) -> Iterator[Follower]:
    """A follower that leaves in the end."""
    follower = Follower(id)
    try:
        yield follower
    finally:
        follower.leave()


class Updates(Shards):
    """The RPCs of updates. All raise Rejected."""

    async def update_workflow_execution(
        self, namespace: Namespace, request: UpdateWorkflowExecutionRequest
    ) -> UpdateWorkflowExecutionResponse:
        """Answers when the stage that the caller waits for is reached, or with the stage reached after 20 s."""
        at = request.workflow_execution
        shard = self.of(namespace.id, at.workflow_id)
        tries = TRIES_MAX
        with following(request.request.meta.update_id) as follower:

            def decide(step: Step) -> None:
                updates.admit(step, request)
                follower.join(shard.cached(step.state))

            while True:
                await shard.run(namespace, at.workflow_id, at.run_id, decide)
                tries -= 1
                try:
                    reached = await self._wait(namespace, follower, request.wait_policy.lifecycle_stage)
                except (Unavailable, ResourceExhausted):
                    if not tries:
                        raise
                else:
                    return _response(namespace, request, reached)

    async def poll_workflow_execution_update(
        self, namespace: Namespace, request: PollWorkflowExecutionUpdateRequest
    ) -> PollWorkflowExecutionUpdateResponse:
        """As for `update_workflow_execution`, of an update that is there. Raises NotFound when it is not."""
        at, id = request.update_ref.workflow_execution, request.update_ref.update_id
        with following(id) as follower:
            await self.of(namespace.id, at.workflow_id).look(namespace.id, at.workflow_id, at.run_id, follower.join)
            reached = await self._wait(namespace, follower, request.wait_policy.lifecycle_stage)
        return PollWorkflowExecutionUpdateResponse(
            outcome=reached.outcome, stage=reached.stage, update_ref=_reference(reached.run, id)
        )

    async def execute_multi_operation(
        self, namespace: Namespace, request: ExecuteMultiOperationRequest
    ) -> ExecuteMultiOperationResponse:
        """Start with update: an update of the run that the id policies say, or of a new one. Raises MultiOperationFailed."""
        for left in reversed(range(TRIES_MAX)):
            try:
                return await self._update_with_start(namespace, request)
            except MultiOperationFailed as failed:
                if _closed_before(failed):
                    break
                if not left or not isinstance(failed.errors[1], Unavailable | ResourceExhausted):
                    raise
        try:
            return await self._update_with_start(namespace, request)
        except MultiOperationFailed as failed:
            if not _closed_before(failed) or failed.errors[1] is None:
                raise
            raise MultiOperationFailed(failed.errors[0], Aborted(failed.errors[1].message)) from failed

    async def _update_with_start(
        self, namespace: Namespace, request: ExecuteMultiOperationRequest
    ) -> ExecuteMultiOperationResponse:
        begin, update = request.operations[0].start_workflow, request.operations[1].update_workflow
        shard = self.of(namespace.id, begin.workflow_id)
        with following(update.request.meta.update_id) as follower:

            def decide(current: Step | None, new: Step) -> StartWorkflowExecutionResponse:
                chosen, response = _chosen(current, new, begin, update)
                follower.join(shard.cached(chosen.state))
                return response

            try:
                response = await shard.begin(namespace, begin.workflow_id, decide, likely=True)
            except MultiOperationFailed:
                raise
            except Rejected as error:
                raise MultiOperationFailed(error, MultiOperationAborted()) from error
            try:
                reached = await self._wait(namespace, follower, update.wait_policy.lifecycle_stage)
            except Rejected as error:
                raise MultiOperationFailed(None if response.started else MultiOperationAborted(), error) from error
        answer = ExecuteMultiOperationResponse()
        answer.responses.add().start_workflow.CopyFrom(response)
        answer.responses.add().update_workflow.CopyFrom(_response(namespace, update, reached))
        if not response.HasField("link"):  # the update had been served before
            answer.responses[1].update_workflow.ClearField("link")
        return answer

    async def _wait(self, namespace: Namespace, follower: Follower, wanted: Stage.ValueType) -> Reached:
        """Raises what has become of an update that is not served."""
        run, progress = follower.run, follower.progress
        assert run is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(pages.WAIT_SECONDS_MAX):
                while not progress.reached(accepted=wanted != COMPLETED) and wanted > ADMITTED:
                    await progress.changed()
        if progress.event_id:
            return Reached(run, COMPLETED, await self._outcome(namespace, run, progress.event_id))
        if progress.outcome is not None:
            return Reached(run, COMPLETED, progress.outcome)
        if progress.accepted:
            return Reached(run, ACCEPTED)
        if progress.error is not None:
            raise progress.error
        return Reached(run, ADMITTED)

    async def _outcome(self, namespace: Namespace, run: Run, event_id: int) -> Outcome:
        shard = self.of(namespace.id, run.key.workflow_id)
        data, _ = await reader.page(shard, run, event_id, event_id, reader.PAGE_ROWS_MAX)
        event = HistoryEvent.FromString(reader.event_at(data, 0))
        return event.workflow_execution_update_completed_event_attributes.outcome


def _chosen(
    current: Step | None, new: Step, begin: StartWorkflowExecutionRequest, update: UpdateWorkflowExecutionRequest
) -> tuple[Step, StartWorkflowExecutionResponse]:
    """Admits the update to the run that it is for, which is started if need be (api/multioperation/api.go). Raises MultiOperationFailed, and
    Rejected when it is the start that failed."""
    if current is not None and _may_use(current, begin, update.request.meta.update_id):
        state = current.state
        known = state.updates.get(update.request.meta.update_id)
        served = known is not None and known.completed_event_id
        if not served:
            _operation(lambda: updates.admit(current, update))
        response = StartWorkflowExecutionResponse(run_id=state.key.run_id, status=state.core.status)  # type: ignore[arg-type]
        if state.running and not served:
            response.link.CopyFrom(start.event_link(current))
        return current, response
    response = start.start_workflow_execution(current, new, begin)
    if not new.events:
        msg = "Workflow was not started: StartDeduped"
        raise Unavailable(msg)
    _operation(lambda: updates.admit(new, update))
    return new, response


def _may_use(current: Step, begin: StartWorkflowExecutionRequest, update_id: str) -> bool:
    state = current.state
    known = state.updates.get(update_id)
    if known is not None and (known.completed_event_id or state.running):
        return True
    request = state.requests.get(begin.request_id)
    started = request is not None and request.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
    return state.running and (
        started or update_id in state.admitted or begin.workflow_id_conflict_policy == USE_EXISTING
    )


def _operation(admit: Callable[[], None]) -> None:
    try:
        admit()
    except Rejected as error:
        raise MultiOperationFailed(MultiOperationAborted(), error) from error


def _closed_before(failed: MultiOperationFailed) -> bool:
    """An update of a run that was there has met with its end: a new run can be started for it."""
    begun, error = failed.errors
    return begun is not None and isinstance(error, NotFound) and error.message == updates.CLOSED_BEFORE


def _reference(run: Run, id: str) -> UpdateRef:
    return UpdateRef(
        workflow_execution=WorkflowExecution(workflow_id=run.key.workflow_id, run_id=run.key.run_id), update_id=id
    )


def _response(
    namespace: Namespace, request: UpdateWorkflowExecutionRequest, reached: Reached
) -> UpdateWorkflowExecutionResponse:
    response = UpdateWorkflowExecutionResponse(
        update_ref=_reference(reached.run, request.request.meta.update_id),
        outcome=reached.outcome,
        stage=reached.stage,
    )
    key = reached.run.key
    run = Link.Workflow(namespace=namespace.name, workflow_id=key.workflow_id, run_id=key.run_id)
    if reached.outcome is not None and reached.outcome.HasField("failure"):
        run.reason = "Update rejected"
        response.link.workflow.CopyFrom(run)
    elif reached.stage >= ACCEPTED:
        reference = Link.WorkflowEvent.RequestIdReference(
            request_id=request.request.request_id, event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
        )
        event = Link.WorkflowEvent(
            namespace=run.namespace, workflow_id=run.workflow_id, run_id=run.run_id, request_id_ref=reference
        )
        response.link.workflow_event.CopyFrom(event)
    return response
