"""What an operator does to pending activities of a run: pause, unpause and reset. None of it is in history.

Source: service/history/workflow/activity.go, service/history/api/{pauseactivity,unpauseactivity,resetactivity}/api.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import (
    PauseActivityRequest,
    PauseActivityResponse,
    ResetActivityRequest,
    ResetActivityResponse,
    UnpauseActivityRequest,
    UnpauseActivityResponse,
)

from server.core.rejected import FailedPrecondition
from server.core.state_pb2 import Activity
from server.core.workflow import activities, activity_edits, pauses
from server.core.workflow.activity_edits import chosen

if TYPE_CHECKING:
    from server.core.step import Step


def pause_activity(step: Step, request: PauseActivityRequest) -> PauseActivityResponse:
    """No further attempt is offered; the one that a worker holds may end, and hears of it with its heartbeat. Raises NotFound,
    FailedPrecondition."""
    found = chosen(step.state, request)
    for activity in found:
        if activity.paused and (not request.request_id or activity.pause_request_id != request.request_id):
            raise FailedPrecondition("activity is already paused")
    for activity in found:
        if not activity.paused:
            _pause(step, activity, request)
    return PauseActivityResponse()


def _pause(step: Step, activity: Activity, request: PauseActivityRequest) -> None:
    step.state.activities.edit(activity.scheduled_event_id)
    if not activity.started_time:
        activities.hold_back(step, activity.scheduled_event_id)
        activity.retry_at = 0
        activity.stamp += 1
    activity.paused, activity.pause_time = True, step.now
    activity.pause_identity, activity.pause_reason = request.identity, request.reason
    activity.pause_request_id = request.request_id
    _note(step)


def unpause_activity(step: Step, request: UnpauseActivityRequest) -> UnpauseActivityResponse:
    """The next attempt is offered now, or within `jitter`; what is not paused stays as it is. Raises NotFound."""
    for activity in chosen(step.state, request):
        if not activity.paused:
            continue
        _unpause(step, activity)
        if request.reset_attempts:
            activity.attempt = 1
        if request.reset_heartbeat:
            _forget_heartbeat(activity)
        if not activity.started_time:
            _offer(step, activity, request.jitter)
    return UnpauseActivityResponse()


def reset_activity(step: Step, request: ResetActivityRequest) -> ResetActivityResponse:
    """Attempts count from one again. One that no worker holds is offered now, or within `jitter`, unless it is paused and to stay so.
    Raises NotFound."""
    for activity in chosen(step.state, request):
        step.state.activities.edit(activity.scheduled_event_id)
        if request.restore_original_options:
            activity_edits.restore(step, activity)
        was_paused = activity.paused
        activity.attempt, activity.reset_activity = 1, True
        activity.reset_heartbeat = activity.reset_heartbeat or request.reset_heartbeat
        if was_paused and not request.keep_paused:
            _unpause(step, activity)
        if activity.started_time or activity.paused:
            continue
        activity.stamp += not was_paused
        if request.reset_heartbeat:
            _forget_heartbeat(activity)
        _offer(step, activity, request.jitter)
    return ResetActivityResponse()


def _unpause(step: Step, activity: Activity) -> None:
    step.state.activities.edit(activity.scheduled_event_id)
    activity.paused, activity.pause_time = False, 0
    activity.pause_identity = activity.pause_reason = activity.pause_request_id = ""
    activity.stamp += 1
    _note(step)


def _note(step: Step) -> None:
    pauses.note(step.state)
    step.listed = True


def _forget_heartbeat(activity: Activity) -> None:
    activity.heartbeat_time = 0
    activity.ClearField("heartbeat_details")


def _offer(step: Step, activity: Activity, jitter: Duration) -> None:
    at = step.now + int(jitter.ToNanoseconds() * step.ids.random())
    activities.again(step, activity, at)
