"""The Nexus service of the cluster itself: what workflows may ask of it without a worker between. It signals a workflow, which it starts if need be.

Source: chasm/lib/workflow/nexus_service.go, common/nexus/constants.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Link, Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import SignalWithStartWorkflowExecutionRequest as Request
from temporalio.api.workflowservice.v1 import SignalWithStartWorkflowExecutionResponse as Response

from server.core.outcome import Namespace
from server.core.rejected import InvalidArgument, Rejected, Unavailable
from server.core.state_pb2 import Outgoing
from server.core.step import Step
from server.core.workflow import start
from server.core.workflow.calls import Said
from server.faces import Reached
from server.nexus import failures

if TYPE_CHECKING:
    from server.history.loader import Parts

SERVICE, OPERATION = "temporal.api.workflowservice.v1.WorkflowService", "SignalWithStartWorkflowExecution"
MARK = {"__temporal_system_payload": b"true"}
STARTED = 1  # Reached.cause, which is no failure here


def receiver(note: Outgoing) -> tuple[str, str]:
    """The workflow that a request to this service is about; the caller's own where the request cannot be read."""
    try:
        return note.source_namespace_id, _request(note).workflow_id
    except InvalidArgument:
        return note.source_namespace_id, note.source_workflow_id


async def receive(parts: Parts, note: Outgoing) -> Reached:
    """Carries out the request where its workflow is. Raises Rejected."""
    request = _request(note)
    namespace = parts.namespaces.by_id(note.source_namespace_id)
    _check(request, namespace)

    def decide(current: Step | None, new: Step) -> Response:
        return start.signal_with_start_workflow_execution(current, new, request)

    response = await parts.of(namespace.id, request.workflow_id).begin(
        namespace, request.workflow_id, decide, likely=True
    )
    return Reached(response.run_id, STARTED if response.started else 0)


async def call(parts: Parts, note: Outgoing) -> Said:
    """What the service says to a start request. Never raises."""
    a = note.event.nexus_operation_scheduled_event_attributes
    if (a.service, a.operation) != (SERVICE, OPERATION):
        missing = f"operation {a.operation!r} of service {a.service!r} not found"
        return Said(failure=failures.handler_failure("NOT_FOUND", missing))
    try:
        reached = await parts.reach(note)
    except Unavailable as down:
        return Said(failure=failures.handler_failure("UNAVAILABLE", down.message), retryable=True)
    except Rejected as refused:
        return Said(failure=failures.handler_failure("BAD_REQUEST", refused.message))
    request = _request(note)
    response = Response(run_id=reached.run_id, started=reached.cause == STARTED)
    metadata = {"encoding": b"binary/protobuf", "messageType": Response.DESCRIPTOR.full_name.encode(), **MARK}
    namespace = parts.namespaces.by_id(note.source_namespace_id).name
    link = Link.WorkflowEvent(namespace=namespace, workflow_id=request.workflow_id, run_id=reached.run_id)
    link.request_id_ref.request_id, link.request_id_ref.event_type = (
        request.request_id,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
    )
    response.signal_link.workflow_event.CopyFrom(link)
    result = Payload(metadata=metadata, data=response.SerializeToString())
    return Said(result=result, links=[Link(workflow_event=link)])


def _request(note: Outgoing) -> Request:
    """Raises InvalidArgument."""
    a = note.event.nexus_operation_scheduled_event_attributes
    encoding = a.input.metadata.get("encoding", b"")
    try:
        if encoding == b"binary/protobuf":
            request = Request.FromString(a.input.data)
        elif encoding == b"json/protobuf":
            request = json_format.Parse(a.input.data, Request(), ignore_unknown_fields=True)
        else:
            raise InvalidArgument(f"payload encoding {encoding.decode(errors='replace')!r} is not supported")
    except (DecodeError, json_format.ParseError) as wrong:
        raise InvalidArgument(f"cannot read the request: {wrong}") from wrong
    if request.request_id:
        raise InvalidArgument("RequestID should not be set on the request")
    request.request_id = a.request_id
    return request


def _check(request: Request, namespace: Namespace) -> None:
    if request.namespace not in ("", namespace.name):
        msg = f"Namespace in request {request.namespace!r} does not match namespace in context {namespace.name!r}"
        raise InvalidArgument(msg)
    request.namespace = namespace.name
    for name, value in (
        ("workflow id", request.workflow_id),
        ("workflow type", request.workflow_type.name),
        ("signal", request.signal_name),
        ("task queue", request.task_queue.name),
    ):
        if not value:
            raise InvalidArgument(f"{name} not set")
