"""Updates on a server: who waits is told once it is durable, faults and restarts lose nothing that was accepted, and with a start both or none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as Packed
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import UpdateWorkflowExecutionLifecycleStage as Stage
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy
from temporalio.api.errordetails.v1 import MultiOperationExecutionFailure
from temporalio.api.update.v1 import Outcome, UpdateRef, WaitPolicy
from temporalio.api.workflowservice.v1 import (
    ExecuteMultiOperationRequest,
    ExecuteMultiOperationResponse,
    PollWorkflowExecutionUpdateRequest,
    PollWorkflowExecutionUpdateResponse,
    RespondWorkflowTaskCompletedRequest,
    UpdateWorkflowExecutionRequest,
    UpdateWorkflowExecutionResponse,
)

from server.core.rejected import InvalidArgument, NotFound, WorkflowNotReady
from server.history import pages
from tests.core.messages import accept, reject, respond
from tests.server.frontend_kit import Peer, details, peer, start_request
from tests.server.history_kit import NAMESPACE, Rig, complete_workflow, continue_as_new, kinds, rig, unavailable

ADMITTED = Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED
ACCEPTED = Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED
COMPLETED = Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED
USE_EXISTING = WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
TERMINATE = WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
DONE = Outcome(success={})  # type: ignore[arg-type]


def asked(id: str = "u", stage: Stage.ValueType = COMPLETED, **at: str) -> UpdateWorkflowExecutionRequest:
    request = UpdateWorkflowExecutionRequest(namespace="default", wait_policy=WaitPolicy(lifecycle_stage=stage))
    request.workflow_execution.CopyFrom(WorkflowExecution(**({"workflow_id": "w"} | at)))  # type: ignore[arg-type]
    request.request.meta.update_id, request.request.input.name = id, "change"
    return request


def update(r: Rig, id: str = "u", stage: Stage.ValueType = COMPLETED) -> asyncio.Task[UpdateWorkflowExecutionResponse]:
    return asyncio.create_task(r.engine.update_workflow_execution(NAMESPACE, asked(id, stage)))


async def look_up(r: Rig, id: str = "u", stage: Stage.ValueType = COMPLETED) -> PollWorkflowExecutionUpdateResponse:
    request = PollWorkflowExecutionUpdateRequest(
        update_ref=UpdateRef(workflow_execution=WorkflowExecution(workflow_id="w"), update_id=id),
        wait_policy=WaitPolicy(lifecycle_stage=stage),
    )
    return await r.engine.poll_workflow_execution_update(NAMESPACE, request)


async def begun(r: Rig) -> None:
    await r.start()
    await r.complete(await r.take_task())


# Waiting ---------------------------------------------------------------------------------------------------------------------------


async def test_everybody_who_waits_is_told_what_they_wait_for(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await begun(r)
        first, second, patient = update(r), update(r, stage=ACCEPTED), update(r)
        task = await r.take_task()
        await r.complete(task, messages=[accept()])
        assert (await second).stage == ACCEPTED
        assert not first.done()
        await r.signal("s")
        await r.complete(await r.take_task(), messages=[respond()])
        for waiter in (first, patient):
            assert ((await waiter).stage, (await waiter).outcome) == (COMPLETED, DONE)
        assert (await update(r)).outcome == DONE
        found = await look_up(r)
        assert (found.stage, found.outcome, found.update_ref.update_id) == (COMPLETED, DONE, "u")


async def test_a_rejected_update_is_forgotten(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await begun(r)
        waiter = update(r, stage=ACCEPTED)
        await r.complete(await r.take_task(), messages=[reject()])
        assert ((await waiter).stage, (await waiter).outcome.failure.message) == (COMPLETED, "no")
        assert len(await r.events()) == 4
        with pytest.raises(NotFound, match='update "u" not found'):
            await look_up(r)


async def test_who_waits_too_long_is_told_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "WAIT_SECONDS_MAX", 0.1)
    async with rig(tmp_path / "db") as r:
        await begun(r)
        assert (await update(r)).stage == ADMITTED
        assert (await look_up(r, stage=ADMITTED)).stage == ADMITTED
        await r.complete(await r.take_task(), messages=[accept()])
        assert (await update(r)).stage == ACCEPTED


async def test_a_waiter_that_goes_takes_nothing_along(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await begun(r)
        gone = update(r)
        task = await r.take_task()
        gone.cancel()
        await asyncio.wait([gone])
        await r.complete(task, messages=[accept(), respond()])
        assert (await look_up(r)).outcome == DONE
        run = next(iter(r.engine.of(NAMESPACE.id, "w").cache.get(NAMESPACE.id, "w").runs.values()))
        assert not run.busy


async def test_a_poller_that_waits_gets_the_update_at_once(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await begun(r)
        worker = r.queues.wait()
        waiter = update(r)
        await worker.answer
        assert r.queues.offered == []
        waiter.cancel()


# Faults ----------------------------------------------------------------------------------------------------------------------------


async def test_an_accepted_update_survives_a_restart(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await begun(r)
        waiter = update(r, stage=ACCEPTED)
        await r.complete(await r.take_task(), messages=[accept()])
        await waiter
    async with rig(tmp_path / "db") as r:
        assert (await look_up(r, stage=ACCEPTED)).stage == ACCEPTED
        again = update(r)
        await r.signal("s")
        await r.complete(await r.take_task(), messages=[respond()])
        assert (await again).outcome == DONE
    async with rig(tmp_path / "db") as r:
        assert (await look_up(r)).outcome == DONE
        assert (await update(r)).outcome == DONE


async def test_what_the_store_does_not_take_is_asked_again(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await begun(r)
        waiter = update(r)
        task = await r.take_task()
        r.store.break_next = unavailable
        with pytest.raises(Exception, match="could not be committed"):
            await r.complete(task, messages=[accept(), respond()])
        assert not waiter.done()
        await r.complete(task, messages=[accept(), respond()])
        assert (await waiter).outcome == DONE
        assert kinds(await r.events())[-1] == "workflow_execution_update_completed"


async def test_a_worker_that_talks_nonsense_ends_the_updates_that_it_saw(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await begun(r)
        seen = update(r, "seen")
        task = await r.take_task()
        unseen = update(r, "unseen")
        with pytest.raises(InvalidArgument, match="BadUpdateWorkflowExecutionMessage"):
            await r.complete(task, messages=[respond("seen")])
        with pytest.raises(WorkflowNotReady, match="unexpected workflow task failure"):
            await seen
        await r.complete(await r.take_task(), messages=[accept("unseen"), respond("unseen")])
        assert (await unseen).outcome == DONE


async def test_an_update_goes_on_with_the_run_that_follows(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await begun(r)
        waiter = update(r)
        await r.complete(await r.take_task(), continue_as_new())
        task = await r.take_task()
        await r.complete(task, messages=[accept(), respond()])
        assert (await waiter).update_ref.workflow_execution.run_id == task.workflow_execution.run_id


async def test_a_closed_run_tells_what_has_become_of_its_updates(tmp_path: Path) -> None:
    async with rig(tmp_path / "db") as r:
        await begun(r)
        open = update(r, "open")
        await r.complete(await r.take_task(), messages=[accept("open")])
        late = update(r, "late")
        await r.complete(await r.take_task(), complete_workflow())
        kind = "AcceptedUpdateCompletedWorkflow"
        assert (await open).outcome.failure.application_failure_info.type == kind
        with pytest.raises(NotFound, match="aborted by closing workflow"):
            await late
        assert (await look_up(r, "open")).outcome.failure.application_failure_info.type == kind
        with pytest.raises(NotFound, match="already completed"):
            await update(r, "new")


# With a start, over gRPC -------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Peer]:
    async with peer(tmp_path) as running_peer:
        yield running_peer


def both(policy: WorkflowIdConflictPolicy.ValueType = USE_EXISTING, id: str = "u", **more: Any) -> Any:
    request = ExecuteMultiOperationRequest(namespace="default")
    begin = start_request("w", request_id=more.pop("request_id", "r"), workflow_id_conflict_policy=policy, **more)
    request.operations.add().start_workflow.CopyFrom(begin)
    request.operations.add().update_workflow.CopyFrom(asked(id))
    return request


def execute(served: Peer, request: Any) -> asyncio.Task[ExecuteMultiOperationResponse]:
    async def call() -> ExecuteMultiOperationResponse:
        return await served.workflow.ExecuteMultiOperation(request, timeout=10)  # type: ignore[no-any-return]

    return asyncio.create_task(call())


async def answer(served: Peer, *messages: Any, **more: Any) -> Any:
    task = await served.poll()
    request = RespondWorkflowTaskCompletedRequest(
        namespace="default", task_token=task.task_token, messages=messages, **more
    )
    await served.workflow.RespondWorkflowTaskCompleted(request)
    return task


async def operations(served: Peer, request: Any) -> list[tuple[int, str]]:
    """Codes and sentences of a start with update that must fail, the whole first."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await execute(served, request)
    failure, status = MultiOperationExecutionFailure(), details(caught.value)
    packed: Packed = status.details[0]
    assert packed.Unpack(failure)
    return [(status.code, status.message)] + [(each.code, each.message) for each in failure.statuses]


async def test_a_start_with_an_update_is_one_request(served: Peer) -> None:
    running = execute(served, both())
    task = await answer(served, accept(), respond())
    begin, change = (await running).responses
    assert begin.start_workflow.started
    assert begin.start_workflow.run_id == task.workflow_execution.run_id
    assert change.update_workflow.outcome == DONE
    again = (await execute(served, both())).responses
    assert not again[0].start_workflow.started
    assert again[1].update_workflow.outcome == DONE


async def test_the_run_that_is_there_may_be_used_or_replaced(served: Peer) -> None:
    first = await served.start("w")
    await answer(served)
    running = execute(served, both())
    await answer(served, accept(), respond())
    assert (await running).responses[0].start_workflow.run_id == first
    fresh = execute(served, both(TERMINATE, "v"))
    await answer(served, accept("v"), respond("v"))
    assert (await fresh).responses[0].start_workflow.run_id != first


async def test_an_update_that_fails_leaves_the_start(served: Peer) -> None:
    running = execute(served, both())
    await answer(served, commands=[complete_workflow()])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running
    failure = MultiOperationExecutionFailure()
    details(caught.value).details[0].Unpack(failure)
    assert [each.code for each in failure.statuses] == [0, grpc.StatusCode.NOT_FOUND.value[0]]


async def test_a_start_that_fails_gives_the_update_up(served: Peer) -> None:
    await served.start("w")
    fail = WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL
    whole, begin, change = await operations(served, both(fail))
    assert whole == (6, "Update-with-Start could not be executed.")
    assert begin[0] == 6
    assert change == (10, "Operation was aborted.")


async def test_a_start_on_a_version_that_is_not_there_gives_the_update_up(served: Peer) -> None:
    version = {"pinned": {"behavior": 1, "version": {"deployment_name": "d", "build_id": "1"}}}
    asked_for = both(versioning_override=version)
    sentence = "Pinned version 'd:1' is not present in task queue 'queue' of type 'Workflow'"
    assert (await operations(served, asked_for))[1:] == [(9, sentence), (10, "Operation was aborted.")]
    await served.start("w")
    running = execute(served, asked_for)
    await answer(served, accept(), respond())
    assert not (await running).responses[0].start_workflow.started


async def test_an_update_that_meets_the_end_of_its_run_starts_another(served: Peer) -> None:
    await served.start("w")
    await answer(served)
    running = execute(served, both())
    await answer(served, commands=[complete_workflow()])
    await answer(served, accept(), respond())
    assert (await running).responses[0].start_workflow.started


async def test_what_is_asked_together_must_fit_together(served: Peer) -> None:
    wrong = both(cron_schedule="* * * * *")
    assert (await operations(served, wrong))[1:] == [
        (3, "CronSchedule is not allowed."),
        (10, "Operation was aborted."),
    ]
    wrong = both()
    wrong.operations[1].update_workflow.workflow_execution.workflow_id = "other"
    assert (await operations(served, wrong))[2] == (3, "WorkflowId is not consistent with previous operation(s).")
    wrong.operations[1].update_workflow.workflow_execution.run_id = "11111111-1111-4111-8111-111111111111"
    assert (await operations(served, wrong))[2] == (3, "RunId is not allowed.")
    del wrong.operations[1]
    refused = await served.refused("ExecuteMultiOperation", wrong)
    assert refused == ("INVALID_ARGUMENT", "Operations have to be exactly [Start, Update].")


async def test_bad_requests(served: Peer) -> None:
    wrong = asked()
    wrong.wait_policy.lifecycle_stage = ADMITTED
    assert (await served.refused("UpdateWorkflowExecution", wrong))[0] == "PERMISSION_DENIED"
    wrong.request.input.name = ""
    refused = await served.refused("UpdateWorkflowExecution", wrong)
    assert refused == ("INVALID_ARGUMENT", "Update name is not set on request.")
    refused = await served.refused(
        "PollWorkflowExecutionUpdate", PollWorkflowExecutionUpdateRequest(namespace="default")
    )
    assert refused == ("INVALID_ARGUMENT", "UpdateRef is not set on request.")
    assert (await served.refused("UpdateWorkflowExecution", asked()))[0] == "NOT_FOUND"
