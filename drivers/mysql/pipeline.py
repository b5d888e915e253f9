"""A pipeline over PyMySQL: statements are collected, and sent as one text when a result is asked for or the pipeline ends.

The server stops at the first statement that fails, so a COMMIT at the end is not reached then.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CR
from pymysql.cursors import Cursor

_BYTES_MAX = 8 << 20  # of statements sent together
_UNCHECKED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_UNCHECKED.check_hostname = False
_UNCHECKED.verify_mode = ssl.CERT_NONE
_ROOM = 1024  # of a packet, for its heads


class PipelineCursor(Cursor):
    """Holds one statement and what it has come to."""

    connection: PipelineConnection
    statement = ""

    def execute(self, query: str, args: Any = None) -> int:
        self.statement = query
        if self.connection.waiting is None:
            return super().execute(query, args)
        self.connection.waiting.append(self)
        return 0

    def fetchall(self) -> Any:
        self.connection.flush()
        return super().fetchall()

    def fetchone(self) -> Any:
        self.connection.flush()
        return super().fetchone()

    def arrive(self) -> None:
        """Takes the result that the connection has read."""
        self._executed = self.statement
        self._do_get_result()  # type: ignore[attr-defined]


class PipelineConnection(Connection):
    """A connection that knows how large a statement the server takes."""

    waiting: list[PipelineCursor] | None = None
    packet_bytes_max = 1 << 20

    def cursor(self, cursor: type[Cursor] | None = None) -> Any:
        return (cursor or PipelineCursor)(self)

    def _create_ssl_ctx(self, sslp: Any) -> ssl.SSLContext:
        """PyMySQL's own would read every certificate of the system for each connection, to check none of them."""
        return sslp if isinstance(sslp, ssl.SSLContext) else _UNCHECKED

    @contextmanager
    def pipeline(self) -> Iterator[None]:
        """Collects the statements of the block."""
        self.waiting = []
        try:
            yield
            self.flush()
        finally:
            self.waiting = None

    def flush(self) -> None:
        """Sends what is collected and reads the results. Raises pymysql.Error, with `before_commit` when a statement that is not COMMIT
        was refused by the server, OverflowError (a statement is larger than the server takes)."""
        while self.waiting:
            together: list[PipelineCursor] = []
            size = 0
            for one in self.waiting:
                size += len(one.statement) + 1
                if together and size > min(_BYTES_MAX, self.packet_bytes_max):
                    break
                together.append(one)
            self.waiting = self.waiting[len(together) :]
            self._send(together)

    def query(self, sql: Any, unbuffered: bool = False) -> int:
        if len(sql) + _ROOM > self.packet_bytes_max:
            raise OverflowError(f"it is larger than the server's max_allowed_packet of {self.packet_bytes_max} bytes")
        return super().query(sql, unbuffered)

    def _send(self, cursors: list[PipelineCursor]) -> None:
        reached = cursors[0].statement
        try:
            self.query(";".join([one.statement for one in cursors]))
            cursors[0].arrive()
            for one in cursors[1:]:
                reached = one.statement
                self.next_result()
                one.arrive()
        except pymysql.MySQLError as error:
            code = error.args[0] if error.args else 0
            from_server = code and not CR.CR_ERROR_FIRST <= code <= CR.CR_ERROR_LAST
            error.before_commit = bool(from_server) and reached != "COMMIT"  # type: ignore[attr-defined]
            raise
