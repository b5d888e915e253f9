"""What the conformance suite needs of this driver: databases in a folder, whose connections can be made to break."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from drivers import conformance as suite
from drivers.keys import pack

from .database import Database, connect
from .store import KvStore


class Breakable(sqlite3.Connection):
    """A connection that breaks when its plan says so."""

    plan = suite.Plan()

    def execute(self, statement: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if self.plan.breaks(statement):
            if self.plan.answer_is_lost():
                super().execute(statement)
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(statement, parameters)


class KvRig(suite.Rig):
    """A file in a new folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "store.kv"
        self.url = f"kv:///{self.path}"
        self._plans: dict[int, suite.Plan] = {}

    def open(self) -> suite.Database:
        plan = suite.Plan()

        def breakable(path: str) -> sqlite3.Connection:
            connection = connect(path, Breakable)
            connection.plan = plan  # type: ignore[attr-defined]
            return connection

        store = KvStore(Database(str(self.path), breakable))
        self._plans[id(store)] = plan
        return store

    def fresh(self) -> suite.Rig:
        folder = self.path.parent / "fresh"
        folder.mkdir()
        return KvRig(folder)

    def plan(self, store: suite.Database) -> suite.Plan:
        return self._plans[id(store)]

    def schema(self) -> object:
        with sqlite3.connect(self.path) as connection:
            return connection.execute("SELECT name, sql FROM sqlite_master").fetchall()

    def pretend_version(self, version: int) -> None:
        with sqlite3.connect(self.path) as connection:
            connection.execute("UPDATE kv SET value = ? WHERE key = ?", (str(version).encode(), pack("schema")))
