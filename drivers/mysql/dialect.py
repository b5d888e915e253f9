"""How MySQL and MariaDB differ from other SQL databases, and what their errors mean.

Values are written into the statements: texts and bytes as hexadecimal literals, which need no quoting and are compared by bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from math import isfinite
from typing import Any

import pymysql
from pymysql.constants import ER

from drivers.base import Fault, Migration, Refused, Unavailable, Unknown
from drivers.mysql.connect import Server
from drivers.sql import rows as many
from drivers.sql.dialect import Columns, Connection, Cursor, Row, Statement, Table

_ROWS_MAX, _BYTES_MAX = 500, 4 << 20  # of a statement, unless a single row is larger
_STACK_OVERRUN, _OUT_OF_RANGE_RESULT = 1436, 1690
_REFUSED = {
    *(ER.DATA_TOO_LONG, ER.WARN_DATA_OUT_OF_RANGE, ER.TRUNCATED_WRONG_VALUE_FOR_FIELD, ER.NET_PACKET_TOO_LARGE),
    *(ER.TOO_BIG_ROWSIZE, ER.PARSE_ERROR, _STACK_OVERRUN, _OUT_OF_RANGE_RESULT),
    *(ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR, ER.BAD_DB_ERROR),  # at connecting
}
_READ_ONLY = {ER.OPTION_PREVENTS_STATEMENT, 1792, 1836}
# Errors after which a transaction is surely not committed, even when COMMIT has been sent.
_NOT_COMMITTED = {
    ER.LOCK_DEADLOCK,
    ER.LOCK_WAIT_TIMEOUT,
    ER.RECORD_FILE_FULL,
    ER.NO_SUCH_TABLE,
    ER.DUP_ENTRY,
    *_READ_ONLY,
}
_THERE_ALREADY = {ER.TABLE_EXISTS_ERROR, ER.DUP_FIELDNAME, ER.DUP_KEYNAME, ER.CANT_DROP_FIELD_OR_KEY}
_LOCK = "concat('tctl.', md5(database()))"
_LOCK_SECONDS = 60


class MysqlDialect:
    """MySQL 8 and MariaDB 10.6 or later, through PyMySQL."""

    errors: tuple[type[Exception], ...] = (pymysql.Error,)
    single = False
    pipelined = True
    begin = "START TRANSACTION"
    locking = " FOR UPDATE"
    now = "unix_timestamp(now(6))"
    migrated = (
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND table_name = 'migration'"
    )

    def __init__(self, server: Server) -> None:
        self.server = server
        self.readers_max = server.address.whole("pool_size")

    def connect(self, writing: bool) -> Connection:  # noqa: ARG002 (they are all the same)
        return self.server.connect()

    def fault(self, error: Exception, committing: bool) -> Fault:
        code = error.args[0] if error.args and isinstance(error, pymysql.Error) else None
        sentence = " ".join(str(part) for part in error.args[1:]) or str(error)
        if code in _REFUSED or isinstance(error, (pymysql.DataError, UnicodeEncodeError, OverflowError)):
            return Refused(f"MySQL refuses this: {sentence}.")
        if committing and code not in _NOT_COMMITTED and not getattr(error, "before_commit", False):
            return Unknown(f"MySQL did not say whether it committed: {sentence}.")
        return Unavailable(f"MySQL: {sentence}.")

    def pipeline(self, connection: Any) -> AbstractContextManager[object]:
        pipeline: AbstractContextManager[object] = connection.pipeline()
        return pipeline

    def run(self, cursor: Cursor, statement: str, parameters: Sequence[Any]) -> None:
        cursor.execute(_filled(statement, parameters) if parameters else statement)

    def upserts(self, table: Table, rows: Sequence[Row]) -> Iterator[Statement]:
        head, tail = _upsert(table)
        written: list[str] = []
        size = 0
        for row in rows:
            text = f"({', '.join([_LITERALS[type(value)](value) for value in row])})"
            if written and (len(written) == _ROWS_MAX or size + len(text) > _BYTES_MAX):
                yield f"{head}{', '.join(written)}{tail}", ()
                written, size = [], 0
            written.append(text)
            size += len(text)
        if written:
            yield f"{head}{', '.join(written)}{tail}", ()

    def matches(self, columns: Columns, rows: Sequence[Row]) -> Iterator[Statement]:
        return many.matches(columns, rows, _ROWS_MAX)

    def unless_there(self, column: str) -> str:
        return f" ON DUPLICATE KEY UPDATE {column} = {column}"

    @contextmanager
    def migrating(self, cursor: Cursor) -> Iterator[None]:
        cursor.execute(f"SELECT get_lock({_LOCK}, {_LOCK_SECONDS})")
        if cursor.fetchone()[0] != 1:
            raise Unavailable("Another process has been migrating the schema for a minute.")
        try:
            cursor.execute(
                "CREATE TABLE IF NOT EXISTS migration (version INT PRIMARY KEY, name VARBINARY(1000) NOT NULL)"
            )
            cursor.execute("CREATE TABLE IF NOT EXISTS migration_step (version INT PRIMARY KEY, done INT NOT NULL)")
            yield
        finally:
            with suppress(*self.errors):  # a connection that is gone holds no lock
                cursor.execute(f"SELECT release_lock({_LOCK})")

    def apply(self, cursor: Cursor, migration: Migration) -> None:
        """Each statement commits by itself, and is noted after it; the one after the last that was noted may have been run, too."""
        cursor.execute(f"SELECT done FROM migration_step WHERE version = {migration.version}")
        row = cursor.fetchone()
        if row is None:
            cursor.execute(f"INSERT INTO migration_step (version, done) VALUES ({migration.version}, 0)")
        done = row[0] if row else 0
        for number, statement in enumerate(migration.statements[done:], done + 1):
            try:
                cursor.execute(statement)
            except pymysql.Error as error:
                if row is None or number != done + 1 or error.args[0] not in _THERE_ALREADY:
                    raise
            cursor.execute(f"UPDATE migration_step SET done = {number} WHERE version = {migration.version}")


def _bytes(value: bytes) -> str:
    return f"x'{value.hex()}'"


def _text(value: str) -> str:
    return f"x'{value.encode().hex()}'"


def _float(value: float) -> str:
    if not isfinite(value):
        raise OverflowError(f"{value} is not a number that MySQL stores")
    return repr(value)


_LITERALS: dict[type, Callable[[Any], str]] = {
    bytes: _bytes,
    str: _text,
    int: str,
    bool: lambda value: str(int(value)),
    float: _float,
    type(None): lambda _: "NULL",
}


@lru_cache(1024)
def _split(statement: str) -> tuple[str, ...]:
    return tuple(statement.split("?"))


def _filled(statement: str, parameters: Sequence[Any]) -> str:
    first, *others = _split(statement)
    values = [_LITERALS[type(value)](value) for value in parameters]
    return first + "".join([value + other for value, other in zip(values, others, strict=True)])


@lru_cache(64)
def _upsert(table: Table) -> tuple[str, str]:
    changes = ", ".join(f"{name} = VALUES({name})" for name in table.values.names)
    return (
        f"INSERT INTO {table.name} ({', '.join(table.columns.names)}) VALUES ",
        f" ON DUPLICATE KEY UPDATE {changes}",
    )
