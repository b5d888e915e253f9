"""One connection that writes and a few that read, handed out to threads. An error leaves here as one of the five faults.

A connection on which something failed is closed and replaced: what state it is in does not matter then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, NamedTuple

from drivers.base import Refused, Unavailable
from drivers.sql.dialect import Connection, Cursor, Dialect

UNSTORABLE = (UnicodeEncodeError, OverflowError)  # raised by Python itself for a lone surrogate, an int beyond 64 bits
IDLE_SECONDS_MAX = 300.0  # servers and firewalls forget connections that say nothing


class Session(NamedTuple):
    """A connection in use."""

    connection: Connection
    dialect: Dialect

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> Cursor:
        """Executes a statement on a cursor of its own."""
        cursor: Cursor = self.connection.cursor()
        self.dialect.run(cursor, statement, parameters)
        return cursor


class Connections:
    """Thread-safe. The connection that writes is opened at once, so that a wrong address is known early."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.errors: tuple[type[Exception], ...] = (*dialect.errors, *UNSTORABLE)
        self._idle: list[tuple[Connection, float]] = []
        self._idle_lock = threading.Lock()
        self._reading = threading.BoundedSemaphore(dialect.readers_max)
        self._write_lock = threading.Lock()
        self._closed = False
        with self._faults():
            self._writer: Connection | None = dialect.connect(writing=True)

    @contextmanager
    def writing(self, pipelined: bool = False) -> Iterator[Session]:
        """A transaction: committed when the block ends, undone when it raises. When `pipelined`, an error of a statement may come only
        with one after it. Raises Unavailable, Unknown, Refused."""
        with self._write_lock:
            committing = False
            try:
                session = self._write_session()
                with self._dialect.pipeline(session.connection) if pipelined else nullcontext():
                    session.run(self._dialect.begin)
                    yield session
                    committing = True
                    session.run("COMMIT")
            except BaseException as error:
                self._undo()
                if isinstance(error, self.errors):
                    raise self._dialect.fault(error, committing) from error
                raise

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A connection of one's own for single statements, each of which sees one moment. Raises Unavailable, Refused."""
        if self._dialect.single:
            with self._write_lock, self._faults():
                yield self._write_session()
            return
        with self._reading:
            connection = self._take() or self._connect(writing=False)
            try:
                with self._faults():
                    yield Session(connection, self._dialect)
            except BaseException as error:
                self._close(connection)
                if isinstance(error, Unavailable):  # those that have waited longer are probably dead, too
                    self._close_idle()
                raise
            self._give_back(connection)

    def close(self) -> None:
        """Closes every connection; those in use when they come back."""
        self._closed = True
        with self._write_lock:
            if self._writer:
                self._close(self._writer)
            self._writer = None
        self._close_idle()

    def _connect(self, writing: bool) -> Connection:
        if self._closed:
            raise Unavailable("The store is closed.")
        try:
            with self._faults():
                return self._dialect.connect(writing)
        except Refused as refused:  # it was accepted once, and may be again
            raise Unavailable(str(refused)) from refused

    def _write_session(self) -> Session:
        if self._writer is None:
            self._writer = self._connect(writing=True)
        return Session(self._writer, self._dialect)

    def _undo(self) -> None:
        if self._writer is None:
            return
        try:
            self._dialect.run(self._writer.cursor(), "ROLLBACK", ())
        except self._dialect.errors:  # the connection is gone or has no transaction; closing it undoes whatever is open
            if not self._dialect.single:
                self._close(self._writer)
                self._writer = None

    def _take(self) -> Connection | None:
        with self._idle_lock:
            while self._idle:
                connection, since = self._idle.pop()
                if time.monotonic() - since < IDLE_SECONDS_MAX:
                    return connection
                self._close(connection)
        return None

    def _give_back(self, connection: Connection) -> None:
        with self._idle_lock:
            if not self._closed:
                self._idle.append((connection, time.monotonic()))
                return
        self._close(connection)

    def _close_idle(self) -> None:
        with self._idle_lock:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        with suppress(*self._dialect.errors):
            connection.close()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except self.errors as error:
            raise self._dialect.fault(error, committing=False) from error
