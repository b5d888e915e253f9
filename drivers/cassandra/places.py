"""Where the rows of a lease stand in its partition: `place` is the bytes of a tuple (drivers/keys.py), in the order of

    ("p", namespace, workflow)                      where a workflow id points
    ("r", *run, CORE)                               a run's core row; the column wake_at is NEVER or its time
    ("r", *run, PENDING, kind, id)
    ("r", *run, HISTORY, first)                     which row of the table `history` counts: its last event and its write
    ("t", kind, id)                                 a task
    ("v", *run)                                     a list entry
    ("w", at, *run)                                 when a run wakes; counts only when the core row says the same

What belongs to a run stands together, but for its list entry, so that a list reads nothing else.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, fields
from typing import Any

from drivers.base import Current, Pending, Refused, RunKey, Task, Visible, Wake
from drivers.keys import Part, pack, unpack

CORE, PENDING, HISTORY = range(3)
NEVER = -(2**63)
UNSTORABLE = (UnicodeEncodeError, struct.error)
POINTERS, RUNS, TASKS, VISIBLES, WAKES = (pack(section) for section in "prtvw")
_LENGTH = struct.Struct(">I")
_BYTES = ("memo", "attributes")
_DEFAULTS = {field.name: field.default for field in fields(Visible)}


def pointer(namespace_id: str, workflow_id: str) -> bytes:
    """Where a workflow id points."""
    return POINTERS + pack(namespace_id, workflow_id)


def run(key: RunKey) -> bytes:
    """The prefix of all that is a run's."""
    return RUNS + pack(*key)


def task(kind: str, id: int) -> bytes:
    """A task."""
    return TASKS + pack(kind, id)


def visible(key: RunKey) -> bytes:
    """A list entry."""
    return VISIBLES + pack(*key)


def wake(at: int, key: RunKey) -> bytes:
    """When a run wakes."""
    return WAKES + pack(at, *key)


def parts(place: bytes) -> list[Any]:
    """What a place was made of, without its section."""
    return unpack(place)[1:]


def joined(data: bytes, *head: Part) -> bytes:
    """Small parts before opaque bytes."""
    packed = pack(*head)
    return _LENGTH.pack(len(packed)) + packed + data


def apart(value: bytes) -> tuple[list[Any], bytes]:
    """What was joined."""
    end = _LENGTH.size + _LENGTH.unpack_from(value)[0]
    return list(unpack(value[_LENGTH.size : end])), value[end:]


def read_current(value: bytes) -> Current:
    """The value of a pointer."""
    [run_id], data = apart(value)
    return Current(run_id, data)


def read_pending(place: bytes, data: bytes) -> Pending:
    """A pending row."""
    kind, id = parts(place)[-2:]
    return Pending(kind, id, data)


def read_task(place: bytes, data: bytes) -> Task:
    """A task."""
    kind, id = parts(place)
    return Task(kind, id, data)


def read_wake(place: bytes) -> Wake:
    """When a run wakes."""
    at, *key = parts(place)
    return Wake(at, RunKey(*key))


def write_visible(entry: Visible) -> bytes:
    """Only what differs from the defaults; the key stands in the place."""
    shown = {name: value for name, value in asdict(entry).items() if value != _DEFAULTS[name] and name != "key"}
    shown.update({name: shown[name].decode("latin-1") for name in _BYTES if name in shown})
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()


def read_visible(place: bytes, data: bytes) -> Visible:
    """A list entry."""
    shown = json.loads(data)
    shown.update({name: shown[name].encode("latin-1") for name in _BYTES if name in shown})
    return Visible(RunKey(*parts(place)), **shown)


def place_of(after: bytes) -> list[Any]:
    """The parts of a page token or place to go on from that is one of ours. Raises Refused."""
    try:
        return list(unpack(after))
    except (ValueError, IndexError, struct.error) as error:
        raise Refused("The place to go on from is not one of this store.") from error
