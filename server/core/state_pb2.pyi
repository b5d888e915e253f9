from collections.abc import Iterable as _Iterable
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar

from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from temporalio.api.common.v1 import message_pb2 as _message_pb2
from temporalio.api.failure.v1 import message_pb2 as _message_pb2_1
from temporalio.api.workflow.v1 import message_pb2 as _message_pb2_1_1

DESCRIPTOR: _descriptor.FileDescriptor

class Core(_message.Message):
    __slots__ = ("assigned_build_id", "auto_reset_points", "buffered_seq", "cancel_request_id", "cancel_requested", "close_event_id", "close_time", "execution_deadline", "execution_time", "external_payload_count", "external_payload_size_bytes", "first_run_id", "first_task_at", "history_size_bytes", "last_started_event_id", "memo", "most_recent_worker_version_stamp", "new_run_id", "next_event_id", "original_run_id", "priority", "retention_deadline", "run_deadline", "search_attributes", "signal_count", "start_time", "state_transition_count", "status", "sticky", "task", "task_attempt", "task_heartbeat_since", "task_last_failure_cause", "task_retry_at", "unseen", "update_count", "versioning_info", "worker_deployment_name", "workflow_task_timeout")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    NEXT_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_TIME_FIELD_NUMBER: _ClassVar[int]
    CLOSE_TIME_FIELD_NUMBER: _ClassVar[int]
    CLOSE_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_DEADLINE_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DEADLINE_FIELD_NUMBER: _ClassVar[int]
    FIRST_TASK_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_STARTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    STICKY_FIELD_NUMBER: _ClassVar[int]
    MEMO_FIELD_NUMBER: _ClassVar[int]
    SEARCH_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    HISTORY_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    STATE_TRANSITION_COUNT_FIELD_NUMBER: _ClassVar[int]
    NEW_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    UNSEEN_FIELD_NUMBER: _ClassVar[int]
    BUFFERED_SEQ_FIELD_NUMBER: _ClassVar[int]
    TASK_ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    RETENTION_DEADLINE_FIELD_NUMBER: _ClassVar[int]
    MOST_RECENT_WORKER_VERSION_STAMP_FIELD_NUMBER: _ClassVar[int]
    AUTO_RESET_POINTS_FIELD_NUMBER: _ClassVar[int]
    VERSIONING_INFO_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_RETRY_AT_FIELD_NUMBER: _ClassVar[int]
    WORKER_DEPLOYMENT_NAME_FIELD_NUMBER: _ClassVar[int]
    ASSIGNED_BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    UPDATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TASK_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_PAYLOAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_PAYLOAD_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    TASK_HEARTBEAT_SINCE_FIELD_NUMBER: _ClassVar[int]
    TASK_LAST_FAILURE_CAUSE_FIELD_NUMBER: _ClassVar[int]
    status: int
    next_event_id: int
    start_time: int
    execution_time: int
    close_time: int
    close_event_id: int
    run_deadline: int
    execution_deadline: int
    first_task_at: int
    last_started_event_id: int
    task: WorkflowTask
    sticky: Sticky
    memo: _message_pb2.Memo
    search_attributes: _message_pb2.SearchAttributes
    cancel_requested: bool
    cancel_request_id: str
    history_size_bytes: int
    signal_count: int
    state_transition_count: int
    new_run_id: str
    unseen: bool
    buffered_seq: int
    task_attempt: int
    retention_deadline: int
    most_recent_worker_version_stamp: _message_pb2.WorkerVersionStamp
    auto_reset_points: _message_pb2_1_1.ResetPoints
    versioning_info: _message_pb2_1_1.WorkflowExecutionVersioningInfo
    priority: _message_pb2.Priority
    original_run_id: str
    first_run_id: str
    task_retry_at: int
    worker_deployment_name: str
    assigned_build_id: str
    update_count: int
    workflow_task_timeout: int
    external_payload_count: int
    external_payload_size_bytes: int
    task_heartbeat_since: int
    task_last_failure_cause: str
    def __init__(self, status: int | None = ..., next_event_id: int | None = ..., start_time: int | None = ..., execution_time: int | None = ..., close_time: int | None = ..., close_event_id: int | None = ..., run_deadline: int | None = ..., execution_deadline: int | None = ..., first_task_at: int | None = ..., last_started_event_id: int | None = ..., task: WorkflowTask | _Mapping | None = ..., sticky: Sticky | _Mapping | None = ..., memo: _message_pb2.Memo | _Mapping | None = ..., search_attributes: _message_pb2.SearchAttributes | _Mapping | None = ..., cancel_requested: bool | None = ..., cancel_request_id: str | None = ..., history_size_bytes: int | None = ..., signal_count: int | None = ..., state_transition_count: int | None = ..., new_run_id: str | None = ..., unseen: bool | None = ..., buffered_seq: int | None = ..., task_attempt: int | None = ..., retention_deadline: int | None = ..., most_recent_worker_version_stamp: _message_pb2.WorkerVersionStamp | _Mapping | None = ..., auto_reset_points: _message_pb2_1_1.ResetPoints | _Mapping | None = ..., versioning_info: _message_pb2_1_1.WorkflowExecutionVersioningInfo | _Mapping | None = ..., priority: _message_pb2.Priority | _Mapping | None = ..., original_run_id: str | None = ..., first_run_id: str | None = ..., task_retry_at: int | None = ..., worker_deployment_name: str | None = ..., assigned_build_id: str | None = ..., update_count: int | None = ..., workflow_task_timeout: int | None = ..., external_payload_count: int | None = ..., external_payload_size_bytes: int | None = ..., task_heartbeat_since: int | None = ..., task_last_failure_cause: str | None = ...) -> None: ...

class WorkflowTask(_message.Message):
    __slots__ = ("attempt", "dispatch_id", "history_size_bytes", "identity", "kind", "original_scheduled_time", "queue", "request_id", "schedule_to_start_timeout", "scheduled_event_id", "scheduled_time", "started_event_id", "started_time", "sticky", "suggest_continue_as_new", "suggest_continue_as_new_reasons", "timeout", "worker_instance_key", "worker_version")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        NORMAL: _ClassVar[WorkflowTask.Kind]
        TRANSIENT: _ClassVar[WorkflowTask.Kind]
        SPECULATIVE: _ClassVar[WorkflowTask.Kind]
    NORMAL: WorkflowTask.Kind
    TRANSIENT: WorkflowTask.Kind
    SPECULATIVE: WorkflowTask.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_TIME_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_SCHEDULED_TIME_FIELD_NUMBER: _ClassVar[int]
    STARTED_TIME_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    STICKY_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TO_START_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    DISPATCH_ID_FIELD_NUMBER: _ClassVar[int]
    SUGGEST_CONTINUE_AS_NEW_FIELD_NUMBER: _ClassVar[int]
    HISTORY_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SUGGEST_CONTINUE_AS_NEW_REASONS_FIELD_NUMBER: _ClassVar[int]
    WORKER_VERSION_FIELD_NUMBER: _ClassVar[int]
    WORKER_INSTANCE_KEY_FIELD_NUMBER: _ClassVar[int]
    kind: WorkflowTask.Kind
    scheduled_event_id: int
    started_event_id: int
    attempt: int
    scheduled_time: int
    original_scheduled_time: int
    started_time: int
    timeout: int
    queue: str
    sticky: bool
    schedule_to_start_timeout: int
    request_id: str
    identity: str
    dispatch_id: int
    suggest_continue_as_new: bool
    history_size_bytes: int
    suggest_continue_as_new_reasons: _containers.RepeatedScalarFieldContainer[int]
    worker_version: _message_pb2.WorkerVersionStamp
    worker_instance_key: str
    def __init__(self, kind: WorkflowTask.Kind | str | None = ..., scheduled_event_id: int | None = ..., started_event_id: int | None = ..., attempt: int | None = ..., scheduled_time: int | None = ..., original_scheduled_time: int | None = ..., started_time: int | None = ..., timeout: int | None = ..., queue: str | None = ..., sticky: bool | None = ..., schedule_to_start_timeout: int | None = ..., request_id: str | None = ..., identity: str | None = ..., dispatch_id: int | None = ..., suggest_continue_as_new: bool | None = ..., history_size_bytes: int | None = ..., suggest_continue_as_new_reasons: _Iterable[int] | None = ..., worker_version: _message_pb2.WorkerVersionStamp | _Mapping | None = ..., worker_instance_key: str | None = ...) -> None: ...

class Sticky(_message.Message):
    __slots__ = ("queue", "schedule_to_start_timeout")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TO_START_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    queue: str
    schedule_to_start_timeout: int
    def __init__(self, queue: str | None = ..., schedule_to_start_timeout: int | None = ...) -> None: ...

class Activity(_message.Message):
    __slots__ = ("activity_id", "activity_type", "attempt", "attempt_scheduled_time", "cancel_requested", "cancel_requested_event_id", "dispatch_id", "first_started_time", "heartbeat_details", "heartbeat_time", "heartbeat_timeout", "identity", "last_attempt_complete_time", "last_failure", "last_worker_identity", "pause_identity", "pause_reason", "pause_time", "paused", "priority", "queue", "request_id", "reset_activity", "reset_heartbeat", "retry_at", "retry_interval", "retry_policy", "schedule_to_close_deadline", "schedule_to_close_timeout", "schedule_to_start_timeout", "scheduled_batch_id", "scheduled_event_id", "scheduled_time", "stamp", "start_to_close_timeout", "started_time", "use_workflow_build_id", "worker_instance_key", "worker_version")
    SCHEDULED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_TYPE_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_TIME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_SCHEDULED_TIME_FIELD_NUMBER: _ClassVar[int]
    FIRST_STARTED_TIME_FIELD_NUMBER: _ClassVar[int]
    STARTED_TIME_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TO_START_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TO_CLOSE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    START_TO_CLOSE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    RETRY_POLICY_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_TIME_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_DETAILS_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_FIELD_NUMBER: _ClassVar[int]
    LAST_WORKER_IDENTITY_FIELD_NUMBER: _ClassVar[int]
    RETRY_AT_FIELD_NUMBER: _ClassVar[int]
    DISPATCH_ID_FIELD_NUMBER: _ClassVar[int]
    STAMP_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    USE_WORKFLOW_BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_VERSION_FIELD_NUMBER: _ClassVar[int]
    LAST_ATTEMPT_COMPLETE_TIME_FIELD_NUMBER: _ClassVar[int]
    RETRY_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    WORKER_INSTANCE_KEY_FIELD_NUMBER: _ClassVar[int]
    PAUSE_TIME_FIELD_NUMBER: _ClassVar[int]
    PAUSE_IDENTITY_FIELD_NUMBER: _ClassVar[int]
    PAUSE_REASON_FIELD_NUMBER: _ClassVar[int]
    RESET_HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    RESET_ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TO_CLOSE_DEADLINE_FIELD_NUMBER: _ClassVar[int]
    scheduled_event_id: int
    scheduled_batch_id: int
    activity_id: str
    activity_type: str
    queue: str
    scheduled_time: int
    attempt_scheduled_time: int
    first_started_time: int
    started_time: int
    schedule_to_start_timeout: int
    schedule_to_close_timeout: int
    start_to_close_timeout: int
    heartbeat_timeout: int
    retry_policy: _message_pb2.RetryPolicy
    attempt: int
    request_id: str
    identity: str
    heartbeat_time: int
    heartbeat_details: _message_pb2.Payloads
    cancel_requested: bool
    cancel_requested_event_id: int
    last_failure: _message_pb2_1.Failure
    last_worker_identity: str
    retry_at: int
    dispatch_id: int
    stamp: int
    paused: bool
    priority: _message_pb2.Priority
    use_workflow_build_id: bool
    worker_version: _message_pb2.WorkerVersionStamp
    last_attempt_complete_time: int
    retry_interval: int
    worker_instance_key: str
    pause_time: int
    pause_identity: str
    pause_reason: str
    reset_heartbeat: bool
    reset_activity: bool
    schedule_to_close_deadline: int
    def __init__(self, scheduled_event_id: int | None = ..., scheduled_batch_id: int | None = ..., activity_id: str | None = ..., activity_type: str | None = ..., queue: str | None = ..., scheduled_time: int | None = ..., attempt_scheduled_time: int | None = ..., first_started_time: int | None = ..., started_time: int | None = ..., schedule_to_start_timeout: int | None = ..., schedule_to_close_timeout: int | None = ..., start_to_close_timeout: int | None = ..., heartbeat_timeout: int | None = ..., retry_policy: _message_pb2.RetryPolicy | _Mapping | None = ..., attempt: int | None = ..., request_id: str | None = ..., identity: str | None = ..., heartbeat_time: int | None = ..., heartbeat_details: _message_pb2.Payloads | _Mapping | None = ..., cancel_requested: bool | None = ..., cancel_requested_event_id: int | None = ..., last_failure: _message_pb2_1.Failure | _Mapping | None = ..., last_worker_identity: str | None = ..., retry_at: int | None = ..., dispatch_id: int | None = ..., stamp: int | None = ..., paused: bool | None = ..., priority: _message_pb2.Priority | _Mapping | None = ..., use_workflow_build_id: bool | None = ..., worker_version: _message_pb2.WorkerVersionStamp | _Mapping | None = ..., last_attempt_complete_time: int | None = ..., retry_interval: int | None = ..., worker_instance_key: str | None = ..., pause_time: int | None = ..., pause_identity: str | None = ..., pause_reason: str | None = ..., reset_heartbeat: bool | None = ..., reset_activity: bool | None = ..., schedule_to_close_deadline: int | None = ...) -> None: ...

class Timer(_message.Message):
    __slots__ = ("fire_at", "started_event_id", "timer_id")
    TIMER_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    FIRE_AT_FIELD_NUMBER: _ClassVar[int]
    timer_id: str
    started_event_id: int
    fire_at: int
    def __init__(self, timer_id: str | None = ..., started_event_id: int | None = ..., fire_at: int | None = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ("event_id", "event_type")
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    event_type: int
    event_id: int
    def __init__(self, event_type: int | None = ..., event_id: int | None = ...) -> None: ...

class Pointer(_message.Message):
    __slots__ = ("close_time", "start_request_id", "start_time", "status")
    START_REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    CLOSE_TIME_FIELD_NUMBER: _ClassVar[int]
    start_request_id: str
    status: int
    start_time: int
    close_time: int
    def __init__(self, start_request_id: str | None = ..., status: int | None = ..., start_time: int | None = ..., close_time: int | None = ...) -> None: ...

class TaskToken(_message.Message):
    __slots__ = ("activity_id", "activity_type", "attempt", "namespace_id", "query_id", "query_queue", "run_id", "scheduled_event_id", "stamp", "started_event_id", "started_time", "version", "workflow_id")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_TYPE_FIELD_NUMBER: _ClassVar[int]
    STAMP_FIELD_NUMBER: _ClassVar[int]
    STARTED_TIME_FIELD_NUMBER: _ClassVar[int]
    QUERY_ID_FIELD_NUMBER: _ClassVar[int]
    QUERY_QUEUE_FIELD_NUMBER: _ClassVar[int]
    version: int
    namespace_id: str
    workflow_id: str
    run_id: str
    scheduled_event_id: int
    started_event_id: int
    attempt: int
    activity_id: str
    activity_type: str
    stamp: int
    started_time: int
    query_id: str
    query_queue: str
    def __init__(self, version: int | None = ..., namespace_id: str | None = ..., workflow_id: str | None = ..., run_id: str | None = ..., scheduled_event_id: int | None = ..., started_event_id: int | None = ..., attempt: int | None = ..., activity_id: str | None = ..., activity_type: str | None = ..., stamp: int | None = ..., started_time: int | None = ..., query_id: str | None = ..., query_queue: str | None = ...) -> None: ...

class HistoryToken(_message.Message):
    __slots__ = ("first_event_id", "more", "next_event_id", "run_id", "running", "version")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    NEXT_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    version: int
    run_id: str
    first_event_id: int
    next_event_id: int
    running: bool
    more: bytes
    def __init__(self, version: int | None = ..., run_id: str | None = ..., first_event_id: int | None = ..., next_event_id: int | None = ..., running: bool | None = ..., more: bytes | None = ...) -> None: ...

class Waiting(_message.Message):
    __slots__ = ("attempt", "expires_at", "kind", "namespace_id", "normal_queue", "priority", "queue", "run_id", "scheduled_event_id", "scheduled_time", "stamp", "workflow_id")
    NAMESPACE_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    STAMP_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    NORMAL_QUEUE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    namespace_id: str
    workflow_id: str
    run_id: str
    scheduled_event_id: int
    attempt: int
    stamp: int
    kind: int
    queue: str
    normal_queue: str
    priority: _message_pb2.Priority
    scheduled_time: int
    expires_at: int
    def __init__(self, namespace_id: str | None = ..., workflow_id: str | None = ..., run_id: str | None = ..., scheduled_event_id: int | None = ..., attempt: int | None = ..., stamp: int | None = ..., kind: int | None = ..., queue: str | None = ..., normal_queue: str | None = ..., priority: _message_pb2.Priority | _Mapping | None = ..., scheduled_time: int | None = ..., expires_at: int | None = ...) -> None: ...
