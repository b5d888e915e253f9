"""The tasks of one queue that wait in memory: ordered, each once, no more than a bound. Pure: no waiting, no clock."""

from __future__ import annotations

import heapq

from server.core.state import Key
from server.faces import Task

PRIORITY_DEFAULT = 3  # of 1 (first) to 5

Name = tuple[Key, int, int, int]


def name(task: Task) -> Name:
    """What makes two offers the same task."""
    return (task.key, task.scheduled_event_id, task.attempt, task.stamp)


def priority(task: Task) -> int:
    """The task's priority key, 1 to 5."""
    return (task.priority.priority_key if task.priority is not None else 0) or PRIORITY_DEFAULT


class Backlog:
    """By priority, then by id. A task beyond `tasks_max` is not kept: the store still has it, and `spilled` says under which queues."""

    __slots__ = ("_heap", "_names", "spilled", "tasks_max")

    def __init__(self, tasks_max: int) -> None:
        self.tasks_max = tasks_max
        self.spilled: set[str] = set()
        self._heap: list[tuple[int, int, int, Task]] = []
        self._names: set[Name] = set()

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, task: Task) -> bool:
        """Keeps the task; False when it was there already or there is no room (then the queue has spilled)."""
        key = name(task)
        if key in self._names:
            return False
        if len(self._heap) >= self.tasks_max:
            self.spilled.add(task.queue)
            return False
        self._names.add(key)
        heapq.heappush(self._heap, (priority(task), task.id, task.shard, task))
        return True

    def pop(self, now: int) -> Task | None:
        """Takes the first task that has not expired; None when there is none."""
        while self._heap:
            task = heapq.heappop(self._heap)[3]
            self._names.discard(name(task))
            if not task.expires_at or task.expires_at > now:
                return task
        return None

    def goes_first(self, task: Task) -> bool:
        """Whether the task may be handed out before everything that waits."""
        if self.spilled:
            return False
        return not self._heap or priority(task) < self._heap[0][0]

    def oldest(self) -> int:
        """The scheduled time of the oldest task, nanoseconds; 0 for none."""
        return min((entry[3].scheduled_time for entry in self._heap), default=0)

    def by_priority(self) -> dict[int, tuple[int, int]]:
        """Of each priority key that occurs: how many wait, and the oldest scheduled time."""
        out: dict[int, tuple[int, int]] = {}
        for key, _, _, task in self._heap:
            count, oldest = out.get(key, (0, task.scheduled_time))
            out[key] = (count + 1, min(oldest, task.scheduled_time))
        return out
