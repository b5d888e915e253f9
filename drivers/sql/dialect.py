"""The differences between SQL databases, and the small part of the Python database API that the store relies on.

A Dialect writes the few statements that databases spell differently, opens connections, and knows which of the five faults an error
of its client stands for. Connections are in autocommit mode; transactions are begun and ended by statements. Statements are
written with `?` for each parameter; the dialect turns them into its client's form when it runs them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from drivers.base import Fault, Migration

Row = Sequence[Any]
Statement = tuple[str, Sequence[Any]]  # with its parameters


class Cursor(Protocol):
    """What a statement has come to; fetching may be what waits for it."""

    @property
    def rowcount(self) -> int: ...
    def execute(self, statement: str, parameters: Sequence[Any] = ..., /) -> object: ...
    def fetchall(self) -> list[Any]: ...
    def fetchone(self) -> Any: ...


class Connection(Protocol):
    """The part of a connection that is used."""

    def cursor(self) -> Any: ...
    def close(self) -> None: ...


class Columns(NamedTuple):
    """Names of columns, and a letter for the type of each: `i` integer, `t` text, `b` bytes, `f` float."""

    names: tuple[str, ...]
    types: str


class Table(NamedTuple):
    """A table as upserts see it. `values` are overwritten when the key exists, `fixed` are written once."""

    name: str
    key: Columns
    values: Columns
    fixed: Columns = Columns((), "")

    @property
    def columns(self) -> Columns:
        """The order of a row's values."""
        return Columns(
            self.key.names + self.fixed.names + self.values.names, self.key.types + self.fixed.types + self.values.types
        )


class Dialect(Protocol):
    """One kind of database."""

    errors: tuple[type[Exception], ...]  # what its client raises
    single: bool  # one connection serves reads and writes (a private in-memory database)
    pipelined: bool  # statements of a pipeline are sent without waiting for those before
    readers_max: int  # connections that read at the same time
    begin: str  # begins a transaction that writes
    locking: str  # appended to a SELECT that must lock its rows
    now: str  # an expression: seconds since 1970 by the database's clock, with a fraction
    migrated: str  # a SELECT of one number: 0 when there is no table `migration`

    def connect(self, writing: bool) -> Connection:
        """A new connection in autocommit mode; those that write look up rows by whole keys alone. Raises one of `errors`."""
        ...

    def fault(self, error: Exception, committing: bool) -> Fault:
        """What an error means; `committing` says that COMMIT had been handed to the client."""
        ...

    def pipeline(self, connection: Any) -> AbstractContextManager[object]:
        """The block may be a pipeline: at its end all its statements have succeeded, or it raises."""
        ...

    def run(self, cursor: Cursor, statement: str, parameters: Sequence[Any]) -> None:
        """Executes the statement, with its parameters in place of each `?`."""
        ...

    def upserts(self, table: Table, rows: Sequence[Row]) -> Iterator[Statement]:
        """INSERTs of these rows that overwrite existing ones; as many as the sizes of statements ask."""
        ...

    def matches(self, columns: Columns, rows: Sequence[Row]) -> Iterator[Statement]:
        """Conditions, each with its parameters: the columns equal one of these rows."""
        ...

    def unless_there(self, column: str) -> str:
        """What makes an INSERT do nothing where the key exists; `column` is any one of the table."""
        ...

    def migrating(self, cursor: Cursor) -> AbstractContextManager[object]:
        """Makes the table `migration (version, name)` if need be, in the open transaction, and holds the lock of migrations; the lock
        may stay until the transaction ends."""
        ...

    def apply(self, cursor: Cursor, migration: Migration) -> None:
        """Runs the statements of a migration, of which some may have been run by a process that ended before it was noted."""
        ...
