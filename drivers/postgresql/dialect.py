"""How PostgreSQL differs from other SQL databases, and what its errors mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from itertools import count
from typing import Any

import psycopg
from psycopg import errors

from drivers.base import Fault, Migration, Refused, Unavailable, Unknown
from drivers.postgresql.arrays import columns as encoded
from drivers.postgresql.arrays import sql_type
from drivers.postgresql.connect import Server
from drivers.sql.dialect import Columns, Connection, Cursor, Row, Statement, Table

# SQLSTATEs, or the classes that they begin with (postgresql.org/docs: errcodes-appendix).
_REFUSED = ("22", "23", "54")  # data, constraints, limits
# libpq tells no SQLSTATE of a connection that was refused.
_NOT_ADMITTED = re.compile(r"FATAL: .*(authentication failed|(role|database) .* does not exist|no pg_hba.conf entry)")
_RACES = ("23505",)  # two at once made the same row
_ENDED = ("08", "57P", "58", "XX")  # the server ended the connection: COMMIT may have come before that
_LOCK_OF_MIGRATIONS = 0x7463746C  # an advisory lock's number is the application's choice
_ROWS_MAX = 2_000


class PostgresDialect:
    """PostgreSQL 13 or later, through psycopg 3."""

    errors: tuple[type[Exception], ...] = (psycopg.Error,)
    single = False
    pipelined = True
    begin = "BEGIN ISOLATION LEVEL READ COMMITTED"
    locking = " FOR UPDATE"
    now = "extract(epoch FROM clock_timestamp())::double precision"
    migrated = "SELECT (to_regclass('migration') IS NOT NULL)::integer"

    def __init__(self, server: Server) -> None:
        self.server = server
        self.readers_max = server.address.whole("pool_size")

    def connect(self, writing: bool) -> Connection:
        return self.server.connect(writing)

    def fault(self, error: Exception, committing: bool) -> Fault:
        state = getattr(error, "sqlstate", None)
        sentence = " ".join(str(error).split())
        if isinstance(error, (errors.DataError, UnicodeEncodeError, OverflowError)) or (
            state and state.startswith(_REFUSED) and state not in _RACES
        ):
            return Refused(f"PostgreSQL refuses this: {sentence}.")
        if _NOT_ADMITTED.search(sentence):
            return Refused(f"PostgreSQL: {sentence}.")
        if isinstance(error, errors.PipelineAborted):
            return Unavailable("PostgreSQL: a statement before failed.")
        if committing and (state is None or state.startswith(_ENDED)):
            return Unknown(f"PostgreSQL did not say whether it committed: {sentence}.")
        return Unavailable(f"PostgreSQL: {sentence}.")

    def pipeline(self, connection: Any) -> AbstractContextManager[object]:
        pipeline: AbstractContextManager[object] = connection.pipeline()
        return pipeline

    def run(self, cursor: Cursor, statement: str, parameters: Sequence[Any]) -> None:
        cursor.execute(_numbered(statement), parameters)

    def upserts(self, table: Table, rows: Sequence[Row]) -> Iterator[Statement]:
        statement = _upsert(table)
        for start in range(0, len(rows), _ROWS_MAX):
            yield statement, encoded(table.columns.types, rows[start : start + _ROWS_MAX])

    def matches(self, columns: Columns, rows: Sequence[Row]) -> Iterator[Statement]:
        condition = _among(columns)
        for start in range(0, len(rows), _ROWS_MAX):
            yield condition, encoded(columns.types, rows[start : start + _ROWS_MAX])

    def unless_there(self, _: str) -> str:
        return " ON CONFLICT DO NOTHING"

    def migrating(self, cursor: Cursor) -> AbstractContextManager[object]:
        cursor.execute(f"SELECT pg_advisory_xact_lock({_LOCK_OF_MIGRATIONS})")
        cursor.execute("CREATE TABLE IF NOT EXISTS migration (version integer PRIMARY KEY, name text NOT NULL)")
        return nullcontext()

    def apply(self, cursor: Cursor, migration: Migration) -> None:
        for statement in migration.statements:
            cursor.execute(statement)


@lru_cache(1024)
def _numbered(statement: str) -> str:
    """With `$1`, `$2`… in place of each `?`."""
    first, *others = statement.split("?")
    return first + "".join(f"${number}{other}" for number, other in zip(count(1), others))


@lru_cache(64)
def _upsert(table: Table) -> str:
    names, types = table.columns
    arrays = ", ".join(f"?::{sql_type(letter)}" for letter in types)
    changes = ", ".join(f"{name} = excluded.{name}" for name in table.values.names)
    key = ", ".join(table.key.names)
    return (
        f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM unnest({arrays}) ON CONFLICT ({key}) "
        f"DO UPDATE SET {changes}"
    )


@lru_cache(64)
def _among(columns: Columns) -> str:
    arrays = ", ".join(f"?::{sql_type(letter)}" for letter in columns.types)
    if len(columns.names) == 1:
        return f"{columns.names[0]} = ANY ({arrays})"
    return f"({', '.join(columns.names)}) IN (SELECT * FROM unnest({arrays}))"
