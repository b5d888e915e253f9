"""What is wrong with a request, in the official sentence; a request that passes has the official defaults filled in.

Each check takes the request and its namespace, and raises InvalidArgument before anything else has seen the request. Source:
service/frontend/workflow_handler.go, chasm/lib/workflow/validator.go, common/tqid/task_queue_validator.go, common/retrypolicy.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Callback, Link, Priority, WorkflowExecution
from temporalio.api.deployment.v1 import WorkerDeploymentOptions
from temporalio.api.enums.v1 import (
    ResetReapplyType,
    TaskQueueKind,
    WorkerVersioningMode,
    WorkflowIdConflictPolicy,
    WorkflowIdReusePolicy,
)
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    QueryWorkflowRequest,
    RequestCancelWorkflowExecutionRequest,
    ResetWorkflowExecutionRequest,
    SignalWithStartWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
)

from server.core import cron, durations, retry, search_attributes
from server.core.limits import Limits
from server.core.outcome import Namespace
from server.core.rejected import Internal, InvalidArgument, PermissionDenied, Unimplemented
from server.core.workflow.versioning import check as check_override
from server.nexus.callbacks import SYSTEM_URL

LINKS_MAX = 10
LINK_BYTES_MAX = 4000
FAIRNESS_KEY_LENGTH_MAX = 64
BUILD_ID_LENGTH_MAX = 255
VERSIONED = WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED
RESERVED_QUEUE = "/_sys/"
INTERNAL_QUEUES = ("temporal-sys-per-ns-", "temporal-sys-worker-controller-per-ns-tq")
BLOB_TOO_BIG = "Blob data size exceeds limit."

Reuse, Conflict = WorkflowIdReusePolicy, WorkflowIdConflictPolicy
AnyStart = StartWorkflowExecutionRequest | SignalWithStartWorkflowExecutionRequest


def require(holds: object, sentence: str) -> None:
    """Raises InvalidArgument unless it holds."""
    if not holds:
        raise InvalidArgument(sentence)


# Requests --------------------------------------------------------------------------------------------------------------------------


def start(request: StartWorkflowExecutionRequest, namespace: Namespace) -> None:
    """StartWorkflowExecution."""
    limits = namespace.limits
    _default_policies(request, Conflict.WORKFLOW_ID_CONFLICT_POLICY_FAIL)
    _workflow_id(request.workflow_id, limits)
    _retry(request, limits)
    _delay(request)
    cron.validate(request.cron_schedule)
    name = request.workflow_type.name
    require(name, "WorkflowType is not set on request.")
    short(name, "WorkflowType", limits)
    user_queue(request, limits)
    _timeouts(request)
    request_id(request, limits)
    _policies(request)
    options = request.on_conflict_options
    require(
        options.attach_request_id or not options.attach_completion_callbacks,
        "attaching request ID is required for attaching completion callbacks",
    )
    search_attributes.check(request.search_attributes, namespace)
    priority(request.priority)
    callbacks(request.completion_callbacks, limits)
    if request.HasField("versioning_override"):
        check_override(request.versioning_override)
    links(request.links)
    no_time_skipping(request)
    _sizes(request, limits)


def signal_with_start(request: SignalWithStartWorkflowExecutionRequest, namespace: Namespace) -> None:
    """SignalWithStartWorkflowExecution."""
    limits = namespace.limits
    most = limits.id_length_max
    cron.validate(request.cron_schedule)
    _workflow_id(request.workflow_id, limits)
    require(request.signal_name, "signal not set")
    _within("signal name", request.signal_name, most)
    require(request.workflow_type.name, "workflow type not set")
    _within("workflow type name", request.workflow_type.name, most)
    user_queue(request, limits)
    _within("Request ID", request.request_id, most)
    request.request_id = request.request_id or str(uuid.uuid4())
    _timeouts(request)
    _retry(request, limits)
    _delay(request)
    _policies(request)
    require(
        request.workflow_id_conflict_policy != Conflict.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
        "Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported for this operation.",
    )
    _default_policies(request, Conflict.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING)
    search_attributes.check(request.search_attributes, namespace)
    priority(request.priority)
    if request.HasField("versioning_override"):
        check_override(request.versioning_override)
    links(request.links)
    no_time_skipping(request)
    _sizes(request, limits)
    blob(request.signal_input, limits)


def signal(request: SignalWorkflowExecutionRequest, namespace: Namespace) -> None:
    """SignalWorkflowExecution."""
    of_workflow_execution(request, namespace)
    require(request.signal_name, "SignalName is not set on request.")
    short(request.signal_name, "SignalName", namespace.limits)
    short(request.request_id, "RequestId", namespace.limits)
    links(request.links)
    blob(request.input, namespace.limits)


def query(request: QueryWorkflowRequest, namespace: Namespace) -> None:
    """QueryWorkflow."""
    of_execution(request, namespace)
    require(request.HasField("query"), "WorkflowQuery is not set on request.")
    require(request.query.query_type, "QueryType is not set on request.")
    blob(request.query.query_args, namespace.limits)


def cancel(request: RequestCancelWorkflowExecutionRequest, namespace: Namespace) -> None:
    """RequestCancelWorkflowExecution."""
    of_workflow_execution(request, namespace)
    links(request.links)


def terminate(request: TerminateWorkflowExecutionRequest, namespace: Namespace) -> None:
    """TerminateWorkflowExecution. Whoever gives no reason and no identity is told apart from the server itself."""
    of_workflow_execution(request, namespace)
    links(request.links)
    request.reason = request.reason or "terminated by user via frontend"
    request.identity = request.identity or "frontend-service"


def reset(request: ResetWorkflowExecutionRequest, namespace: Namespace) -> None:
    """ResetWorkflowExecution."""
    require(request.request_id, "RequestId is not set on request.")
    short(request.request_id, "RequestId", namespace.limits)
    of_workflow_execution(request, namespace)
    if request.reset_reapply_type not in ResetReapplyType.values():
        raise Internal(f"unknown reset reapply type: {request.reset_reapply_type}")


def of_execution(
    request: DescribeWorkflowExecutionRequest | GetWorkflowExecutionHistoryRequest | Any, _namespace: Namespace
) -> None:
    """A request whose field `execution` names the run."""
    execution(request.execution if request.HasField("execution") else None)


def of_workflow_execution(request: Any, _namespace: Namespace) -> None:
    """A request whose field `workflow_execution` names the run."""
    execution(request.workflow_execution if request.HasField("workflow_execution") else None)


# Parts of requests -----------------------------------------------------------------------------------------------------------------


def execution(named: WorkflowExecution | None) -> None:
    """A workflow id, and a run id that is a UUID if there is one."""
    if named is None:
        msg = "Execution is not set on request."
        raise InvalidArgument(msg)
    require(named.workflow_id, "WorkflowId is not set on request.")
    require(not named.run_id or is_uuid(named.run_id), "Invalid RunId.")


def is_uuid(text: str) -> bool:
    """As Go's uuid.Validate: with or without dashes, in braces, as a URN."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def short(text: str, what: str, limits: Limits) -> None:
    """No longer than an id may be, in bytes of UTF-8."""
    if len(text.encode()) > limits.id_length_max:
        raise InvalidArgument(f"{what} length exceeds limit.")


def identity(request: Any, namespace: Namespace) -> None:
    """The field `identity` is not too long."""
    short(request.identity, "Identity", namespace.limits)


def request_id(request: Any, limits: Limits) -> None:
    """Made up for whoever calls without; SDKs always set one."""
    if not request.request_id:
        request.request_id = str(uuid.uuid4())
    short(request.request_id, "RequestId", limits)


def blob(payloads: Any, limits: Limits) -> None:
    """Payloads that are not larger than one blob may be."""
    if payloads.ByteSize() > limits.blob_size_bytes_max:
        raise InvalidArgument(BLOB_TOO_BIG)


def queue(request: Any, limits: Limits, *, partition: bool = False) -> None:
    """The field `task_queue` names a queue; where `partition`, also a part of one."""
    require(request.HasField("task_queue"), "taskQueue is not set")
    named: TaskQueue = request.task_queue
    if not named.kind:
        named.kind = TaskQueueKind.TASK_QUEUE_KIND_NORMAL
    require(named.name, "missing task queue name")
    _queue_name(named.name, limits, partition=partition)
    if named.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY and named.normal_name:
        _queue_name(named.normal_name, limits, partition=True)


def user_queue(request: Any, limits: Limits) -> None:
    """A queue that is not one of the server's own."""
    queue(request, limits)
    name = request.task_queue.name
    if name.startswith(INTERNAL_QUEUES):
        raise InvalidArgument(f"cannot use internal per-namespace task queue:{name}")


def versioning(stamp: Any, options: WorkerDeploymentOptions) -> None:
    """What a worker says of its version."""
    require(stamp.build_id or not stamp.use_versioning, "WorkerVersionStamp must be present if UseVersioning is true.")
    require(
        len(stamp.build_id.encode()) <= BUILD_ID_LENGTH_MAX,
        "Build ID exceeds configured limit.workerBuildIdSize, use a shorter build ID.",
    )
    if stamp.use_versioning:
        msg = "Worker versioning in workflow progress APIs is disabled on this namespace."
        raise PermissionDenied(msg)
    require(
        options.worker_versioning_mode != VERSIONED or (options.deployment_name and options.build_id),
        "Deployment name and build id must be set together.",
    )


def priority(given: Priority) -> None:
    """Within their bounds."""
    require(given.priority_key >= 0, "priority key can't be negative")
    require(len(given.fairness_key.encode()) <= FAIRNESS_KEY_LENGTH_MAX, "fairness key length exceeds limit")
    require(given.fairness_weight >= 0, "must be greater than zero")


def links(given: Sequence[Link]) -> None:
    """Not too many, not too long, and with all that their kind needs (common/links/validator.go)."""
    if len(given) > LINKS_MAX:
        raise InvalidArgument(f"cannot attach more than {LINKS_MAX} links per request, got {len(given)}")
    for link in given:
        size = link.ByteSize()
        if size > LINK_BYTES_MAX:
            raise InvalidArgument(f"link exceeds allowed size of {LINK_BYTES_MAX}, got {size}")
        _link(link)


_LINKS = {
    "workflow_event": ("workflow event", (("namespace", "namespace field"), ("workflow_id", "workflow ID field"), ("run_id", "run ID field"))),
    "batch_job": ("batch job", (("job_id", "job ID"),)),
    "nexus_operation": (
        "nexus operation",
        (("namespace", "namespace field"), ("operation_id", "operation ID field"), ("run_id", "run ID field")),
    ),
    "activity": ("activity", (("namespace", "namespace field"), ("activity_id", "activity ID field"), ("run_id", "run ID field"))),
    "workflow": ("workflow", (("namespace", "namespace field"), ("workflow_id", "workflow ID field"), ("run_id", "run ID field"))),
}  # fmt: skip


def _link(link: Link) -> None:
    variant = link.WhichOneof("variant")
    if variant not in _LINKS:
        msg = "unsupported link variant"
        raise InvalidArgument(msg)
    name, needed = _LINKS[variant]
    for field, words in needed:
        require(getattr(getattr(link, variant), field), f"{name} link must not have an empty {words}")
    ref = link.workflow_event.event_ref
    require(
        variant != "workflow_event" or ref.event_type or not ref.event_id,
        "workflow event link ref cannot have an unspecified event type and a non-zero event ID",
    )


def _queue_name(name: str, limits: Limits, *, partition: bool) -> None:
    require(len(name.encode()) <= limits.id_length_max, "taskQueue length exceeds limit")
    require(
        partition or not name.startswith(RESERVED_QUEUE),
        f"task queue name cannot start with reserved prefix {RESERVED_QUEUE}",
    )


def _workflow_id(id: str, limits: Limits) -> None:
    require(id, "WorkflowId is not set on request.")
    _within("WorkflowId", id, limits.id_length_max)


def _within(what: str, text: str, most: int) -> None:
    length = len(text.encode())
    require(length <= most, f"{what} exceeds maximum allowed length ({length}/{most})")


def _retry(request: AnyStart, limits: Limits) -> None:
    """A policy that is not given is none: workflows are not retried by default."""
    if request.HasField("retry_policy"):
        request.retry_policy.CopyFrom(retry.defaulted(request.retry_policy, limits))
        retry.validate(request.retry_policy)


def _delay(request: AnyStart) -> None:
    if not request.HasField("workflow_start_delay"):
        return
    require(not request.cron_schedule, "CronSchedule and WorkflowStartDelay may not be used together.")
    _duration(request.workflow_start_delay, "An invalid WorkflowStartDelaySeconds is set on request.")


def _duration(given: Duration, sentence: str) -> None:
    """One that is longer than a hundred years is cut to that."""
    given.FromNanoseconds(durations.capped(given, f"{sentence} cause"))


def _timeouts(request: AnyStart) -> None:
    for field in ("execution", "run", "task"):
        name = f"workflow_{field}_timeout"
        if request.HasField(name):  # type: ignore[arg-type]
            words = f"An invalid Workflow{field.title()}TimeoutSeconds is set on request."
            _duration(getattr(request, name), words)


def _default_policies(request: AnyStart, conflict: WorkflowIdConflictPolicy.ValueType) -> None:
    """common/enums/defaults.go SetDefaultWorkflowIDPolicies."""
    reuse = request.workflow_id_reuse_policy
    if not request.workflow_id_conflict_policy:
        if reuse == Reuse.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING:
            conflict = Conflict.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
            request.workflow_id_reuse_policy = Reuse.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
        request.workflow_id_conflict_policy = conflict
    if not request.workflow_id_reuse_policy:
        request.workflow_id_reuse_policy = Reuse.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE


def _policies(request: AnyStart) -> None:
    reuse, conflict = request.workflow_id_reuse_policy, request.workflow_id_conflict_policy
    require(
        not conflict or reuse != Reuse.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING,
        "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING "
        "cannot be used together with a WorkflowIDConflictPolicy",
    )
    require(
        conflict != Conflict.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
        or reuse != Reuse.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
        "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE "
        "cannot be used together with WorkflowIdConflictPolicy WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING",
    )


def callbacks(given: Sequence[Callback], limits: Limits) -> None:
    """Each is for an address that is allowed (chasm/lib/callback/validator.go). Header names become lower case."""
    most = limits.callbacks_max
    require(len(given) <= most, f"cannot attach more than {most} callbacks to an execution")
    for callback in given:
        if not callback.HasField("nexus"):
            msg = "unknown callback variant: <nil>"
            raise Unimplemented(msg)
        url, header = callback.nexus.url, dict(callback.nexus.header)
        most = limits.callback_url_length_max
        require(len(url) <= most, f"invalid url: url length longer than max length allowed of {most}")
        _reachable(url, limits)
        most, size = (
            limits.callback_header_bytes_max,
            sum(len(f"{key}{value}".encode()) for key, value in header.items()),
        )
        require(size <= most, f"invalid header: header size longer than max allowed size of {most}")
        callback.nexus.header.clear()
        callback.nexus.header.update({key.lower(): value for key, value in header.items()})


def _reachable(url: str, limits: Limits) -> None:
    if url == SYSTEM_URL:
        return
    try:
        parsed = urlsplit(url)
    except ValueError as wrong:
        raise InvalidArgument(f"invalid callback url: {wrong}") from None
    require(parsed.scheme in ("http", "https"), f"invalid url: unknown scheme: {url}")
    require(parsed.netloc, "invalid url: missing host")
    for pattern, insecure in limits.callback_addresses:
        if re.search(re.escape(pattern).replace(r"\*", ".*"), parsed.netloc):
            secure = insecure or parsed.scheme == "https"
            require(secure, f"invalid url: callback address does not allow insecure connections: {url}")
            return
    raise InvalidArgument(f"invalid url: url does not match any configured callback address: {url}")


def no_time_skipping(request: Any) -> None:
    if "time_skipping_config" in request.DESCRIPTOR.fields_by_name and request.HasField("time_skipping_config"):
        msg = "The Time-Skipping feature is not enabled for namespace."
        raise Unimplemented(msg)


def _sizes(request: AnyStart, limits: Limits) -> None:
    blob(request.input, limits)
    require(request.memo.ByteSize() <= limits.memo_size_bytes_max, "Memo size exceeds limit.")
