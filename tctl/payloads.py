"""Payloads from the command line: arguments given as JSON, base64 or files, and KEY=JSON pairs."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from temporalio.api.common.v1 import Header, Payload, Payloads

from tctl.command import CommandError, quoted
from tctl.flags import Input, json_pairs


def arguments(given: Input) -> Payloads:
    """One payload for each input. A metadata key given several times goes to the inputs in order; the first value stands for
    inputs without one. Raises CommandError."""
    if given.input and given.input_file:
        raise CommandError("cannot provide input and input file")
    inputs = [text.encode() for text in given.input] or [_read(path) for path in given.input_file]
    metadata: dict[str, list[bytes]] = {}
    for item in given.input_meta:
        key, equals, value = item.partition("=")
        if not equals:
            raise CommandError(f"metadata {item} expected to have '='")
        metadata.setdefault(key, []).append(value.encode())
        if len(metadata[key]) > max(1, len(inputs)):
            raise CommandError(f"received more --input-meta flags for key {quoted(key)} than number of inputs")
    metadata.setdefault("encoding", [b"json/plain"])
    return Payloads(payloads=[_payload(at, data, metadata, given.input_base64) for at, data in enumerate(inputs)])


def of_json(value: Any) -> Payload:
    """A value as a json/plain payload; None as binary/null."""
    if value is None:
        return Payload(metadata={"encoding": b"binary/null"})
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return Payload(metadata={"encoding": b"json/plain"}, data=text.encode())


def fields(items: Iterable[str], wrong: str) -> dict[str, Payload]:
    """KEY=JSON items as payloads. Raises CommandError that begins with `wrong`."""
    try:
        return {key: of_json(value) for key, value in json_pairs(items).items()}
    except CommandError as error:
        raise CommandError(f"{wrong}: {error}") from None


def header(items: Iterable[str]) -> Header | None:
    """KEY=JSON items as a workflow header; None for none. Raises CommandError."""
    found = {key: of_json(value) for key, value in json_pairs(items).items()}
    return Header(fields=found) if found else None


def _payload(at: int, data: bytes, metadata: Mapping[str, list[bytes]], encoded: bool) -> Payload:
    own = {key: values[at] if at < len(values) else values[0] for key, values in metadata.items()}
    if encoded:
        try:
            data = base64.b64decode(data, validate=True)
        except binascii.Error:
            raise CommandError(f"input #{at + 1} is not valid base64") from None
    if own["encoding"].startswith(b"json/") and not _is_json(data):
        raise CommandError(f"input #{at + 1} is not valid JSON")
    return Payload(metadata=own, data=data)


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data, parse_constant=_refuse)
    except ValueError:
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CommandError(f"failed reading input file {quoted(path)}: {error.strerror}") from None
