"""One connection that writes and a few that read, handed out to threads. An error leaves here as one of the five faults.

A connection on which something failed is closed and replaced: what state it is in does not matter then.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from drivers.base import Unavailable
from drivers.sql.dialect import Connection, Cursor, Dialect

UNSTORABLE = (UnicodeEncodeError, OverflowError)  # raised by Python itself for a lone surrogate, an int beyond 64 bits


class Connections:
    """Thread-safe. The connection that writes is opened at once, so that a wrong address is known early."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.errors: tuple[type[Exception], ...] = (*dialect.errors, *UNSTORABLE)
        self._idle: list[Connection] = []
        self._idle_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._closed = False
        self._writer: Connection | None = self._connect()

    @contextmanager
    def writing(self) -> Iterator[Cursor]:
        """A transaction: committed when the block ends, undone when it raises. Raises Unavailable, Unknown, Refused."""
        with self._write_lock:
            committing = False
            try:
                cursor = self._write_cursor()
                cursor.execute(self._dialect.begin)
                yield cursor
                committing = True
                cursor.execute("COMMIT")
            except BaseException as error:
                self._undo()
                if isinstance(error, self.errors):
                    raise self._dialect.fault(error, committing) from error
                raise

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        """A connection of one's own for single statements, each of which sees one moment. Raises Unavailable, Refused."""
        if self._dialect.single:
            with self._write_lock, self._faults():
                yield self._write_cursor()
            return
        with self._idle_lock:
            connection = self._idle.pop() if self._idle else None
        connection = connection or self._connect()
        try:
            with self._faults():
                yield connection.cursor()
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)

    def close(self) -> None:
        """Closes every connection; those in use when they come back."""
        with self._write_lock, self._idle_lock:
            self._closed = True
            for connection in [*self._idle, *([self._writer] if self._writer else [])]:
                connection.close()
            self._writer = None
            self._idle.clear()

    def _connect(self) -> Connection:
        if self._closed:
            raise Unavailable("The store is closed.")
        with self._faults():
            return self._dialect.connect()

    def _write_cursor(self) -> Cursor:
        if self._writer is None:
            self._writer = self._connect()
        cursor: Cursor = self._writer.cursor()
        return cursor

    def _undo(self) -> None:
        if self._writer is None:
            return
        try:
            self._writer.cursor().execute("ROLLBACK")
        except self._dialect.errors:  # the connection is gone or has no transaction; closing it undoes whatever is open
            if not self._dialect.single:
                with suppress(*self._dialect.errors):
                    self._writer.close()
                self._writer = None

    def _give_back(self, connection: Connection) -> None:
        with self._idle_lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except self.errors as error:
            raise self._dialect.fault(error, committing=False) from error
