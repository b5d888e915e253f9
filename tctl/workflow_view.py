"""The commands of `tctl workflow` that only look: describe, show, list, count and result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tctl.command import CommandError, command
from tctl.flags import Call, Query, Run, option

if TYPE_CHECKING:
    from temporalio.api.history.v1 import HistoryEvent
    from temporalio.api.workflow.v1 import WorkflowExecutionInfo
    from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

    from tctl.render import Card, Printer


def describe(
    call: Call,
    run: Run,
    *,
    reset_points: Annotated[bool, option("--reset-points", help="Show the automatic reset points only.")] = False,
    raw: Annotated[  # noqa: ARG001  official
        bool, option("--raw", hidden=True, help="Accepted, without effect in the official CLI too.")
    ] = False,
) -> None:
    """Show what is known of an execution."""
    from temporalio.api.enums.v1 import WorkflowExecutionStatus

    from tctl import history

    found = _asked(call, run)
    if reset_points:
        _reset_points(call.printer, found)
        return
    info, event = found.workflow_execution_info, None
    if info.status != WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING:
        closed = Run(workflow_id=info.execution.workflow_id, run_id=info.execution.run_id)
        event = history.closing(call.client, closed, follow=False)
    if call.printer.json:
        call.printer.data(_with_ending(call.printer, found, event))
        return
    _execution_cards(call, found)
    if event is None:
        _pending(call.printer, found)
        return
    call.printer.line()
    took = info.close_time.ToDatetime() - info.start_time.ToDatetime() if info.HasField("close_time") else None
    history.result_card(call.printer, event, took)


def _asked(call: Call, run: Run) -> DescribeWorkflowExecutionResponse:
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest

    execution = WorkflowExecution(workflow_id=run.workflow_id, run_id=run.run_id)
    request = DescribeWorkflowExecutionRequest(namespace=call.client.namespace, execution=execution)
    return call.client.ask(call.client.workflow.DescribeWorkflowExecution, request, "failed describing workflow")


def _with_ending(printer: Printer, found: DescribeWorkflowExecutionResponse, event: HistoryEvent | None) -> Any:
    import json

    from tctl import history
    from tctl.render import to_json

    if event is None:
        return found
    ending = history.ending(event)
    del ending["status"]
    told = json.loads(json.dumps(to_json(found, printer.shorthand), sort_keys=True))  # in the official CLI's order
    return dict(sorted((told | ending).items()))


def _reset_points(printer: Printer, found: DescribeWorkflowExecutionResponse) -> None:
    points = found.workflow_execution_info.auto_reset_points.points
    printer.line(f"Auto Reset Points: {len(points)}", "magenta")
    printer.cards(
        [
            ("BinaryChecksum", each.binary_checksum),
            ("CreateTime", each.create_time),
            ("RunId", each.run_id),
            ("EventId", each.first_workflow_task_completed_id),
        ]
        for each in points
    )
    fields = ("binaryChecksum", "createTime", "runId", "firstWorkflowTaskCompletedId")
    from tctl.render import to_json

    names = ("BinaryChecksum", "CreateTime", "RunId", "EventId")
    plain = [to_json(each, True) for each in points]
    printer.data([{name: each.get(field) for name, field in zip(names, fields, strict=True)} for each in plain])


def _execution_cards(call: Call, found: DescribeWorkflowExecutionResponse) -> None:
    printer, info, extended = call.printer, found.workflow_execution_info, found.workflow_extended_info
    printer.line("Execution Info:", "magenta")
    printer.card(_info_card(info, call.client.namespace))
    if found.HasField("workflow_extended_info"):
        printer.line("Extended Execution Info:", "magenta")
        times = [
            ("ExecutionExpirationTime", extended.execution_expiration_time),
            ("RunExpirationTime", extended.run_expiration_time),
            ("LastResetTime", extended.last_reset_time),
            ("OriginalStartTime", extended.original_start_time),
        ]
        known = [(name, stamp) for name, stamp in times if stamp.seconds > 0]
        printer.card([("CancelRequested", extended.cancel_requested), *known])
    metadata = found.execution_config.user_metadata
    if metadata.summary.data or metadata.details.data:
        printer.line()
        printer.line("Metadata:", "magenta")
        printer.card([("StaticSummary", metadata.summary), ("StaticDetails", metadata.details)])


def _info_card(info: WorkflowExecutionInfo, namespace: str) -> Card:
    optional: list[tuple[str, Any]] = [
        ("CloseTime", info.close_time if info.HasField("close_time") else None),
        ("ExecutionTime", info.execution_time if info.HasField("execution_time") else None),
        ("Memo", info.memo.fields),
        ("SearchAttributes", info.search_attributes.indexed_fields),
    ]
    origins = [
        ("ParentWorkflowId", info.parent_execution.workflow_id),
        ("ParentRunId", info.parent_execution.run_id),
        ("RootWorkflowId", info.root_execution.workflow_id),
        ("RootRunId", info.root_execution.run_id),
    ]
    return [
        ("WorkflowId", info.execution.workflow_id),
        ("RunId", info.execution.run_id),
        ("Type", info.type.name),
        ("Namespace", namespace),
        ("TaskQueue", info.task_queue),
        ("AssignedBuildId", info.assigned_build_id),
        ("StartTime", info.start_time),
        *((name, value) for name, value in optional if value),
        ("StateTransitionCount", info.state_transition_count),
        ("HistoryLength", info.history_length),
        ("HistorySize", info.history_size_bytes),
        *((name, value) for name, value in origins if value),
    ]


def _pending(printer: Printer, found: DescribeWorkflowExecutionResponse) -> None:
    sections = [
        ("Pending Activities", [_activity_card(each) for each in found.pending_activities]),
        ("Pending Child Workflows", [_plain_card(each) for each in found.pending_children]),
        ("Pending Nexus Operations", [_plain_card(each) for each in found.pending_nexus_operations]),
    ]
    printer.line()
    for name, cards in sections:
        printer.line(f"{name}: {len(cards)}", "magenta")
        if cards:
            printer.line()
            printer.cards(cards)
            printer.line()


def _activity_card(each: Any) -> Card:
    from temporalio.api.enums.v1 import PendingActivityState

    from tctl.render import enum_text

    optional = [
        ("LastStartedTime", each.last_started_time),
        ("LastHeartbeatTime", each.last_heartbeat_time),
        ("ExpirationTime", each.expiration_time),
        ("LastFailure", each.last_failure),
        ("LastWorkerIdentity", each.last_worker_identity),
        ("LastHeartbeatDetails", list(each.heartbeat_details.payloads)),
    ]
    return [
        ("ActivityId", each.activity_id),
        ("Type", each.activity_type.name),
        ("State", enum_text(PendingActivityState, each.state)),
        ("Attempt", each.attempt),
        ("MaximumAttempts", each.maximum_attempts),
        ("ScheduledTime", each.scheduled_time),
        *((name, value) for name, value in optional if value and not _is_empty(value)),
    ]


def _is_empty(value: Any) -> bool:
    return hasattr(value, "ByteSize") and value.ByteSize() == 0


def _plain_card(each: Any) -> Card:
    """Every field of a message under its name with a capital letter."""
    from tctl.render import to_json

    return [(name[0].upper() + name[1:], value) for name, value in to_json(each, True).items()]


def show(
    call: Call,
    run: Run,
    *,
    follow: Annotated[bool, option("--follow", "-f", help="Go on until the execution closes.")] = False,
    detailed: Annotated[bool, option("--detailed", help="Show every field of each event.")] = False,
    newest_first: Annotated[bool, option("--reverse", help="Newest event first; not with --follow.")] = False,
) -> None:
    """Show the history of an execution."""
    from temporalio.api.history.v1 import History

    from tctl import history

    if newest_first and follow:
        raise CommandError("--reverse cannot be combined with --follow")
    client, printer = call.client, call.printer
    failing = history.JSON if printer.json else history.TABLE
    if newest_first:
        found = history.reverse(client, run, failing)
    elif follow and not printer.json:
        found = history.chain(client, run)
    else:
        found = history.events(client, run, follow=follow, failing=failing)
    if printer.json:
        printer.data(History(events=list(found)), shorthand=False)
        return
    printer.line("Progress:", "magenta")
    ended = (history.detailed if detailed else history.table)(printer, found)
    printer.line()
    if ended is not None:
        history.result_card(printer, ended)


def list_(
    call: Call,
    *,
    query: Query = "",
    archived: Annotated[bool, option("--archived", help="List archived executions.")] = False,
    limit: Annotated[int, option("--limit", help="Most executions to list.")] = 0,
    page_size: Annotated[int, option("--page-size", help="Most executions to ask for at a time.")] = 0,
) -> None:
    """List executions, newest first."""
    from temporalio.api.enums.v1 import WorkflowExecutionStatus
    from temporalio.api.workflowservice.v1 import (
        ListArchivedWorkflowExecutionsRequest,
        ListWorkflowExecutionsRequest,
    )

    from tctl.render import enum_text

    client, printer, shown, token = call.client, call.printer, 0, b""
    page_size = min(page_size or limit, limit) if limit else page_size
    kind = ListArchivedWorkflowExecutionsRequest if archived else ListWorkflowExecutionsRequest
    method: Any = client.workflow.ListArchivedWorkflowExecutions if archived else client.workflow.ListWorkflowExecutions
    with printer.listing():
        while True:
            request: Any = kind(namespace=client.namespace, query=query, page_size=page_size, next_page_token=token)
            page: Any = client.ask(method, request, "failed listing workflows")
            found = page.executions[: limit - shown] if limit else page.executions
            rows = []
            for each in found:
                printer.data(each)
                status = enum_text(WorkflowExecutionStatus, each.status)
                rows.append((status, each.execution.workflow_id, each.type.name, each.start_time))
            if rows:
                printer.table(("Status", "WorkflowId", "Type", "StartTime"), rows, header=not shown)
            shown, token = shown + len(found), page.next_page_token
            if not token or (limit and shown >= limit):
                return


def count(call: Call, *, query: Query = "") -> None:
    """Count executions, by value when the filter has a GROUP BY."""
    from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest

    request = CountWorkflowExecutionsRequest(namespace=call.client.namespace, query=query)
    found = call.client.ask(call.client.workflow.CountWorkflowExecutions, request)
    for each in found.groups:
        for payload in each.group_values:
            payload.metadata.pop("type", None)
    call.printer.data(found)
    call.printer.line(f"Total: {found.count}")
    for each in found.groups:
        values = ", ".join(payload.data.decode(errors="replace").strip('"') for payload in each.group_values)
        call.printer.line(f"Group total: {each.count}, values: {values}")


def result(call: Call, run: Run) -> None:
    """Wait for the end of an execution and show it; fails when the workflow did not complete."""
    from tctl import history

    event = history.closing(call.client, run)
    run_id = run.run_id or _asked(call, run).workflow_execution_info.execution.run_id
    ids = {"workflowId": run.workflow_id, "runId": run_id, "namespace": call.client.namespace}
    call.printer.data(ids | history.ending(event))
    history.finish(call.printer, event)


def add_to(app: typer.Typer) -> None:
    """Adds the commands to their group."""
    for each in (describe, show, list_, count, result):
        command(app, each.__name__.strip("_"))(each)
