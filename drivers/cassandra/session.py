"""Sends statements to Cassandra, those of one wave at once, and says what their failures mean.

Nothing is ever tried again here. Of a plain write that failed nothing is seen afterwards, since only a conditional batch makes it count;
of a conditional one that was sent and not answered nobody knows: Cassandra may still finish it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import cassandra
from cassandra.cluster import NoHostAvailable
from cassandra.protocol import SyntaxException
from cassandra.query import BatchStatement, BatchType, BoundStatement, PreparedStatement, SimpleStatement

from drivers.base import Fault, Refused, Unavailable, Unknown
from drivers.cassandra.connect import Place

Row = tuple[Any, ...]
Answer = list[Row] | Exception
_AT_ONCE_MAX = 128
_REFUSING = (cassandra.InvalidRequest, SyntaxException, TypeError, ValueError, OverflowError)
_NOTHING_HAPPENED = (
    NoHostAvailable,  # no node was sent anything
    cassandra.Unavailable,
    cassandra.AuthenticationFailed,
    cassandra.Unauthorized,
    cassandra.ReadTimeout,
    cassandra.ReadFailure,
)
_MISSING = ("unconfigured table", "does not exist", "unconfigured columnfamily")


class Session:
    """One for all threads."""

    def __init__(self, place: Place) -> None:
        self.keyspace = place.keyspace
        self._cluster, self._session = place.connect()
        self._prepared: dict[str, PreparedStatement] = {}
        self._preparing = threading.Lock()
        self._closed = False

    def bind(self, statement: str, *values: object) -> BoundStatement:
        """`{keyspace}` in the statement stands for the keyspace. Raises Unavailable, Refused."""
        prepared = self._prepared.get(statement) or self._prepare(statement)
        try:
            return prepared.bind(values)
        except (TypeError, ValueError, OverflowError) as error:
            raise Refused(f"Cassandra cannot store this: {error}.") from error

    def _prepare(self, statement: str) -> PreparedStatement:
        with self._preparing:
            try:
                prepared = self._session.prepare(statement.format(keyspace=self.keyspace))
            except Exception as error:
                raise _fault(error, reading=True) from error
            self._prepared[statement] = prepared
            return prepared

    def batch(self, statements: Iterable[BoundStatement], kind: BatchType = BatchType.LOGGED) -> BatchStatement:
        """One statement of those."""
        batch = BatchStatement(kind)
        for statement in statements:
            batch.add(statement)
        return batch

    def read(self, statement: str, *values: object, fetch_size: int | None = None) -> list[Row]:
        """Raises Unavailable."""
        return self.reads([self._paged(statement, values, fetch_size)])[0]

    def _paged(self, statement: str, values: Sequence[object], fetch_size: int | None) -> BoundStatement:
        try:
            bound = self.bind(statement, *values)
        except Refused as error:  # a key that cannot be stored: reads promise Unavailable alone
            raise Unavailable(str(error)) from error
        if fetch_size:
            bound.fetch_size = fetch_size
        return bound

    def reads(self, statements: Sequence[BoundStatement]) -> list[list[Row]]:
        """All of them, each of one moment. Raises Unavailable."""
        answers = self._send(statements, conditional=False)
        for answer in answers:
            if isinstance(answer, Exception):
                raise _fault(answer, reading=True) from answer
        return answers  # type: ignore[return-value]

    def write(self, statements: Sequence[BoundStatement]) -> None:
        """Writes that nobody sees yet. Raises Unavailable, Refused."""
        for answer in self._send(statements, conditional=False):
            if isinstance(answer, Exception):
                raise _fault(answer) from answer

    def decide(self, statements: Sequence[BoundStatement]) -> list[Row | Fault]:
        """Conditional ones; a row's first column says whether the conditions held. Each may be Unavailable, Unknown or Refused."""
        answers = self._send(statements, conditional=True)
        return [_fault(answer, conditional=True) if isinstance(answer, Exception) else answer[0] for answer in answers]

    def decide_one(self, statement: BoundStatement) -> bool:
        """Whether it was applied. Raises Unavailable, Unknown, Refused."""
        [answer] = self.decide([statement])
        if isinstance(answer, Fault):
            raise answer
        return bool(answer[0])

    def alter(self, statement: str) -> None:
        """A change of the schema. Raises Unavailable, Refused."""
        self.write([SimpleStatement(statement)])

    def _send(self, statements: Sequence[Any], *, conditional: bool) -> list[Answer]:  # noqa: ARG002 (tests break them apart)
        """In the order of the statements."""
        if self._closed:
            return [NoHostAvailable("the store is closed", {}) for _ in statements]
        answers: list[Answer] = []
        waiting = iter(statements)
        while some := list(islice(waiting, _AT_ONCE_MAX)):
            answers += map(_answer, [self._session.execute_async(statement) for statement in some])
        return answers

    def close(self) -> None:
        """Later calls are Unavailable."""
        self._closed = True
        self._cluster.shutdown()


def _answer(future: Any) -> Answer:
    try:
        return list(future.result())
    except Exception as error:  # noqa: BLE001 (the driver lets through whatever its threads met)
        return error


def _fault(error: Exception, *, conditional: bool = False, reading: bool = False) -> Fault:
    text = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, Fault):
        return error
    if isinstance(error, _REFUSING) and not reading and not any(word in text for word in _MISSING):
        return Refused(f"Cassandra cannot store this: {text}.")
    if conditional and not isinstance(error, _NOTHING_HAPPENED + _REFUSING):
        return Unknown(f"Cassandra did not say whether it was done: {text}.")
    return Unavailable(f"Cassandra: {text}.")
