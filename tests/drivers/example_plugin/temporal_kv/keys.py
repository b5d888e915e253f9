"""Keys: tuples of texts and numbers as bytes that sort as the tuples do, and whose prefix is the prefix of the tuple.

    ("l", lease)                                     its range_id
    ("l", lease, "p", namespace, workflow)           where a workflow id points
    ("l", lease, "r", *run, CORE | PENDING, kind, id | HISTORY, first | VISIBLE)
    ("l", lease, "t", kind, id)                      a task
    ("l", lease, "w", at, *run)                      when a run wakes: an index
    ("m", id), ("s", kind, id)                       members, small records
    ("v", namespace, lease, *run)                    which runs are listed: an index

What belongs to a run stands together, so that deleting it is deleting a prefix; what belongs to a lease does, too.
"""

from __future__ import annotations

import struct

Part = str | int
CORE, PENDING, HISTORY, VISIBLE = range(4)


def pack(*parts: Part) -> bytes:
    """Raises UnicodeEncodeError for text that is none, struct.error for a number beyond 64 bits."""
    return b"".join(_text(part) if isinstance(part, str) else _number(part) for part in parts)


def unpack(key: bytes) -> list[Part]:
    """The parts of a key. Raises ValueError or struct.error when it is none."""
    parts: list[Part] = []
    place = 0
    while place < len(key):
        if key[place] == 2:
            (number,) = struct.unpack_from(">Q", key, place + 1)
            parts.append(number - 2**63)
            place += 9
            continue
        end = key.index(b"\0", place)
        while key[end : end + 2] == b"\0\xff":
            end = key.index(b"\0", end + 2)
        parts.append(key[place + 1 : end].replace(b"\0\xff", b"\0").decode())
        place = end + 1
    return parts


def behind(prefix: bytes) -> bytes:
    """Higher than every key with this prefix: what follows a whole part is never 255."""
    return prefix + b"\xff"


def _text(text: str) -> bytes:
    return b"\x01" + text.encode().replace(b"\0", b"\0\xff") + b"\0"


def _number(number: int) -> bytes:
    return b"\x02" + struct.pack(">Q", number + 2**63)
