"""SQLite databases for the conformance suite: connections that can be made to break."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from drivers.conformance import Database, Plan, Requirements, Rig
from drivers.sql.store import SqlStore
from drivers.sqlite import MIGRATIONS
from drivers.sqlite.connect import MEMORY, Address
from drivers.sqlite.dialect import SqliteDialect


class Breakable(sqlite3.Connection):
    """A connection that breaks when its `plan` says so."""

    plan: Plan

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(BreakableCursor)


class BreakableCursor(sqlite3.Cursor):
    """Asks the plan before each statement."""

    def execute(self, statement: str, parameters: Any = (), /) -> BreakableCursor:
        connection = self.connection
        assert isinstance(connection, Breakable)
        if connection.plan.breaks(statement):
            if connection.plan.answer_is_lost():
                super().execute(statement)
            connection.close()
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error
        return super().execute(statement, parameters)


class BreakableDialect(SqliteDialect):
    """Opens connections that share one plan."""

    def __init__(self, address: Address, connections: list[sqlite3.Connection]) -> None:
        super().__init__(address)
        self.plan = Plan()
        self.connections = connections

    def connect(self, writing: bool) -> sqlite3.Connection:
        connection = self.address.connect(Breakable)
        assert isinstance(connection, Breakable)
        connection.plan = self.plan
        self.connections.append(connection)
        return connection


class SqliteRig(Rig):
    """A file in a new folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "store.db"
        self.url = f"sqlite:///{self.path}"
        self.connections: list[sqlite3.Connection] = []
        self._plans: dict[int, Plan] = {}

    def open(self) -> Database:
        dialect = BreakableDialect(Address(str(self.path)), self.connections)
        store = SqlStore(dialect, MIGRATIONS)
        self._plans[id(store)] = dialect.plan
        return store

    def fresh(self) -> Rig:
        folder = self.path.parent / "fresh"
        folder.mkdir()
        return SqliteRig(folder)

    def plan(self, store: Database) -> Plan:
        return self._plans[id(store)]

    def schema(self) -> object:
        with sqlite3.connect(self.path) as connection:
            return connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2").fetchall()

    def pretend_version(self, version: int) -> None:
        with sqlite3.connect(self.path) as connection:
            connection.execute("INSERT INTO migration (version, name) VALUES (?, 'of the future')", (version,))


class MemoryRig(Rig):
    """A private database in memory: gone when its store is closed."""

    requirements = Requirements(
        second_store="the database belongs to one store", broken_connections="there is no connection to break"
    )

    def open(self) -> Database:
        return SqlStore(SqliteDialect(Address(MEMORY)), MIGRATIONS)
