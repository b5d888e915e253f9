"""The driver for MySQL 8 and MariaDB 10.6 or later: `mysql://user:password@host:port/database?ssl-mode=VERIFY_IDENTITY`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drivers.base import Migration, Store, hookimpl
from drivers.mysql.connect import Server
from drivers.mysql.dialect import MysqlDialect
from drivers.sql.migrate import Migrations
from drivers.sql.store import SqlStore

MIGRATIONS = Migrations("drivers.mysql")


@hookimpl
def open_store(url: str, options: Mapping[str, str]) -> Store:
    return SqlStore(MysqlDialect(Server.parse(url, options)), MIGRATIONS)


@hookimpl
def migrations() -> Sequence[Migration]:
    return MIGRATIONS.all
