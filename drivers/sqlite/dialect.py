"""How SQLite differs from other SQL databases, and what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from drivers.base import Fault, Refused, Unavailable, Unknown
from drivers.sql.dialect import Connection, Cursor, Table
from drivers.sqlite.connect import MEMORY, Address

_TOO_DEEP = ("parser stack overflow", "Expression tree is too large")
_UNSTORABLE = (sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, UnicodeEncodeError, OverflowError)
_UNDECIDED = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}  # during COMMIT: part of the log may be on disk


class SqliteDialect:
    """SQLite 3.35 or later, through the standard library."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)
    parameters_max = 30_000
    begin = "BEGIN IMMEDIATE"
    locking = ""  # BEGIN IMMEDIATE admits one writer
    now = "((julianday('now') - 2440587.5) * 86400.0)"
    migrated = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'migration'"

    def __init__(self, address: Address) -> None:
        self.address = address
        self.single = address.path == MEMORY

    def connect(self) -> Connection:
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

    def sql(self, statement: str) -> str:
        return statement

    def upsert(self, table: Table, rows: int) -> str:
        columns = table.columns
        row = f"({', '.join('?' * len(columns))})"
        changes = ", ".join(f"{name} = excluded.{name}" for name in table.values)
        values = ", ".join([row] * rows)
        key = ", ".join(table.key)
        return f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES {values} ON CONFLICT ({key}) DO UPDATE SET {changes}"

    def among(self, columns: Sequence[str], rows: int) -> str:
        if len(columns) == 1:
            return f"{columns[0]} IN ({', '.join('?' * rows)})"
        # not `(a, b) IN (VALUES …)`: SQLite scans for that, while each part of an OR uses the index
        row = " AND ".join(f"{name} = ?" for name in columns)
        return " OR ".join([f"({row})"] * rows)

    def prepare_migrations(self, cursor: Cursor) -> None:
        cursor.execute("CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL)")
