"""Our command line and the official one, side by side on one server: the same output for the same question."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.cli.conftest import Cli, Result, normal

Both = tuple[Cli, Cli]
ISO = ("--time-format", "iso")


@pytest.fixture(scope="session")
def executions(address: str, worker: str) -> dict[str, str]:
    """Executions in every state, by state."""
    from tests.cli.conftest import tctl

    run = uuid.uuid4().hex[:8]
    at = ("--address", address, "-t", worker)

    def start(verb: str, name: str, *more: str) -> Result:
        return tctl("workflow", verb, *at, "--type", name, "-w", f"{name}-{run}", "-o", "json", *more)

    start("execute", "Greet", "-i", '"you"', "--memo", 'note={"a": [1, 2.5]}', "--search-attribute", 'Colour="red"')
    start("execute", "Fail")
    start("execute", "Again", "-i", "2")
    start("start", "Wait", "--static-summary", "a summary", "--static-details", "the details")
    named = {name: f"{name}-{run}" for name in ("Greet", "Fail", "Again", "Wait")}
    idle = f"idle-{run}"
    for name, verb in (("terminated", "terminate"), ("canceled", "cancel")):
        tctl("workflow", "start", "--address", address, "-t", idle, "--type", "Idle", "-w", f"{name}-{run}")
        tctl("workflow", verb, "--address", address, "-w", f"{name}-{run}")
        named[name] = f"{name}-{run}"
    return named


ALL = ["Greet", "Fail", "Again", "Wait", "terminated", "canceled"]


def same(both: Both, *words: str) -> Result:
    """Runs both; the code, the output and the sentence of the error must be equal."""
    ours, theirs = (each(*words) for each in both)
    assert ours.code == theirs.code, f"{ours}\n{theirs}"
    assert ours.err == theirs.err
    if words[-1] == "json":
        assert ours.json == theirs.json
    else:
        assert _lines(ours) == _lines(theirs)
    return ours


def _lines(result: Result) -> list[str]:
    """The lines; without search attributes in detail, which the official CLI places by chance (a map changed in its loop)."""
    return [line for line in result.out.splitlines() if "indexedFields." not in line]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("style", ["json", "jsonl"])
def test_describe(both: Both, executions: dict[str, str], name: str, style: str) -> None:
    same(both, "workflow", "describe", "-w", executions[name], "-o", style)


@pytest.mark.parametrize("name", ["Fail", "Again", "Wait", "terminated", "canceled"])
def test_describe_as_text(both: Both, executions: dict[str, str], name: str) -> None:
    ours, theirs = (each("workflow", "describe", "-w", executions[name], *ISO) for each in both)

    def comparable(text: str) -> list[str]:
        shown = ("SearchAttributes", "LastFailure", "Static")  # Go's own text of a message, which it keeps changing
        return [line for line in text.splitlines() if not line.strip().startswith(shown)]

    assert comparable(ours.out) == comparable(theirs.out)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("more", [(), ("--detailed",), ("--reverse",), ("-o", "json")])
def test_show(both: Both, executions: dict[str, str], name: str, more: tuple[str, ...]) -> None:
    same(both, "workflow", "show", "-w", executions[name], *more)


@pytest.mark.parametrize("name", ["Greet", "Fail", "Again"])
@pytest.mark.parametrize("more", [(), ("-o", "json")])
def test_show_following(both: Both, executions: dict[str, str], name: str, more: tuple[str, ...]) -> None:
    same(both, "workflow", "show", "--follow", "-w", executions[name], *more)


@pytest.mark.parametrize("name", ["Greet", "Fail", "Again", "terminated"])
@pytest.mark.parametrize("more", [(), ("--no-json-shorthand-payloads", "-o", "json"), ("-o", "json")])
def test_result(both: Both, executions: dict[str, str], name: str, more: tuple[str, ...]) -> None:
    same(both, "workflow", "result", "-w", executions[name], *more)


@pytest.mark.parametrize("style", [ISO, ("-o", "json"), ("-o", "jsonl"), ("-o", "none"), ("--limit", "2", *ISO)])
def test_list(both: Both, executions: dict[str, str], style: tuple[str, ...]) -> None:
    same(both, "workflow", "list", *style)
    same(both, "workflow", "list", "-q", f'WorkflowId = "{executions["Greet"]}"', *style)
    same(both, "workflow", "list", "-q", 'WorkflowId = "none such"', *style)


def test_list_in_pages(both: Both, executions: dict[str, str]) -> None:
    same(both, "workflow", "list", "--page-size", "2", "-o", "json")
    same(both, "workflow", "list", "--page-size", "2", "--limit", "3", "-o", "json")


@pytest.mark.parametrize("more", [(), ("-o", "json")])
def test_count(both: Both, executions: dict[str, str], more: tuple[str, ...]) -> None:
    same(both, "workflow", "count", *more)
    same(both, "workflow", "count", "-q", 'WorkflowType = "Greet"', *more)


@pytest.mark.parametrize("more", [(), ("-o", "json")])
def test_count_by_value(both: Both, executions: dict[str, str], more: tuple[str, ...]) -> None:
    same(both, "workflow", "count", "-q", "GROUP BY ExecutionStatus", *more)


@pytest.mark.parametrize("more", [(), ("-i", '"x"'), ("-o", "json"), ("-i", '"x"', "-o", "json")])
def test_query(both: Both, executions: dict[str, str], more: tuple[str, ...]) -> None:
    same(both, "workflow", "query", "--name", "state", "-w", executions["Wait"], *more)


def test_query_that_fails(both: Both, executions: dict[str, str]) -> None:
    ours, theirs = (each("workflow", "query", "--name", "none", "-w", executions["Wait"]) for each in both)
    assert ours.code == theirs.code == 1
    assert ours.err == " ".join(theirs.err.split()) + "\n"


def test_query_that_is_rejected(both: Both, executions: dict[str, str]) -> None:
    words = ("workflow", "query", "--name", "state", "-w", executions["Fail"], "--reject-condition")
    for condition in ("not_open", "not_completed_cleanly"):
        same(both, *words, condition)


OPERATOR = [
    ("cluster", "health"),
    ("cluster", "system"),
    ("cluster", "describe"),
    ("cluster", "describe", "--detail"),
    ("namespace", "describe"),
    ("namespace", "list"),
    ("search-attribute", "list"),
]


@pytest.mark.parametrize("words", OPERATOR, ids=" ".join)
@pytest.mark.parametrize("more", [(), ("-o", "json")])
def test_operator(both: Both, words: tuple[str, ...], more: tuple[str, ...]) -> None:
    same(both, "operator", *words, *more)


def _task_queue(result: Result) -> dict[str, Any]:
    """What is said of a task queue, without what changes from one moment to the next."""
    found: dict[str, Any] = result.json
    for each in found["pollers"]:
        each["lastAccessTime"] = ""
    for each in found["stats"] or []:
        each |= {key: 0 for key in each if key.endswith(("Rate", "Age", "Count"))}
    return {name: sorted(rows, key=str) if rows else rows for name, rows in found.items()}


@pytest.mark.parametrize("more", [(), ("--disable-stats",), ("--task-queue-type", "Workflow")])
def test_task_queue(both: Both, executions: dict[str, str], worker: str, more: tuple[str, ...]) -> None:
    ours, theirs = (each("task-queue", "describe", "-t", worker, *more, "-o", "json") for each in both)
    assert _task_queue(ours) == _task_queue(theirs)


STARTS = [
    ("start",),
    ("start", "-i", "1", "-i", '{"a": null}', "--memo", "m=[1]", "--task-timeout", "5s", "--run-timeout", "1h"),
    ("start", "--start-delay", "1h", "--id-reuse-policy", "RejectDuplicate", "--headers", 'h="v"'),
    ("start", "--execution-timeout", "1d", "--priority-key", "2", "--fairness-key", "f", "--fairness-weight", "2.5"),
    ("start", "--input-base64", "-i", "AAEC", "--input-meta", "encoding=binary/plain"),
]


@pytest.mark.parametrize("words", STARTS, ids=" ".join)
def test_start(both: Both, words: tuple[str, ...]) -> None:
    """The answer is the same, and so is the execution that results."""
    found = []
    for at, cli in enumerate(both):
        name = f"start-{at}-{uuid.uuid4()}"
        started = cli("workflow", *words, "--type", "T", "-t", "nobody", "-w", name, "-o", "json")
        events = cli("workflow", "show", "-w", name, "-o", "json")
        told = cli("workflow", "describe", "-w", name, "-o", "json")
        texts = (started.out, events.out, told.out)
        found.append([_plain(json.loads(normal(text.replace(name, "<name>")))) for text in texts])
    assert found[0] == found[1]


def _plain(value: Any) -> Any:
    """Without what each execution has of its own: sizes, and maps by id."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key not in ("historySizeBytes", "requestIdInfos")}
    return [_plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["Greet", "Fail", "Again"])
@pytest.mark.parametrize("more", [("-o", "json"), ("--detailed", "-o", "json")])
def test_execute(both: Both, worker: str, name: str, more: tuple[str, ...]) -> None:
    found = []
    for cli in both:
        args = {"Greet": ("-i", '"me"'), "Again": ("-i", "1")}.get(name, ())
        done = cli("workflow", "execute", "--type", name, "-t", worker, "-w", f"same-{name}", *args, *more)
        found.append((done.code, json.loads(normal(done.out)), done.err))
    assert found[0][0] == found[1][0]
    assert found[0][1].keys() == found[1][1].keys()
    for key in ("workflowId", "type", "namespace", "taskQueue", "status", "result"):
        assert found[0][1].get(key) == found[1][1].get(key)
    assert found[0][2] == found[1][2]


def test_execute_as_text(both: Both, worker: str) -> None:
    texts = []
    for cli in both:
        done = cli("workflow", "execute", "--type", "Greet", "-t", worker, "-w", "text", "-i", '"me"')
        texts.append([line for line in normal(done.out).splitlines() if "RunTime" not in line])
    assert texts[0] == texts[1]


def test_changes(both: Both, address: str) -> None:
    """Signals, cancellations, terminations and deletions say the same and leave the same history."""
    shown = []
    for at, cli in enumerate(both):
        name = f"changed-{at}-{uuid.uuid4()}"
        on = ("-w", name)
        said = [
            cli("workflow", "start", "--type", "T", "-t", "nobody", *on, "-o", "none"),
            cli("workflow", "signal", *on, "--name", "s", "-i", "1", "-i", "2"),
            cli("workflow", "cancel", *on),
            cli("workflow", "terminate", *on, "--reason", "enough"),
            cli("workflow", "terminate", *on),
            cli("workflow", "signal", *on, "--name", "s"),
            cli("workflow", "cancel", *on),
        ]
        events = cli("workflow", "show", *on, "-o", "json").out
        said += [cli("workflow", "delete", *on, stdin="no\n"), cli("workflow", "delete", *on, "--yes")]
        told = [(each.code, each.out.replace(name, "<name>"), each.err) for each in said]
        shown.append((told, normal(events.replace(name, "<name>"))))
    assert shown[0][0] == shown[1][0]
    assert json.loads(shown[0][1]) == json.loads(shown[1][1])


def test_namespaces(both: Both, address: str) -> None:
    said = []
    for at, cli in enumerate(both):
        name = f"made-{at}-{uuid.uuid4().hex[:8]}"
        on = ("-n", name)
        steps = [
            cli("operator", "namespace", "create", *on, "--retention", "2d", "--description", "d", "--email", "e@f"),
            cli("operator", "namespace", "create", *on),
            cli("operator", "namespace", "update", *on, "--retention", "72h", "--data", "k=v"),
            cli("operator", "namespace", "describe", *on, "-o", "json"),
            cli("operator", "namespace", "describe", name),
            cli("operator", "namespace", "delete", *on, stdin="other\n"),
            cli("operator", "namespace", "delete", *on, stdin=f"{name}\n"),
        ]
        said.append(
            [(each.code, normal(each.out.replace(name, "<n>")), each.err.replace(name, "<n>")) for each in steps]
        )
    for ours, theirs in zip(*said, strict=True):
        assert ours == theirs


def test_search_attributes(both: Both, address: str) -> None:
    said = []
    for at, cli in enumerate(both):
        group = ("operator", "search-attribute")
        name = f"Made{at}"
        steps = [
            cli(*group, "create", "--name", name, "--type", "keyword"),
            cli(*group, "create", "--name", name, "--type", "Int"),
            cli(*group, "remove", "--name", name, stdin="n\n"),
            cli(*group, "remove", "--name", name, "-y"),
        ]
        said.append([(each.code, each.out.replace(name, "<n>"), each.err.replace(name, "<n>")) for each in steps])
    assert said[0] == said[1]


@pytest.mark.parametrize("more", [(), ("-o", "json")])
@pytest.mark.parametrize("verb", [("terminate", "--reason", "r"), ("cancel",), ("signal", "--name", "s"), ("delete",)])
def test_batches(both: Both, verb: tuple[str, ...], more: tuple[str, ...]) -> None:
    """A filter instead of a workflow ID makes a batch job."""
    words = ("workflow", *verb, "-q", 'WorkflowType = "NoSuch"')
    agreed = [cli(*words, "--yes", *more) for cli in both]
    assert [(each.code, normal(each.out), each.err) for each in agreed[:1]] == [
        (each.code, normal(each.out), each.err) for each in agreed[1:]
    ]
    asked = [cli(*words, *more, stdin="y\n") for cli in both]
    assert normal(asked[0].out) == normal(asked[1].out)
    assert (asked[0].code, asked[0].err) == (asked[1].code, asked[1].err)
