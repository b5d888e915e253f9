"""How history and matching see each other, and how both see namespaces: protocols only, so that either side can be tested with a fake
and, in a cluster, stand in another process.

Matching is soft state: what it forgets it reads again from history's waiting rows, and a task that it hands out twice is found moot
by history. So every method here may be repeated, and none needs an answer to be remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from temporalio.api.common.v1 import Priority

from server.core.outcome import Namespace, Poll
from server.core.state import Key
from server.core.state_pb2 import Outgoing


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

    async def query(self, namespace_id: str, queue: str, normal_queue: str, data: bytes) -> bool:
        """Answers the next poll of the workflow queue with `data`, a whole PollWorkflowTaskQueueResponse that asks a query; True once a
        worker has it. `normal_queue` is set when `queue` is sticky; then False at once when no worker has polled `queue` for 10 s
        (matching_engine.go stickyPollerUnavailableWindow). Waits for a poller without end: the caller cancels it."""


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


class Namespaces(Protocol):
    """The namespaces as this process knows them."""

    def by_id(self, namespace_id: str) -> Namespace:
        """Raises NamespaceNotFound."""
