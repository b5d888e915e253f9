"""What happens to a run that grows beyond its limits: it is ended when its history does, and news that piles up is handed over at once.

Source: service/history/workflow/context.go enforceHistorySizeCheck, enforceHistoryCountCheck, mutable_state_impl.go
closeTransactionHandleBufferedEventsLimit.
"""

from __future__ import annotations

from server.core.step import Step
from server.core.workflow import close, tasks

HISTORY_TOO_BIG = "Workflow history size exceeds limit."
HISTORY_TOO_LONG = "Workflow history count exceeds limit."
SERVER = "history-service"


def enforce(step: Step) -> None:
    """Settle calls this for a run that is running."""
    core, limits = step.state.core, step.namespace.limits
    if step.held and _piles_up(step):
        tasks.abandon(step)
    if core.history_size_bytes > limits.history_size_bytes_max:
        close.terminate(step, HISTORY_TOO_BIG, identity=SERVER)
    elif core.next_event_id - 1 > limits.history_count_max:
        close.terminate(step, HISTORY_TOO_LONG, identity=SERVER)


def _piles_up(step: Step) -> bool:
    events, limits = step.state.buffered, step.namespace.limits
    if len(events) > limits.buffered_events_max:
        return True
    return sum(event.ByteSize() for event in events) > limits.buffered_bytes_max
