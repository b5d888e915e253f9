"""Where a SQLite database is and how its connections are set up: write-ahead log, and a sync to disk before a commit returns."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from drivers.base import Refused

_PREFIX = "sqlite:///"
MEMORY = ":memory:"
# FULL syncs the log at every commit, so an acknowledged write outlives a power failure; NORMAL would not.
# cache_size is KiB when negative; busy_timeout is milliseconds.
PRAGMAS = {
    "busy_timeout": "5000",
    "journal_mode": "WAL",
    "synchronous": "FULL",
    "cache_size": "-32768",
    "wal_autocheckpoint": "4000",
    "mmap_size": "0",
}
_STATEMENTS_CACHED = 1024
_TURNS_MAX = 100


@dataclass(frozen=True)
class Address:
    """A database file (or `:memory:`) and the pragmas of its connections."""

    path: str
    pragmas: Mapping[str, str] = field(default_factory=lambda: PRAGMAS)

    @classmethod
    def parse(cls, url: str, options: Mapping[str, str]) -> Address:
        """From `sqlite:///path?pragma=value`; `options` win over the URL. Raises Refused."""
        path, _, query = url.removeprefix(_PREFIX).partition("?")
        if not url.startswith(_PREFIX) or not path:
            raise Refused(
                f"A SQLite URL is sqlite:///relative, sqlite:////absolute or sqlite:///:memory:, not {url!r}."
            )
        asked = {**dict(parse_qsl(query, keep_blank_values=True)), **options}
        for name, value in asked.items():
            if name not in PRAGMAS:
                raise Refused(f"SQLite has no option {name!r}; there are: {', '.join(PRAGMAS)}.")
            if not re.fullmatch(r"-?\w+", value):
                raise Refused(f"The SQLite option {name} cannot be {value!r}.")
        return cls(unquote(path), {**PRAGMAS, **asked})

    def connect(self, factory: type[sqlite3.Connection] = sqlite3.Connection) -> sqlite3.Connection:
        """A connection in autocommit mode that any one thread at a time may use. Raises sqlite3.Error."""
        connection = sqlite3.connect(
            self.path,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS_CACHED,
            factory=factory,
        )
        try:
            for name, value in self.pragmas.items():
                _set(connection, name, value)
        except BaseException:
            connection.close()
            raise
        return connection


def _set(connection: sqlite3.Connection, name: str, value: str) -> None:
    """To make a file write-ahead logged SQLite needs it alone, and does not wait for that; a transaction waits for whoever has it."""
    for _ in range(_TURNS_MAX):
        try:
            connection.execute(f"PRAGMA {name} = {value}").fetchall()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    raise sqlite3.OperationalError(f"the file is too busy to set {name}")
