"""The driver for SQLite files: `sqlite:///relative.db`, `sqlite:////absolute/path.db`, `sqlite:///:memory:`."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from drivers.base import Migration, Refused, Store, Unavailable, hookimpl
from drivers.sql.migrate import Migrations
from drivers.sql.store import SqlStore
from drivers.sqlite.connect import Address
from drivers.sqlite.dialect import SqliteDialect

MIGRATIONS = Migrations("drivers.sqlite")
_WRONG = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB}  # the URL does not name a database, nor a place for one


@hookimpl
def open_store(url: str, options: Mapping[str, str]) -> Store:
    try:
        return SqlStore(SqliteDialect(Address.parse(url, options)), MIGRATIONS)
    except Unavailable as error:
        if getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF in _WRONG:
            raise Refused(str(error)) from error
        raise


@hookimpl
def migrations() -> Sequence[Migration]:
    return MIGRATIONS.all
