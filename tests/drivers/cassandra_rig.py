"""Cassandra keyspaces for the conformance suite, on one server of the test run; what their stores send can be made to break.

Making a keyspace takes a second, so the rigs of one test run share one and empty it; a test of the schema asks for a new one.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

from cassandra import OperationTimedOut
from cassandra.cluster import Cluster, NoHostAvailable
from cassandra.cluster import Session as Connected
from cassandra.connection import ConnectionShutdown

from drivers.cassandra import MIGRATIONS
from drivers.cassandra.connect import Place
from drivers.cassandra.migrate import Schema
from drivers.cassandra.session import Answer, Session
from drivers.cassandra.store import CassandraStore
from drivers.conformance import Database, Rig
from drivers.conformance.rig import Plan
from tests.cassandra import Cassandra

_PHASES = ("prepare", "propose", "COMMIT")  # of a conditional statement
_EMPTIED = {"shard": "lease", "history": "run", "record": "kind", "member": "part"}
_SCHEMA = """
SELECT table_name, column_name, type, kind, position, clustering_order FROM system_schema.columns WHERE keyspace_name = %s"""
_names = itertools.count()


@cache
def server() -> str:
    """The address of the one of this test run; TCTL_TEST_CASSANDRA names one that runs already."""
    if address := os.environ.get("TCTL_TEST_CASSANDRA"):
        return address
    started = Cassandra()
    started.start()
    return f"127.0.0.1:{started.port}"


@cache
def admin() -> Connected:
    """A session beside the driver's."""
    host, _, port = server().partition(":")
    session = Cluster([host], port=int(port), connect_timeout=30).connect()
    session.default_timeout = 60
    return session


class BreakableSession(Session):
    """Asks its plan before what it sends. Conditional statements of several leases that go out together break together."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.plan = Plan()

    def _send(self, statements: Sequence[Any], *, conditional: bool) -> list[Answer]:
        if not conditional:
            broken = any(self.plan.breaks("") for _ in statements)
            return self._all(statements, NoHostAvailable("broken", {})) if broken else self._sent(statements, False)
        for phase in _PHASES:
            losing = bool(self.plan.lose)
            if self.plan.breaks(phase):
                if self.plan.answer_is_lost():
                    self._sent(statements, True)
                    return self._all(statements, ConnectionShutdown("broken"))
                never_sent = phase == "prepare" and not losing
                return self._all(statements, NoHostAvailable("broken", {}) if never_sent else OperationTimedOut())
        return self._sent(statements, True)

    def _sent(self, statements: Sequence[Any], conditional: bool) -> list[Answer]:
        return super()._send(statements, conditional=conditional)

    def _all(self, statements: Sequence[Any], error: Exception) -> list[Answer]:
        return [error for _ in statements]


class CassandraRig(Rig):
    """A keyspace: the one that all share, emptied, or a new one."""

    def __init__(self, keyspace: str = "") -> None:
        self.keyspace = keyspace or f"test_{os.getpid()}_{time.time_ns()}_{next(_names)}"
        self.url = f"cassandra://{server()}/{self.keyspace}"
        self._plans: dict[int, Plan] = {}

    def open(self) -> Database:
        place = Place.parse(self.url, {})
        session = BreakableSession(place)
        store = CassandraStore(session, Schema(MIGRATIONS, place))
        self._plans[id(store)] = session.plan
        return store

    def empty(self) -> None:
        """Deletes all that is in it."""
        for table, key in _EMPTIED.items():
            for row in admin().execute(f"SELECT DISTINCT {key} FROM {self.keyspace}.{table}").all():
                admin().execute(f"DELETE FROM {self.keyspace}.{table} WHERE {key} = %s", row)

    def drop(self) -> None:
        """Removes it."""
        admin().execute(f"DROP KEYSPACE IF EXISTS {self.keyspace}")

    def fresh(self) -> Rig:
        return CassandraRig()

    def plan(self, store: Database) -> Plan:
        return self._plans[id(store)]

    def schema(self) -> object:
        return sorted(map(tuple, admin().execute(_SCHEMA, (self.keyspace,)).all()))

    def pretend_version(self, version: int) -> None:
        admin().execute(
            f"INSERT INTO {self.keyspace}.migration (part, version, name) VALUES (0, {version}, 'of the future')"
        )


@cache
def shared() -> CassandraRig:
    """The rig of the keyspace that is emptied for each test."""
    rig = CassandraRig()
    store = rig.open()
    store.migrate()
    store.close()
    return rig
