"""Programs of the official Python SDK on a real server process."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from server.core import laws
from tests import stores
from tests.sdk.program import (
    ACTIVITIES,
    WORKFLOWS,
    AccountWorkflow,
    CancelWorkflow,
    CountdownWorkflow,
    FailingWorkflow,
    LocalWorkflow,
    Order,
    OrderWorkflow,
)
from tests.servers import Server, running


@pytest.fixture(scope="module", params=[pytest.param("sqlite", marks=stores.only("sqlite")), *stores.SERVERS])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One on each store."""
    folder = tmp_path_factory.mktemp("sdk")
    url = f"sqlite:///{folder}/temporal.db" if request.param == "sqlite" else stores.create(request.param)
    with running("tctl", "--setup", store=url, log=folder / "server.log") as server:
        yield server


@pytest.fixture
async def client(server: Server) -> Client:
    return await Client.connect(server.address)


@pytest.fixture
async def queue(client: Client) -> AsyncIterator[str]:
    name = f"tq-{uuid.uuid4()}"
    async with Worker(client, task_queue=name, workflows=WORKFLOWS, activities=ACTIVITIES):
        yield name


def new_id() -> str:
    return f"wf-{uuid.uuid4()}"


async def test_activity_with_retries_timer_signal_and_query(client: Client, queue: str) -> None:
    handle = await client.start_workflow(OrderWorkflow.run, Order("lamp", fails=2), id=new_id(), task_queue=queue)
    while await handle.query(OrderWorkflow.where) != "waiting":
        await asyncio.sleep(0.02)
    await handle.signal(OrderWorkflow.ship, "shipped")
    assert await handle.result() == "charged for lamp at attempt 3, shipped"
    assert await handle.query(OrderWorkflow.where) == "done"
    events = [event async for event in handle.fetch_history_events()]
    laws.check(events)
    kinds = {event.event_type for event in events}
    assert {EventType.EVENT_TYPE_TIMER_FIRED, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED} <= kinds
    described = await handle.describe()
    assert described.status == WorkflowExecutionStatus.COMPLETED
    assert described.history_length == len(events)


async def test_continue_as_new(client: Client, queue: str) -> None:
    handle = await client.start_workflow(CountdownWorkflow.run, 3, id=new_id(), task_queue=queue)
    assert await handle.result() == "lift off, run True"
    first = client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    assert (await first.describe()).status == WorkflowExecutionStatus.CONTINUED_AS_NEW


async def test_failure_of_an_activity_reaches_the_caller(client: Client, queue: str) -> None:
    with pytest.raises(WorkflowFailureError) as caught:
        await client.execute_workflow(FailingWorkflow.run, id=new_id(), task_queue=queue)
    assert isinstance(caught.value.cause, ActivityError)
    assert isinstance(caught.value.cause.cause, ApplicationError)
    assert caught.value.cause.cause.type == "Hopeless"


async def test_cancellation_reaches_a_heartbeating_activity(client: Client, queue: str) -> None:
    handle = await client.start_workflow(CancelWorkflow.run, id=new_id(), task_queue=queue)
    while not (pending := (await handle.describe()).raw_description.pending_activities) or not pending[0].HasField(
        "last_heartbeat_time"
    ):
        await asyncio.sleep(0.02)
    await handle.cancel()
    assert await handle.result() == "heard of it"


async def test_local_activity_and_patch(client: Client, queue: str) -> None:
    handle = await client.start_workflow(LocalWorkflow.run, "you", id=new_id(), task_queue=queue)
    assert await handle.result() == "hello you, True"
    kinds = [event.event_type async for event in handle.fetch_history_events()]
    assert kinds.count(EventType.EVENT_TYPE_MARKER_RECORDED) == 2


async def test_updates(client: Client, queue: str) -> None:
    handle = await client.start_workflow(AccountWorkflow.run, id=new_id(), task_queue=queue)
    assert await handle.execute_update(AccountWorkflow.change, 5, id="first") == 5
    assert await handle.execute_update(AccountWorkflow.change, 5, id="first") == 5
    before = [event async for event in handle.fetch_history_events()]
    with pytest.raises(WorkflowUpdateFailedError) as rejected:
        await handle.execute_update(AccountWorkflow.change, -6)
    assert str(rejected.value.cause) == "not enough"
    assert [event async for event in handle.fetch_history_events()] == before
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await handle.execute_update(AccountWorkflow.refuse)
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "Refused"
    slow = await handle.start_update(AccountWorkflow.change_slowly, "lamp", wait_for_stage=WorkflowUpdateStage.ACCEPTED)
    assert await slow.result() == "charged for lamp at attempt 1"
    await handle.signal(AccountWorkflow.close)
    assert await handle.result() == 6
    assert await handle.get_update_handle_for(AccountWorkflow.change, "first").result() == 5
    laws.check([event async for event in handle.fetch_history_events()])


async def test_update_with_start(client: Client, queue: str) -> None:
    id = new_id()

    async def change(amount: int) -> int:
        start = WithStartWorkflowOperation(
            AccountWorkflow.run, id=id, task_queue=queue, id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING
        )
        return await client.execute_update_with_start_workflow(
            AccountWorkflow.change, amount, start_workflow_operation=start
        )

    assert [await change(1), await change(2)] == [1, 3]
    handle = client.get_workflow_handle_for(AccountWorkflow.run, id)
    await handle.signal(AccountWorkflow.close)
    assert await handle.result() == 3


async def test_terminate_and_what_is_unknown(client: Client, queue: str) -> None:
    handle = await client.start_workflow(OrderWorkflow.run, Order("lamp"), id=new_id(), task_queue=queue)
    await handle.terminate("enough")
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    with pytest.raises(RPCError) as caught:
        await handle.signal(OrderWorkflow.ship, "late")
    assert caught.value.status == RPCStatusCode.NOT_FOUND
    with pytest.raises(RPCError) as caught:
        await client.get_workflow_handle("never-started").describe()
    assert caught.value.status == RPCStatusCode.NOT_FOUND


async def test_list_and_count(client: Client, queue: str) -> None:
    id = new_id()
    await client.execute_workflow(CountdownWorkflow.run, 0, id=id, task_queue=queue)
    query = f"WorkflowId = '{id}' AND ExecutionStatus = 'Completed'"
    found = [w.id async for w in client.list_workflows(query)]
    assert found == [id]
    assert (await client.count_workflows(query)).count == 1
