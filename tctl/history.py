"""Reading an execution's history and printing it: the table of events, events in detail, and how the execution ended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import grpc
from temporalio.api.common.v1 import Payloads, WorkflowExecution
from temporalio.api.enums.v1 import EventType, HistoryEventFilterType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryReverseRequest,
)

from tctl.client import CallFailed, Client
from tctl.command import CommandError
from tctl.flags import Run
from tctl.render import Printer, enum_text, go_duration, to_json

POLL_SECONDS = 65.0
TABLE, JSON = "displaying history failed", "failed getting next history event"
CLOSING = "failed getting close event"
COLOURS = (
    ("red", ("FAILED",)),
    ("yellow", ("TIMED_OUT",)),
    ("magenta", ("TIMER_CANCELED", "WORKFLOW_EXECUTION_CANCELED")),
    ("green", ("WORKFLOW_EXECUTION_COMPLETED",)),
    ("blue", ("WORKFLOW_EXECUTION_STARTED",)),
)
ENDS = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: "COMPLETED",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: "FAILED",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: "TIMEOUT",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: "CANCELED",
}


def events(
    client: Client, run: Run, *, follow: bool = False, last: bool = False, failing: str = ""
) -> Iterator[HistoryEvent]:
    """The events of one run in order; with `follow`, also those that come until it closes; with `last`, only the closing one.
    Raises CallFailed."""
    kind = HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT if last else 0
    request = GetWorkflowExecutionHistoryRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=run.workflow_id, run_id=run.run_id),
        wait_new_event=follow,
        history_event_filter_type=kind,  # type: ignore[arg-type]
        skip_archival=follow,
    )
    while True:
        try:
            page = client.ask(client.workflow.GetWorkflowExecutionHistory, request, failing, POLL_SECONDS)
        except CallFailed as error:
            if not follow or error.code is not grpc.StatusCode.DEADLINE_EXCEEDED or client.over:
                raise
            continue
        yield from page.history.events
        request.next_page_token = page.next_page_token
        if not page.next_page_token:
            return


def chain(client: Client, run: Run) -> Iterator[HistoryEvent]:
    """The events of a run as they come, and of the runs that continue it."""
    following: str | None = run.run_id
    while following is not None:
        run, following = Run(workflow_id=run.workflow_id, run_id=following), None
        for event in events(client, run, follow=True, failing=TABLE):
            yield event
            following = event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id or following


def reverse(client: Client, run: Run, failing: str) -> Iterator[HistoryEvent]:
    """The events of one run, newest first. Raises CallFailed."""
    request = GetWorkflowExecutionHistoryReverseRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=run.workflow_id, run_id=run.run_id),
    )
    while True:
        page = client.ask(client.workflow.GetWorkflowExecutionHistoryReverse, request, failing)
        yield from page.history.events
        request.next_page_token = page.next_page_token
        if not page.next_page_token:
            return


def closing(client: Client, run: Run, follow: bool = True) -> HistoryEvent:
    """The event that closes the execution, through continued runs; waits for it with `follow`. Raises CallFailed."""
    while True:
        (event,) = list(events(client, run, follow=follow, last=True, failing=CLOSING))[-1:] or [HistoryEvent()]
        following = event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        if not (follow and following):
            return event
        run = Run(workflow_id=run.workflow_id, run_id=following)


def table(printer: Printer, found: Iterable[HistoryEvent]) -> HistoryEvent | None:
    """Prints a row for each event as it comes; returns the one that ended the execution, if it is among them."""
    printer.table_header([("ID", 3), ("Time", 20), ("Type", 26)])
    ended = None
    for event in found:
        name = EventType.Name(event.event_type)
        colour = next((colour for colour, ends in COLOURS if name.endswith(ends)), "")
        text = enum_text(EventType, event.event_type)
        stamp = event.event_time.ToJsonString()[:19] + "Z"
        printer.line(f"  {event.event_id:>3}  {stamp:<20}  {printer.paint(text, colour)}{' ' * (26 - len(text))}")
        ended = event if event.event_type in ENDS else ended
    return ended


def detailed(printer: Printer, found: Iterable[HistoryEvent]) -> HistoryEvent | None:
    """Prints every field of each event; returns the one that ended the execution, if it is among them."""
    ended = None
    for index, event in enumerate(found):
        head = f"--------------- [{event.event_id}] {enum_text(EventType, event.event_type)} ---------------"
        printer.write("\n" if index else "")
        printer.line(head)
        content = to_json(event, printer.shorthand)
        attributes = [name for name in content if name.endswith("Attributes")]
        content |= {key: value for name in attributes for key, value in content[name].items()}
        for name in ("eventId", "eventType", *attributes):
            content.pop(name, None)
        for path, value in sorted(_flat("", content)):
            printer.line(f"{path}: {value}")
        ended = event if event.event_type in ENDS else ended
    return ended


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(f"{path}.{key}" if path else key, item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flat(f"{path}[{index}]", item)
    else:
        yield path, value if isinstance(value, str) else json.dumps(value)


def ending(event: HistoryEvent) -> dict[str, Any]:
    """How an execution ended, as the official JSON has it: status, closing event and, when completed, the result."""
    found: dict[str, Any] = {"status": ENDS.get(event.event_type, "<unknown>"), "closeEvent": event}
    if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
        found["result"] = friendly(event.workflow_execution_completed_event_attributes, "result")
    return found


def friendly(message: Any, field: str) -> Any:
    """The payloads of a field: one stands for itself, several as they are; None when the field is absent."""
    payloads: Payloads = getattr(message, field)
    if len(payloads.payloads) == 1:
        return payloads.payloads[0]
    return payloads if message.HasField(field) else None


def result_card(printer: Printer, event: HistoryEvent, took: timedelta | None = None) -> None:
    """Prints how an execution ended."""
    printer.line("Results:", "magenta")
    card: list[tuple[str, Any]] = []
    if took:
        card.append(("RunTime", go_duration(took - took % timedelta(milliseconds=10))))
    status = ENDS.get(event.event_type, "")
    card.append(("Status", printer.paint(status, "green" if status == "COMPLETED" else "red") if status else ""))
    if status == "COMPLETED":
        attributes = event.workflow_execution_completed_event_attributes
        payloads = attributes.result
        card.append(("Result", printer.compact(friendly(attributes, "result"))))
        if payloads.payloads and "encoding" in payloads.payloads[0].metadata:
            card.append(("ResultEncoding", payloads.payloads[0].metadata["encoding"].decode()))
    if status == "FAILED":
        card.append(("Failure", _failure(event.workflow_execution_failed_event_attributes.failure)))
    printer.card(card)


def _failure(failure: Failure) -> str:
    """A failure and its causes, each further in."""
    text, indent = "", "    "
    while True:
        text += f"\n{indent}Message: {failure.message}"
        if failure.stack_trace:
            trace = failure.stack_trace.replace("\n", f"\n{indent}    ")
            text += f"\n{indent}StackTrace:\n{indent}    {trace}"
        if not failure.HasField("cause"):
            return text
        failure = failure.cause
        text += f"\n{indent}Cause:"
        indent += "    "


def finish(printer: Printer, event: HistoryEvent, took: timedelta | None = None) -> None:
    """Prints how an execution ended. Raises CommandError when it did not complete."""
    if not printer.json:
        result_card(printer, event, took)
    if event.event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
        raise CommandError("workflow failed")
