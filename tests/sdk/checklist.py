"""What a program of each official SDK is to see, and what the history of the workflow that it names is to hold. One table: a check is named,
and means the same, in every language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

STARTED = "WORKFLOW_EXECUTION_STARTED"
COMPLETED = "WORKFLOW_EXECUTION_COMPLETED"
SIGNALED = "WORKFLOW_EXECUTION_SIGNALED"
ACCEPTED = "WORKFLOW_EXECUTION_UPDATE_ACCEPTED"
UPDATED = "WORKFLOW_EXECUTION_UPDATE_COMPLETED"
CONTINUED = "WORKFLOW_EXECUTION_CONTINUED_AS_NEW"
INITIATED = "START_CHILD_WORKFLOW_EXECUTION_INITIATED"
CHILD = "CHILD_WORKFLOW_EXECUTION_"
SIGNAL_SENT = "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED"
CANCEL_SENT = "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED"
CANCEL = "WORKFLOW_EXECUTION_CANCEL_REQUESTED"
SCHEDULED = "ACTIVITY_TASK_SCHEDULED"
MARKER = "MARKER_RECORDED"


@dataclass(frozen=True)
class Check:
    """`saw`: what the program prints. `events`: the history holds these, in this order, among others. `times`: an event → how often it is
    there. `languages`: where the SDK has the feature."""

    saw: dict[str, Any]
    events: tuple[str, ...]
    times: dict[str, int]
    languages: tuple[str, ...]


EVERYWHERE = ("go", "java", "typescript")


def check(
    saw: Any, *events: str, times: dict[str, int] | None = None, languages: tuple[str, ...] = EVERYWHERE
) -> Check:
    """A check; what is seen is the workflow's answer, when it has no other name."""
    return Check(saw if isinstance(saw, dict) else {"answer": saw}, events, times or {}, languages)


CHECKS = {
    # Updates
    "update accepted": check({"result": 5, "balance": 5}, STARTED, ACCEPTED, UPDATED, SIGNALED, COMPLETED),
    "update rejected by its validator": check(
        {"not enough": True, "balance": 0},
        *(SIGNALED, COMPLETED),
        times={ACCEPTED: 0, UPDATED: 0},
    ),
    "update failed after its acceptance": check(
        {"failure": "Refused: not today", "balance": 0}, ACCEPTED, UPDATED, COMPLETED
    ),
    "update with an activity": check(
        {"result": 4, "balance": 4}, ACCEPTED, SCHEDULED, "ACTIVITY_TASK_COMPLETED", UPDATED, COMPLETED
    ),
    "update sent twice": check({"results": [5, 5], "balance": 5}, ACCEPTED, UPDATED, times={ACCEPTED: 1, UPDATED: 1}),
    "update fetched by its id": check({"result": 3, "balance": 3}, ACCEPTED, SCHEDULED, UPDATED, COMPLETED),
    "update with start": check(
        {"first": 3, "second": 7, "same run": True, "balance": 7},
        *(STARTED, ACCEPTED, UPDATED, ACCEPTED, UPDATED, SIGNALED, COMPLETED),
    ),
    "update with start rejected by its validator": check(
        {"not enough": True, "balance": 0}, COMPLETED, times={ACCEPTED: 0}
    ),
    # Children and other workflows
    "child completes": check("leaf answer", INITIATED, CHILD + "STARTED", CHILD + "COMPLETED", COMPLETED),
    "child of a child": check("middle of leaf deep", INITIATED, CHILD + "STARTED", CHILD + "COMPLETED", COMPLETED),
    "child fails": check("Broken: child broke", INITIATED, CHILD + "STARTED", CHILD + "FAILED", COMPLETED),
    "child is cancelled": check("cancelled", CHILD + "STARTED", CANCEL_SENT, CHILD + "CANCELED", COMPLETED),
    "child times out": check("timed out", CHILD + "STARTED", CHILD + "TIMED_OUT", COMPLETED),
    "child is terminated": check("terminated", CHILD + "STARTED", CHILD + "TERMINATED", COMPLETED),
    "child id is in use": check("already started", INITIATED, "START_CHILD_WORKFLOW_EXECUTION_FAILED", COMPLETED),
    "child is signalled": check(
        "heard hello", CHILD + "STARTED", SIGNAL_SENT, "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED", COMPLETED
    ),
    "parent close policies": check(
        {"terminate": "terminated", "request cancel": "canceled", "abandon": "running"},
        COMPLETED,
        times={CHILD + "STARTED": 3},
    ),
    "signal from a workflow": check(
        {"poke": "done", "other": "heard hello"}, SIGNAL_SENT, "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED", COMPLETED
    ),
    "signal from a workflow to nobody": check(
        {"poke": "failed"}, SIGNAL_SENT, "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED", COMPLETED
    ),
    "cancel from a workflow": check(
        {"poke": "done", "other cancelled": True},
        *(CANCEL_SENT, "EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED", COMPLETED),
    ),
    "cancel from a workflow to nobody": check(
        {"poke": "failed"}, CANCEL_SENT, "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED", COMPLETED
    ),
    # Chains of runs
    "continue as new": check("lift off", STARTED, CONTINUED),
    # The signal comes while the workflow wants to go on in a new run: the task fails, and the next one sees the signal.
    "signal carried over continue as new": check({"total": 101}, "WORKFLOW_TASK_FAILED", SIGNALED, CONTINUED),
    "update carried over continue as new": check({"total": 110, "update": "110"}, STARTED, CONTINUED),
    "workflow retried": check("attempt 3", STARTED, "WORKFLOW_EXECUTION_FAILED"),
    "cron": check({"last results": ["0", "1"]}, STARTED, SCHEDULED, COMPLETED),
    "started late": check({"answer": "leaf late", "late": True}, STARTED, COMPLETED),
    "started eagerly": check("leaf eager", STARTED, COMPLETED, languages=("go", "java")),
    "workflow id is in use": check(
        {"refused": True, "same run": True, "new run": "leaf again"}, STARTED, "WORKFLOW_EXECUTION_TERMINATED"
    ),
    "workflow times out": check({"failed": True}, "WORKFLOW_EXECUTION_TIMED_OUT"),
    "workflow terminated": check({"failed": True}, "WORKFLOW_EXECUTION_TERMINATED"),
    # Cancellation
    "workflow cancelled and cleaned up": check(
        {"cancelled": True, "cleanup": "swept"},
        *(CANCEL, SCHEDULED, "ACTIVITY_TASK_COMPLETED", "WORKFLOW_EXECUTION_CANCELED"),
    ),
    # The Java SDK closes a workflow as cancelled, whatever it returns, once its cancellation was asked for.
    "workflow does not mind its cancellation": check("so what", CANCEL, COMPLETED, languages=("go", "typescript")),
    "activity cancelled by its heartbeat": check(
        {"activity": "heard of it", "answer": "cancelled"},
        *(SCHEDULED, "ACTIVITY_TASK_CANCEL_REQUESTED", "ACTIVITY_TASK_CANCELED", COMPLETED),
    ),
    # Activities
    "activity goes on from its heartbeat": check("from halfway", SCHEDULED, "ACTIVITY_TASK_COMPLETED", COMPLETED),
    "activity retried": check("attempt 3", SCHEDULED, "ACTIVITY_TASK_COMPLETED", times={"ACTIVITY_TASK_STARTED": 1}),
    "activity fails for good": check("Hopeless: it never works", SCHEDULED, "ACTIVITY_TASK_FAILED", COMPLETED),
    "activity misses its heartbeat": check("timeout: heartbeat", SCHEDULED, "ACTIVITY_TASK_TIMED_OUT", COMPLETED),
    "activity takes too long twice": check("timeout: start to close", SCHEDULED, "ACTIVITY_TASK_TIMED_OUT", COMPLETED),
    "activity is not picked up": check(
        "timeout: schedule to start", "ACTIVITY_TASK_TIMED_OUT", times={"ACTIVITY_TASK_STARTED": 0}
    ),
    "activity completed from outside": check("from outside", SCHEDULED, "ACTIVITY_TASK_COMPLETED", COMPLETED),
    # Local activities
    "local activity": check("at once", MARKER, COMPLETED, times={SCHEDULED: 0, "WORKFLOW_TASK_COMPLETED": 1}),
    "local activity retried": check("attempt 3", MARKER, COMPLETED, times={SCHEDULED: 0, MARKER: 1}),
    "local activity fails": check("Hopeless: it never works", MARKER, COMPLETED, times={SCHEDULED: 0}),
    # Five seconds, in tasks of three seconds: the worker asks for a new task in time.
    "local activity beats for its workflow task": check(
        "", *["WORKFLOW_TASK_COMPLETED"] * 2, MARKER, COMPLETED, times={SCHEDULED: 0, MARKER: 1}
    ),
    # Messages
    "signals in order": check("abc.", STARTED, *[SIGNALED] * 4, COMPLETED, times={SIGNALED: 4}),
    "signal with start": check({"same run": True, "answer": "a."}, STARTED, SIGNALED, SIGNALED, COMPLETED),
    "queries": check(
        {"waiting": "waiting?", "unknown": True, "closed": "done!", "rejected": "completed"},
        COMPLETED,
        times={"WORKFLOW_TASK_SCHEDULED": 2},
    ),
    # The rest of what a workflow does
    "timers": check("fired, cancelled", "TIMER_STARTED", "TIMER_STARTED", "TIMER_FIRED", "TIMER_CANCELED", COMPLETED),
    "version marker": check("new path", MARKER, "TIMER_FIRED", COMPLETED, times={MARKER: 1}),
    "side effects": check("once 2", *[MARKER] * 3, COMPLETED, languages=("go", "java")),
    "search attributes": check(
        {"keyword": "after", "number": 7, "listed": True}, "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES", COMPLETED
    ),
    "memo": check(
        {"kept": "before", "changed": "after", "added": "new"}, "WORKFLOW_PROPERTIES_MODIFIED", SIGNALED, COMPLETED
    ),
    "session": check("ab", MARKER, SCHEDULED, SIGNALED, SCHEDULED, SCHEDULED, COMPLETED, languages=("go",)),
}
