"""Makes batches for the suite, and reads back everything that a store holds of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drivers.base import Batch, Current, Execution, History, Pending, RunKey, SetCurrent, Task, Visible
from drivers.conformance.rig import Database

NAMESPACE = "7cb5b4f4-9a4c-4d50-bc1b-5e1e4f3c2a10"


def key(number: int, run: str = "run") -> RunKey:
    """A run of the workflow with that number."""
    return RunKey(NAMESPACE, f"workflow-{number}", f"{run}-{number}")


def visible(of: RunKey, status: int = 1, start_time: int = 1, **fields: Any) -> Visible:
    """A list entry."""
    return Visible(of, "Greeting", "queue", status, start_time, start_time, **fields)


def begin(lease: str, range_id: int, of: RunKey, number: int = 0) -> Batch:
    """Every kind of row of a new run at once."""
    return Batch(
        lease,
        range_id,
        current=[SetCurrent(of.namespace_id, of.workflow_id, None, Current(of.run_id, b"pointer"))],
        executions=[Execution(of, b"core", 1000 + number, None, [Pending(1, "a", b"1"), Pending(2, "b", b"2")])],
        history=[History(of, 1, 2, b"events 1-2")],
        tasks=[Task("queue", number, b"task")],
        visible=[visible(of, start_time=number)],
    )


def core(lease: str, range_id: int, of: RunKey, data: bytes) -> Batch:
    """The smallest change: a core row alone."""
    return Batch(lease, range_id, executions=[Execution(of, data)])


def contents(store: Database, lease: str, keys: Iterable[RunKey]) -> dict[str, Any]:
    """All that the store shows of these runs and of the lease."""
    found: dict[str, Any] = {
        "tasks": store.tasks(lease, None, ("", 0), 10_000),
        "wakes": store.wakes(lease, None, 10_000),
    }
    for of in keys:
        found[f"load {of}"] = store.load(lease, of)
        found[f"current {of}"] = store.current(lease, of.namespace_id, of.workflow_id)
        found[f"history {of}"] = store.history(lease, of, 1, 2**40, 10_000)
    for namespace_id in {of.namespace_id for of in keys}:
        found[f"visible {namespace_id}"] = store.list_visible(namespace_id, None, b"", 10_000)
    return found
