"""Tasks that go back with the answer to a request, instead of through a queue: the next workflow task of the worker that has just completed
one, the activities that it wants to run itself, and the first workflow task of who starts a workflow.

Source: respondworkflowtaskcompleted/workflow_task_completed_handler.go handlePostCommandEagerExecuteActivity, api/startworkflow/api.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from google.protobuf.message import Message
from temporalio.api.common.v1 import WorkerVersionStamp
from temporalio.api.enums.v1 import CommandType
from temporalio.api.workflowservice.v1 import PollWorkflowTaskQueueResponse, RespondWorkflowTaskCompletedRequest

from server.core.outcome import ACTIVITY_TASK, WORKFLOW_TASK, Dispatch, Poll
from server.core.settle import settle
from server.core.step import Step
from server.core.workflow import activities, tasks
from server.history import reader

if TYPE_CHECKING:
    from server.history.shard import Shard

SCHEDULE = CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK


def start_wanted(shard: Shard, step: Step, request: RespondWorkflowTaskCompletedRequest) -> list[reader.Started]:
    """Starts what the worker asks for with its commands, in the same step."""
    wanted = {
        command.schedule_activity_task_command_attributes.activity_id
        for command in request.commands
        if command.command_type == SCHEDULE
        and command.schedule_activity_task_command_attributes.request_eager_execution
    }
    settle(step)
    started: list[reader.Started] = []
    for dispatch in list(step.dispatches):
        if dispatch.kind == ACTIVITY_TASK:
            if step.state.activities[dispatch.scheduled_event_id].activity_id in wanted:
                started.append(_start_activity(shard, step, dispatch, request.identity))
        elif request.return_new_workflow_task:
            task = start_workflow_task(shard, step, request.identity, request.worker_version_stamp)
            assert isinstance(task.response, PollWorkflowTaskQueueResponse)
            for id in request.query_results:
                task.response.queries.pop(id, None)  # just answered
            started.append(task)
    return started


def _start_activity(shard: Shard, step: Step, dispatch: Dispatch, identity: str) -> reader.Started:
    poll = Poll(identity=identity, request_id=shard.parts.environment.run_id(), queue=dispatch.queue)
    event_id = dispatch.scheduled_event_id
    response = activities.start_activity_task(step, event_id, dispatch.attempt, dispatch.stamp, poll)
    return reader.Started(response, shard.cached(step.state), event_id, event_id)


def start_workflow_task(
    shard: Shard, step: Step, identity: str, build: WorkerVersionStamp | None = None
) -> reader.Started:
    """Starts the workflow task that the step has just offered. `build` is what the worker says of itself, when it says it."""
    dispatch = next(each for each in step.dispatches if each.kind == WORKFLOW_TASK)
    poll = Poll(identity=identity, request_id=tasks.INLINE_REQUEST_ID)
    if build is not None:
        poll = poll._replace(build_id=build.build_id, use_versioning=build.use_versioning)
    response = tasks.start_workflow_task(step, dispatch.scheduled_event_id, dispatch.attempt, poll)
    return reader.shown(step.state, shard.cached(step.state), response)


async def answer(shard: Shard, reply: Message, tasks_of: Sequence[reader.Started], *fields: str) -> bytes:
    """The encoded reply with the tasks in it: workflow tasks in the first of the fields, activities in the second."""
    data = reply.SerializeToString()
    for started in tasks_of:
        task = reader.at_hand(started) or await reader.fetched(shard, started)
        data += reader.embedded(type(reply), fields[started.is_activity], task)
    return data
