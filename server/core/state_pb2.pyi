from temporalio.api.activity.v1 import message_pb2 as _message_pb2
from temporalio.api.common.v1 import message_pb2 as _message_pb2_1
from temporalio.api.failure.v1 import message_pb2 as _message_pb2_1_1
from temporalio.api.history.v1 import message_pb2 as _message_pb2_1_1_1
from temporalio.api.workflow.v1 import message_pb2 as _message_pb2_1_1_1_1
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Core(_message.Message):
    __slots__ = ("status", "next_event_id", "start_time", "execution_time", "close_time", "close_event_id", "run_deadline", "execution_deadline", "first_task_at", "last_started_event_id", "task", "sticky", "memo", "search_attributes", "cancel_requested", "cancel_request_id", "history_size_bytes", "signal_count", "state_transition_count", "new_run_id", "unseen", "buffered_seq", "task_attempt", "retention_deadline", "most_recent_worker_version_stamp", "auto_reset_points", "versioning_info", "priority", "original_run_id", "first_run_id", "task_retry_at", "worker_deployment_name", "assigned_build_id", "update_count", "workflow_task_timeout", "external_payload_count", "external_payload_size_bytes", "task_heartbeat_since", "task_last_failure_cause", "reset_run_id", "base_run_id", "cancel_reason", "ended_activity", "ended_operation", "pause")
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
    RESET_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    BASE_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REASON_FIELD_NUMBER: _ClassVar[int]
    ENDED_ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    ENDED_OPERATION_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
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
    memo: _message_pb2_1.Memo
    search_attributes: _message_pb2_1.SearchAttributes
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
    most_recent_worker_version_stamp: _message_pb2_1.WorkerVersionStamp
    auto_reset_points: _message_pb2_1_1_1_1.ResetPoints
    versioning_info: _message_pb2_1_1_1_1.WorkflowExecutionVersioningInfo
    priority: _message_pb2_1.Priority
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
    reset_run_id: str
    base_run_id: str
    cancel_reason: str
    ended_activity: Activity
    ended_operation: NexusOperation
    pause: Pause
    def __init__(self, status: _Optional[int] = ..., next_event_id: _Optional[int] = ..., start_time: _Optional[int] = ..., execution_time: _Optional[int] = ..., close_time: _Optional[int] = ..., close_event_id: _Optional[int] = ..., run_deadline: _Optional[int] = ..., execution_deadline: _Optional[int] = ..., first_task_at: _Optional[int] = ..., last_started_event_id: _Optional[int] = ..., task: _Optional[_Union[WorkflowTask, _Mapping]] = ..., sticky: _Optional[_Union[Sticky, _Mapping]] = ..., memo: _Optional[_Union[_message_pb2_1.Memo, _Mapping]] = ..., search_attributes: _Optional[_Union[_message_pb2_1.SearchAttributes, _Mapping]] = ..., cancel_requested: _Optional[bool] = ..., cancel_request_id: _Optional[str] = ..., history_size_bytes: _Optional[int] = ..., signal_count: _Optional[int] = ..., state_transition_count: _Optional[int] = ..., new_run_id: _Optional[str] = ..., unseen: _Optional[bool] = ..., buffered_seq: _Optional[int] = ..., task_attempt: _Optional[int] = ..., retention_deadline: _Optional[int] = ..., most_recent_worker_version_stamp: _Optional[_Union[_message_pb2_1.WorkerVersionStamp, _Mapping]] = ..., auto_reset_points: _Optional[_Union[_message_pb2_1_1_1_1.ResetPoints, _Mapping]] = ..., versioning_info: _Optional[_Union[_message_pb2_1_1_1_1.WorkflowExecutionVersioningInfo, _Mapping]] = ..., priority: _Optional[_Union[_message_pb2_1.Priority, _Mapping]] = ..., original_run_id: _Optional[str] = ..., first_run_id: _Optional[str] = ..., task_retry_at: _Optional[int] = ..., worker_deployment_name: _Optional[str] = ..., assigned_build_id: _Optional[str] = ..., update_count: _Optional[int] = ..., workflow_task_timeout: _Optional[int] = ..., external_payload_count: _Optional[int] = ..., external_payload_size_bytes: _Optional[int] = ..., task_heartbeat_since: _Optional[int] = ..., task_last_failure_cause: _Optional[str] = ..., reset_run_id: _Optional[str] = ..., base_run_id: _Optional[str] = ..., cancel_reason: _Optional[str] = ..., ended_activity: _Optional[_Union[Activity, _Mapping]] = ..., ended_operation: _Optional[_Union[NexusOperation, _Mapping]] = ..., pause: _Optional[_Union[Pause, _Mapping]] = ...) -> None: ...

class Pause(_message.Message):
    __slots__ = ("time", "identity", "reason", "request_id")
    TIME_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    time: int
    identity: str
    reason: str
    request_id: str
    def __init__(self, time: _Optional[int] = ..., identity: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class WorkflowTask(_message.Message):
    __slots__ = ("kind", "scheduled_event_id", "started_event_id", "attempt", "scheduled_time", "original_scheduled_time", "started_time", "timeout", "queue", "sticky", "schedule_to_start_timeout", "request_id", "identity", "dispatch_id", "suggest_continue_as_new", "history_size_bytes", "suggest_continue_as_new_reasons", "worker_version", "worker_instance_key")
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
    worker_version: _message_pb2_1.WorkerVersionStamp
    worker_instance_key: str
    def __init__(self, kind: _Optional[_Union[WorkflowTask.Kind, str]] = ..., scheduled_event_id: _Optional[int] = ..., started_event_id: _Optional[int] = ..., attempt: _Optional[int] = ..., scheduled_time: _Optional[int] = ..., original_scheduled_time: _Optional[int] = ..., started_time: _Optional[int] = ..., timeout: _Optional[int] = ..., queue: _Optional[str] = ..., sticky: _Optional[bool] = ..., schedule_to_start_timeout: _Optional[int] = ..., request_id: _Optional[str] = ..., identity: _Optional[str] = ..., dispatch_id: _Optional[int] = ..., suggest_continue_as_new: _Optional[bool] = ..., history_size_bytes: _Optional[int] = ..., suggest_continue_as_new_reasons: _Optional[_Iterable[int]] = ..., worker_version: _Optional[_Union[_message_pb2_1.WorkerVersionStamp, _Mapping]] = ..., worker_instance_key: _Optional[str] = ...) -> None: ...

class Sticky(_message.Message):
    __slots__ = ("queue", "schedule_to_start_timeout")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TO_START_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    queue: str
    schedule_to_start_timeout: int
    def __init__(self, queue: _Optional[str] = ..., schedule_to_start_timeout: _Optional[int] = ...) -> None: ...

class Activity(_message.Message):
    __slots__ = ("scheduled_event_id", "scheduled_batch_id", "activity_id", "activity_type", "queue", "scheduled_time", "attempt_scheduled_time", "first_started_time", "started_time", "schedule_to_start_timeout", "schedule_to_close_timeout", "start_to_close_timeout", "heartbeat_timeout", "retry_policy", "attempt", "request_id", "identity", "heartbeat_time", "heartbeat_details", "cancel_requested", "cancel_requested_event_id", "last_failure", "last_worker_identity", "retry_at", "dispatch_id", "stamp", "paused", "priority", "use_workflow_build_id", "worker_version", "last_attempt_complete_time", "retry_interval", "worker_instance_key", "pause_time", "pause_identity", "pause_reason", "reset_heartbeat", "reset_activity", "schedule_to_close_deadline", "pause_request_id", "original")
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
    PAUSE_REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_FIELD_NUMBER: _ClassVar[int]
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
    retry_policy: _message_pb2_1.RetryPolicy
    attempt: int
    request_id: str
    identity: str
    heartbeat_time: int
    heartbeat_details: _message_pb2_1.Payloads
    cancel_requested: bool
    cancel_requested_event_id: int
    last_failure: _message_pb2_1_1.Failure
    last_worker_identity: str
    retry_at: int
    dispatch_id: int
    stamp: int
    paused: bool
    priority: _message_pb2_1.Priority
    use_workflow_build_id: bool
    worker_version: _message_pb2_1.WorkerVersionStamp
    last_attempt_complete_time: int
    retry_interval: int
    worker_instance_key: str
    pause_time: int
    pause_identity: str
    pause_reason: str
    reset_heartbeat: bool
    reset_activity: bool
    schedule_to_close_deadline: int
    pause_request_id: str
    original: _message_pb2.ActivityOptions
    def __init__(self, scheduled_event_id: _Optional[int] = ..., scheduled_batch_id: _Optional[int] = ..., activity_id: _Optional[str] = ..., activity_type: _Optional[str] = ..., queue: _Optional[str] = ..., scheduled_time: _Optional[int] = ..., attempt_scheduled_time: _Optional[int] = ..., first_started_time: _Optional[int] = ..., started_time: _Optional[int] = ..., schedule_to_start_timeout: _Optional[int] = ..., schedule_to_close_timeout: _Optional[int] = ..., start_to_close_timeout: _Optional[int] = ..., heartbeat_timeout: _Optional[int] = ..., retry_policy: _Optional[_Union[_message_pb2_1.RetryPolicy, _Mapping]] = ..., attempt: _Optional[int] = ..., request_id: _Optional[str] = ..., identity: _Optional[str] = ..., heartbeat_time: _Optional[int] = ..., heartbeat_details: _Optional[_Union[_message_pb2_1.Payloads, _Mapping]] = ..., cancel_requested: _Optional[bool] = ..., cancel_requested_event_id: _Optional[int] = ..., last_failure: _Optional[_Union[_message_pb2_1_1.Failure, _Mapping]] = ..., last_worker_identity: _Optional[str] = ..., retry_at: _Optional[int] = ..., dispatch_id: _Optional[int] = ..., stamp: _Optional[int] = ..., paused: _Optional[bool] = ..., priority: _Optional[_Union[_message_pb2_1.Priority, _Mapping]] = ..., use_workflow_build_id: _Optional[bool] = ..., worker_version: _Optional[_Union[_message_pb2_1.WorkerVersionStamp, _Mapping]] = ..., last_attempt_complete_time: _Optional[int] = ..., retry_interval: _Optional[int] = ..., worker_instance_key: _Optional[str] = ..., pause_time: _Optional[int] = ..., pause_identity: _Optional[str] = ..., pause_reason: _Optional[str] = ..., reset_heartbeat: _Optional[bool] = ..., reset_activity: _Optional[bool] = ..., schedule_to_close_deadline: _Optional[int] = ..., pause_request_id: _Optional[str] = ..., original: _Optional[_Union[_message_pb2.ActivityOptions, _Mapping]] = ...) -> None: ...

class Timer(_message.Message):
    __slots__ = ("timer_id", "started_event_id", "fire_at")
    TIMER_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    FIRE_AT_FIELD_NUMBER: _ClassVar[int]
    timer_id: str
    started_event_id: int
    fire_at: int
    def __init__(self, timer_id: _Optional[str] = ..., started_event_id: _Optional[int] = ..., fire_at: _Optional[int] = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ("event_type", "event_id")
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    event_type: int
    event_id: int
    def __init__(self, event_type: _Optional[int] = ..., event_id: _Optional[int] = ...) -> None: ...

class Pointer(_message.Message):
    __slots__ = ("start_request_id", "status", "start_time", "close_time")
    START_REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    CLOSE_TIME_FIELD_NUMBER: _ClassVar[int]
    start_request_id: str
    status: int
    start_time: int
    close_time: int
    def __init__(self, start_request_id: _Optional[str] = ..., status: _Optional[int] = ..., start_time: _Optional[int] = ..., close_time: _Optional[int] = ...) -> None: ...

class TaskToken(_message.Message):
    __slots__ = ("version", "namespace_id", "workflow_id", "run_id", "scheduled_event_id", "started_event_id", "attempt", "activity_id", "activity_type", "stamp", "started_time", "query_id", "query_queue", "request_id")
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
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
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
    request_id: str
    def __init__(self, version: _Optional[int] = ..., namespace_id: _Optional[str] = ..., workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., scheduled_event_id: _Optional[int] = ..., started_event_id: _Optional[int] = ..., attempt: _Optional[int] = ..., activity_id: _Optional[str] = ..., activity_type: _Optional[str] = ..., stamp: _Optional[int] = ..., started_time: _Optional[int] = ..., query_id: _Optional[str] = ..., query_queue: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class HistoryToken(_message.Message):
    __slots__ = ("version", "run_id", "first_event_id", "next_event_id", "running", "more")
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
    def __init__(self, version: _Optional[int] = ..., run_id: _Optional[str] = ..., first_event_id: _Optional[int] = ..., next_event_id: _Optional[int] = ..., running: _Optional[bool] = ..., more: _Optional[bytes] = ...) -> None: ...

class Waiting(_message.Message):
    __slots__ = ("namespace_id", "workflow_id", "run_id", "scheduled_event_id", "attempt", "stamp", "kind", "queue", "normal_queue", "priority", "scheduled_time", "expires_at")
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
    priority: _message_pb2_1.Priority
    scheduled_time: int
    expires_at: int
    def __init__(self, namespace_id: _Optional[str] = ..., workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., scheduled_event_id: _Optional[int] = ..., attempt: _Optional[int] = ..., stamp: _Optional[int] = ..., kind: _Optional[int] = ..., queue: _Optional[str] = ..., normal_queue: _Optional[str] = ..., priority: _Optional[_Union[_message_pb2_1.Priority, _Mapping]] = ..., scheduled_time: _Optional[int] = ..., expires_at: _Optional[int] = ...) -> None: ...

class Child(_message.Message):
    __slots__ = ("initiated_event_id", "started_event_id", "started", "namespace", "namespace_id", "workflow_id", "run_id", "workflow_type", "parent_close_policy", "request_id", "send_id")
    INITIATED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    PARENT_CLOSE_POLICY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SEND_ID_FIELD_NUMBER: _ClassVar[int]
    initiated_event_id: int
    started_event_id: int
    started: bool
    namespace: str
    namespace_id: str
    workflow_id: str
    run_id: str
    workflow_type: str
    parent_close_policy: int
    request_id: str
    send_id: int
    def __init__(self, initiated_event_id: _Optional[int] = ..., started_event_id: _Optional[int] = ..., started: _Optional[bool] = ..., namespace: _Optional[str] = ..., namespace_id: _Optional[str] = ..., workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., workflow_type: _Optional[str] = ..., parent_close_policy: _Optional[int] = ..., request_id: _Optional[str] = ..., send_id: _Optional[int] = ...) -> None: ...

class Update(_message.Message):
    __slots__ = ("accepted_event_id", "completed_event_id", "admitted_event_id")
    ACCEPTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    ADMITTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    accepted_event_id: int
    completed_event_id: int
    admitted_event_id: int
    def __init__(self, accepted_event_id: _Optional[int] = ..., completed_event_id: _Optional[int] = ..., admitted_event_id: _Optional[int] = ...) -> None: ...

class External(_message.Message):
    __slots__ = ("initiated_event_id", "send_id", "request_id")
    INITIATED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    SEND_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    initiated_event_id: int
    send_id: int
    request_id: str
    def __init__(self, initiated_event_id: _Optional[int] = ..., send_id: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class NexusOperation(_message.Message):
    __slots__ = ("scheduled_event_id", "endpoint", "endpoint_id", "service", "operation", "request_id", "header", "scheduled_time", "schedule_to_close_timeout", "schedule_to_start_timeout", "start_to_close_timeout", "started_time", "operation_token", "start", "cancellation", "links")
    class HeaderEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SCHEDULED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_TIME_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TO_CLOSE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TO_START_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    START_TO_CLOSE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    STARTED_TIME_FIELD_NUMBER: _ClassVar[int]
    OPERATION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    CANCELLATION_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    scheduled_event_id: int
    endpoint: str
    endpoint_id: str
    service: str
    operation: str
    request_id: str
    header: _containers.ScalarMap[str, str]
    scheduled_time: int
    schedule_to_close_timeout: int
    schedule_to_start_timeout: int
    start_to_close_timeout: int
    started_time: int
    operation_token: str
    start: NexusCalls
    cancellation: NexusCancellation
    links: _containers.RepeatedCompositeFieldContainer[_message_pb2_1.Link]
    def __init__(self, scheduled_event_id: _Optional[int] = ..., endpoint: _Optional[str] = ..., endpoint_id: _Optional[str] = ..., service: _Optional[str] = ..., operation: _Optional[str] = ..., request_id: _Optional[str] = ..., header: _Optional[_Mapping[str, str]] = ..., scheduled_time: _Optional[int] = ..., schedule_to_close_timeout: _Optional[int] = ..., schedule_to_start_timeout: _Optional[int] = ..., start_to_close_timeout: _Optional[int] = ..., started_time: _Optional[int] = ..., operation_token: _Optional[str] = ..., start: _Optional[_Union[NexusCalls, _Mapping]] = ..., cancellation: _Optional[_Union[NexusCancellation, _Mapping]] = ..., links: _Optional[_Iterable[_Union[_message_pb2_1.Link, _Mapping]]] = ...) -> None: ...

class Callback(_message.Message):
    __slots__ = ("callback", "request_id", "registration_time", "state", "calls", "update_id")
    CALLBACK_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_TIME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_ID_FIELD_NUMBER: _ClassVar[int]
    callback: _message_pb2_1.Callback
    request_id: str
    registration_time: int
    state: int
    calls: NexusCalls
    update_id: str
    def __init__(self, callback: _Optional[_Union[_message_pb2_1.Callback, _Mapping]] = ..., request_id: _Optional[str] = ..., registration_time: _Optional[int] = ..., state: _Optional[int] = ..., calls: _Optional[_Union[NexusCalls, _Mapping]] = ..., update_id: _Optional[str] = ...) -> None: ...

class NexusCalls(_message.Message):
    __slots__ = ("attempt", "last_attempt_complete_time", "last_attempt_failure", "next_attempt_time")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    LAST_ATTEMPT_COMPLETE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_ATTEMPT_FAILURE_FIELD_NUMBER: _ClassVar[int]
    NEXT_ATTEMPT_TIME_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    last_attempt_complete_time: int
    last_attempt_failure: _message_pb2_1_1.Failure
    next_attempt_time: int
    def __init__(self, attempt: _Optional[int] = ..., last_attempt_complete_time: _Optional[int] = ..., last_attempt_failure: _Optional[_Union[_message_pb2_1_1.Failure, _Mapping]] = ..., next_attempt_time: _Optional[int] = ...) -> None: ...

class NexusCancellation(_message.Message):
    __slots__ = ("requested_event_id", "requested_time", "state", "calls")
    REQUESTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_TIME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    requested_event_id: int
    requested_time: int
    state: int
    calls: NexusCalls
    def __init__(self, requested_event_id: _Optional[int] = ..., requested_time: _Optional[int] = ..., state: _Optional[int] = ..., calls: _Optional[_Union[NexusCalls, _Mapping]] = ...) -> None: ...

class Outgoing(_message.Message):
    __slots__ = ("kind", "source_namespace_id", "source_workflow_id", "source_run_id", "initiated_event_id", "request_id", "target_namespace_id", "target_workflow_id", "target_run_id", "first_run_id", "event", "source_namespace", "root", "priority", "parent_close_policy", "callback_id", "operation_token", "start_time", "links", "callback", "versioning_override")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SOURCE_NAMESPACE_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    INITIATED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_NAMESPACE_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    PARENT_CLOSE_POLICY_FIELD_NUMBER: _ClassVar[int]
    CALLBACK_ID_FIELD_NUMBER: _ClassVar[int]
    OPERATION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    CALLBACK_FIELD_NUMBER: _ClassVar[int]
    VERSIONING_OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    kind: int
    source_namespace_id: str
    source_workflow_id: str
    source_run_id: str
    initiated_event_id: int
    request_id: str
    target_namespace_id: str
    target_workflow_id: str
    target_run_id: str
    first_run_id: str
    event: _message_pb2_1_1_1.HistoryEvent
    source_namespace: str
    root: _message_pb2_1.WorkflowExecution
    priority: _message_pb2_1.Priority
    parent_close_policy: int
    callback_id: str
    operation_token: str
    start_time: int
    links: _containers.RepeatedCompositeFieldContainer[_message_pb2_1.Link]
    callback: _message_pb2_1.Callback
    versioning_override: _message_pb2_1_1_1_1.VersioningOverride
    def __init__(self, kind: _Optional[int] = ..., source_namespace_id: _Optional[str] = ..., source_workflow_id: _Optional[str] = ..., source_run_id: _Optional[str] = ..., initiated_event_id: _Optional[int] = ..., request_id: _Optional[str] = ..., target_namespace_id: _Optional[str] = ..., target_workflow_id: _Optional[str] = ..., target_run_id: _Optional[str] = ..., first_run_id: _Optional[str] = ..., event: _Optional[_Union[_message_pb2_1_1_1.HistoryEvent, _Mapping]] = ..., source_namespace: _Optional[str] = ..., root: _Optional[_Union[_message_pb2_1.WorkflowExecution, _Mapping]] = ..., priority: _Optional[_Union[_message_pb2_1.Priority, _Mapping]] = ..., parent_close_policy: _Optional[int] = ..., callback_id: _Optional[str] = ..., operation_token: _Optional[str] = ..., start_time: _Optional[int] = ..., links: _Optional[_Iterable[_Union[_message_pb2_1.Link, _Mapping]]] = ..., callback: _Optional[_Union[_message_pb2_1.Callback, _Mapping]] = ..., versioning_override: _Optional[_Union[_message_pb2_1_1_1_1.VersioningOverride, _Mapping]] = ...) -> None: ...
