"""What the conformance suite needs of this driver: databases in a folder, whose connections can be made to break."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers import conformance as suite

from .database import Database, connect
from .keys import pack
from .store import KvStore


@dataclass
class Plan:
    """What is to break: the connection `after` so many statements, or the next COMMIT ("commit": not sent, "answer": sent)."""

    after: int | None = None
    lose: str = ""


class Breakable(sqlite3.Connection):
    """A connection that breaks when its plan says so."""

    plan = Plan()

    def execute(self, statement: str, parameters: Any = (), /) -> sqlite3.Cursor:
        plan = self.plan
        lost = plan.lose if statement == "COMMIT" else ""
        if lost == "answer":
            super().execute(statement)
        if lost or plan.after == 0:
            plan.lose, plan.after = "", None
            raise sqlite3.OperationalError("disk I/O error")
        if plan.after is not None:
            plan.after -= 1
        return super().execute(statement, parameters)


class KvRig(suite.Rig):
    """A file in a new folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "store.kv"
        self.url = f"kv:///{self.path}"
        self._plans: dict[int, Plan] = {}

    def open(self) -> suite.Database:
        plan = Plan()

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

    def cut(self, store: suite.Database, after: int) -> None:
        self._plans[id(store)].after = after

    def lose_commit(self, store: suite.Database) -> None:
        self._plans[id(store)].lose = "commit"

    def lose_answer(self, store: suite.Database) -> None:
        self._plans[id(store)].lose = "answer"

    def heal(self, store: suite.Database) -> bool:
        plan = self._plans[id(store)]
        pending = plan.after is not None or bool(plan.lose)
        plan.after, plan.lose = None, ""
        return pending

    def schema(self) -> object:
        with sqlite3.connect(self.path) as connection:
            return connection.execute("SELECT name, sql FROM sqlite_master").fetchall()

    def pretend_version(self, version: int) -> None:
        with sqlite3.connect(self.path) as connection:
            connection.execute("UPDATE kv SET value = ? WHERE key = ?", (str(version).encode(), pack("schema")))
