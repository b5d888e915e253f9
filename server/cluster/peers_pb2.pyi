from server.core import state_pb2 as _state_pb2
from temporalio.api.taskqueue.v1 import message_pb2 as _message_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Nothing(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Identity(_message.Message):
    __slots__ = ("address", "roles")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    address: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, address: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ...) -> None: ...

class CallRequest(_message.Message):
    __slots__ = ("rpc", "namespace_id", "request")
    RPC_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    rpc: str
    namespace_id: str
    request: bytes
    def __init__(self, rpc: _Optional[str] = ..., namespace_id: _Optional[str] = ..., request: _Optional[bytes] = ...) -> None: ...

class CallReply(_message.Message):
    __slots__ = ("reply",)
    REPLY_FIELD_NUMBER: _ClassVar[int]
    reply: bytes
    def __init__(self, reply: _Optional[bytes] = ...) -> None: ...

class ReachReply(_message.Message):
    __slots__ = ("run_id", "cause")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    cause: int
    def __init__(self, run_id: _Optional[str] = ..., cause: _Optional[int] = ...) -> None: ...

class Poller(_message.Message):
    __slots__ = ("identity", "request_id", "queue", "worker_instance_key", "build_id", "use_versioning", "deployment_name")
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    WORKER_INSTANCE_KEY_FIELD_NUMBER: _ClassVar[int]
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    USE_VERSIONING_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_NAME_FIELD_NUMBER: _ClassVar[int]
    identity: str
    request_id: str
    queue: str
    worker_instance_key: str
    build_id: str
    use_versioning: bool
    deployment_name: str
    def __init__(self, identity: _Optional[str] = ..., request_id: _Optional[str] = ..., queue: _Optional[str] = ..., worker_instance_key: _Optional[str] = ..., build_id: _Optional[str] = ..., use_versioning: _Optional[bool] = ..., deployment_name: _Optional[str] = ...) -> None: ...

class Task(_message.Message):
    __slots__ = ("waiting", "shard", "id")
    WAITING_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    waiting: _state_pb2.Waiting
    shard: int
    id: int
    def __init__(self, waiting: _Optional[_Union[_state_pb2.Waiting, _Mapping]] = ..., shard: _Optional[int] = ..., id: _Optional[int] = ...) -> None: ...

class Tasks(_message.Message):
    __slots__ = ("tasks",)
    TASKS_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[Task]
    def __init__(self, tasks: _Optional[_Iterable[_Union[Task, _Mapping]]] = ...) -> None: ...

class StartTaskRequest(_message.Message):
    __slots__ = ("task", "poll")
    TASK_FIELD_NUMBER: _ClassVar[int]
    POLL_FIELD_NUMBER: _ClassVar[int]
    task: Task
    poll: Poller
    def __init__(self, task: _Optional[_Union[Task, _Mapping]] = ..., poll: _Optional[_Union[Poller, _Mapping]] = ...) -> None: ...

class TaskData(_message.Message):
    __slots__ = ("data", "moot")
    DATA_FIELD_NUMBER: _ClassVar[int]
    MOOT_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    moot: bool
    def __init__(self, data: _Optional[bytes] = ..., moot: _Optional[bool] = ...) -> None: ...

class BacklogRequest(_message.Message):
    __slots__ = ("kind", "namespace_id", "queue", "after", "limit")
    class AfterEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: int
        def __init__(self, key: _Optional[int] = ..., value: _Optional[int] = ...) -> None: ...
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_ID_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    kind: int
    namespace_id: str
    queue: str
    after: _containers.ScalarMap[int, int]
    limit: int
    def __init__(self, kind: _Optional[int] = ..., namespace_id: _Optional[str] = ..., queue: _Optional[str] = ..., after: _Optional[_Mapping[int, int]] = ..., limit: _Optional[int] = ...) -> None: ...

class OfferRequest(_message.Message):
    __slots__ = ("task", "queue")
    TASK_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    task: Task
    queue: str
    def __init__(self, task: _Optional[_Union[Task, _Mapping]] = ..., queue: _Optional[str] = ...) -> None: ...

class Taken(_message.Message):
    __slots__ = ("taken",)
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    taken: bool
    def __init__(self, taken: _Optional[bool] = ...) -> None: ...

class DeliverRequest(_message.Message):
    __slots__ = ("task", "namespace_id", "kind", "queue", "normal_queue", "data")
    TASK_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    NORMAL_QUEUE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    task: Task
    namespace_id: str
    kind: int
    queue: str
    normal_queue: str
    data: bytes
    def __init__(self, task: _Optional[_Union[Task, _Mapping]] = ..., namespace_id: _Optional[str] = ..., kind: _Optional[int] = ..., queue: _Optional[str] = ..., normal_queue: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class InterestRequest(_message.Message):
    __slots__ = ("namespace_id", "kind", "queue", "process", "polls")
    NAMESPACE_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    PROCESS_FIELD_NUMBER: _ClassVar[int]
    POLLS_FIELD_NUMBER: _ClassVar[int]
    namespace_id: str
    kind: int
    queue: str
    process: str
    polls: int
    def __init__(self, namespace_id: _Optional[str] = ..., kind: _Optional[int] = ..., queue: _Optional[str] = ..., process: _Optional[str] = ..., polls: _Optional[int] = ...) -> None: ...

class PollRequest(_message.Message):
    __slots__ = ("namespace_id", "kind", "queue", "poll", "timeout", "rate", "has_rate")
    NAMESPACE_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    POLL_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    HAS_RATE_FIELD_NUMBER: _ClassVar[int]
    namespace_id: str
    kind: int
    queue: str
    poll: Poller
    timeout: float
    rate: float
    has_rate: bool
    def __init__(self, namespace_id: _Optional[str] = ..., kind: _Optional[int] = ..., queue: _Optional[str] = ..., poll: _Optional[_Union[Poller, _Mapping]] = ..., timeout: _Optional[float] = ..., rate: _Optional[float] = ..., has_rate: _Optional[bool] = ...) -> None: ...

class QueueRequest(_message.Message):
    __slots__ = ("namespace_id", "kind", "queue")
    NAMESPACE_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    namespace_id: str
    kind: int
    queue: str
    def __init__(self, namespace_id: _Optional[str] = ..., kind: _Optional[int] = ..., queue: _Optional[str] = ...) -> None: ...

class QueueReply(_message.Message):
    __slots__ = ("pollers", "stats", "stats_by_priority")
    class StatsByPriorityEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: _message_pb2.TaskQueueStats
        def __init__(self, key: _Optional[int] = ..., value: _Optional[_Union[_message_pb2.TaskQueueStats, _Mapping]] = ...) -> None: ...
    POLLERS_FIELD_NUMBER: _ClassVar[int]
    STATS_FIELD_NUMBER: _ClassVar[int]
    STATS_BY_PRIORITY_FIELD_NUMBER: _ClassVar[int]
    pollers: _containers.RepeatedCompositeFieldContainer[_message_pb2.PollerInfo]
    stats: _message_pb2.TaskQueueStats
    stats_by_priority: _containers.MessageMap[int, _message_pb2.TaskQueueStats]
    def __init__(self, pollers: _Optional[_Iterable[_Union[_message_pb2.PollerInfo, _Mapping]]] = ..., stats: _Optional[_Union[_message_pb2.TaskQueueStats, _Mapping]] = ..., stats_by_priority: _Optional[_Mapping[int, _message_pb2.TaskQueueStats]] = ...) -> None: ...

class ShutdownWorkerRequest(_message.Message):
    __slots__ = ("namespace_id", "sticky_queue", "worker_instance_key")
    NAMESPACE_ID_FIELD_NUMBER: _ClassVar[int]
    STICKY_QUEUE_FIELD_NUMBER: _ClassVar[int]
    WORKER_INSTANCE_KEY_FIELD_NUMBER: _ClassVar[int]
    namespace_id: str
    sticky_queue: str
    worker_instance_key: str
    def __init__(self, namespace_id: _Optional[str] = ..., sticky_queue: _Optional[str] = ..., worker_instance_key: _Optional[str] = ...) -> None: ...

class RefreshRequest(_message.Message):
    __slots__ = ("kind",)
    KIND_FIELD_NUMBER: _ClassVar[int]
    kind: str
    def __init__(self, kind: _Optional[str] = ...) -> None: ...
