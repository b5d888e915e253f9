"""All task queues of this process behind one face.

Matching is soft state: what waits is kept by history's rows, so nothing here has to survive. The calls mirror faces.Matching; `poll`,
`describe`, `limit` and `shutdown_worker` are the frontend's.
"""

from __future__ import annotations

from temporalio.api.deployment.v1 import WorkerDeploymentOptions
from temporalio.api.enums.v1 import WorkerVersioningMode
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueueStats

from server.core.limits import MINUTE, SECOND
from server.core.outcome import WORKFLOW_TASK, Poll, timestamp
from server.environment import Environment, Handle
from server.faces import History, Homes, Poller, Task
from server.matching.partition import POLLER_KEPT, Counts, Partition

SWEEP_EVERY = MINUTE
VERSIONED = WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED
RATES_OVER = 30 * SECOND

Queue = tuple[str, int, str]


class Matching:
    """Implements faces.Matching."""

    def __init__(self, environment: Environment, history: History | None = None, homes: Homes | None = None) -> None:
        self._environment = environment
        self._homes = homes  # in a cluster
        self._partitions: dict[Queue, Partition] = {}
        self._limits: dict[Queue, float] = {}
        self._sweep: Handle | None = None
        self.history = history  # set before the first call: history and matching need each other

    def close(self) -> None:
        """Ends every poll with nothing, and forgets every task."""
        if self._sweep is not None:
            self._sweep.cancel()
        for partition in self._partitions.values():
            partition.close()

    # For history -------------------------------------------------------------------------------------------------------------------

    def take(self, task: Task) -> Poller | None:
        """See faces.Matching."""
        partition = self._known(task)
        return partition.take(task) if partition is not None else None

    def offer(self, task: Task) -> None:
        """See faces.Matching. A sticky queue that no worker polls any more passes its tasks on to the normal one."""
        self._for(task).offer(task)

    def hand_over(self, task: Task, data: bytes) -> None:
        """See faces.Matching."""
        self._for(task).hand_over(task, data)

    async def query(self, namespace_id: str, kind: int, queue: str, normal_queue: str, data: bytes) -> bool:
        """See faces.Matching."""
        partition = self.partition(namespace_id, kind, queue)
        if normal_queue and not partition.alive:
            return False
        await partition.query(data)
        return True

    # For the frontend --------------------------------------------------------------------------------------------------------------

    async def poll(
        self, namespace_id: str, kind: int, queue: str, poll: Poll, timeout: float, rate: float | None = None
    ) -> bytes:
        """The serialized Poll…Response for the next task of the queue, empty when none came within `timeout` seconds. `rate` is what the
        worker says the whole queue may have per second. May be cancelled at any time."""
        return await self.partition(namespace_id, kind, queue).poll(poll, timeout, rate)

    async def shutdown_worker(self, namespace_id: str, sticky_queue: str, worker_instance_key: str) -> None:
        """See faces.Queues."""
        self.worker_left(namespace_id, sticky_queue, worker_instance_key)

    def worker_left(self, namespace_id: str, sticky_queue: str, worker_instance_key: str) -> None:
        """A worker leaves: the polls on its sticky queue and all that carry its key end with nothing."""
        sticky = self._partitions.get((namespace_id, WORKFLOW_TASK, sticky_queue)) if sticky_queue else None
        if sticky is not None:
            sticky.dismiss()
            sticky.last_poll = 0
        if worker_instance_key:
            for partition in list(self._partitions.values()):
                if partition.namespace_id == namespace_id:
                    partition.dismiss(worker_instance_key)

    def limit(self, namespace_id: str, kind: int, queue: str, rate: float | None) -> None:
        """Sets how many tasks a second the queue hands out (None: as its workers say), now and whenever it is used again."""
        name = (namespace_id, kind, queue)
        if rate is None:
            self._limits.pop(name, None)
        else:
            self._limits[name] = rate
        if name in self._partitions:
            self._partitions[name].limit(rate)

    async def pollers(self, namespace_id: str, kind: int, queue: str) -> list[PollerInfo]:
        """Who has polled the queue in the last five minutes."""
        partition = self._partitions.get((namespace_id, kind, queue))
        if partition is None:
            return []
        now = self._environment.now()
        return [
            PollerInfo(
                last_access_time=timestamp(seen.at),
                identity=identity,
                rate_per_second=seen.rate or 100000.0,
                deployment_options=_deployment(seen.poll),
            )
            for identity, seen in partition.workers.items()
            if now < seen.at + POLLER_KEPT
        ]

    async def stats(self, namespace_id: str, kind: int, queue: str) -> tuple[TaskQueueStats, dict[int, TaskQueueStats]]:
        """The queue's backlog and rates, in all and by priority key."""
        partition = self._partitions.get((namespace_id, kind, queue))
        if partition is None:
            return TaskQueueStats(), {}
        now = self._environment.now()
        whole = _stats(len(partition.backlog), partition.backlog.oldest(), now)
        span = max(now - partition.counts.since, SECOND) / SECOND
        whole.tasks_add_rate = partition.counts.added / span
        whole.tasks_dispatch_rate = partition.counts.handed_out / span
        by_priority = {
            key: _stats(count, oldest, now) for key, (count, oldest) in partition.backlog.by_priority().items()
        }
        return whole, by_priority

    # Queues ------------------------------------------------------------------------------------------------------------------------

    def _known(self, task: Task) -> Partition | None:
        """Where the task would be offered, if a worker has ever been there."""
        partition = self._partitions.get((task.namespace_id, task.kind, task.queue))
        if task.normal_queue and (partition is None or not partition.alive):
            partition = self._partitions.get((task.namespace_id, task.kind, task.normal_queue))
        return partition

    def _for(self, task: Task) -> Partition:
        partition = self.partition(task.namespace_id, task.kind, task.queue)
        if task.normal_queue and not partition.alive:
            return self.partition(task.namespace_id, task.kind, task.normal_queue)
        return partition

    def known(self, namespace_id: str, kind: int, queue: str) -> Partition | None:
        """The queue as it is here, if it has been used."""
        return self._partitions.get((namespace_id, kind, queue))

    def all(self) -> list[Partition]:
        """Every queue that has been used here."""
        return list(self._partitions.values())

    def partition(self, namespace_id: str, kind: int, queue: str) -> Partition:
        """The queue as it is here."""
        name = (namespace_id, kind, queue)
        partition = self._partitions.get(name)
        if partition is None:
            assert self.history is not None
            partition = Partition(self._environment, self.history, namespace_id, kind, queue, homes=self._homes)
            partition.counts = Counts(self._environment.now())
            self._partitions[name] = partition
            if name in self._limits:
                partition.limit(self._limits[name])
            self._plan_sweep()
        return partition

    def _plan_sweep(self) -> None:
        if self._sweep is None:
            self._sweep = self._environment.call_at(self._environment.now() + SWEEP_EVERY, self._swept)

    def _swept(self) -> None:
        """Forgets queues that nobody uses, and starts the rates anew."""
        self._sweep = None
        now = self._environment.now()
        for name, partition in list(self._partitions.items()):
            partition.forget_workers(now - POLLER_KEPT)
            if partition.idle(now):
                del self._partitions[name]
            elif now > partition.counts.since + RATES_OVER:
                partition.counts = Counts(now)
        if self._partitions:
            self._plan_sweep()


def _deployment(poll: Poll) -> WorkerDeploymentOptions | None:
    """The version of a worker that says it."""
    if not poll.deployment_name:
        return None
    return WorkerDeploymentOptions(
        deployment_name=poll.deployment_name, build_id=poll.build_id, worker_versioning_mode=VERSIONED
    )


def _stats(count: int, oldest: int, now: int) -> TaskQueueStats:
    stats = TaskQueueStats(approximate_backlog_count=count)
    if oldest:
        stats.approximate_backlog_age.FromNanoseconds(max(0, now - oldest))
    return stats
