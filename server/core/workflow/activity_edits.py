"""New options for pending activities of a run, and their original ones again. None of it is in history.

Source: service/history/api/updateactivityoptions/api.go, common/activityoptions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.command.v1 import ScheduleActivityTaskCommandAttributes
from temporalio.api.workflowservice.v1 import (
    PauseActivityRequest,
    ResetActivityRequest,
    UnpauseActivityRequest,
    UpdateActivityOptionsRequest,
    UpdateActivityOptionsResponse,
)

from server.core import retry
from server.core.durations import duration
from server.core.rejected import InvalidArgument, NotFound
from server.core.state import State
from server.core.state_pb2 import Activity
from server.core.workflow import activities, activity_options

if TYPE_CHECKING:
    from server.core.step import Step

COMPLETED = "workflow execution already completed"
UNKNOWN = "Can't find pending activity with such ID. Invalid activityID or activity already completed"
AnyControl = PauseActivityRequest | UnpauseActivityRequest | ResetActivityRequest | UpdateActivityOptionsRequest

TIMEOUTS = ("schedule_to_close_timeout", "schedule_to_start_timeout", "start_to_close_timeout", "heartbeat_timeout")
PARENTS = {"task_queue": "TaskQueue", "retry_policy": "RetryPolicy", "priority": "Priority"}
# What may be changed, as the mask names it.
FIELDS = frozenset(
    {
        *TIMEOUTS,
        "task_queue.name",
        "priority",
        "priority.priority_key",
        "priority.fairness_key",
        "priority.fairness_weight",
        "retry_policy",
        "retry_policy.initial_interval",
        "retry_policy.backoff_coefficient",
        "retry_policy.maximum_interval",
        "retry_policy.maximum_attempts",
    }
)


def chosen(state: State, request: AnyControl) -> list[Activity]:
    """The activities that the request is about. Raises NotFound when there is none."""
    if not state.running:
        raise NotFound(COMPLETED)
    which = request.WhichOneof("activity")
    if which == "id":
        found = activities.find(state, request.id)
        which_ones = [] if found is None else [found]
    else:
        which_ones = [
            each for each in state.activities.values() if which != "type" or each.activity_type == request.type
        ]
    if not which_ones:
        raise NotFound(UNKNOWN)
    return which_ones


def update_activity_options(step: Step, request: UpdateActivityOptionsRequest) -> UpdateActivityOptionsResponse:
    """What the mask names is as the caller wants it, or everything as the workflow asked for it; an attempt that no worker holds is offered as
    the new options say. Returns the options of the last activity. Raises NotFound, InvalidArgument."""
    paths = {_snake(path) for path in request.update_mask.paths}
    if paths and request.restore_original:
        raise InvalidArgument("Both UpdateMask and RestoreOriginal are provided")
    pending = chosen(step.state, request)
    if request.restore_original:
        wanted = [_original(activity) for activity in pending]
    else:
        wanted = [_merged(step, activity, request, paths) for activity in pending]
    for activity, asked in zip(pending, wanted, strict=True):
        change(step, activity, asked)
    return UpdateActivityOptionsResponse(activity_options=wanted[-1])


def restore(step: Step, activity: Activity) -> None:
    """Its options are what the workflow asked for."""
    if activity.HasField("original"):
        change(step, activity, _original(activity))


def options(activity: Activity) -> ActivityOptions:
    """As they are now."""
    out = ActivityOptions(
        task_queue={"name": activity.queue},  # type: ignore[arg-type]
        retry_policy=activity.retry_policy,
        **{name: duration(getattr(activity, name)) for name in TIMEOUTS},  # type: ignore[arg-type]
    )
    if activity.HasField("priority"):
        out.priority.CopyFrom(activity.priority)
    return out


def change(step: Step, activity: Activity, asked: ActivityOptions) -> None:
    """The activity has these options from now on."""
    step.state.activities.edit(activity.scheduled_event_id)
    if not activity.HasField("original"):
        activity.original.CopyFrom(options(activity))
    waits = not activity.started_time
    if waits:
        activities.hold_back(step, activity.scheduled_event_id)
    activity.queue = asked.task_queue.name
    for name in TIMEOUTS:
        setattr(activity, name, getattr(asked, name).ToNanoseconds())
    whole = activity.schedule_to_close_timeout
    activity.schedule_to_close_deadline = activity.scheduled_time + whole if whole else 0
    activity.retry_policy.CopyFrom(asked.retry_policy)
    activity.ClearField("priority")
    if asked.HasField("priority"):
        activity.priority.CopyFrom(asked.priority)
    activity.stamp += 1
    if waits and not activity.paused:
        activities.offer_at(step, activity, _next_time(activity))


def _next_time(activity: Activity) -> int:
    """When the attempt is due under the policy that it has now."""
    if activity.attempt <= 1:
        return activity.attempt_scheduled_time
    return activity.last_attempt_complete_time + retry.interval(activity.retry_policy, activity.attempt)


def _original(activity: Activity) -> ActivityOptions:
    return activity.original if activity.HasField("original") else options(activity)


def _snake(path: str) -> str:
    return re.sub("([A-Z])", lambda found: "_" + found[1].lower(), path)


def _merged(step: Step, activity: Activity, request: UpdateActivityOptionsRequest, paths: set[str]) -> ActivityOptions:
    """Raises InvalidArgument."""
    if not request.HasField("activity_options"):
        raise InvalidArgument("ActivityOptions are not provided")
    if not request.HasField("update_mask"):
        raise InvalidArgument("UpdateMask is not provided")
    known = paths & FIELDS
    for path in sorted(known - {"priority"}):
        parent = path.partition(".")[0]
        if parent in PARENTS and not request.activity_options.HasField(parent):  # type: ignore[arg-type]
            raise InvalidArgument(f"{PARENTS[parent]} is not provided")
    out = options(activity)
    FieldMask(paths=sorted(known)).MergeMessage(request.activity_options, out, replace_message_field=True)
    if any(path.startswith("retry_policy") for path in known):
        retry.validate(out.retry_policy)
    return _adjusted(step, activity, out)


def _adjusted(step: Step, activity: Activity, out: ActivityOptions) -> ActivityOptions:
    """The time-outs that follow from those that are given."""
    as_asked = ScheduleActivityTaskCommandAttributes(
        activity_id=activity.activity_id,
        activity_type={"name": activity.activity_type},  # type: ignore[arg-type]
        task_queue=out.task_queue,
        **{name: getattr(out, name) for name in TIMEOUTS},
    )
    run_timeout = step.state.asked.workflow_run_timeout.ToNanoseconds()
    queue = step.state.asked.task_queue.name
    checked = activity_options.scheduled_attributes(as_asked, step.namespace.limits, run_timeout, queue)
    for name in (*TIMEOUTS, "task_queue"):
        getattr(out, name).CopyFrom(getattr(checked, name))
    return out
