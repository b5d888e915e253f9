"""An ordered key-value store in a file, with transactions of several processes. Here it is one table of SQLite; LMDB, RocksDB or
FoundationDB offer the same few verbs.
"""

from __future__ import annotations

import sqlite3
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import unquote

from drivers.base import Refused, Unavailable, Unknown

UNSTORABLE = (UnicodeEncodeError, struct.error)
SCHEMA = "CREATE TABLE kv (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
Connect = Callable[[str], sqlite3.Connection]


def connect(path: str, factory: type[sqlite3.Connection] = sqlite3.Connection) -> sqlite3.Connection:
    """A connection that syncs before a commit returns."""
    connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False, factory=factory)
    with suppress(sqlite3.OperationalError):  # somebody else is making it so
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


class Database:
    """Thread-safe; one transaction at a time in this process. `connect` is replaced by tests that break connections."""

    def __init__(self, path: str, connect: Connect = connect) -> None:
        self._path, self._connect = unquote(path), connect
        self._lock = threading.Lock()
        self._closed = False
        self._connection: sqlite3.Connection | None = None
        with self.transaction(write=False):
            pass

    @contextmanager
    def transaction(self, write: bool) -> Iterator[None]:
        """All that is done inside sees one moment, and stays when the block ends without an exception. Raises Unavailable, Unknown,
        Refused."""
        with self._lock:
            committing = False
            try:
                self._open().execute("BEGIN IMMEDIATE" if write else "BEGIN")
                yield
                committing = write
                self._open().execute("COMMIT")
            except UNSTORABLE as error:
                self._undo()
                raise Refused(f"This cannot be stored: {error}.") from error
            except sqlite3.Error as error:
                self._undo()
                raise (Unknown if committing else Unavailable)(f"{self._path}: {error}.") from error
            except BaseException:
                self._undo()
                raise

    @contextmanager
    def part(self) -> Iterator[None]:
        """Inside a transaction: what is done in the block is undone when it raises."""
        self._open().execute("SAVEPOINT part")
        try:
            yield
        except Exception:
            self._open().execute("ROLLBACK TO part")
            raise
        finally:
            self._open().execute("RELEASE part")

    def get(self, key: bytes) -> bytes | None:
        row = self._open().execute("SELECT value FROM kv WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def range(self, low: bytes, high: bytes, limit: int = -1) -> list[tuple[bytes, bytes]]:
        """Keys from `low` (inclusive) to `high`, in order."""
        statement = "SELECT key, value FROM kv WHERE key >= ? AND key < ? ORDER BY key LIMIT ?"
        return self._open().execute(statement, (low, high, limit)).fetchall()

    def last(self, low: bytes, high: bytes) -> tuple[bytes, bytes] | None:
        """The last key from `low` to `high`, both inclusive."""
        statement = "SELECT key, value FROM kv WHERE key >= ? AND key <= ? ORDER BY key DESC LIMIT 1"
        row: tuple[bytes, bytes] | None = self._open().execute(statement, (low, high)).fetchone()
        return row

    def put(self, key: bytes, value: bytes | None) -> None:
        """None deletes."""
        if value is None:
            self._open().execute("DELETE FROM kv WHERE key = ?", (key,))
        else:
            self._open().execute("INSERT OR REPLACE INTO kv VALUES (?, ?)", (key, value))

    def clear(self, low: bytes, high: bytes) -> None:
        self._open().execute("DELETE FROM kv WHERE key >= ? AND key < ?", (low, high))

    def exists(self) -> bool:
        return bool(self._open().execute("SELECT count(*) FROM sqlite_master").fetchone()[0])

    def create(self) -> None:
        self._open().execute(SCHEMA)

    def clock(self) -> float:
        """Seconds since 1970 by the database's clock."""
        found: float = self._open().execute("SELECT (julianday('now') - 2440587.5) * 86400.0").fetchone()[0]
        return found

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._undo()

    def _open(self) -> sqlite3.Connection:
        if self._closed:
            raise Unavailable("The store is closed.")
        if self._connection is None:
            self._connection = self._connect(self._path)
        return self._connection

    def _undo(self) -> None:
        """Closing undoes whatever is open; in what state the connection is does not matter then."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
