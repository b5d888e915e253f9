"""Polls, and what can be asked of task queues."""

from __future__ import annotations

import uuid

from temporalio.api.enums.v1 import DescribeTaskQueueMode, TaskQueueKind
from temporalio.api.taskqueue.v1 import (
    TaskQueuePartitionMetadata,
    TaskQueueStatus,
    TaskQueueTypeInfo,
    TaskQueueVersionInfo,
)
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    ListTaskQueuePartitionsRequest,
    ListTaskQueuePartitionsResponse,
    PollActivityTaskQueueRequest,
    PollNexusTaskQueueRequest,
    PollWorkflowTaskQueueRequest,
    ShutdownWorkerRequest,
    ShutdownWorkerResponse,
)

from server.core.outcome import ACTIVITY_TASK, NEXUS_TASK, WORKFLOW_TASK, Namespace, Poll
from server.core.rejected import FailedPrecondition, InvalidArgument
from server.faces import Queues
from server.frontend import checks, queue_config
from server.frontend.queue_config import KINDS, QueueConfigs
from server.frontend.rpc import Context, Rpc, Table

POLL_SECONDS_MIN = 2.0  # common/constants.go MinLongPollTimeout
POLL_SECONDS_MAX = 60.0  # dynamic configuration matching.longPollExpirationInterval
POLL_SECONDS_SPARE = 1.0  # an empty answer leaves that long before the worker gives up
ENHANCED = DescribeTaskQueueMode.DESCRIBE_TASK_QUEUE_MODE_ENHANCED
STICKY = TaskQueueKind.TASK_QUEUE_KIND_STICKY


class TaskQueues:
    """Each method is named for its RPC, and raises Rejected."""

    def __init__(self, matching: Queues, configs: QueueConfigs, address: str) -> None:
        self._matching = matching
        self._configs = configs
        self._address = address

    def table(self) -> Table:
        """RPC → handler."""
        return {
            "PollWorkflowTaskQueue": Rpc(self.poll_workflow, contextual=True),
            "PollActivityTaskQueue": Rpc(self.poll_activity, contextual=True),
            "PollNexusTaskQueue": Rpc(self.poll_nexus, contextual=True),
            "ShutdownWorker": Rpc(self.shutdown_worker),
            "DescribeTaskQueue": Rpc(self.describe, _describe),
            "ListTaskQueuePartitions": Rpc(self.partitions, _queue),
            "UpdateTaskQueueConfig": Rpc(self._configs.update, queue_config.check),
        }

    async def poll_workflow(
        self, namespace: Namespace, request: PollWorkflowTaskQueueRequest, context: Context
    ) -> bytes:
        timeout = _patience(context)
        checks.identity(request, namespace)
        checks.versioning(request.worker_version_capabilities, request.deployment_options)
        checks.queue(request, namespace.limits)
        poll, name = _poll(request), request.task_queue.name
        return await self._matching.poll(namespace.id, WORKFLOW_TASK, name, poll, timeout)

    async def poll_activity(
        self, namespace: Namespace, request: PollActivityTaskQueueRequest, context: Context
    ) -> bytes:
        timeout = _patience(context)
        checks.queue(request, namespace.limits)
        checks.identity(request, namespace)
        checks.versioning(request.worker_version_capabilities, request.deployment_options)
        wanted = request.task_queue_metadata
        rate = wanted.max_tasks_per_second.value if wanted.HasField("max_tasks_per_second") else None
        poll, name = _poll(request), request.task_queue.name
        return await self._matching.poll(namespace.id, ACTIVITY_TASK, name, poll, timeout, rate)

    async def poll_nexus(self, namespace: Namespace, request: PollNexusTaskQueueRequest, context: Context) -> bytes:
        timeout = _patience(context)
        checks.queue(request, namespace.limits)
        checks.identity(request, namespace)
        checks.versioning(request.worker_version_capabilities, request.deployment_options)
        poll, name = _poll(request), request.task_queue.name
        return await self._matching.poll(namespace.id, NEXUS_TASK, name, poll, timeout)

    async def shutdown_worker(self, namespace: Namespace, request: ShutdownWorkerRequest) -> ShutdownWorkerResponse:
        await self._matching.shutdown_worker(namespace.id, request.sticky_task_queue, request.worker_instance_key)
        return ShutdownWorkerResponse()

    async def describe(self, namespace: Namespace, request: DescribeTaskQueueRequest) -> DescribeTaskQueueResponse:
        if request.api_mode == ENHANCED:
            return await self._enhanced(namespace, request)
        kind = KINDS.get(request.task_queue_type, WORKFLOW_TASK)
        name = request.task_queue.name
        response = DescribeTaskQueueResponse(pollers=await self._matching.pollers(namespace.id, kind, name))
        if request.report_config:
            response.config.CopyFrom(self._configs.get(namespace.id, kind, name))
        if request.report_stats:
            whole, by_priority = await self._matching.stats(namespace.id, kind, name)
            response.stats.CopyFrom(whole)
            for key, stats in by_priority.items():
                response.stats_by_priority_key[key].CopyFrom(stats)
        if request.include_task_queue_status:
            whole, _ = await self._matching.stats(namespace.id, kind, name)
            response.task_queue_status.CopyFrom(TaskQueueStatus(backlog_count_hint=whole.approximate_backlog_count))
        return response

    async def _enhanced(self, namespace: Namespace, request: DescribeTaskQueueRequest) -> DescribeTaskQueueResponse:
        """Both kinds of queue under the version of unversioned workers, which is empty."""
        asked = [each for each in request.task_queue_types if each in KINDS] or list(KINDS)
        version = TaskQueueVersionInfo()
        for kind in asked:
            info = TaskQueueTypeInfo()
            if request.report_pollers:
                info.pollers.extend(await self._matching.pollers(namespace.id, KINDS[kind], request.task_queue.name))
            if request.report_stats:
                whole, _ = await self._matching.stats(namespace.id, KINDS[kind], request.task_queue.name)
                info.stats.CopyFrom(whole)
            version.types_info[kind].CopyFrom(info)
        response = DescribeTaskQueueResponse()
        response.versions_info[""].CopyFrom(version)  # type: ignore[deprecated]
        return response

    async def partitions(
        self, _namespace: Namespace, request: ListTaskQueuePartitionsRequest
    ) -> ListTaskQueuePartitionsResponse:
        """A queue has one partition for each kind of task."""
        one = TaskQueuePartitionMetadata(key=request.task_queue.name, owner_host_name=self._address)
        return ListTaskQueuePartitionsResponse(
            activity_task_queue_partitions=[one], workflow_task_queue_partitions=[one]
        )


def _patience(context: Context) -> float:
    """How long a poll may wait. A worker that waits for ever, or hardly, is told so (common/util.go)."""
    left = context.time_remaining()
    if left is None:
        msg = "Context timeout is not set."
        raise InvalidArgument(msg)
    if left < POLL_SECONDS_MIN:
        msg = "Context timeout is too short."
        raise FailedPrecondition(msg)
    return min(left - POLL_SECONDS_SPARE, POLL_SECONDS_MAX)


def _poll(request: PollWorkflowTaskQueueRequest | PollActivityTaskQueueRequest | PollNexusTaskQueueRequest) -> Poll:
    capabilities = request.worker_version_capabilities
    return Poll(
        identity=request.identity,
        request_id=str(uuid.uuid4()),
        queue=request.task_queue.name,
        worker_instance_key=request.worker_instance_key,
        build_id=request.deployment_options.build_id or capabilities.build_id,
        use_versioning=capabilities.use_versioning,
        deployment_name=request.deployment_options.deployment_name,
    )


def _queue(request: ListTaskQueuePartitionsRequest, namespace: Namespace) -> None:
    checks.queue(request, namespace.limits)


def _describe(request: DescribeTaskQueueRequest, namespace: Namespace) -> None:
    checks.queue(request, namespace.limits, partition=request.api_mode != ENHANCED)
    checks.require(
        request.api_mode != ENHANCED or request.task_queue.kind != STICKY,
        "Enhanced DescribeTaskQueue is not valid for a sticky queue, use api_mode=UNSPECIFIED or a normal queue.",
    )
