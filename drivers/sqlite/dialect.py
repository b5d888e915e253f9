"""How SQLite differs from other SQL databases, and what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from drivers.base import Fault, Migration, Refused, Unavailable, Unknown
from drivers.sql import rows as many
from drivers.sql.dialect import Columns, Connection, Cursor, Row, Statement, Table
from drivers.sqlite.connect import MEMORY, Address

_TOO_DEEP = ("parser stack overflow", "Expression tree is too large")
_UNSTORABLE = (sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, UnicodeEncodeError, OverflowError)
_PARAMETERS_MAX = 30_000
_UNDECIDED = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}  # during COMMIT: part of the log may be on disk


class SqliteDialect:
    """SQLite 3.35 or later, through the standard library."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)
    pipelined = False
    readers_max = 64
    begin = "BEGIN IMMEDIATE"
    locking = ""  # BEGIN IMMEDIATE admits one writer
    now = "((julianday('now') - 2440587.5) * 86400.0)"
    migrated = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'migration'"

    def __init__(self, address: Address) -> None:
        self.address = address
        self.single = address.path == MEMORY

    def connect(self, writing: bool) -> Connection:  # noqa: ARG002 (they are all the same)
        return self.address.connect()

    def fault(self, error: Exception, committing: bool) -> Fault:
        if isinstance(error, _UNSTORABLE):
            return Refused(f"SQLite cannot store this: {error}.")
        if str(error).startswith(_TOO_DEEP):
            return Refused("The filter nests too deep for SQLite.")
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the kind, the rest its detail
        if committing and code in _UNDECIDED:
            return Unknown(f"SQLite did not say whether it committed: {error}.")
        if isinstance(error, sqlite3.ProgrammingError) and "closed" not in str(error):
            return Refused(f"SQLite cannot store this: {error}.")
        return Unavailable(f"SQLite: {error}.")

    def pipeline(self, _: Any) -> AbstractContextManager[object]:
        return nullcontext()

    def run(self, cursor: Cursor, statement: str, parameters: Sequence[Any]) -> None:
        cursor.execute(statement, parameters)

    def upserts(self, table: Table, rows: Sequence[Row]) -> Iterator[Statement]:
        return many.upserts(table, rows, _PARAMETERS_MAX)

    def matches(self, columns: Columns, rows: Sequence[Row]) -> Iterator[Statement]:
        return many.matches(columns, rows, _PARAMETERS_MAX)

    def unless_there(self, _: str) -> str:
        return " ON CONFLICT DO NOTHING"

    def migrating(self, cursor: Cursor) -> AbstractContextManager[object]:
        cursor.execute("CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        return nullcontext()

    def apply(self, cursor: Cursor, migration: Migration) -> None:
        for statement in migration.statements:
            cursor.execute(statement)
