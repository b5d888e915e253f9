"""SqlStore keeps the contract of drivers.base on any SQL database that has a Dialect.

A call of commit is one transaction over all its batches: what stands there is read with a few statements, the batches are judged in
memory, and the merged rows are written with few statements of many rows.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from drivers.base import (
    Batch,
    Conflict,
    Current,
    Fault,
    History,
    Loaded,
    Member,
    Pending,
    Record,
    Refused,
    RunKey,
    Task,
    Unavailable,
    Wake,
)
from drivers.sql import statements as s
from drivers.sql.changes import Changes, Standing
from drivers.sql.connections import Connections, Session
from drivers.sql.dialect import Dialect
from drivers.sql.migrate import Migrations
from drivers.sql.scan import Scanner
from drivers.sql.standing import Standings
from drivers.sql.visibility import SqlVisibility
from drivers.sql.writer import Writer

_NEVER = -(2**63)


class SqlStore(SqlVisibility):
    """A Store and a Visibility on one database."""

    def __init__(self, dialect: Dialect, migrations: Migrations) -> None:
        self._dialect = dialect
        self._migrations = migrations
        self._connections = Connections(dialect)
        self._writer = Writer(dialect)
        self._standings = Standings(self._writer, dialect.locking)
        self._scanner = Scanner(self._read)
        self._committing = threading.Lock()
        super().__init__(self._connections)

    def acquire(self, lease: str, owner: str, above: int = 0) -> int:
        with self._connections.writing() as session:
            if session.run(s.LEASE_RANGE + self._dialect.locking, (lease,)).fetchone() is None:
                session.run(s.LEASE_CREATE + self._dialect.unless_there("owner"), (lease,))
            session.run(s.LEASE_ACQUIRE, (above, above, owner, lease))
            range_id: int = session.run(s.LEASE_RANGE, (lease,)).fetchone()[0]
        return range_id

    def commit(self, batches: Sequence[Batch]) -> list[Fault | None]:
        with self._committing:
            try:
                return self._commit_together(batches)
            except Refused:
                self._standings.forget()
                return self._commit_apart(batches)
            except BaseException:
                self._standings.forget()
                raise

    def _commit_together(self, batches: Sequence[Batch]) -> list[Fault | None]:
        with self._connections.writing(pipelined=True) as session:
            standing, changes = self._apply(session, batches)
        self._standings.remember(standing, changes)
        return changes.results

    def _commit_apart(self, batches: Sequence[Batch]) -> list[Fault | None]:
        """One of the batches cannot be stored: finds out which, still in one transaction."""
        with self._connections.writing() as session:
            return [self._commit_one(session, batch) for batch in batches]

    def _commit_one(self, session: Session, batch: Batch) -> Fault | None:
        session.run("SAVEPOINT batch")
        try:
            result = self._apply(session, [batch])[1].results[0]
        except self._connections.errors as error:
            result = self._dialect.fault(error, committing=False)
            if not isinstance(result, Refused):
                raise
            session.run("ROLLBACK TO SAVEPOINT batch")
        session.run("RELEASE SAVEPOINT batch")
        return result

    def _apply(self, session: Session, batches: Sequence[Batch]) -> tuple[Standing, Changes]:
        standing = self._standings.read(session, batches)
        changes = Changes(standing)
        changes.walk(batches)
        self._writer.write(session, changes, standing.leases.values())
        return standing, changes

    def load(self, lease: str, key: RunKey) -> Loaded | None:
        rows = self._read(s.LOAD, (lease, *key, lease, *key))
        if not rows or rows[0][0] != 0:
            return None
        return Loaded(rows[0][3], rows[0][4], [Pending(*row[1:4]) for row in rows[1:]])

    def current(self, lease: str, namespace_id: str, workflow_id: str) -> Current | None:
        rows = self._read(s.CURRENT, (lease, namespace_id, workflow_id))
        return Current(*rows[0]) if rows else None

    def history(self, lease: str, key: RunKey, first: int, last: int, limit: int) -> list[History]:
        rows = self._read(s.HISTORY_ROWS, (lease, *key, last, first, lease, *key, first, first, limit))
        return [History(key, *row) for row in rows]

    def tasks(self, lease: str, kind: str | None, after: tuple[str, int], limit: int) -> list[Task]:
        if kind is None:
            rows = self._read(s.TASKS, (lease, after[0], *after, limit))
        elif kind < after[0]:
            return []
        else:
            rows = self._read(s.TASKS_OF_KIND, (lease, kind, after[1] if kind == after[0] else _NEVER, limit))
        return [Task(*row) for row in rows]

    def wakes(self, lease: str, after: Wake | None, limit: int) -> list[Wake]:
        at, key = after or (_NEVER, ("", "", ""))
        return [Wake(row[0], RunKey(*row[1:])) for row in self._read(s.WAKES, (lease, at, at, *key, limit))]

    def record(self, kind: str, id: str) -> Record | None:
        rows = self._read(s.RECORD_ONE, (kind, id))
        return Record(*rows[0]) if rows else None

    def records(self, kind: str, after: str, limit: int) -> list[Record]:
        return [Record(*row) for row in self._read(s.RECORDS, (kind, after, limit))]

    def put_record(self, kind: str, id: str, data: bytes | None, expected: int) -> int:
        with self._connections.writing() as session:
            if data is None:
                cursor = session.run(s.RECORD_DELETE, (kind, id, expected))
            elif expected:
                cursor = session.run(s.RECORD_CHANGE, (expected + 1, data, kind, id, expected))
            else:
                cursor = session.run(s.RECORD_CREATE + self._dialect.unless_there("kind"), (1, data, kind, id))
            if cursor.rowcount != 1:
                row = session.run(s.RECORD_ONE, (kind, id)).fetchone()
                if row or expected or data is not None:
                    raise Conflict(Record(*row) if row else None)
        return 0 if data is None else expected + 1

    def beat(self, member: Member, ttl_seconds: float) -> None:
        with self._connections.writing() as session:
            session.run(s.MEMBER_DELETE, (member.id,))
            session.run(s.MEMBER_INSERT.format(now=self._dialect.now), (*member, ttl_seconds))

    def members(self) -> list[Member]:
        return [Member(*row) for row in self._read(s.MEMBERS.format(now=self._dialect.now), ())]

    def scan(self, after: bytes, limit: int) -> tuple[Batch | list[Record], bytes]:
        return self._scanner.part(after, limit)

    def schema_version(self) -> int:
        return self._migrations.version(self._connections, self._dialect)

    def migrate(self, target: int | None = None) -> int:
        return self._migrations.migrate(self._connections, self._dialect, target)

    def close(self) -> None:
        self._connections.close()

    def _read(self, statement: str, parameters: Sequence[Any]) -> list[Any]:
        try:
            with self._connections.reading() as session:
                return session.run(statement, parameters).fetchall()
        except Refused as error:  # a key that cannot be stored: reads promise Unavailable alone
            raise Unavailable(str(error)) from error
