"""A worker's poll that waits for a task. It ends once: with a task, empty-handed at its time, or because the worker left."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from server.core.outcome import Poll
from server.faces import Task

if TYPE_CHECKING:
    from server.matching.partition import Partition


class Waiter:
    """Implements faces.Poller. While it is taken its time-out waits: whoever took it decides how the poll ends."""

    __slots__ = ("_left", "_partition", "_taken", "future", "poll", "task")

    def __init__(self, partition: Partition, poll: Poll) -> None:
        self._partition = partition
        self.poll = poll
        self.future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.task: Task | None = None  # what was delivered, in case the worker has left meanwhile
        self._taken = False
        self._left = False

    def take(self, task: Task | None) -> None:
        """The poll is out of its queue, for this task (None: a query)."""
        self._taken = True
        self.task = task

    def deliver(self, data: bytes) -> bool:
        """See faces.Poller."""
        if self.future.done():
            return False
        self.future.set_result(data)
        return True

    def release(self) -> None:
        """See faces.Poller."""
        self._taken, self.task = False, None
        if self._left:
            self.end()
        elif not self.future.done():
            self._partition.wait_again(self)

    def leave(self) -> None:
        """Its time is over, or its worker shuts down."""
        self._left = True
        if not self._taken:
            self._partition.forget(self)
            self.end()

    def end(self) -> None:
        """Answers the poll with nothing."""
        if not self.future.done():
            self.future.set_result(b"")
