"""`tctl workflow`: the commands that start, signal, query, cancel, terminate and delete executions; those that show are in
`workflow_view`."""

from __future__ import annotations

import dataclasses
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tctl import workflow_view
from tctl.command import CommandError, command, group
from tctl.flags import Call, Headers, Input, NoHeaders, Query, Run, option

if TYPE_CHECKING:
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.workflowservice.v1 import (
        DescribeNamespaceResponse,
        StartBatchOperationRequest,
        StartWorkflowExecutionRequest,
    )

app = group("Start, look at and change workflow executions")
workflow_view.add_to(app)
DELETE_WARNING = (
    "WARNING: deleting executions in a global Namespace removes them from all replicas; requests to a passive cluster are"
    " forwarded to the active one unless --grpc-meta xdc-redirection=false is given."
)


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


@command(app, "start")
def start(call: Call, how: Start, given: Input) -> None:
    """Start a workflow execution."""
    _print_started(call, how, _start(call, how, given))


@command(app, "execute")
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


@dataclasses.dataclass(slots=True, kw_only=True)
class Target:
    """One execution, or all those that a list filter finds (a batch)."""

    workflow_id: Annotated[str, option("--workflow-id", "-w", help="Workflow ID; or give --query.")] = ""
    run_id: Annotated[str, option("--run-id", "-r", help="Run ID; only with --workflow-id.")] = ""
    query: Query = ""
    reason: Annotated[str, option("--reason", help="Why; your user name when not given.")] = ""
    yes: Annotated[bool, option("--yes", "-y", help="Do not ask before a batch.")] = False
    rps: Annotated[float, option("--rps", help="Requests a second of a batch.")] = 0.0

    def check(self, *, reason: bool = False, yes: bool = False) -> None:
        """Raises CommandError unless this is one execution or a filter. `reason` and `yes` may go with one execution."""
        if not self.workflow_id and not self.query:
            raise CommandError("must set either workflow ID or query")
        wrong = [
            (self.workflow_id and self.query, "cannot set query when workflow ID is set"),
            (self.workflow_id and self.reason and not reason, "cannot set reason when workflow ID is set"),
            (self.workflow_id and self.yes and not yes, "cannot set 'yes' when workflow ID is set"),
            (self.workflow_id and self.rps, "cannot set rps when workflow ID is set"),
            (self.query and self.run_id, "cannot set run ID when query is set"),
        ]
        for holds, sentence in wrong:
            if holds:
                raise CommandError(sentence)

    @property
    def execution(self) -> WorkflowExecution:
        """The execution as the protocol names it."""
        from temporalio.api.common.v1 import WorkflowExecution

        return WorkflowExecution(workflow_id=self.workflow_id, run_id=self.run_id)

    @property
    def why(self) -> str:
        """The reason given, or one that names the user."""
        import getpass

        return self.reason or f"Requested from CLI by {getpass.getuser()}"


def _batch(call: Call, target: Target, **operation: Any) -> None:
    """Starts a batch over what the filter finds, when the user agrees."""
    import uuid

    from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest, StartBatchOperationRequest

    client, printer = call.client, call.printer
    question = f'Start batch against workflows matching query "{target.query}"? y/N'
    if not target.yes:
        counted = CountWorkflowExecutionsRequest(namespace=client.namespace, query=target.query)
        failing = "failed counting workflows from query"
        count = client.ask(client.workflow.CountWorkflowExecutions, counted, failing).count
        question = f"Start batch against approximately {count} workflow(s)? y/N"
    if not call.confirm(question, ("yes", "y"), target.yes):
        raise CommandError("user denied confirmation")
    request: StartBatchOperationRequest = StartBatchOperationRequest(
        namespace=client.namespace,
        job_id=str(uuid.uuid4()),
        visibility_query=target.query,
        reason=target.why,
        max_operations_per_second=target.rps,
        **operation,
    )
    client.ask(client.workflow.StartBatchOperation, request, "failed starting batch operation")
    printer.data({"batchJobId": request.job_id})
    printer.line(f"Started batch for job ID: {request.job_id}")


@command(app, "signal")
def signal(
    call: Call,
    target: Target,
    given: Input,
    *,
    name: Annotated[str, option("--name", "--type", help="Signal name.")],
    headers: Headers = [],  # noqa: B006
) -> None:
    """Send a signal to an execution."""
    from temporalio.api.batch.v1 import BatchOperationSignal
    from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest

    from tctl import payloads

    target.check()
    client, arguments = call.client, payloads.arguments(given)
    if target.query:
        operation = BatchOperationSignal(signal=name, input=arguments, identity=client.identity)
        _batch(call, target, signal_operation=operation)
        return
    request = SignalWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_execution=target.execution,
        signal_name=name,
        input=arguments,
        identity=client.identity,
        header=payloads.header(headers),
    )
    client.ask(client.workflow.SignalWorkflowExecution, request, "failed signalling workflow")
    call.printer.line("Signal workflow succeeded")


@command(app, "query")
def query(
    call: Call,
    run: Run,
    given: Input,
    *,
    name: Annotated[str, option("--name", "--type", help="Query name.")],
    reject_condition: Annotated[
        Literal["not_open", "not_completed_cleanly"] | None,
        option("--reject-condition", help="States of the workflow in which the query is rejected."),
    ] = None,
    headers: Headers = [],  # noqa: B006
) -> None:
    """Ask an execution for its state."""
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.enums.v1 import QueryRejectCondition, WorkflowExecutionStatus
    from temporalio.api.query.v1 import WorkflowQuery
    from temporalio.api.workflowservice.v1 import QueryWorkflowRequest

    from tctl import history, payloads
    from tctl.render import enum_text

    condition = f"QUERY_REJECT_CONDITION_{(reject_condition or 'unspecified').upper()}"
    request = QueryWorkflowRequest(
        namespace=call.client.namespace,
        execution=WorkflowExecution(workflow_id=run.workflow_id, run_id=run.run_id),
        query=WorkflowQuery(query_type=name, query_args=payloads.arguments(given), header=payloads.header(headers)),
        query_reject_condition=QueryRejectCondition.Value(condition),
    )
    answer = call.client.ask(call.client.workflow.QueryWorkflow, request, "querying workflow failed")
    if answer.HasField("query_rejected"):
        status = enum_text(WorkflowExecutionStatus, answer.query_rejected.status)
        raise CommandError(f"query was rejected, workflow has status: {status}")
    call.printer.data(answer)
    call.printer.line("Query result:", "magenta")
    call.printer.card([("QueryResult", call.printer.compact(history.friendly(answer, "query_result")))])


@command(app, "cancel")
def cancel(call: Call, target: Target, *, headers: NoHeaders = []) -> None:  # noqa: B006, ARG001  official
    """Request the cancellation of an execution."""
    import uuid

    from temporalio.api.batch.v1 import BatchOperationCancellation
    from temporalio.api.workflowservice.v1 import RequestCancelWorkflowExecutionRequest

    target.check()
    client = call.client
    if target.query:
        _batch(call, target, cancellation_operation=BatchOperationCancellation(identity=client.identity))
        return
    request = RequestCancelWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_execution=target.execution,
        identity=client.identity,
        request_id=str(uuid.uuid4()),
    )
    client.ask(client.workflow.RequestCancelWorkflowExecution, request, "failed to cancel workflow")
    call.printer.line("Canceled workflow")


@command(app, "terminate")
def terminate(call: Call, target: Target) -> None:
    """End an execution at once."""
    from temporalio.api.batch.v1 import BatchOperationTermination
    from temporalio.api.workflowservice.v1 import TerminateWorkflowExecutionRequest

    target.check(reason=True)
    client = call.client
    if target.query:
        _batch(call, target, termination_operation=BatchOperationTermination(identity=client.identity))
        return
    request = TerminateWorkflowExecutionRequest(
        namespace=client.namespace, workflow_execution=target.execution, reason=target.why, identity=client.identity
    )
    client.ask(client.workflow.TerminateWorkflowExecution, request, "failed to terminate workflow")
    call.printer.line("Workflow terminated")


@command(app, "delete")
def delete(call: Call, target: Target, *, headers: NoHeaders = []) -> None:  # noqa: B006, ARG001  official
    """Remove an execution and its history."""
    from temporalio.api.batch.v1 import BatchOperationDeletion
    from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest

    target.check(yes=True)
    client = call.client
    _warn_if_global(call)
    if target.query:
        _batch(call, target, deletion_operation=BatchOperationDeletion(identity=client.identity))
        return
    which = f' with Run ID "{target.run_id}"' if target.run_id else ""
    if not call.confirm(f'Delete Workflow "{target.workflow_id}"{which}? y/N', ("yes", "y"), target.yes):
        raise CommandError("user denied confirmation")
    request = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=target.execution)
    client.ask(client.workflow.DeleteWorkflowExecution, request, "failed to delete workflow")
    call.printer.line("Delete workflow succeeded")


def _warn_if_global(call: Call) -> None:
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest

    request = DescribeNamespaceRequest(namespace=call.client.namespace)
    found: DescribeNamespaceResponse = call.client.ask(call.client.workflow.DescribeNamespace, request)
    if found.is_global_namespace:
        print(DELETE_WARNING, file=sys.stderr)
