"""Nexus through the frontend: endpoints, operations of workflows as caller and handler see them, and callbacks by HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from google.protobuf.duration_pb2 import Duration
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import CallbackState, CommandType, EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.nexus.v1 import EndpointSpec
from temporalio.api.operatorservice.v1 import (
    CreateNexusEndpointRequest,
    DeleteNexusEndpointRequest,
    GetNexusEndpointRequest,
    ListNexusEndpointsRequest,
    UpdateNexusEndpointRequest,
)
from temporalio.api.workflowservice.v1 import (
    DescribeNexusOperationExecutionRequest,
    DescribeWorkflowExecutionRequest,
    ListNexusOperationExecutionsRequest,
    PollNexusOperationExecutionRequest,
    PollNexusTaskQueueRequest,
    RequestCancelNexusOperationExecutionRequest,
    RespondNexusTaskCompletedRequest,
    RespondNexusTaskFailedRequest,
    RespondWorkflowTaskCompletedRequest,
    SignalWithStartWorkflowExecutionRequest,
    SignalWithStartWorkflowExecutionResponse,
    StartNexusOperationExecutionRequest,
    TerminateNexusOperationExecutionRequest,
)

from tests.server.frontend_kit import Peer, peer, start_request

C, E = CommandType, EventType
ENDPOINT = "greeter"
TARGET = "handlers"
RESULT = Payload(metadata={"encoding": b"json/plain"}, data=b'"hello"')


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Peer]:
    async with peer(tmp_path) as running_peer:
        yield running_peer


def spec(name: str = ENDPOINT, queue: str = TARGET, namespace: str = "default") -> EndpointSpec:
    return EndpointSpec(name=name, target={"worker": {"namespace": namespace, "task_queue": queue}})  # type: ignore[arg-type]


async def endpoint(served: Peer, **more: Any) -> Any:
    return (await served.operator.CreateNexusEndpoint(CreateNexusEndpointRequest(spec=spec(**more)))).endpoint


def operation(**more: Any) -> Command:
    fields: dict[str, Any] = {"endpoint": ENDPOINT, "service": "Greeter", "operation": "greet", "input": RESULT, **more}
    return Command(
        command_type=C.COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION, schedule_nexus_operation_command_attributes=fields
    )


def cancellation(scheduled_event_id: int) -> Command:
    return Command(
        command_type=C.COMMAND_TYPE_REQUEST_CANCEL_NEXUS_OPERATION,
        request_cancel_nexus_operation_command_attributes={"scheduled_event_id": scheduled_event_id},
    )


COMPLETE = Command(
    command_type=C.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
    complete_workflow_execution_command_attributes={"result": {"payloads": [RESULT]}},
)


async def work(served: Peer, *commands: Command, queue: str = "queue") -> list[HistoryEvent]:
    """Answers the next workflow task; what it showed."""
    task = await served.poll(queue)
    assert task.task_token
    done = RespondWorkflowTaskCompletedRequest(task_token=task.task_token, commands=commands)
    await served.workflow.RespondWorkflowTaskCompleted(done)
    return list(task.history.events)


async def handled(served: Peer, **response: Any) -> Any:
    """Answers the next Nexus task; its request."""
    task = await asked(served)
    done = RespondNexusTaskCompletedRequest(namespace="default", task_token=task.task_token, response=response)  # type: ignore[arg-type]
    await served.workflow.RespondNexusTaskCompleted(done)
    return task.request


async def asked(served: Peer) -> Any:
    request = PollNexusTaskQueueRequest(namespace="default", task_queue={"name": TARGET}, identity="handler")  # type: ignore[arg-type]
    task = await served.workflow.PollNexusTaskQueue(request, timeout=10)
    assert task.task_token
    return task


async def described(served: Peer, workflow_id: str) -> Any:
    request = DescribeWorkflowExecutionRequest(namespace="default", execution={"workflow_id": workflow_id})  # type: ignore[arg-type]
    return await served.workflow.DescribeWorkflowExecution(request)


# Endpoints -------------------------------------------------------------------------------------------------------------------------


async def test_endpoints_are_made_changed_and_deleted(served: Peer) -> None:
    made = await endpoint(served)
    assert (made.version, made.url_prefix) == (1, f"/nexus/endpoints/{made.id}/services")
    change = UpdateNexusEndpointRequest(id=made.id, version=1, spec=spec(name="renamed"))
    changed = (await served.operator.UpdateNexusEndpoint(change)).endpoint
    assert (changed.version, changed.spec.name) == (2, "renamed")
    found = await served.operator.GetNexusEndpoint(GetNexusEndpointRequest(id=made.id))
    listed = await served.operator.ListNexusEndpoints(ListNexusEndpointsRequest(name="renamed"))
    assert [found.endpoint] == list(listed.endpoints) == [changed]
    assert not (await served.operator.ListNexusEndpoints(ListNexusEndpointsRequest(name=ENDPOINT))).endpoints
    assert await served.refused("UpdateNexusEndpoint", change, operator=True) == (
        "FAILED_PRECONDITION",
        "nexus endpoint version mismatch. received: 1 expected 2",
    )
    await served.operator.DeleteNexusEndpoint(DeleteNexusEndpointRequest(id=made.id, version=2))
    assert not (await served.operator.ListNexusEndpoints(ListNexusEndpointsRequest())).endpoints


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (EndpointSpec(), "endpoint name not set, empty target variant"),
        (spec(name="1x"), r'endpoint name must match the regex: "^[a-zA-Z][a-zA-Z0-9\\-]*[a-zA-Z0-9]$"'),
        (spec(queue=""), 'invalid target task queue: "missing task queue name"'),
        (
            EndpointSpec(name="there", target={"external": {"url": "ftp://there"}}),  # type: ignore[arg-type]
            'invalid target URL scheme: "ftp", expected http or https',
        ),
    ],
)
async def test_a_bad_endpoint_is_refused(served: Peer, given: EndpointSpec, sentence: str) -> None:
    request = CreateNexusEndpointRequest(spec=given)
    assert await served.refused("CreateNexusEndpoint", request, operator=True) == ("INVALID_ARGUMENT", sentence)


async def test_an_endpoint_has_its_name_alone(served: Peer) -> None:
    await endpoint(served)
    taken = f"error creating Nexus endpoint. Endpoint with name {ENDPOINT} already registered"
    request = CreateNexusEndpointRequest(spec=spec())
    assert await served.refused("CreateNexusEndpoint", request, operator=True) == ("ALREADY_EXISTS", taken)


# Operations ------------------------------------------------------------------------------------------------------------------------


async def test_an_operation_that_is_done_at_once(served: Peer) -> None:
    await endpoint(served)
    await served.start("w")
    await work(served, operation(nexus_header={"Colour": "red"}))
    request = await handled(served, start_operation={"sync_success": {"payload": RESULT}})
    start = request.start_operation
    assert (start.service, start.operation, start.payload) == ("Greeter", "greet", RESULT)
    assert (request.header["colour"], start.callback) == ("red", "temporal://system")
    assert start.links[0].type == "temporal.api.common.v1.Link.WorkflowEvent"
    events = await work(served, COMPLETE)
    completed = events[5]
    assert completed.event_type == E.EVENT_TYPE_NEXUS_OPERATION_COMPLETED
    assert completed.nexus_operation_completed_event_attributes.result == RESULT


async def test_an_operation_that_is_another_workflow(served: Peer) -> None:
    """The handler starts a workflow with the callback that it was given; when that has ended, so has the operation."""
    await endpoint(served)
    await served.start("caller")
    await work(served, operation())
    task = await asked(served)
    start = task.request.start_operation
    callback = {"nexus": {"url": start.callback, "header": {**start.callback_header, "Nexus-Operation-Token": "token"}}}
    await served.start("handler", "others", completion_callbacks=[callback])
    answer = {"start_operation": {"async_success": {"operation_token": "token"}}}
    done = RespondNexusTaskCompletedRequest(namespace="default", task_token=task.task_token, response=answer)  # type: ignore[arg-type]
    await served.workflow.RespondNexusTaskCompleted(done)
    await work(served)  # it sees that the operation has started
    pending = (await described(served, "caller")).pending_nexus_operations[0]
    assert (pending.operation_token, pending.attempt) == ("token", 1)
    await work(served, COMPLETE, queue="others")
    events = await work(served, COMPLETE)
    assert events[-3].event_type == E.EVENT_TYPE_NEXUS_OPERATION_COMPLETED
    shown = (await described(served, "handler")).callbacks[0]
    assert shown.state == CallbackState.CALLBACK_STATE_SUCCEEDED


async def test_a_cancellation_goes_to_the_handler(served: Peer) -> None:
    await endpoint(served)
    await served.start("w")
    await work(served, operation())
    await handled(served, start_operation={"async_success": {"operation_token": "token"}})
    await work(served, cancellation(5))
    request = await handled(served, cancel_operation={})
    assert request.cancel_operation.operation_token == "token"
    events = await work(served, COMPLETE)
    assert events[-3].event_type == E.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED


async def test_an_error_of_the_handler_is_called_again_unless_it_is_final(served: Peer) -> None:
    await endpoint(served)
    await served.start("w")
    await work(served, operation())
    for kind in ("INTERNAL", "BAD_REQUEST"):
        task = await asked(served)
        failure = {"message": "no", "nexus_handler_failure_info": {"type": kind}}
        failed = RespondNexusTaskFailedRequest(namespace="default", task_token=task.task_token, failure=failure)  # type: ignore[arg-type]
        await served.workflow.RespondNexusTaskFailed(failed)
        pending = (await described(served, "w")).pending_nexus_operations
        assert [(each.attempt, each.last_attempt_failure.message) for each in pending] in ([(1, "no")], [])
    events = await work(served, COMPLETE)
    cause = events[-3].nexus_operation_failed_event_attributes.failure.cause
    assert cause.nexus_handler_failure_info.type == "BAD_REQUEST"


async def test_an_operation_times_out_and_one_survives_a_restart(tmp_path: Path) -> None:
    async with peer(tmp_path) as served:
        await endpoint(served)
        await served.start("w")
        short = operation(schedule_to_close_timeout=Duration(seconds=1))
        await work(served, short, operation())
        events = await work(served)
        failure = events[-3].nexus_operation_timed_out_event_attributes.failure
        assert failure.cause.timeout_failure_info.timeout_type == 3
    async with peer(tmp_path) as served:
        await handled(served, start_operation={"sync_success": {"payload": RESULT}})
        assert (await work(served, COMPLETE))[-3].event_type == E.EVENT_TYPE_NEXUS_OPERATION_COMPLETED


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (operation(endpoint="nowhere"), 'endpoint "nowhere" not found'),
        (
            operation(nexus_header={"Request-Timeout": "1s"}),
            'ScheduleNexusOperationCommandAttributes.NexusHeader contains a disallowed header key: "Request-Timeout"',
        ),
        (
            cancellation(7),
            "requested cancelation for a non-existing or already completed operation with scheduled event ID of 7",
        ),
    ],
)
async def test_a_bad_command_fails_the_task(served: Peer, given: Command, sentence: str) -> None:
    await endpoint(served)
    await served.start("w")
    task = await served.poll()
    done = RespondWorkflowTaskCompletedRequest(task_token=task.task_token, commands=[given])
    status, told = await served.refused("RespondWorkflowTaskCompleted", done)
    assert status == "INVALID_ARGUMENT"
    assert told.endswith(sentence)


# The cluster's own service ---------------------------------------------------------------------------------------------------------

OWN = {"endpoint": "__temporal_system", "service": "temporal.api.workflowservice.v1.WorkflowService"}


def of_the_cluster(request: SignalWithStartWorkflowExecutionRequest, **more: Any) -> Command:
    sent = Payload(metadata={"encoding": b"binary/protobuf"}, data=request.SerializeToString())
    return operation(**{**OWN, "operation": "SignalWithStartWorkflowExecution", "input": sent, **more})


async def test_a_workflow_signals_one_that_it_starts_if_need_be(served: Peer) -> None:
    await served.start("w")
    to: dict[str, Any] = {"workflow_id": "other", "workflow_type": {"name": "Type"}, "task_queue": {"name": "others"}}
    await work(served, of_the_cluster(SignalWithStartWorkflowExecutionRequest(**to, signal_name="hello")))
    completed = (await work(served, COMPLETE))[-3].nexus_operation_completed_event_attributes
    assert completed.result.metadata["__temporal_system_payload"] == b"true"
    response = SignalWithStartWorkflowExecutionResponse.FromString(completed.result.data)
    assert response.started
    seen = await served.poll("others")
    assert seen.workflow_execution.run_id == response.run_id
    assert seen.history.events[1].workflow_execution_signaled_event_attributes.signal_name == "hello"


@pytest.mark.parametrize(
    ("more", "kind"),
    [({}, "BAD_REQUEST"), ({"operation": "Nothing"}, "NOT_FOUND"), ({"input": RESULT}, "BAD_REQUEST")],
    ids=["nobody is named", "no such operation", "not a request"],
)
async def test_the_clusters_own_service_refuses_nonsense(served: Peer, more: dict[str, Any], kind: str) -> None:
    await served.start("w")
    await work(served, of_the_cluster(SignalWithStartWorkflowExecutionRequest(), **more))
    failed = (await work(served, COMPLETE))[-3].nexus_operation_failed_event_attributes
    assert failed.failure.cause.nexus_handler_failure_info.type == kind


# Operations of no workflow ---------------------------------------------------------------------------------------------------------

OF_NONE = {"namespace": "default", "operation_id": "o"}


async def asked_alone(served: Peer, **more: Any) -> str:
    request = StartNexusOperationExecutionRequest(
        **OF_NONE, endpoint=ENDPOINT, service="Greeter", operation="greet", input=RESULT, **more
    )
    return str((await served.workflow.StartNexusOperationExecution(request)).run_id)


async def polled(served: Peer, stage: int = 0) -> Any:
    request = PollNexusOperationExecutionRequest(**OF_NONE, wait_stage=stage)  # type: ignore[arg-type]
    return await served.workflow.PollNexusOperationExecution(request, timeout=10)


async def test_an_operation_of_no_workflow_survives_a_restart(tmp_path: Path) -> None:
    async with peer(tmp_path) as served:
        await endpoint(served)
        run_id = await asked_alone(served)
    async with peer(tmp_path) as served:
        request = await handled(served, start_operation={"sync_success": {"payload": RESULT}})
        assert request.start_operation.links[0].type == "temporal.api.common.v1.Link.NexusOperation"
        assert (await polled(served)).result == RESULT
        listed = ListNexusOperationExecutionsRequest(
            namespace="default", query=f"Endpoint = '{ENDPOINT}' AND Service = 'Greeter'"
        )
        found = (await served.workflow.ListNexusOperationExecutions(listed)).operations
        assert [(each.operation_id, each.run_id, each.service) for each in found] == [("o", run_id, "Greeter")]


async def test_an_operation_of_no_workflow_is_cancelled_and_terminated(served: Peer) -> None:
    await endpoint(served)
    await asked_alone(served)
    await handled(served, start_operation={"async_success": {"operation_token": "token"}})
    assert (await polled(served, stage=1)).operation_token == "token"
    cancel = RequestCancelNexusOperationExecutionRequest(**OF_NONE, request_id="1", reason="why")
    await served.workflow.RequestCancelNexusOperationExecution(cancel)
    assert (await handled(served, cancel_operation={})).cancel_operation.operation_token == "token"
    end = TerminateNexusOperationExecutionRequest(**OF_NONE, reason="enough")
    await served.workflow.TerminateNexusOperationExecution(end)
    assert (await polled(served)).failure.message == "enough"
    described = DescribeNexusOperationExecutionRequest(**OF_NONE)
    info = (await served.workflow.DescribeNexusOperationExecution(described)).info
    assert (info.status, info.operation_token, info.cancellation_info.reason) == (5, "token", "why")


# Callbacks by HTTP -----------------------------------------------------------------------------------------------------------------


class Receiver:
    """Takes callbacks, after it has refused the first ones."""

    def __init__(self, *refusals: int) -> None:
        self.refusals = list(refusals)
        self.requests: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()

    async def take(self, request: web.Request) -> web.Response:
        await self.requests.put((dict(request.headers), await request.read()))
        return web.Response(status=self.refusals.pop(0) if self.refusals else 200)


@asynccontextmanager
async def receiving(receiver: Receiver) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/callback", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/callback"
    finally:
        await runner.cleanup()


ALLOWED = {"component.callbacks.allowedAddresses": [{"Pattern": "127.0.0.1:*", "AllowInsecure": True}]}


async def test_a_callback_goes_by_http_until_it_is_taken(tmp_path: Path) -> None:
    receiver = Receiver(503)
    async with peer(tmp_path, dynamic_config=ALLOWED) as served, receiving(receiver) as url:
        await served.start("w", completion_callbacks=[{"nexus": {"url": url, "header": {"Colour": "red"}}}])
        await work(served, COMPLETE)
        await receiver.requests.get()
        header, body = await asyncio.wait_for(receiver.requests.get(), 5)
        assert (header["Nexus-Operation-State"], header["colour"], body) == ("succeeded", "red", RESULT.data)
        assert header["Content-Type"] == "application/json"
        while (shown := (await described(served, "w")).callbacks[0]).state != CallbackState.CALLBACK_STATE_SUCCEEDED:
            assert shown.state in (CallbackState.CALLBACK_STATE_SCHEDULED, CallbackState.CALLBACK_STATE_BACKING_OFF)
        assert shown.attempt == 2


async def test_a_callback_that_is_refused_for_good_is_not_repeated(tmp_path: Path) -> None:
    receiver = Receiver(400)
    async with peer(tmp_path, dynamic_config=ALLOWED) as served, receiving(receiver) as url:
        await served.start("w", completion_callbacks=[{"nexus": {"url": url}}])
        await work(served, COMPLETE)
        await receiver.requests.get()
        while (shown := (await described(served, "w")).callbacks[0]).state != CallbackState.CALLBACK_STATE_FAILED:
            pass
        assert shown.last_attempt_failure.nexus_handler_failure_info.type == "BAD_REQUEST"


async def test_a_callback_to_an_address_that_is_not_allowed_is_refused(served: Peer) -> None:
    request = start_request("w", completion_callbacks=[{"nexus": {"url": "http://elsewhere/"}}])
    sentence = "invalid url: url does not match any configured callback address: http://elsewhere/"
    assert await served.refused("StartWorkflowExecution", request) == ("INVALID_ARGUMENT", sentence)


async def test_a_callback_outlives_the_server(tmp_path: Path) -> None:
    receiver = Receiver(503)
    async with receiving(receiver) as url:
        async with peer(tmp_path, dynamic_config=ALLOWED) as served:
            await served.start("w", completion_callbacks=[{"nexus": {"url": url}}])
            await work(served, COMPLETE)
            await receiver.requests.get()
        async with peer(tmp_path, dynamic_config=ALLOWED) as served:
            header, _ = await asyncio.wait_for(receiver.requests.get(), 10)
            assert header["Nexus-Operation-State"] == "succeeded"


async def test_the_last_run_of_a_chain_calls_back_all_who_asked(tmp_path: Path) -> None:
    receiver, other = Receiver(), Receiver()
    again = Command(command_type=C.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION)
    again.continue_as_new_workflow_execution_command_attributes.workflow_type.name = "type"
    async with peer(tmp_path, dynamic_config=ALLOWED) as served, receiving(receiver) as url, receiving(other) as added:
        await served.start("w", completion_callbacks=[{"nexus": {"url": url}}])
        attached = start_request(
            "w",
            request_id="attached",
            workflow_id_conflict_policy="WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING",
            on_conflict_options={"attach_request_id": True, "attach_completion_callbacks": True},
            completion_callbacks=[{"nexus": {"url": added}}],
        )
        await served.workflow.StartWorkflowExecution(attached)
        await work(served, again)
        following = await work(served, COMPLETE)
        for each in (receiver, other):
            header, body = await asyncio.wait_for(each.requests.get(), 5)
            assert (header["Nexus-Operation-State"], body) == ("succeeded", RESULT.data)
            assert each.requests.empty()
        started = following[0].workflow_execution_started_event_attributes
        assert [callback.nexus.url for callback in started.completion_callbacks] == [url, added]
        states = {c.state for c in (await described(served, "w")).callbacks}
        assert states <= {CallbackState.CALLBACK_STATE_SCHEDULED, CallbackState.CALLBACK_STATE_SUCCEEDED}
