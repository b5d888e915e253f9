"""The schema: numbered files of statements that may run twice, applied in order by whoever holds the lock.

Cassandra has no transactions around changes of a schema. So a file counts once all its statements are through; after a crash between two of
them it is run again from its beginning. The lock is a cell that a conditional write takes for a minute, and again before each statement.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from drivers.base import Fault, Migration, Refused, Unavailable
from drivers.cassandra.connect import Place
from drivers.cassandra.session import Session
from drivers.migrations import Migrations

_LOCK_SECONDS, _TURN_SECONDS = 60, 0.1
_KEYSPACES = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?"
_TABLES = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = 'migration'"
_KEYSPACE = "CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {replication}"
_TABLE = """CREATE TABLE IF NOT EXISTS {keyspace}.migration (
    part int, holder text static, version int, name text, PRIMARY KEY (part, version)
) WITH ID = {id}"""
_VERSION = "SELECT max(version) FROM {keyspace}.migration WHERE part = 0"
_NOTE = "INSERT INTO {keyspace}.migration (part, version, name) VALUES (0, ?, ?) IF NOT EXISTS"
_LOCK = "UPDATE {keyspace}.migration USING TTL ? SET holder = ? WHERE part = 0 IF holder = ?"
_UNLOCK = "UPDATE {keyspace}.migration SET holder = null WHERE part = 0 IF holder = ?"


class Schema:
    """The schema of one keyspace, through one store."""

    def __init__(self, migrations: Migrations, place: Place) -> None:
        self._migrations = migrations
        self._place = place
        self._me = str(uuid.uuid4())
        self._mine = threading.Lock()
        self._turn = threading.Event()  # never set: it is waited for

    def version(self, session: Session) -> int:
        """The newest one applied; 0 for a keyspace that is empty or missing. Raises Unavailable."""
        if not session.read(_TABLES, self._place.keyspace):
            return 0
        try:
            return int(session.read(_VERSION)[0][0] or 0)
        except Unavailable as error:
            if "does not exist" in str(error):  # somebody makes it at this moment
                return 0
            raise

    def migrate(self, session: Session, target: int | None) -> int:
        """Applies those up to `target` that are missing. Raises Unavailable, Unknown, Refused."""
        goal = self._migrations.goal(target)
        with self._mine:
            if self.version(session) != goal:
                self._prepare(session)
                with self._locked(session):
                    self._apply(session, goal)
        return goal

    def _prepare(self, session: Session) -> None:
        keyspace = self._place.keyspace
        if not session.read(_KEYSPACES, keyspace):
            session.alter(_KEYSPACE.format(keyspace=keyspace, replication=self._place.replication))
        # The id is given, so that two who make it at the same moment make the same table.
        session.alter(_TABLE.format(keyspace=keyspace, id=uuid.uuid5(uuid.NAMESPACE_URL, f"cassandra:{keyspace}")))

    @contextmanager
    def _locked(self, session: Session) -> Iterator[None]:
        for _ in range(int(2 * _LOCK_SECONDS / _TURN_SECONDS)):
            if self._lock(session):
                break
            self._turn.wait(_TURN_SECONDS)
        else:
            raise Unavailable("Somebody else is changing the schema.")
        unlock = session.bind(_UNLOCK, self._me)
        try:
            yield
        except BaseException:
            with suppress(Fault):  # it is free after a minute in any case
                session.decide_one(unlock)
            raise
        session.decide_one(unlock)

    def _lock(self, session: Session) -> bool:
        """Takes it, or prolongs it."""
        return any(
            session.decide_one(session.bind(_LOCK, _LOCK_SECONDS, self._me, holder)) for holder in (self._me, None)
        )

    def _apply(self, session: Session, goal: int) -> None:
        version = self.version(session)
        if version > goal:
            raise Refused(f"The schema is at version {version}, newer than {goal}; it cannot go back.")
        for migration in self._migrations.all[version:goal]:
            self._run(session, migration)

    def _run(self, session: Session, migration: Migration) -> None:
        for statement in migration.statements:
            if not self._lock(session):
                raise Unavailable("Somebody else has taken the lock of the schema.")
            session.alter(statement.replace("{keyspace}", self._place.keyspace))
        session.decide_one(session.bind(_NOTE, migration.version, migration.name))
