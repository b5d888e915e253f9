"""Keys for ordered key-value databases: tuples of texts and whole numbers as bytes that sort as the tuples do, texts by their UTF-8.

The bytes of the first parts of a tuple are a prefix of its own, so that everything with these parts is one range of keys.
"""

from __future__ import annotations

import struct

Part = str | int
_NUMBER = struct.Struct(">BQ")


def pack(*parts: Part) -> bytes:
    """Raises UnicodeEncodeError for text that is none, struct.error for a number beyond 64 bits."""
    return b"".join(
        _NUMBER.pack(2, part + 2**63)
        if isinstance(part, int)
        else b"\x01" + part.encode().replace(b"\0", b"\0\xff") + b"\0"
        for part in parts
    )


def unpack(key: bytes) -> list[Part]:
    """The parts of a key. Raises ValueError or struct.error when it is none."""
    parts: list[Part] = []
    place = 0
    while place < len(key):
        if key[place] == 2:
            parts.append(_NUMBER.unpack_from(key, place)[1] - 2**63)
            place += _NUMBER.size
            continue
        end = key.index(b"\0", place)
        while key[end : end + 2] == b"\0\xff":
            end = key.index(b"\0", end + 2)
        parts.append(key[place + 1 : end].replace(b"\0\xff", b"\0").decode())
        place = end + 1
    return parts


def behind(prefix: bytes) -> bytes:
    """Above every key with this prefix: what follows a whole part is never 255."""
    return prefix + b"\xff"
