"""The commands of `tctl workflow` that start an execution: start and execute."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tctl.command import command
from tctl.flags import Call, Headers, Input, Run, option

if TYPE_CHECKING:
    from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest


@dataclasses.dataclass(slots=True, kw_only=True)
class Start:
    """What is started, and how."""

    type: Annotated[str, option("--type", "--name", help="Workflow type.")]
    task_queue: Annotated[str, option("--task-queue", "-t", help="Task queue of the workflow.")]
    workflow_id: Annotated[str, option("--workflow-id", "-w", help="Workflow ID; made up when not given.")] = ""
    run_timeout: Annotated[timedelta | None, option("--run-timeout", span=True, help="Longest time of a run.")] = None
    execution_timeout: Annotated[
        timedelta | None,
        option("--execution-timeout", span=True, help="Longest time of the execution with all its runs."),
    ] = None
    task_timeout: Annotated[
        timedelta | None, option("--task-timeout", span=True, help="Longest time of a workflow task (10s).")
    ] = None
    search_attribute: Annotated[
        list[str], option("--search-attribute", metavar="KEY=JSON", help="Search attribute; may be repeated.")
    ] = dataclasses.field(default_factory=list)
    memo: Annotated[list[str], option("--memo", metavar="KEY=JSON", help="Memo; may be repeated.")] = dataclasses.field(
        default_factory=list
    )
    static_summary: Annotated[str, option("--static-summary", help="One line of Markdown for people.")] = ""
    static_details: Annotated[str, option("--static-details", help="Markdown for people.")] = ""
    priority_key: Annotated[int, option("--priority-key", help="1 (first) to 5; 3 when not given.")] = 0
    fairness_key: Annotated[str, option("--fairness-key", help="Tasks with one key share capacity.")] = ""
    fairness_weight: Annotated[float, option("--fairness-weight", help="Share of the fairness key.")] = 0.0
    headers: Headers = dataclasses.field(default_factory=list)
    cron: Annotated[str, option("--cron", hidden=True, help="Cron schedule (deprecated).")] = ""
    fail_existing: Annotated[bool, option("--fail-existing", help="Fail if the workflow runs already.")] = False
    start_delay: Annotated[timedelta | None, option("--start-delay", span=True, help="Wait before the first task.")] = (
        None
    )
    id_reuse_policy: Annotated[
        Literal["AllowDuplicate", "AllowDuplicateFailedOnly", "RejectDuplicate", "TerminateIfRunning"] | None,
        option("--id-reuse-policy", help="Whether the ID of a closed execution can be used again."),
    ] = None
    id_conflict_policy: Annotated[
        Literal["Fail", "UseExisting", "TerminateExisting"] | None,
        option("--id-conflict-policy", help="What happens when an execution with the ID runs."),
    ] = None


def start(call: Call, how: Start, given: Input) -> None:
    """Start a workflow execution."""
    _print_started(call, how, _start(call, how, given))


def execute(
    call: Call,
    how: Start,
    given: Input,
    *,
    detailed: Annotated[bool, option("--detailed", help="Show events in detail; in JSON, add the history.")] = False,
) -> None:
    """Start a workflow execution and wait for its end; fails when the workflow does not complete."""
    from temporalio.api.history.v1 import History

    from tctl import history

    began, run, printer = datetime.now(UTC), _start(call, how, given), call.printer
    if not printer.json:
        _print_started(call, how, run)
        printer.line()
        printer.line("Progress:", "magenta")
        (history.detailed if detailed else history.table)(printer, history.chain(call.client, run))
        printer.line()
    event = history.closing(call.client, run)
    took = datetime.now(UTC) - began
    answer = _started(call, how, run) | {"durationMillis": took // timedelta(milliseconds=1)} | history.ending(event)
    if printer.json and detailed:
        found = History(events=list(history.events(call.client, run)))
        answer["history"] = _raw(found)
    printer.data(answer)
    history.finish(printer, event, took)


def _raw(message: Any) -> Any:
    """A message without the payload shorthand, as replayers need it."""
    from tctl.render import to_json

    return to_json(message, shorthand=False)


def _start(call: Call, how: Start, given: Input) -> Run:
    request = _request(call, how, given)
    failing = "failed starting workflow"
    run_id = call.client.ask(call.client.workflow.StartWorkflowExecution, request, failing).run_id
    return Run(workflow_id=request.workflow_id, run_id=run_id)


def _request(call: Call, how: Start, given: Input) -> StartWorkflowExecutionRequest:
    """The request, with the defaults of the Go SDK's client: unless told to fail, a running execution is used."""
    import uuid

    from temporalio.api.common.v1 import Header, Memo, Priority, SearchAttributes, WorkflowType
    from temporalio.api.enums.v1 import TaskQueueKind
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest

    from tctl import payloads

    arguments = payloads.arguments(given)
    request = StartWorkflowExecutionRequest(
        namespace=call.client.namespace,
        workflow_id=how.workflow_id or str(uuid.uuid4()),
        workflow_type=WorkflowType(name=how.type),
        task_queue=TaskQueue(name=how.task_queue, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL),
        input=arguments if arguments.payloads else None,
        identity=call.client.identity,
        request_id=str(uuid.uuid4()),
        cron_schedule=how.cron,
        header=payloads.header(how.headers) or Header(),
    )
    if how.priority_key or how.fairness_key or how.fairness_weight:
        request.priority.CopyFrom(
            Priority(priority_key=how.priority_key, fairness_key=how.fairness_key, fairness_weight=how.fairness_weight)
        )
    if how.memo:
        request.memo.CopyFrom(Memo(fields=payloads.fields(how.memo, "invalid memo values")))
    if how.search_attribute:
        found = payloads.fields(how.search_attribute, "invalid search attribute values")
        request.search_attributes.CopyFrom(SearchAttributes(indexed_fields=found))
    _set_policies(request, how)
    _set_times(request, how)
    return request


def _set_policies(request: StartWorkflowExecutionRequest, how: Start) -> None:
    from temporalio.api.enums.v1 import WorkflowIdConflictPolicy, WorkflowIdReusePolicy

    if how.id_reuse_policy:
        name = _shouted("WorkflowIdReusePolicy", how.id_reuse_policy)
        request.workflow_id_reuse_policy = WorkflowIdReusePolicy.Value(name)
    if how.id_conflict_policy:
        name = _shouted("WorkflowIdConflictPolicy", how.id_conflict_policy)
        request.workflow_id_conflict_policy = WorkflowIdConflictPolicy.Value(name)


def _shouted(*words: str) -> str:
    """WorkflowIdReusePolicy AllowDuplicate as WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE."""
    import re

    return "_".join(re.sub("(?<!^)([A-Z])", r"_\1", word) for word in words).upper()


def _set_times(request: StartWorkflowExecutionRequest, how: Start) -> None:
    from tctl import payloads

    request.workflow_execution_timeout.FromTimedelta(how.execution_timeout or timedelta(0))
    request.workflow_run_timeout.FromTimedelta(how.run_timeout or timedelta(0))
    request.workflow_task_timeout.FromTimedelta(timedelta(seconds=10) if how.task_timeout is None else how.task_timeout)
    if how.start_delay:
        request.workflow_start_delay.FromTimedelta(how.start_delay)
    if how.static_summary:
        request.user_metadata.summary.CopyFrom(payloads.of_json(how.static_summary))
    if how.static_details:
        request.user_metadata.details.CopyFrom(payloads.of_json(how.static_details))


def _started(call: Call, how: Start, run: Run) -> dict[str, Any]:
    return {
        "workflowId": run.workflow_id,
        "runId": run.run_id,
        "type": how.type,
        "namespace": call.client.namespace,
        "taskQueue": how.task_queue,
    }


def _print_started(call: Call, how: Start, run: Run) -> None:
    found = _started(call, how, run)
    call.printer.line("Running execution:", "magenta")
    call.printer.card([(name[0].upper() + name[1:], value) for name, value in found.items()])
    call.printer.data(found)


def add_to(app: typer.Typer) -> None:
    """Adds the commands to their group."""
    for each in (start, execute):
        command(app, each.__name__)(each)
