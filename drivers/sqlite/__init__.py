"""The driver for SQLite files: `sqlite:///relative.db`, `sqlite:////absolute/path.db`, `sqlite:///:memory:`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drivers.base import Migration, Store, hookimpl
from drivers.sql.migrate import Migrations
from drivers.sql.store import SqlStore
from drivers.sqlite.connect import Address
from drivers.sqlite.dialect import SqliteDialect

MIGRATIONS = Migrations("drivers.sqlite")


@hookimpl
def open_store(url: str, options: Mapping[str, str]) -> Store:
    return SqlStore(SqliteDialect(Address.parse(url, options)), MIGRATIONS)


@hookimpl
def migrations() -> Sequence[Migration]:
    return MIGRATIONS.all
