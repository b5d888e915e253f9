"""MySQL databases for the conformance suite: each on one MariaDB server of the test run, with connections that can be made to break."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import pymysql

from drivers.conformance import Database, Plan, Rig
from drivers.mysql import MIGRATIONS
from drivers.mysql.connect import Server
from drivers.mysql.dialect import MysqlDialect
from drivers.mysql.pipeline import PipelineConnection, PipelineCursor
from drivers.sql.store import SqlStore
from tests import stores

_PACKAGE = "mariadb-server"
_SCHEMA = """
SELECT table_name, column_name, column_type, is_nullable FROM information_schema.columns WHERE table_schema = database()
UNION ALL SELECT table_name, index_name, concat(seq_in_index, ' ', column_name), non_unique FROM information_schema.statistics
WHERE table_schema = database() ORDER BY 1, 2, 3"""


_CONNECTIONS = "SELECT id FROM information_schema.processlist WHERE user = 'temporal'"
_ADMIN, _USER = "root", "temporal:Se%20cret%3F"


class MariaDB(stores.Database):
    """A server with a user `temporal` that may all in the databases, and what can befall it."""

    def __init__(self, port: int = 0, **settings: str) -> None:
        install = stores.program("mariadb-install-db", _PACKAGE)
        self._mariadbd = stores.program("mariadbd", _PACKAGE)
        super().__init__("mysql", port)
        self.settings = settings
        flags = ("--no-defaults", f"--datadir={self.folder}/data", "--auth-root-authentication-method=normal")
        self.run(install, *flags, "--skip-test-db")
        self._names = itertools.count()

    def command(self) -> Sequence[str]:
        settings = {
            "datadir": self.folder / "data",
            "socket": self.folder / "socket",
            "pid-file": self.folder / "pid",
            "port": self.port,
            "bind-address": "127.0.0.1",
            **self.settings,
        }
        return [self._mariadbd, "--no-defaults", *(f"--{name}={value}" for name, value in settings.items())]

    def check(self) -> None:
        self.execute("SELECT 1")

    def execute(self, *statements: str, database: str = "mysql") -> list[tuple[Any, ...]]:
        """Runs statements; returns the rows of the last."""
        connection = Server.parse(self.url(database, _ADMIN), {}).connect()
        try:
            for statement in statements:
                cursor = connection.cursor()
                cursor.execute(statement)
            return list(cursor.fetchall())
        finally:
            connection.close()

    def url(self, database: str, user: str = _USER) -> str:
        return f"mysql://{user}@127.0.0.1:{self.port}/{database}"

    def create(self) -> str:
        """Makes a database and returns its URL."""
        number = next(self._names)
        if number == 0:
            self.execute("CREATE USER temporal@localhost IDENTIFIED BY 'Se cret?'")
        self.execute(f"CREATE DATABASE test_{number}", f"GRANT ALL ON test_{number}.* TO temporal@localhost")
        return self.url(f"test_{number}")

    def drop(self, what: str = "KILL") -> None:
        """Closes every connection."""
        for (id,) in self.execute(_CONNECTIONS):
            with suppress(pymysql.OperationalError):  # it has gone by itself
                self.execute(f"{what} {id}")

    def interrupt(self) -> None:
        """Ends every statement that runs."""
        self.drop("KILL QUERY")

    def read_only(self, on: bool) -> None:
        """Refuses writes, or takes them again."""
        self.execute(f"SET GLOBAL read_only = {int(on)}")

    @contextmanager
    def holding(self, url: str, lease: str) -> Iterator[None]:
        """Keeps the lease's row locked."""
        connection = Server.parse(url, {}).connect()
        cursor = connection.cursor()
        cursor.execute("START TRANSACTION")
        cursor.execute(f"SELECT 1 FROM lease WHERE name = '{lease}' FOR UPDATE")
        yield
        connection.close()


@cache
def server() -> MariaDB:
    """The one of this test run."""
    started = MariaDB()
    started.start()
    return started


class BreakableCursor(PipelineCursor):
    """Asks its connection's plan before each statement."""

    def execute(self, query: str, args: Any = None) -> int:
        connection = self.connection
        plan: Plan | None = getattr(connection, "plan", None)
        if plan is None or not plan.breaks(query):
            return super().execute(query, args)
        if plan.answer_is_lost():
            super().execute(query, args)
            connection.flush()
        connection._sock.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]
        return super().execute(query, args)


class BreakableConnection(PipelineConnection):
    """Its cursors break."""

    def cursor(self, cursor: Any = None) -> Any:
        return BreakableCursor(self)


class BreakableDialect(MysqlDialect):
    """Opens connections that share one plan."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.plan = Plan()

    def connect(self, writing: bool) -> Any:
        connection = self.server.connect(BreakableConnection)
        connection.plan = self.plan  # type: ignore[attr-defined]
        return connection


class MysqlRig(Rig):
    """A new database."""

    def __init__(self) -> None:
        self.url = server().create()
        self._plans: dict[int, Plan] = {}

    def open(self) -> Database:
        dialect = BreakableDialect(Server.parse(self.url, {}))
        store = SqlStore(dialect, MIGRATIONS)
        self._plans[id(store)] = dialect.plan
        return store

    def fresh(self) -> Rig:
        return MysqlRig()

    def plan(self, store: Database) -> Plan:
        return self._plans[id(store)]

    def schema(self) -> object:
        return server().execute(_SCHEMA, database=self.url.rpartition("/")[2])

    def pretend_version(self, version: int) -> None:
        server().execute(
            f"INSERT INTO migration (version, name) VALUES ({version}, 'of the future')",
            "COMMIT",
            database=self.url.rpartition("/")[2],
        )
