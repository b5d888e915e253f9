"""What is set for a task queue by hand: how many tasks a second it hands out. It is kept in the store and holds again after a restart.

Source: service/frontend/workflow_handler.go UpdateTaskQueueConfig, service/matching/rate_limit_manager.go.
"""

from __future__ import annotations

from collections.abc import Callable

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueueConfig
from temporalio.api.workflowservice.v1 import UpdateTaskQueueConfigRequest, UpdateTaskQueueConfigResponse

from drivers.base import Record, Store
from server.core.outcome import ACTIVITY_TASK, NEXUS_TASK, WORKFLOW_TASK, Namespace, timestamp
from server.core.rejected import Unimplemented
from server.environment import Environment
from server.frontend import checks
from server.matching.service import Matching

KIND = "task_queue"
PAGE = 1000
REASON_LENGTH_MAX = 1000
WORKFLOW = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
KINDS = {
    WORKFLOW: WORKFLOW_TASK,
    TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY: ACTIVITY_TASK,
    TaskQueueType.TASK_QUEUE_TYPE_NEXUS: NEXUS_TASK,
}


class QueueConfigs:
    """All that is set, by namespace id, kind of task and name of the queue."""

    def __init__(self, store: Store, environment: Environment, matching: Matching) -> None:
        self._store = store
        self._environment = environment
        self._matching = matching
        self._records: dict[str, Record] = {}
        self.changed: Callable[[], None] = lambda: None  # called after this process has changed a record

    async def load(self) -> None:
        """Reads all records and tells matching. Raises drivers.base.Unavailable."""
        after = ""
        while page := await self._environment.blocking(self._store.records, KIND, after, PAGE):
            for record in page:
                self._keep(record)
            after = page[-1].id

    def get(self, namespace_id: str, kind: int, queue: str) -> TaskQueueConfig:
        """What is set; empty when nothing is."""
        record = self._records.get(_id(namespace_id, kind, queue))
        return TaskQueueConfig.FromString(record.data) if record else TaskQueueConfig()

    async def update(
        self, namespace: Namespace, request: UpdateTaskQueueConfigRequest
    ) -> UpdateTaskQueueConfigResponse:
        """Sets or takes back the rate. Raises drivers.base.Fault."""
        kind, queue = KINDS.get(request.task_queue_type, ACTIVITY_TASK), request.task_queue
        config = self.get(namespace.id, kind, queue)
        if request.HasField("update_queue_rate_limit"):
            asked, limit = request.update_queue_rate_limit, config.queue_rate_limit
            limit.Clear()
            if asked.HasField("rate_limit"):
                limit.rate_limit.CopyFrom(asked.rate_limit)
            limit.metadata.reason = asked.reason
            limit.metadata.update_identity = request.identity
            limit.metadata.update_time.CopyFrom(timestamp(self._environment.now()))
            await self._put(_id(namespace.id, kind, queue), config.SerializeToString())
        return UpdateTaskQueueConfigResponse(config=config)

    async def _put(self, id: str, data: bytes) -> None:
        known = self._records.get(id)
        expected = known.version if known else 0
        version = await self._environment.writing(self._store.put_record, KIND, id, data, expected)
        self._keep(Record(KIND, id, version, data))
        self.changed()

    def _keep(self, record: Record) -> None:
        self._records[record.id] = record
        namespace_id, kind, queue = record.id.split("/", 2)
        limit = TaskQueueConfig.FromString(record.data).queue_rate_limit
        rate = limit.rate_limit.requests_per_second if limit.HasField("rate_limit") else None
        self._matching.limit(namespace_id, int(kind), queue, rate)


def check(request: UpdateTaskQueueConfigRequest, namespace: Namespace) -> None:
    """Raises InvalidArgument; Unimplemented for what concerns fairness."""
    asked = request.update_queue_rate_limit
    checks.require(
        not asked.HasField("rate_limit") or request.task_queue_type != WORKFLOW,
        "Setting rate limit on workflow task queues is not allowed.",
    )
    checks.require(
        asked.rate_limit.requests_per_second >= 0,
        "RequestsPerSecond for UpdateQueueRateLimit rate limit must be non-negative.",
    )
    _within("UpdateQueueRateLimit.Reason", asked.reason, REASON_LENGTH_MAX)
    _within("Identity", request.identity, namespace.limits.id_length_max)
    checks.require(
        not request.task_queue.startswith(checks.RESERVED_QUEUE),
        f"task queue family name cannot have prefix {checks.RESERVED_QUEUE} {request.task_queue}",
    )
    fairness = (request.set_fairness_weight_overrides, request.unset_fairness_weight_overrides)
    if request.HasField("update_fairness_key_rate_limit_default") or any(fairness):
        msg = "Fairness of task queues is not implemented by this server."
        raise Unimplemented(msg)


def _within(field: str, text: str, most: int) -> None:
    checks.require(len(text.encode()) <= most, f"{field} field too long (max {most} characters).")


def _id(namespace_id: str, kind: int, queue: str) -> str:
    return f"{namespace_id}/{kind}/{queue}"
