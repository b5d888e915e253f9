"""The rules that hold after every decision, whatever it was (h11 calls them state-triggered transitions). Handlers never call these."""

from __future__ import annotations

from server.core import bounds
from server.core.outcome import ACTIVITY_TASK, WORKFLOW_TASK
from server.core.state import PAUSED, RUNNING
from server.core.step import Step
from server.core.workflow import callbacks, children, standalone, tasks, updates


def settle(step: Step) -> None:
    """Buffered events get their ids once no worker holds a workflow task; unseen news has a workflow task; a closed run offers nothing."""
    state, core = step.state, step.state.core
    if state.running:
        bounds.enforce(step)
    if state.running and (state.buffered or step.late) and not step.held:
        core.task_attempt = 1  # news came: the next task is no repetition of the failing one
        core.unseen = True
        step.flush()
    if state.standalone:
        standalone.settle(step)
    if not state.running:
        _close(step)
    elif state.standalone or state.paused or core.HasField("task"):
        pass
    elif core.unseen and not core.first_task_at:
        tasks.schedule(step)
    elif state.admitted:
        tasks.schedule(step, speculative=True)
    if step.next is not None:
        settle(step.next)


def _close(step: Step) -> None:
    """A run that has just closed takes back what it offered, and tells its parent and its children."""
    state, core = step.state, step.state.core
    if step.was_status not in (0, RUNNING, PAUSED):
        return
    children.on_close(step)
    callbacks.on_close(step)
    updates.on_close(step)
    if core.HasField("task"):
        step.withdraw(WORKFLOW_TASK, core.task.queue, core.task.dispatch_id)
        core.ClearField("task")
    for id, activity in state.activities.items():
        if activity.dispatch_id:
            step.withdraw(ACTIVITY_TASK, activity.queue, activity.dispatch_id)
            state.activities.edit(id).dispatch_id = 0
