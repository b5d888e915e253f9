"""Columns of rows as PostgreSQL's arrays in binary form: one parameter for each column, however many rows there are.

So a statement has one text and one plan for any number of rows, and its parameters are made with a few joins of bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import Any

from psycopg import pq
from psycopg.abc import AdaptContext
from psycopg.adapt import AdaptersMap, Dumper

_HEAD = struct.Struct(
    ">iiIii"
)  # dimensions, whether there are nulls, the type of elements, their number, the first index
_LENGTH = struct.Struct(">i")
_NULL = _LENGTH.pack(-1)
_SQL_TYPES = {"i": "bigint", "t": "text", "b": "bytea", "f": "double precision"}


class Column(bytes):
    """An array, encoded."""


class Integers(Column): ...


class Texts(Column): ...


class Blobs(Column): ...


class Floats(Column): ...


_KINDS: dict[str, tuple[type[Column], int, int]] = {
    "i": (Integers, 20, 1016),
    "t": (Texts, 25, 1009),
    "b": (Blobs, 17, 1001),
    "f": (Floats, 701, 1022),
}


def sql_type(letter: str) -> str:
    """The type of an array of such values."""
    return f"{_SQL_TYPES[letter]}[]"


def columns(types: str, rows: Sequence[Sequence[Any]]) -> list[Column]:
    """One array for each column, of the type that its letter names. Raises OverflowError, UnicodeEncodeError."""
    return [_column(letter, values) for letter, values in zip(types, zip(*rows, strict=True), strict=True)]


def _column(letter: str, values: tuple[Any, ...]) -> Column:
    kind, element, _ = _KINDS[letter]
    nulls = None in values
    head = _HEAD.pack(1, nulls, element, len(values), 1)
    if letter in "if":
        return kind(head + (b"".join(_numbers(letter, values)) if nulls else _all_numbers(letter, values)))
    if letter == "t":
        return kind(head + b"".join(_pieces(None if one is None else one.encode() for one in values)))
    return kind(head + b"".join(_pieces(values)))


def _pieces(values: Iterable[bytes | None]) -> Iterable[bytes]:
    for value in values:
        if value is None:
            yield _NULL
        else:
            yield _LENGTH.pack(len(value))
            yield value


def _all_numbers(letter: str, values: tuple[Any, ...]) -> bytes:
    code = "q" if letter == "i" else "d"
    try:
        return struct.pack(f">{f'i{code}' * len(values)}", *chain.from_iterable(zip(repeat(8), values)))
    except struct.error as error:
        raise OverflowError("a number beyond 64 bits") from error


def _numbers(letter: str, values: tuple[Any, ...]) -> Iterable[bytes]:
    for value in values:
        yield _NULL if value is None else _all_numbers(letter, (value,))


def register(adapters: AdaptersMap) -> None:
    """Makes these columns parameters of a connection."""
    for kind, _, oid in _KINDS.values():
        adapters.register_dumper(kind, type(f"{kind.__name__}Dumper", (_Encoded,), {"oid": oid}))


class _Encoded(Dumper):
    """What is encoded already."""

    format = pq.Format.BINARY

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)

    def dump(self, obj: bytes) -> bytes:
        return obj
