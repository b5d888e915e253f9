"""Text and JSON: durations, times, tables and payloads."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import typer
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.enums.v1 import EventType, WorkflowExecutionStatus
from temporalio.api.taskqueue.v1 import PollerInfo

from tctl.flags import duration
from tctl.render import Printer, enum_text, go_duration, relative, to_json


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("1s", 1), ("1h30m", 5400), ("1.5s", 1.5), (".5m", 30), ("2d", 172_800), ("100ms", 0.1), ("-1s", -1)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "1", "s", "1x", "1 s", "--1s", "99999999999999d"])
def test_wrong_durations(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.000_02, "20µs"), (0.29, "290ms"), (1.5, "1.5s"), (61, "1m1s"), (86_400, "24h0m0s"), (-2, "-2s")],
)
def test_durations_as_go_writes_them(seconds: float, text: str) -> None:
    assert go_duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "now"),
        (1, "1 second ago"),
        (59, "59 seconds ago"),
        (60, "1 minute ago"),
        (7_300, "2 hours ago"),
        (90_000, "1 day ago"),
        (1_300_000, "2 weeks ago"),
        (5_300_000, "2 months ago"),
        (70_000_000, "2 years ago"),
        (-120, "2 minutes from now"),
    ],
)
def test_relative_times(seconds: float, text: str) -> None:
    assert relative(seconds) == text


def test_enums() -> None:
    assert enum_text(WorkflowExecutionStatus, 7) == "TimedOut"
    assert enum_text(EventType, EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED) == "WorkflowTaskScheduled"
    assert enum_text(WorkflowExecutionStatus, 99) == "99"


def payload(encoding: str, data: bytes = b"", **more: str) -> Payload:
    """A payload with metadata."""
    return Payload(metadata={"encoding": encoding.encode(), **{k: v.encode() for k, v in more.items()}}, data=data)


@pytest.mark.parametrize(
    ("one", "short"),
    [
        (payload("json/plain", b'{"a":[1]}'), {"a": [1]}),
        (payload("binary/null"), None),
        (payload("json/protobuf", b'{"a":1}', messageType="M"), {"a": 1, "_protoMessageType": "M"}),
        (payload("binary/plain", b"\x00"), {"metadata": {"encoding": "YmluYXJ5L3BsYWlu"}, "data": "AA=="}),
    ],
)
def test_shorthand(one: Payload, short: Any) -> None:
    assert to_json(one, shorthand=True) == short


def test_shorthand_of_many_is_all_or_nothing() -> None:
    plain, binary = payload("json/plain", b"1"), payload("binary/plain", b"\x00")
    assert to_json(Payloads(payloads=[plain, plain]), shorthand=True) == [1, 1]
    assert to_json(Payloads(payloads=[plain, binary]), shorthand=True)["payloads"][0] == 1
    raw = {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}
    assert to_json(plain, shorthand=False) == raw


def test_numbers_are_written_as_protobuf_writes_them() -> None:
    assert to_json(PollerInfo(rate_per_second=100_000), shorthand=True) == {"ratePerSecond": 100_000}
    assert to_json(PollerInfo(rate_per_second=float("inf")), shorthand=True) == {"ratePerSecond": "Infinity"}
    assert to_json({"a": [1.0, 2.5, float("nan")]}, shorthand=True) == {"a": [1, 2.5, "NaN"]}


def test_tables(capsys: pytest.CaptureFixture[str]) -> None:
    Printer("text", color="never").table(("Name", "Number"), [("é", 1), ("中文", 20_000_000), (True, None)])
    assert capsys.readouterr().out == ("  Name   Number \n  é            1\n  中文  20000000\n  true  <nil>   \n")


def test_colours(capsys: pytest.CaptureFixture[str]) -> None:
    Printer("text", color="always").line("x", "red")
    Printer("json", color="always").line("x", "red")
    Printer("none", color="always").line("x", "red")
    assert capsys.readouterr().out == "\x1b[31mx\x1b[0m\n"


@pytest.mark.parametrize(
    ("form", "text"), [("iso", "1970-01-01T00:00:01Z"), ("raw", "1970-01-01 00:00:01.500 +0000 UTC")]
)
def test_times(form: str, text: str) -> None:
    printer = Printer("text", time_format=form)
    assert printer.time(Timestamp(seconds=1, nanos=500_000_000)) == text
    assert printer.time(Timestamp()) == ""
