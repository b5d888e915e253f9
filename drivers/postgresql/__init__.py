"""The driver for PostgreSQL 13 or later: `postgresql://user:password@host:port/database?sslmode=verify-full`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drivers.base import Migration, Store, hookimpl
from drivers.postgresql.connect import Server
from drivers.postgresql.dialect import PostgresDialect
from drivers.sql.migrate import Migrations
from drivers.sql.store import SqlStore

MIGRATIONS = Migrations("drivers.postgresql")


@hookimpl
def open_store(url: str, options: Mapping[str, str]) -> Store:
    return SqlStore(PostgresDialect(Server.parse(url, options)), MIGRATIONS)


@hookimpl
def migrations() -> Sequence[Migration]:
    return MIGRATIONS.all
