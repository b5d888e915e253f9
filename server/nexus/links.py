"""Links between executions, as the Nexus protocol carries them: a URL of the scheme `temporal` and the name of the message.

Source: common/nexus/link_converter.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from temporalio.api.common.v1 import Link
from temporalio.api.enums.v1 import EventType
from temporalio.api.nexus.v1 import Link as NexusLink

WORKFLOW = re.compile(r"/namespaces/([^/]+)/workflows/([^/]+)/([^/]+)/history")
ACTIVITY = re.compile(r"/namespaces/([^/]+)/activities/([^/]+)/([^/]+)/details")
OPERATION = re.compile(r"/namespaces/([^/]+)/nexus-operations/([^/]+)/([^/]+)/details")
BY_EVENT, BY_REQUEST = "EventReference", "RequestIdReference"


def to_nexus(link: Link) -> NexusLink | None:
    """None: a link of a kind that the protocol does not carry."""
    kind = link.WhichOneof("variant")
    if kind == "workflow_event":
        event = link.workflow_event
        path = f"workflows/{_escaped(event.workflow_id)}/{_escaped(event.run_id)}/history"
        return _link(event, event.namespace, path, _query(event))
    if kind == "activity":
        activity = link.activity
        path = f"activities/{_escaped(activity.activity_id)}/{_escaped(activity.run_id)}/details"
        return _link(activity, activity.namespace, path)
    if kind == "nexus_operation":
        operation = link.nexus_operation
        path = f"nexus-operations/{_escaped(operation.operation_id)}/{_escaped(operation.run_id)}/details"
        return _link(operation, operation.namespace, path)
    return None


def from_nexus(links: Iterable[NexusLink]) -> list[Link]:
    """Those that can be read; others are dropped."""
    found = []
    for each in links:
        read = _READ.get(each.type)
        try:
            link = read(each.url) if read is not None else None
        except ValueError:
            link = None
        if link is not None:
            found.append(link)
    return found


def _link(
    message: Link.WorkflowEvent | Link.Activity | Link.NexusOperation, namespace: str, path: str, query: str = ""
) -> NexusLink:
    url = f"temporal:///namespaces/{_escaped(namespace)}/{path}"
    return NexusLink(url=f"{url}?{query}" if query else url, type=message.DESCRIPTOR.full_name)


def _escaped(part: str) -> str:
    return quote(part, safe="$&+:=@")  # as Go's url.PathEscape does


def _query(event: Link.WorkflowEvent) -> str:
    if event.HasField("request_id_ref"):
        by_request = event.request_id_ref
        said = {
            "eventType": _short(by_request.event_type),
            "referenceType": BY_REQUEST,
            "requestID": by_request.request_id,
        }
        return urlencode(said)
    if not event.HasField("event_ref"):
        return ""
    by_event = event.event_ref
    id = {"eventID": str(by_event.event_id)} if by_event.event_id > 0 else {}
    return urlencode({**id, "eventType": _short(by_event.event_type), "referenceType": BY_EVENT})


def _short(event_type: int) -> str:
    """EVENT_TYPE_TIMER_FIRED is TimerFired."""
    return EventType.Name(event_type).removeprefix("EVENT_TYPE_").title().replace("_", "")  # type: ignore[arg-type]


_LONG = {_short(value): value for value in EventType.values()} | dict(EventType.items())


def _parts(url: str, shape: re.Pattern[str]) -> tuple[list[str], dict[str, str]] | None:
    parsed = urlsplit(url)
    match = shape.fullmatch(parsed.path)
    if parsed.scheme != "temporal" or match is None:
        return None
    return [unquote(each) for each in match.groups()], {key: said[0] for key, said in parse_qs(parsed.query).items()}


def _workflow(url: str) -> Link | None:
    found = _parts(url, WORKFLOW)
    if found is None:
        return None
    (namespace, workflow_id, run_id), said = found
    event = Link.WorkflowEvent(namespace=namespace, workflow_id=workflow_id, run_id=run_id)
    event_type = _LONG.get(said.get("eventType", ""))
    if event_type is None:
        return None
    if said.get("referenceType") == BY_EVENT:
        event.event_ref.event_id = int(said.get("eventID", "0"))
        event.event_ref.event_type = event_type
    elif said.get("referenceType") == BY_REQUEST:
        event.request_id_ref.request_id = said.get("requestID", "")
        event.request_id_ref.event_type = event_type
    else:
        return None
    return Link(workflow_event=event)


def _activity(url: str) -> Link | None:
    found = _parts(url, ACTIVITY)
    if found is None:
        return None
    namespace, activity_id, run_id = found[0]
    return Link(activity=Link.Activity(namespace=namespace, activity_id=activity_id, run_id=run_id))


def _operation(url: str) -> Link | None:
    found = _parts(url, OPERATION)
    if found is None:
        return None
    namespace, operation_id, run_id = found[0]
    return Link(nexus_operation=Link.NexusOperation(namespace=namespace, operation_id=operation_id, run_id=run_id))


_READ: dict[str, Callable[[str], Link | None]] = {
    Link.WorkflowEvent.DESCRIPTOR.full_name: _workflow,
    Link.Activity.DESCRIPTOR.full_name: _activity,
    Link.NexusOperation.DESCRIPTOR.full_name: _operation,
}
