"""How history and matching see each other, and how both see namespaces: protocols only, so that either side can be tested with a fake
and, in a cluster, stand in another process.

Matching is soft state: what it forgets it reads again from history's waiting rows, and a task that it hands out twice is found moot
by history. So every method here may be repeated, and none needs an answer to be remembered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from temporalio.api.common.v1 import Priority
from temporalio.api.nexus.v1 import Endpoint
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueueStats

from server.cluster.peers_pb2 import QueueReply
from server.core.outcome import Namespace, Poll, base_of
from server.core.state import Key
from server.core.state_pb2 import Outgoing, Waiting


@dataclass(slots=True)
class Task:
    """A task that waits for a worker of `queue`. `normal_queue` is set when `queue` is sticky: whoever finds no worker there may offer it
    on the normal one. `id` orders tasks within `shard` and names the waiting row. Times are nanoseconds, 0 for none or never."""

    kind: int  # outcome.WORKFLOW_TASK or ACTIVITY_TASK
    namespace_id: str
    queue: str
    normal_queue: str
    key: Key
    scheduled_event_id: int
    attempt: int
    stamp: int
    shard: int
    id: int
    scheduled_time: int
    expires_at: int = 0
    priority: Priority | None = None


def task_of(row: Waiting, shard: int, id: int) -> Task:
    """The task of a waiting row."""
    return Task(
        row.kind,
        base_of(row.namespace_id),
        row.queue,
        row.normal_queue,
        Key(row.namespace_id, row.workflow_id, row.run_id),
        row.scheduled_event_id,
        row.attempt,
        row.stamp,
        shard,
        id,
        row.scheduled_time,
        row.expires_at,
        row.priority if row.HasField("priority") else None,
    )


def waiting_row(task: Task) -> Waiting:
    """The inverse of `task_of`, but for shard and id."""
    return Waiting(
        namespace_id=task.key.namespace_id,
        workflow_id=task.key.workflow_id,
        run_id=task.key.run_id,
        scheduled_event_id=task.scheduled_event_id,
        attempt=task.attempt,
        stamp=task.stamp,
        kind=task.kind,
        queue=task.queue,
        normal_queue=task.normal_queue,
        priority=task.priority,
        scheduled_time=task.scheduled_time,
        expires_at=task.expires_at,
    )


class Poller(Protocol):
    """A worker's poll that was taken out of its queue for one task. Exactly one of the two methods is called, once."""

    @property
    def poll(self) -> Poll:
        """Who polls."""

    def deliver(self, data: bytes) -> bool:
        """Answers the poll with a serialized Poll…Response. False: the worker has gone, and `data` is still to be delivered
        (`Matching.hand_over`)."""

    def release(self) -> None:
        """There is no task after all: the poll waits again."""


class Matching(Protocol):
    """What history asks of the task queues. Nothing here blocks."""

    def take(self, task: Task) -> Poller | None:
        """A poller that can have `task` at once (one waits, nothing is ahead of the task, the rate allows it), or None. Called while
        the task is being decided: nothing of it is durable yet."""

    def offer(self, task: Task) -> None:
        """The task waits, and its row is durable: it goes to a poller through `History.start_task`, now or later. The same task may be
        offered twice."""

    def hand_over(self, task: Task, data: bytes) -> None:
        """The task is started already, and the poller that it was started for has gone: the next poller of that queue gets `data` as
        it is, if one comes within the time that the task is good for."""

    async def query(self, namespace_id: str, kind: int, queue: str, normal_queue: str, data: bytes) -> bool:
        """Answers the next poll of the queue with `data`, a whole Poll…Response (of a workflow queue: one that asks a query); True once a
        worker has it. `normal_queue` is set when `queue` is sticky; then False at once when no worker has polled `queue` for 10 s
        (matching_engine.go stickyPollerUnavailableWindow). Waits for a poller without end: the caller cancels it."""


class Queues(Protocol):
    """What the frontend asks of the task queues."""

    async def poll(
        self, namespace_id: str, kind: int, queue: str, poll: Poll, timeout: float, rate: float | None = None
    ) -> bytes:
        """The serialized Poll…Response for the next task of the queue, empty when none came within `timeout` seconds. `rate` is what the
        worker says the whole queue may have per second. May be cancelled at any time."""

    async def shutdown_worker(self, namespace_id: str, sticky_queue: str, worker_instance_key: str) -> None:
        """A worker leaves: the polls on its sticky queue and all that carry its key end with nothing."""

    async def pollers(self, namespace_id: str, kind: int, queue: str) -> list[PollerInfo]:
        """Who has polled the queue in the last five minutes."""

    async def stats(self, namespace_id: str, kind: int, queue: str) -> tuple[TaskQueueStats, dict[int, TaskQueueStats]]:
        """The queue's backlog and rates, in all and by priority key."""


class History(Protocol):
    """What the task queues ask of history."""

    async def start_task(self, task: Task, poll: Poll) -> bytes | None:
        """Starts the task for this poll, durably, and returns the whole serialized Poll…Response; None when the task is moot (started by
        another, timed out, its run closed): forget it. Raises Rejected (Unavailable) when it could not be tried: try again."""

    async def backlog(
        self,
        kind: int,
        namespace_id: str,
        queue: str,
        after: Mapping[int, int],
        limit: int,
    ) -> list[Task]:
        """The tasks that wait for `queue`, oldest first: of each shard up to `limit` with an id above `after[shard]` (none: from the first).
        A task that has been offered but is not in the answer has been started or is moot. Raises Rejected (Unavailable)."""


class Reached(NamedTuple):
    """What came of a message to another workflow: the run id of a child that runs now; `cause` is the number of the official failed cause, 0
    when it arrived."""

    run_id: str = ""
    cause: int = 0


class Owners(Protocol):
    """Which process of a cluster has which shard."""

    @property
    def heard(self) -> bool:
        """Others count on this process; when not, its shards may have been taken."""

    def owns(self, shard: int) -> bool:
        """It is to be in this process."""

    def held_by_another(self, shard: int) -> bool:
        """Another process, which is alive, has not had the time to give it up."""

    async def look(self) -> None:
        """Asks the store who is there."""

    async def moment(self) -> None:
        """Returns when it is time to look at the shards again."""

    async def reach(self, note: Outgoing) -> Reached:
        """Delivers a message to its workflow, wherever that is. Raises Unavailable."""

    async def start_task(self, here: Callable[[], Awaitable[bytes | None]], task: Task, poll: Poll) -> bytes | None:
        """See History.start_task; `here` does it in this process."""

    async def backlog(
        self, kind: int, namespace_id: str, queue: str, after: Mapping[int, int], limit: int
    ) -> list[Task]:
        """See History.backlog: of all other processes, in no order."""


class Homes(Protocol):
    """Which process of a cluster is the home of a task queue, where all tasks go that no poll takes at once, and how to speak with it and with
    those whose polls wait. A process is named by its id. All raise Unavailable."""

    def elsewhere(self, namespace_id: str, kind: int, queue: str) -> str | None:
        """The home of the queue; None when that is this process."""

    async def offer(self, home: str, task: Task, queue: str) -> None:
        """The task waits: to the home of `queue`, which is its own, or the normal one where nobody polls its sticky one."""

    async def interest(self, home: str, namespace_id: str, kind: int, queue: str, polls: int) -> None:
        """So many polls wait here: to their home."""

    async def give(self, process: str, task: Task) -> bool:
        """A task for a poll that waits there; False when none does any more."""

    async def query(self, home: str, namespace_id: str, kind: int, queue: str, normal_queue: str, data: bytes) -> bool:
        """See Matching.query: to the home of the queue."""

    async def hand_over(self, home: str, task: Task, queue: str, data: bytes) -> None:
        """See Matching.hand_over: to the home of `queue`."""

    async def poll(
        self, home: str, namespace_id: str, kind: int, queue: str, poll: Poll, timeout: float, rate: float | None
    ) -> bytes:
        """See Queues.poll: at the home of the queue."""

    async def everywhere(self, namespace_id: str, kind: int, queue: str) -> list[QueueReply]:
        """What every other process knows of the queue, its home first."""

    async def shutdown_worker(self, namespace_id: str, sticky_queue: str, worker_instance_key: str) -> None:
        """See Queues.shutdown_worker: to every other process."""

    async def deliver(
        self, process: str, task: Task | None, namespace_id: str, kind: int, queue: str, data: bytes
    ) -> bool:
        """The data of a started task, or of a query (None), for a poll that waits there; False when none does any more."""


class Namespaces(Protocol):
    """The namespaces as this process knows them."""

    def by_id(self, namespace_id: str) -> Namespace:
        """Raises NamespaceNotFound."""

    def by_name(self, name: str) -> Namespace:
        """Raises NamespaceNotFound."""


class Endpoints(Protocol):
    """The Nexus endpoints as this process knows them."""

    def find(self, id: str, name: str) -> Endpoint | None:
        """By id, else by name."""
