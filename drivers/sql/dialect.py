"""The differences between SQL databases, and the small part of the Python database API that the store relies on.

A Dialect writes the few statements that databases spell differently, opens connections, and knows which of the five faults an error
of its client stands for. Connections are in autocommit mode; transactions are begun and ended by statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from drivers.base import Fault


class Cursor(Protocol):
    """The part of a cursor that is used."""

    def execute(self, statement: str, parameters: Sequence[Any] = ..., /) -> object: ...
    def fetchall(self) -> list[Any]: ...
    def fetchone(self) -> Any: ...


class Connection(Protocol):
    """The part of a connection that is used."""

    def cursor(self) -> Any: ...
    def close(self) -> None: ...


class Table(NamedTuple):
    """A table as upserts see it. `values` are overwritten when the key exists, `fixed` are written once."""

    name: str
    key: tuple[str, ...]
    values: tuple[str, ...]
    fixed: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The order of a row's values."""
        return self.key + self.fixed + self.values


class Dialect(Protocol):
    """One kind of database."""

    errors: tuple[type[Exception], ...]  # what its client raises
    single: bool  # one connection serves reads and writes (a private in-memory database)
    parameters_max: int
    begin: str  # begins a transaction that writes
    locking: str  # appended to a SELECT that must lock its rows
    now: str  # an expression: seconds since 1970 by the database's clock, with a fraction
    migrated: str  # a SELECT of one number: 0 when there is no table `migration`

    def connect(self) -> Connection:
        """A new connection in autocommit mode. Raises one of `errors`."""
        ...

    def fault(self, error: Exception, committing: bool) -> Fault:
        """What an error means; `committing` says that COMMIT had been sent."""
        ...

    def sql(self, statement: str) -> str:
        """The statement with this client's placeholders instead of `?`."""
        ...

    def upsert(self, table: Table, rows: int) -> str:
        """INSERT of so many rows that overwrites existing ones."""
        ...

    def among(self, columns: Sequence[str], rows: int) -> str:
        """A condition: the columns equal one of so many rows of parameters."""
        ...

    def prepare_migrations(self, cursor: Cursor) -> None:
        """Makes the table `migration (version, name)` if need be, and takes the lock of migrations until the transaction ends."""
        ...
