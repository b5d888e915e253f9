"""Timers of a workflow: started and cancelled by commands, fired by time.

Source: service/history/workflow/mutable_state_impl.go AddTimer…Event, service/history/api/command_attr_validator.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import EventType
from temporalio.api.enums.v1 import WorkflowTaskFailedCause as Cause
from temporalio.api.history.v1 import HistoryEvent

from server.core.deadline import Deadline
from server.core.durations import capped, duration
from server.core.rejected import BadCommand, InvalidArgument
from server.core.state import State
from server.core.state_pb2 import Timer
from server.core.workflow import commands

if TYPE_CHECKING:
    from server.core.step import Step

E = EventType
BAD_ACTION = "invalid history builder state for action"


# Commands --------------------------------------------------------------------------------------------------------------------------


def start_timer(step: Step, command: Command, completed_event_id: int) -> None:
    """A timer starts. Raises BadCommand when one of that id is running."""
    bad = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_START_TIMER_ATTRIBUTES
    asked = commands.attributes(command, "start_timer", bad)
    _check_id(step, asked.timer_id, "StartTimer", bad)
    try:
        timeout = capped(asked.start_to_fire_timeout, "An invalid StartToFireTimeout is set on StartTimerCommand")
    except InvalidArgument as error:
        raise BadCommand(bad, f"{error.message}. TimerId={asked.timer_id}") from None
    if asked.timer_id in step.state.timers:
        msg = f"{BAD_ACTION}: add-timer-started-event, TimerID: {asked.timer_id}"
        raise BadCommand(Cause.WORKFLOW_TASK_FAILED_CAUSE_START_TIMER_DUPLICATE_ID, msg)
    attributes = {
        "timer_id": asked.timer_id,
        "start_to_fire_timeout": duration(timeout),
        "workflow_task_completed_event_id": completed_event_id,
    }
    step.emit(E.EVENT_TYPE_TIMER_STARTED, attributes, **commands.extras(command))


def cancel_timer(step: Step, command: Command, completed_event_id: int) -> None:
    """A timer stops. One that has fired while this task was held has not fired after all: no worker has seen it. Raises BadCommand when
    there is no such timer."""
    bad = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_CANCEL_TIMER_ATTRIBUTES
    timer_id = commands.attributes(command, "cancel_timer", bad).timer_id
    _check_id(step, timer_id, "CancelTimer", bad)
    timer = step.state.timers.get(timer_id)
    started_event_id = timer.started_event_id if timer is not None else _take_back_fired(step.state, timer_id)
    if not started_event_id:
        msg = f"{BAD_ACTION}: add-timer-canceled-event, TimerID: {timer_id}"
        raise BadCommand(bad, msg)
    attributes = {
        "timer_id": timer_id,
        "started_event_id": started_event_id,
        "workflow_task_completed_event_id": completed_event_id,
        "identity": step.completed_by(completed_event_id),
    }
    step.emit(E.EVENT_TYPE_TIMER_CANCELED, attributes, **commands.extras(command))


def _check_id(step: Step, timer_id: str, command: str, cause: int) -> None:
    length, limit = len(timer_id.encode()), step.namespace.limits.id_length_max
    if not timer_id:
        raise BadCommand(cause, f"TimerId is not set on {command}Command.")
    if length > limit:
        msg = f"TimerId on {command}Command exceeds length limit. TimerId={timer_id} Length={length} Limit={limit}"
        raise BadCommand(cause, msg)


def _take_back_fired(state: State, timer_id: str) -> int:
    """Removes the timer's fired event from the buffer; the started event's id, or 0 when it has not fired."""
    for index, event in enumerate(state.buffered):
        fired = event.timer_fired_event_attributes
        if event.event_type == E.EVENT_TYPE_TIMER_FIRED and fired.timer_id == timer_id:
            state.drop_buffered(index)
            return fired.started_event_id
    return 0


# Deadlines -------------------------------------------------------------------------------------------------------------------------


def due(state: State) -> Iterable[Deadline]:
    """The timer that fires first."""
    first = state.timers.first(_fire_at)
    if first is not None:
        yield Deadline(first[0], f"timer/{first[1]}", _fire)


def _fire_at(timer: Timer) -> int:
    return timer.fire_at


def _fire(step: Step, key: str) -> None:
    timer = step.state.timers[key.removeprefix("timer/")]
    attributes = {"timer_id": timer.timer_id, "started_event_id": timer.started_event_id}
    step.emit(E.EVENT_TYPE_TIMER_FIRED, attributes)


# Folds -----------------------------------------------------------------------------------------------------------------------------


def apply_timer_started(state: State, event: HistoryEvent) -> None:
    attributes = event.timer_started_event_attributes
    state.timers[attributes.timer_id] = Timer(
        timer_id=attributes.timer_id,
        started_event_id=event.event_id,
        fire_at=event.event_time.ToNanoseconds() + attributes.start_to_fire_timeout.ToNanoseconds(),
    )


def apply_timer_fired(state: State, event: HistoryEvent) -> None:
    attributes = event.timer_fired_event_attributes
    _forget(state, attributes.timer_id, attributes.started_event_id)


def apply_timer_canceled(state: State, event: HistoryEvent) -> None:
    attributes = event.timer_canceled_event_attributes
    _forget(state, attributes.timer_id, attributes.started_event_id)


def _forget(state: State, timer_id: str, started_event_id: int) -> None:
    """Only the timer that is meant: its id may have been taken again while its fired event was buffered, and it may be gone already."""
    timer = state.timers.get(timer_id)
    if timer is not None and timer.started_event_id == started_event_id:
        del state.timers[timer_id]
