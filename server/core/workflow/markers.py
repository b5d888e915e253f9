"""What a worker notes in the history of its run: markers, search attributes and memo fields.

Source: service/history/api/respondworkflowtaskcompleted/workflow_task_completed_handler.go, api/command_attr_validator.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Memo, SearchAttributes
from temporalio.api.enums.v1 import EventType
from temporalio.api.enums.v1 import WorkflowTaskFailedCause as Cause
from temporalio.api.history.v1 import HistoryEvent

from server.core import payloads, search_attributes
from server.core.rejected import BadCommand
from server.core.state import State
from server.core.workflow import commands

if TYPE_CHECKING:
    from server.core.step import Step

BAD_MARKER = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_RECORD_MARKER_ATTRIBUTES
BAD_SEARCH = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES
BAD_PROPERTIES = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES


def record_marker(step: Step, command: Command, completed_event_id: int) -> None:
    """A note that means something to the worker only. Raises BadCommand."""
    a = commands.attributes(command, "record_marker", BAD_MARKER)
    name, longest = a.marker_name, step.namespace.limits.id_length_max
    if not name:
        raise BadCommand(BAD_MARKER, "MarkerName is not set on RecordMarkerCommand.")
    if (length := len(name.encode())) > longest:
        head = "MarkerName on RecordMarkerCommand exceeds length limit."
        raise BadCommand(BAD_MARKER, f"{head} MarkerName={name} Length={length} Limit={longest}")
    size = sum(len(key.encode()) + value.ByteSize() for key, value in a.details.items())
    commands.check_blob(step, size, BAD_MARKER, "RecordMarkerCommandAttributes.Details exceeds size limit.")
    attributes: dict[str, Any] = {
        "marker_name": name,
        "details": a.details,
        "workflow_task_completed_event_id": completed_event_id,
    }
    for field in ("header", "failure"):
        if a.HasField(field):
            attributes[field] = getattr(a, field)
    step.emit(EventType.EVENT_TYPE_MARKER_RECORDED, attributes, **commands.extras(command))


def upsert_workflow_search_attributes(step: Step, command: Command, completed_event_id: int) -> None:
    """Sets search attributes of the run; a null deletes one. Raises BadCommand."""
    kind = "UpsertWorkflowSearchAttributesCommand"
    a = commands.attributes(command, "upsert_workflow_search_attributes", BAD_SEARCH)
    if not a.HasField("search_attributes"):
        raise BadCommand(BAD_SEARCH, f"SearchAttributes is not set on {kind}.")
    if not a.search_attributes.indexed_fields:
        raise BadCommand(BAD_SEARCH, f"IndexedFields is not set on {kind}.")
    total = SearchAttributes()
    total.CopyFrom(step.state.core.search_attributes)
    payloads.merge(total.indexed_fields, a.search_attributes.indexed_fields)
    commands.check_search_attributes(step, a.search_attributes, total, BAD_SEARCH)
    size = payloads.size(a.search_attributes.indexed_fields)
    commands.check_blob(step, size, BAD_SEARCH, f"{kind}Attributes exceeds size limit.")
    typed = search_attributes.typed(a.search_attributes, step.namespace.search_attributes)
    attributes = {"workflow_task_completed_event_id": completed_event_id, "search_attributes": typed}
    step.emit(EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, attributes, **commands.extras(command))


def modify_workflow_properties(step: Step, command: Command, completed_event_id: int) -> None:
    """Sets fields of the run's memo; a null deletes one. Raises BadCommand."""
    kind = "ModifyWorkflowPropertiesCommand"
    a = commands.attributes(command, "modify_workflow_properties", BAD_PROPERTIES)
    if not a.HasField("upserted_memo"):
        raise BadCommand(BAD_PROPERTIES, f"UpsertedMemo is not set on {kind}.")
    if not a.upserted_memo.fields:
        raise BadCommand(BAD_PROPERTIES, f"UpsertedMemo.Fields is not set on {kind}.")
    size = payloads.size(a.upserted_memo.fields)
    commands.check_blob(step, size, BAD_PROPERTIES, f"{kind}Attributes exceeds size limit.")
    merged = Memo()
    merged.CopyFrom(step.state.core.memo)
    payloads.merge(merged.fields, a.upserted_memo.fields)
    commands.check_memo(step, merged.ByteSize(), BAD_PROPERTIES, f"{kind}Attributes. Memo exceeds size limit.")
    attributes = {"workflow_task_completed_event_id": completed_event_id, "upserted_memo": a.upserted_memo}
    step.emit(EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED, attributes, **commands.extras(command))


# Folds -----------------------------------------------------------------------------------------------------------------------------


def apply_marker_recorded(_state: State, _event: HistoryEvent) -> None:
    """Nothing of it is state."""


def apply_upsert_workflow_search_attributes(state: State, event: HistoryEvent) -> None:
    changes = event.upsert_workflow_search_attributes_event_attributes.search_attributes
    payloads.merge(state.core.search_attributes.indexed_fields, changes.indexed_fields)


def apply_workflow_properties_modified(state: State, event: HistoryEvent) -> None:
    changes = event.workflow_properties_modified_event_attributes.upserted_memo
    payloads.merge(state.core.memo.fields, changes.fields)
