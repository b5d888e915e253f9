"""What a command prints: messages and values as text (cards and tables) or as JSON, in the official CLI's forms.

JSON follows protobuf's own mapping, except that payloads which hold JSON are written as that JSON (the shorthand of
api-go/common/v1/payload_json.go). Text is laid out as internal/printer/printer.go of the official CLI does.
"""

from __future__ import annotations

import base64
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35}
Card = Sequence[tuple[str, Any]]


class Printer:
    """Writes to stdout in the format asked for; text is dropped in JSON, everything is dropped in `none`."""

    def __init__(self, output: str, time_format: str = "relative", color: str = "auto", shorthand: bool = True) -> None:
        self.json = output in ("json", "jsonl")
        self.shorthand = shorthand
        self._silent = output == "none"
        self._indent = 2 if output == "json" else None
        self._time_format = time_format
        tty = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._coloured = not self.json and (color == "always" or (color == "auto" and tty))
        self._listed: int | None = None

    def write(self, text: str) -> None:
        """Text as it is."""
        if not self.json and not self._silent:
            sys.stdout.write(text)
            sys.stdout.flush()

    def line(self, text: str = "", colour: str = "") -> None:
        """A line of text."""
        self.write(self.paint(text, colour) + "\n")

    def paint(self, text: str, colour: str) -> str:
        """The text in a colour, when colours are wanted."""
        return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if colour and self._coloured else text

    def data(self, value: Any, shorthand: bool | None = None) -> None:
        """A message, or dicts and lists that hold messages, as JSON; nothing in text."""
        if not self.json:
            return
        plain = to_json(value, self.shorthand if shorthand is None else shorthand)
        separators = None if self._indent else (",", ":")
        text = json.dumps(plain, indent=self._indent, ensure_ascii=False, separators=separators)
        if self._listed is None or not self._indent:
            text += "\n"
        else:
            text = ("," if self._listed else "") + "\n" + text
            self._listed += 1
        sys.stdout.write(text)

    @contextmanager
    def listing(self) -> Iterator[None]:
        """What is printed inside is one JSON array (in jsonl: one line each)."""
        self._listed = 0
        sys.stdout.write("[" if self.json and self._indent else "")
        try:
            yield
        finally:
            sys.stdout.write("\n]\n" if self.json and self._indent else "")
            self._listed = None

    def card(self, card: Card) -> None:
        """Names and values below each other."""
        width = max((len(name) for name, _ in card), default=0)
        for name, value in card:
            self.line(f"  {name:<{width}}  {self.text(value) or ' '}")

    def cards(self, cards: Iterable[Card]) -> None:
        """Cards with an empty line between."""
        for index, card in enumerate(cards):
            self.write("\n" if index else "")
            self.card(card)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], header: bool = True) -> None:
        """Rows as wide as they need; numbers stand on the right."""
        cells = [[self.text(value) for value in row] for row in rows]
        widths = [max(map(_width, column)) for column in zip(columns, *cells, strict=True)]
        if header:
            self.table_header(list(zip(columns, widths, strict=True)))
        for row, texts in zip(rows, cells, strict=True):
            self.line("".join(_cell(value, text, width) for value, text, width in zip(row, texts, widths, strict=True)))

    def table_header(self, columns: Sequence[tuple[str, int]]) -> None:
        """The head of a table: names and widths."""
        self.line("".join("  " + _centred(self.paint(name, "magenta"), len(name), width) for name, width in columns))

    def text(self, value: Any) -> str:
        """A value as it stands in a card or a cell."""
        match value:
            case None:
                return "<nil>"
            case bool():
                return str(value).lower()
            case Timestamp():
                return self.time(value)
            case Duration():
                return go_duration(value.ToTimedelta())
            case Message():
                return json.dumps(to_json(value, True), ensure_ascii=False, separators=(",", ":"))
            case bytes():
                return f"bytes({base64.b64encode(value).decode()})"
            case Mapping():
                return f"map[{' '.join(f'{key}:{self.text(item)}' for key, item in sorted(value.items()))}]"
            case str():
                return value
            case Sequence():
                return f"[{', '.join(map(self.text, value))}]"
            case float():
                return f"{value:.6g}"
        return str(value)

    def compact(self, value: Any) -> str:
        """A value as JSON on one line."""
        return json.dumps(to_json(value, self.shorthand), ensure_ascii=False, separators=(",", ":"))

    def time(self, stamp: Timestamp) -> str:
        """A time in the format asked for; empty for no time."""
        if not stamp.ByteSize():
            return ""
        if self._time_format == "relative":
            return relative(datetime.now(UTC).timestamp() - stamp.seconds)
        exact: str = stamp.ToJsonString()
        if self._time_format == "iso":
            return exact[:19] + "Z"
        return f"{exact[:-1].replace('T', ' ')} +0000 UTC"


def to_json(value: Any, shorthand: bool) -> Any:
    """A message, or what holds messages, as plain JSON values."""
    if isinstance(value, Mapping):
        return {key: to_json(item, shorthand) for key, item in value.items()}
    if isinstance(value, list):
        return [to_json(item, shorthand) for item in value]
    if isinstance(value, float):
        return _number(value)
    if not isinstance(value, Message):
        return value
    kind = value.DESCRIPTOR.full_name
    if kind.startswith("google.protobuf."):
        return json_format.MessageToDict(value)
    short = _short(value, kind) if shorthand else NotImplemented
    if short is not NotImplemented:
        return short
    fields = sorted(value.ListFields(), key=lambda pair: pair[0].index)
    return {field.json_name: _field(field, item, shorthand) for field, item in fields}


def _short(message: Any, kind: str) -> Any:
    """The shorthand of Payload and Payloads; NotImplemented where there is none."""
    if kind == "temporal.api.common.v1.Payloads":
        values = [_payload(each) for each in message.payloads]
        return NotImplemented if any(each is NotImplemented for each in values) else values
    return _payload(message) if kind == "temporal.api.common.v1.Payload" else NotImplemented


def _payload(payload: Any) -> Any:
    encoding, extra = payload.metadata.get("encoding", b""), len(payload.metadata)
    if encoding == b"binary/null":
        return None
    if encoding == b"json/plain" and extra == 1:
        return json.loads(payload.data)
    if encoding == b"json/protobuf" and extra == 2 and "messageType" in payload.metadata:
        return {**json.loads(payload.data), "_protoMessageType": payload.metadata["messageType"].decode()}
    return NotImplemented


def _field(field: FieldDescriptor, value: Any, shorthand: bool) -> Any:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        inner = entry.fields_by_name["value"]
        return {_key(key): _scalar(inner, value[key], shorthand) for key in sorted(value)}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Message):
        return [_scalar(field, item, shorthand) for item in value]
    return _scalar(field, value, shorthand)


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _scalar(field: FieldDescriptor, value: Any, shorthand: bool) -> Any:
    if isinstance(value, Message):
        return to_json(value, shorthand)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else value
    if isinstance(value, float):
        return _number(float(f"{value:.7g}") if field.type == FieldDescriptor.TYPE_FLOAT else value)
    wide = field.cpp_type in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)
    return str(value) if wide else value


def _number(value: float) -> float | int | str:
    """As protobuf's JSON has it: 3 and not 3.0, and words for what JSON cannot write."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    return int(value) if value.is_integer() else value


def enum_text(wrapper: Any, number: int) -> str:
    """An enum's value as the official CLI writes it: WORKFLOW_EXECUTION_STATUS_TIMED_OUT is TimedOut."""
    if number not in wrapper.values():
        return str(number)
    kind = "".join(f"_{letter}" if letter.isupper() else letter for letter in wrapper.DESCRIPTOR.name).strip("_")
    words: str = wrapper.Name(number).removeprefix(kind.upper() + "_")
    return "".join(word.capitalize() for word in words.split("_"))


SPANS = ((60, 1, "second"), (3_600, 60, "minute"), (86_400, 3_600, "hour"), (604_800, 86_400, "day"))
LONG_SPANS = ((2_592_000, 604_800, "week"), (31_104_000, 2_592_000, "month"), (float("inf"), 31_104_000, "year"))


def relative(seconds: float) -> str:
    """How long ago, in words: `now`, `3 minutes ago`, `1 day from now`."""
    span = abs(int(seconds))
    if span < 1:
        return "now"
    unit, name = next((unit, name) for limit, unit, name in (*SPANS, *LONG_SPANS) if span < limit)
    count = span // unit
    return f"{count} {name}{'' if count == 1 else 's'} {'ago' if seconds > 0 else 'from now'}"


def go_duration(span: timedelta) -> str:
    """A span as Go writes it: 24h0m0s, 1.5s, 20ms."""
    total = abs(span) // timedelta(microseconds=1)
    sign = "-" if span < timedelta(0) else ""
    if total < 1_000_000:
        return f"{sign}{total // 1000}ms" if total and total % 1000 == 0 else f"{sign}{total}µs" if total else "0s"
    seconds, micros = divmod(total, 1_000_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{micros:06d}".rstrip("0") if micros else ""
    head = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{head}{seconds}{fraction}s"


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _cell(value: Any, text: str, width: int) -> str:
    pad = " " * (width - _width(text))
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"  {pad}{text}" if number else f"  {text}{pad}"


def _centred(text: str, length: int, width: int) -> str:
    gap = max(width - length, 0)
    left = gap // 2
    return " " * left + text + " " * (gap - left)
