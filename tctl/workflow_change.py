"""The commands of `tctl workflow` that speak to an execution or change it: signal, query, cancel, terminate and delete."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tctl.command import CommandError, command, quoted
from tctl.flags import Call, Headers, Input, NoHeaders, Query, Run, option

if TYPE_CHECKING:
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.workflowservice.v1 import DescribeNamespaceResponse, StartBatchOperationRequest

DELETE_WARNING = (
    "WARNING: deleting executions in a global Namespace removes them from all replicas; requests to a passive cluster are"
    " forwarded to the active one unless --grpc-meta xdc-redirection=false is given."
)


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
    question = f"Start batch against workflows matching query {quoted(target.query)}? y/N"
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
    which = f" with Run ID {quoted(target.run_id)}" if target.run_id else ""
    if not call.confirm(f"Delete Workflow {quoted(target.workflow_id)}{which}? y/N", ("yes", "y"), target.yes):
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


def add_to(app: typer.Typer) -> None:
    """Adds the commands to their group."""
    for each in (signal, query, cancel, terminate, delete):
        command(app, each.__name__)(each)
