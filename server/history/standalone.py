"""The RPCs of activities of no workflow. Each gets the namespace as these activities know it (Entry.activities)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from temporalio.api.activity.v1 import ActivityExecutionOutcome
from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.api.workflowservice.v1 import (
    DeleteActivityExecutionRequest,
    DeleteActivityExecutionResponse,
    DescribeActivityExecutionRequest,
    DescribeActivityExecutionResponse,
    PollActivityExecutionRequest,
    PollActivityExecutionResponse,
    RequestCancelActivityExecutionRequest,
    RequestCancelActivityExecutionResponse,
    StartActivityExecutionRequest,
    StartActivityExecutionResponse,
    TerminateActivityExecutionRequest,
    TerminateActivityExecutionResponse,
)

from server.core.outcome import Namespace
from server.core.rejected import ActivityAlreadyStarted, AlreadyStarted
from server.core.step import Step
from server.core.workflow import close, standalone
from server.history import pages, reader
from server.history.cache import Run
from server.history.shards import Shards

R = TypeVar("R")
Described = DescribeActivityExecutionResponse


class StandaloneActivities(Shards):
    """All raise Rejected."""

    async def start_activity_execution(
        self, namespace: Namespace, request: StartActivityExecutionRequest
    ) -> StartActivityExecutionResponse:
        def decide(current: Step | None, new: Step) -> StartActivityExecutionResponse:
            return standalone.start_activity_execution(current, new, request)

        try:
            return await self.begin(namespace, request.activity_id, decide, likely=True)
        except AlreadyStarted as there:
            raise ActivityAlreadyStarted(there.start_request_id, there.run_id) from there

    async def describe_activity_execution(
        self, namespace: Namespace, request: DescribeActivityExecutionRequest, *, timeout: float | None = None
    ) -> DescribeActivityExecutionResponse:
        """With a token, once something has changed since it was given; empty when nothing does."""
        seen = int(request.long_poll_token or b"-1")

        def view(run: Run) -> tuple[Run, Described]:
            assert run.state is not None
            info = standalone.info(run.state, self._parts.environment.now(), namespace)
            token = str(run.state.core.state_transition_count).encode()
            return run, Described(run_id=run.key.run_id, info=info, long_poll_token=token)

        def changed(viewed: tuple[Run, Described]) -> bool:
            return seen < 0 or int(viewed[1].long_poll_token) > seen

        run, response = await self.until(namespace, request.activity_id, request.run_id, view, changed, timeout)
        if not changed((run, response)):
            return Described()
        closed = bool(response.info.HasField("close_time"))
        if closed:
            response.ClearField("long_poll_token")
        if request.include_outcome and closed:
            response.outcome.CopyFrom(await self._outcome_of(namespace, run))
        if request.include_input:
            events = await self._events(namespace, run, standalone.SCHEDULED_EVENT_ID, standalone.SCHEDULED_EVENT_ID)
            response.input.CopyFrom(events.events[0].activity_task_scheduled_event_attributes.input)
        return response

    async def poll_activity_execution(
        self, namespace: Namespace, request: PollActivityExecutionRequest, *, timeout: float | None = None
    ) -> PollActivityExecutionResponse:
        """The outcome; empty when the activity has none within the time that a poll may take."""

        def view(run: Run) -> tuple[Run, bool]:
            assert run.state is not None
            return run, not run.state.running

        run, closed = await self.until(
            namespace, request.activity_id, request.run_id, view, lambda viewed: viewed[1], timeout
        )
        if not closed:
            return PollActivityExecutionResponse()
        return PollActivityExecutionResponse(run_id=run.key.run_id, outcome=await self._outcome_of(namespace, run))

    async def request_cancel_activity_execution(
        self, namespace: Namespace, request: RequestCancelActivityExecutionRequest
    ) -> RequestCancelActivityExecutionResponse:
        await self.run(
            namespace, request.activity_id, request.run_id, partial(standalone.request_cancel, request=request)
        )
        return RequestCancelActivityExecutionResponse()

    async def terminate_activity_execution(
        self, namespace: Namespace, request: TerminateActivityExecutionRequest
    ) -> TerminateActivityExecutionResponse:
        await self.run(namespace, request.activity_id, request.run_id, partial(standalone.terminate, request=request))
        return TerminateActivityExecutionResponse()

    async def delete_activity_execution(
        self, namespace: Namespace, request: DeleteActivityExecutionRequest
    ) -> DeleteActivityExecutionResponse:
        """An activity that has not ended is terminated first."""
        await self.deleted(namespace, request.activity_id, request.run_id, "Delete activity execution")
        return DeleteActivityExecutionResponse()

    # Of all entities of no workflow ------------------------------------------------------------------------------------------------

    async def deleted(self, namespace: Namespace, id: str, run_id: str, reason: str) -> None:
        """The run is gone, for which it was terminated if need be. Raises NotFound."""
        shard = self.of(namespace.id, id)

        def end(step: Step) -> Run:
            if step.state.running:
                close.terminate(step, reason)
            return shard.cached(step.state)

        run = await self.run(namespace, id, run_id, end)
        await shard.remove(*run.key)

    async def until(
        self,
        namespace: Namespace,
        id: str,
        run_id: str,
        view: Callable[[Run], R],
        enough: Callable[[R], bool],
        timeout: float | None,
    ) -> R:
        """See pages.until."""
        return await pages.until(self.of(namespace.id, id), (namespace.id, id, run_id), view, enough, timeout)

    async def last_events(self, namespace: Namespace, run: Run, count: int) -> list[HistoryEvent]:
        """The end of its history."""
        last = await self.of(namespace.id, run.key.workflow_id).look(*run.key, _last)
        return list((await self._events(namespace, run, last - count + 1, last)).events)

    async def _outcome_of(self, namespace: Namespace, run: Run) -> ActivityExecutionOutcome:
        return ActivityExecutionOutcome(**standalone.outcome(await self.last_events(namespace, run, 2)))

    async def _events(self, namespace: Namespace, run: Run, first: int, last: int) -> History:
        shard = self.of(namespace.id, run.key.workflow_id)
        data, _ = await reader.page(shard, run, first, last, reader.PAGE_ROWS_MAX)
        found = History.FromString(data)
        kept = [event for event in found.events if first <= event.event_id <= last]
        return History(events=kept)


def _last(run: Run) -> int:
    assert run.state is not None
    return run.state.core.next_event_id - 1
