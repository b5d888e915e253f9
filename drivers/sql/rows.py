"""Statements of many rows for clients that take one parameter for each value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import TypeVar

from drivers.sql.dialect import Columns, Row, Statement, Table

R = TypeVar("R")
# A statement's text depends on its number of rows: few numbers occur, so that each text stays prepared.
_ROWS = (128, 96, 64, 48, *range(32, 0, -1))


def upserts(table: Table, rows: Sequence[Row], parameters_max: int) -> Iterator[Statement]:
    """INSERT … ON CONFLICT DO UPDATE, in parts with at most so many parameters."""
    for part in parts(rows, parameters_max // len(table.columns.names)):
        yield _upsert(table, len(part)), list(chain.from_iterable(part))


def matches(columns: Columns, rows: Sequence[Row], parameters_max: int) -> Iterator[Statement]:
    """Conditions in parts with at most so many parameters."""
    for part in parts(rows, parameters_max // len(columns.names)):
        yield _among(columns.names, len(part)), list(chain.from_iterable(part))


def parts(rows: Sequence[R], limit: int) -> Iterator[Sequence[R]]:
    """The rows in slices of few different lengths."""
    start = 0
    while start < len(rows):
        size = next(size for size in _ROWS if size <= min(len(rows) - start, limit))
        yield rows[start : start + size]
        start += size


@lru_cache(1024)
def _upsert(table: Table, rows: int) -> str:
    names = table.columns.names
    values = ", ".join([f"({', '.join('?' * len(names))})"] * rows)
    changes = ", ".join(f"{name} = excluded.{name}" for name in table.values.names)
    key = ", ".join(table.key.names)
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {values} ON CONFLICT ({key}) DO UPDATE SET {changes}"


@lru_cache(1024)
def _among(names: tuple[str, ...], rows: int) -> str:
    if len(names) == 1:
        return f"{names[0]} IN ({', '.join('?' * rows)})"
    # not `(a, b) IN (VALUES …)`: SQLite and MariaDB scan for that, while each part of an OR uses the index
    row = " AND ".join(f"{name} = ?" for name in names)
    return " OR ".join([f"({row})"] * rows)
