"""Options of a running run: which version of its workers it is to run on, and its priority.

Source: service/history/api/updateworkflowoptions, workflow/mutable_state_impl.go ApplyWorkflowExecutionOptionsUpdatedEvent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temporalio.api.enums.v1 import EventType, VersioningBehavior
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import (
    UpdateWorkflowExecutionOptionsRequest,
    UpdateWorkflowExecutionOptionsResponse,
)

from server.core.rejected import FailedPrecondition, InvalidArgument, NotFound
from server.core.state import State
from server.core.state_pb2 import Request
from server.core.workflow import builds, callbacks, tasks, versioning

if TYPE_CHECKING:
    from server.core.step import Step

COMPLETED = "workflow execution already completed"
OLD_PAIR = {"versioning_override.behavior", "versioning_override.deployment"}
NO_PARTS = "versioning_override doesn't support partial updates"
PRIORITY = ("priority_key", "fairness_key", "fairness_weight")


def update_workflow_execution_options(
    step: Step, request: UpdateWorkflowExecutionOptionsRequest
) -> UpdateWorkflowExecutionOptionsResponse:
    """Sets what the mask names, and answers with all options; what is so already makes no event. Raises NotFound, FailedPrecondition,
    InvalidArgument."""
    if not step.state.running:
        raise NotFound(COMPLETED)
    asked, before = request.workflow_execution_options, _options(step.state)
    if asked.HasField("versioning_override"):
        override = pin_where_it_is(step.state, asked.versioning_override)
        versioning.check(override)
        asked.versioning_override.CopyFrom(override)
    merged = _merged(before, asked, set(request.update_mask.paths))
    if merged != before:
        _emit(step, merged, request.identity)
    return UpdateWorkflowExecutionOptionsResponse(workflow_execution_options=merged)


def pin_where_it_is(state: State, override: VersioningOverride) -> VersioningOverride:
    """An override that pins and names no version means the one that the run is pinned to. Raises FailedPrecondition when there is none."""
    if not override.pinned.behavior or override.pinned.HasField("version"):
        return override
    kind, on = versioning.behavior(state), versioning.version(state)
    if kind != versioning.PINNED or on is None:
        name = tasks.camel(VersioningBehavior.Name(kind), "VERSIONING_BEHAVIOR_")
        sentence = "must specify a specific pinned override version because workflow with id {} has behavior {} and is not yet pinned to any version"
        raise FailedPrecondition(sentence.format(state.key.workflow_id, name))
    return versioning.pinned(on)


def _options(state: State) -> WorkflowExecutionOptions:
    core, options = state.core, WorkflowExecutionOptions()
    if core.versioning_info.HasField("versioning_override"):
        options.versioning_override.CopyFrom(core.versioning_info.versioning_override)
    if core.HasField("priority"):
        options.priority.CopyFrom(core.priority)
    return options


def _merged(
    before: WorkflowExecutionOptions, asked: WorkflowExecutionOptions, paths: set[str]
) -> WorkflowExecutionOptions:
    merged = WorkflowExecutionOptions()
    merged.CopyFrom(before)
    parts = {path for path in paths if path.startswith("versioning_override.")}
    if parts and not parts >= OLD_PAIR:
        _bad("versioning_override fields must be updated together" if parts & OLD_PAIR else NO_PARTS)
    if parts - OLD_PAIR:
        _bad(NO_PARTS)
    if any(path.startswith("time_skipping_config.") for path in paths):
        _bad("time_skipping_config doesn't support partial update")
    for name in ("versioning_override", "priority"):
        if name in paths or (name == "versioning_override" and parts):
            merged.ClearField(name)  # type: ignore[arg-type]
            if asked.HasField(name):  # type: ignore[arg-type]
                getattr(merged, name).CopyFrom(getattr(asked, name))
    for name in PRIORITY:
        if f"priority.{name}" in paths:
            setattr(merged.priority, name, getattr(asked.priority, name))
    return merged


def _bad(sentence: str) -> None:
    raise InvalidArgument(f"error applying update_options: {sentence}")


def _emit(step: Step, merged: WorkflowExecutionOptions, identity: str) -> None:
    """The event; a workflow task that waits is offered again, with what holds now."""
    attributes: dict[str, Any] = {"identity": identity}
    if merged.HasField("versioning_override"):
        attributes["versioning_override"] = versioning.today(merged.versioning_override)
    else:
        attributes["unset_versioning_override"] = True
    if merged.HasField("priority"):
        attributes["priority"] = merged.priority
    step.emit(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED, attributes, worker_may_ignore=True)
    tasks.offer_again(step)


def apply_workflow_execution_options_updated(state: State, event: HistoryEvent) -> None:
    """What is attached to a run that stands for another one has this event, too."""
    a = event.workflow_execution_options_updated_event_attributes
    override = a.versioning_override if a.HasField("versioning_override") else None
    if (override or a.unset_versioning_override) and versioning.set_override(state, override):
        builds.note_version(state)
    if a.attached_request_id:
        state.requests[a.attached_request_id] = Request(event_type=event.event_type, event_id=event.event_id)
        at = event.event_time.ToNanoseconds()
        callbacks.register(state, a.attached_request_id, a.attached_request_id, a.attached_completion_callbacks, at)
    for each in a.workflow_update_options:
        id = each.attached_request_id
        state.requests[id] = Request(event_type=event.event_type, event_id=event.event_id)
        at = event.event_time.ToNanoseconds()
        callbacks.register(state, id, id, each.attached_completion_callbacks, at, each.update_id)
    if a.HasField("priority"):
        state.core.priority.CopyFrom(a.priority)
