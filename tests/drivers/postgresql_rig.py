"""PostgreSQL databases for the conformance suite: each on one server of the test run, with connections that can be made to break."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg

from drivers.conformance import Database, Plan, Requirements, Rig
from drivers.postgresql import MIGRATIONS
from drivers.postgresql.connect import Cursor, Server
from drivers.postgresql.dialect import PostgresDialect
from drivers.sql.store import SqlStore
from tests import stores

_BIN = "usr/lib/postgresql/*/bin"
_SCHEMA = """
SELECT table_name, column_name, data_type, collation_name, is_nullable, NULL FROM information_schema.columns
WHERE table_schema = 'public'
UNION ALL SELECT tablename, indexname, indexdef, NULL, NULL, NULL FROM pg_indexes WHERE schemaname = 'public'
ORDER BY 1, 2"""


_DROP = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'temporal'"
_INTERRUPT = _DROP.replace("terminate", "cancel")
_ADMIN, _USER = "postgres:Secret", "temporal:Se%20cret%3F"


class PostgreSQL(stores.Database):
    """A server with a user `temporal` that owns the databases, and what can befall it."""

    def __init__(self, port: int = 0, **settings: str) -> None:
        initdb = stores.program("initdb", "postgresql", _BIN)
        self._postgres = stores.program("postgres", "postgresql", _BIN)
        super().__init__("postgres", port)
        self.settings = settings
        password = self.folder / "password"
        password.write_text("Secret")
        self.own(password)
        where = ("-D", str(self.folder / "data"), "-E", "UTF8", "--no-sync")
        self.run(initdb, *where, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", str(password))
        self._names = itertools.count()

    def command(self) -> Sequence[str]:
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", **self.settings}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [self._postgres, "-D", str(self.folder / "data"), *flags]

    def check(self) -> None:
        self.execute("SELECT 1")

    def execute(self, *statements: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Runs statements; returns the rows of the last."""
        with psycopg.connect(self.url(database, _ADMIN), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def url(self, database: str, user: str = _USER) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def create(self) -> str:
        """Makes a database and returns its URL."""
        number = next(self._names)
        if number == 0:
            self.execute("CREATE USER temporal PASSWORD 'Se cret?'")
        self.execute(f"CREATE DATABASE test_{number} OWNER temporal")
        return self.url(f"test_{number}")

    def drop(self) -> None:
        """Closes every connection."""
        self.execute(_DROP)

    def interrupt(self) -> None:
        """Ends every statement that runs."""
        self.execute(_INTERRUPT)

    def read_only(self, on: bool) -> None:
        """Refuses writes of connections made from now on, or takes them again."""
        self.execute(f"ALTER SYSTEM SET default_transaction_read_only = {on}", "SELECT pg_reload_conf()")

    @contextmanager
    def holding(self, url: str, lease: str) -> Iterator[None]:
        """Keeps the lease's row locked."""
        with psycopg.connect(url) as connection:
            connection.execute("SELECT 1 FROM lease WHERE name = %s FOR UPDATE", (lease,))
            yield


@cache
def server() -> PostgreSQL:
    """The one of this test run."""
    started = PostgreSQL()
    started.start()
    return started


class BreakableCursor(Cursor):
    """Asks its connection's plan before each statement."""

    def execute(self, query: Any, *args: Any, **named: Any) -> Any:
        plan: Plan | None = getattr(self.connection, "plan", None)
        if plan is None or not plan.breaks(query):
            return super().execute(query, *args, **named)
        if plan.answer_is_lost():
            super().execute(query, *args, **named)
            if self.connection.info.pipeline_status:
                self.fetchall_nothing()
        with socket.socket(fileno=os.dup(self.connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
        return super().execute(query, *args, **named)

    def fetchall_nothing(self) -> None:
        """Waits until the server has answered."""
        pipeline = self.connection._pipeline
        assert pipeline is not None
        pipeline.sync()


class BreakableDialect(PostgresDialect):
    """Opens connections that share one plan."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.plan = Plan()

    def connect(self, writing: bool) -> Any:
        connection = self.server.connect(writing, BreakableCursor)
        connection.plan = self.plan  # type: ignore[attr-defined]
        return connection


class PostgresRig(Rig):
    """A new database."""

    requirements = Requirements(nul_in_ids="PostgreSQL's text cannot hold U+0000")

    def __init__(self) -> None:
        self.url = server().create()
        self._plans: dict[int, Plan] = {}

    def open(self) -> Database:
        dialect = BreakableDialect(Server.parse(self.url, {}))
        store = SqlStore(dialect, MIGRATIONS)
        self._plans[id(store)] = dialect.plan
        return store

    def fresh(self) -> Rig:
        return PostgresRig()

    def plan(self, store: Database) -> Plan:
        return self._plans[id(store)]

    def schema(self) -> object:
        return server().execute(_SCHEMA, database=self.url.rpartition("/")[2])

    def pretend_version(self, version: int) -> None:
        server().execute(
            f"INSERT INTO migration (version, name) VALUES ({version}, 'of the future')",
            database=self.url.rpartition("/")[2],
        )
