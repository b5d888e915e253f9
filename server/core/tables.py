"""The whole machine on one page: which event folds how, which command runs what, and what is due when.

Handlers live in server/core/workflow/, one noun a file; this page is their table of contents. An event type, a command type or a kind of
deadline that is not listed here does not exist. Two kinds of rule: what an input does is here; what must hold after any
input is in settle.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import CommandType as C
from temporalio.api.enums.v1 import EventType as E
from temporalio.api.history.v1 import HistoryEvent

from server.core.deadline import Deadline
from server.core.state import State
from server.core.workflow import (
    activities,
    cancel,
    children,
    close,
    external,
    markers,
    nexus,
    options,
    pauses,
    signals,
    start,
    tasks,
    timers,
    updates,
)

if TYPE_CHECKING:
    from server.core.step import Step

Fold = Callable[[State, HistoryEvent], None]
Run = Callable[["Step", Command, int], None]

APPLY: dict[int, Fold] = {
    E.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: start.apply_workflow_execution_started,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: close.apply_workflow_execution_completed,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: close.apply_workflow_execution_failed,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: close.apply_workflow_execution_timed_out,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: close.apply_workflow_execution_canceled,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: close.apply_workflow_execution_terminated,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: close.apply_workflow_execution_continued_as_new,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED: cancel.apply_workflow_execution_cancel_requested,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: signals.apply_workflow_execution_signaled,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED: updates.apply_workflow_execution_update_admitted,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: updates.apply_workflow_execution_update_accepted,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED: updates.apply_workflow_execution_update_completed,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED: options.apply_workflow_execution_options_updated,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED: pauses.apply_workflow_execution_paused,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED: pauses.apply_workflow_execution_unpaused,
    E.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED: tasks.apply_workflow_task_scheduled,
    E.EVENT_TYPE_WORKFLOW_TASK_STARTED: tasks.apply_workflow_task_started,
    E.EVENT_TYPE_WORKFLOW_TASK_COMPLETED: tasks.apply_workflow_task_completed,
    E.EVENT_TYPE_WORKFLOW_TASK_FAILED: tasks.apply_workflow_task_failed,
    E.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT: tasks.apply_workflow_task_timed_out,
    E.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: activities.apply_activity_task_scheduled,
    E.EVENT_TYPE_ACTIVITY_TASK_STARTED: activities.apply_activity_task_started,
    E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: activities.apply_activity_task_completed,
    E.EVENT_TYPE_ACTIVITY_TASK_FAILED: activities.apply_activity_task_failed,
    E.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: activities.apply_activity_task_timed_out,
    E.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED: activities.apply_activity_task_cancel_requested,
    E.EVENT_TYPE_ACTIVITY_TASK_CANCELED: activities.apply_activity_task_canceled,
    E.EVENT_TYPE_TIMER_STARTED: timers.apply_timer_started,
    E.EVENT_TYPE_TIMER_FIRED: timers.apply_timer_fired,
    E.EVENT_TYPE_TIMER_CANCELED: timers.apply_timer_canceled,
    E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: children.apply_start_child_workflow_execution_initiated,
    E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED: children.apply_start_child_workflow_execution_failed,
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED: children.apply_child_workflow_execution_started,
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED: children.apply_child_workflow_execution_completed,
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED: children.apply_child_workflow_execution_failed,
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED: children.apply_child_workflow_execution_canceled,
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT: children.apply_child_workflow_execution_timed_out,
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED: children.apply_child_workflow_execution_terminated,
    E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: external.apply_signal_external_workflow_execution_initiated,
    E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED: external.apply_signal_external_workflow_execution_failed,
    E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED: external.apply_external_workflow_execution_signaled,
    E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: external.apply_request_cancel_external_workflow_execution_initiated,
    E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED: external.apply_request_cancel_external_workflow_execution_failed,
    E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED: external.apply_external_workflow_execution_cancel_requested,
    E.EVENT_TYPE_NEXUS_OPERATION_SCHEDULED: nexus.apply_nexus_operation_scheduled,
    E.EVENT_TYPE_NEXUS_OPERATION_STARTED: nexus.apply_nexus_operation_started,
    E.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUESTED: nexus.apply_nexus_operation_cancel_requested,
    E.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED: nexus.apply_nexus_operation_cancel_request_completed,
    E.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUEST_FAILED: nexus.apply_nexus_operation_cancel_request_failed,
    E.EVENT_TYPE_NEXUS_OPERATION_COMPLETED: nexus.apply_nexus_operation_completed,
    E.EVENT_TYPE_NEXUS_OPERATION_FAILED: nexus.apply_nexus_operation_failed,
    E.EVENT_TYPE_NEXUS_OPERATION_CANCELED: nexus.apply_nexus_operation_canceled,
    E.EVENT_TYPE_NEXUS_OPERATION_TIMED_OUT: nexus.apply_nexus_operation_timed_out,
    E.EVENT_TYPE_MARKER_RECORDED: markers.apply_marker_recorded,
    E.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: markers.apply_upsert_workflow_search_attributes,
    E.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED: markers.apply_workflow_properties_modified,
}

COMMANDS: dict[int, Run] = {
    C.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK: activities.schedule_activity_task,
    C.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK: activities.request_cancel_activity_task,
    C.COMMAND_TYPE_START_TIMER: timers.start_timer,
    C.COMMAND_TYPE_CANCEL_TIMER: timers.cancel_timer,
    C.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION: children.start_child_workflow_execution,
    C.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION: external.signal_external_workflow_execution,
    C.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION: external.request_cancel_external_workflow_execution,
    C.COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION: nexus.schedule_nexus_operation,
    C.COMMAND_TYPE_REQUEST_CANCEL_NEXUS_OPERATION: nexus.request_cancel_nexus_operation,
    C.COMMAND_TYPE_RECORD_MARKER: markers.record_marker,
    C.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: markers.upsert_workflow_search_attributes,
    C.COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES: markers.modify_workflow_properties,
    C.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION: close.complete_workflow_execution,
    C.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION: close.fail_workflow_execution,
    C.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION: close.cancel_workflow_execution,
    C.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION: close.continue_as_new_workflow_execution,
}

# A command of these ends the run; nothing may follow it.
CLOSING = {
    C.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
    C.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION,
    C.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION,
    C.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION,
}

DEADLINES: tuple[Callable[[State], Iterable[Deadline]], ...] = (
    tasks.due,
    activities.due,
    timers.due,
    nexus.due,
    close.due,
)

# How a pending thing ended that says in its result when it started.
LINKED_RESULTS = {
    E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
    E.EVENT_TYPE_ACTIVITY_TASK_FAILED,
    E.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
    E.EVENT_TYPE_ACTIVITY_TASK_CANCELED,
    *children.RESULTS,
}

# How any pending thing ended. When buffered they get their ids after all other news, each after its own started event.
RESULTS = LINKED_RESULTS | nexus.ENDED

# Of started events and results: the attribute that names the event that opened the thing.
OPENED_BY = {
    **dict.fromkeys(LINKED_RESULTS | {E.EVENT_TYPE_ACTIVITY_TASK_STARTED}, "scheduled_event_id"),
    **dict.fromkeys(children.RESULTS | {E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED}, "initiated_event_id"),
}

# Answers to what was asked of other workflows.
ANSWERS = {
    E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED,
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED,
    E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
    E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED,
    E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
    E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
    E.EVENT_TYPE_NEXUS_OPERATION_STARTED,
    E.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED,
    E.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUEST_FAILED,
}

# What happens to a run from outside: it waits for its id while a worker holds a workflow task.
BUFFERED = (
    RESULTS
    | ANSWERS
    | {
        E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
        E.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
        E.EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED,
        E.EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED,
        E.EVENT_TYPE_ACTIVITY_TASK_STARTED,
        E.EVENT_TYPE_TIMER_FIRED,
    }
)

# What a worker must be shown: settle schedules a workflow task for it.
NEWS = (
    RESULTS
    | ANSWERS
    | {
        E.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
        E.EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED,
        E.EVENT_TYPE_TIMER_FIRED,
        E.EVENT_TYPE_WORKFLOW_TASK_FAILED,
        E.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
    }
)


def apply(state: State, event: HistoryEvent) -> None:
    """Folds one event into the state. The same fold serves live traffic and a replay of history."""
    APPLY[event.event_type](state, event)
    if event.event_type in NEWS:
        state.core.unseen = True


def replay(state: State, events: Iterable[HistoryEvent]) -> None:
    """Folds a history. Raises KeyError for an event type that this server does not write."""
    for event in events:
        apply(state, event)
        state.core.next_event_id = event.event_id + 1


def _first_due(state: State) -> Deadline | None:
    deadlines = (deadline for due in DEADLINES for deadline in due(state))
    return min(deadlines, key=lambda d: (d.at, d.key), default=None)


def next_wake(state: State) -> int | None:
    """When the run must be looked at again, derived from what is pending; None for never."""
    if not state.running:
        return state.core.retention_deadline or None
    first = _first_due(state)
    return None if first is None else first.at


def wake(step: Step) -> None:
    """Everything that is due happens, in the order of the deadlines, until the run closes."""
    last = None
    while step.state.running:
        first = _first_due(step.state)
        if first is None or first.at > step.now:
            return
        assert (first.at, first.key) != last, f"{first.key} is due for ever"
        last = first.at, first.key
        first.fire(step, first.key)
