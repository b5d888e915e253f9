"""Where a PostgreSQL database is and how its connections are set up: in autocommit mode, with values sent and received in binary form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import tuple_row
from psycopg.types.numeric import Int8BinaryDumper
from psycopg.types.string import BytesBinaryDumper, StrBinaryDumper

from drivers.postgresql import arrays
from drivers.sql.url import Address

_PORT = 5432
# Options that are libpq's own, in its words.
LIBPQ = ("host", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "channel_binding", "target_session_attrs")
# A plan made while a table is small must do when it has grown: every row is found through the index of its key.
_BY_KEYS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
_STATEMENTS_PREPARED = 200
# A peer that says nothing is given up after about half a minute, here and there, and its transaction with it.
_PATIENCE_MILLISECONDS = 30_000
_KEEPALIVES = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4}


class Cursor(psycopg.RawCursor[tuple[Any, ...]]):
    """Takes `$1` for parameters, and receives values in binary form."""

    def __init__(self, connection: psycopg.Connection[Any], *, row_factory: Any = None) -> None:
        super().__init__(connection, row_factory=row_factory)
        self.format = psycopg.pq.Format.BINARY


@dataclass(frozen=True)
class Server:
    """A database and the options of its connections."""

    address: Address

    @classmethod
    def parse(cls, url: str, options: Mapping[str, str]) -> Server:
        """Raises Refused."""
        known = {**dict.fromkeys(LIBPQ, ""), "application_name": "tctl"}
        server = cls(Address.parse(url, options, known))
        server.parameters(writing=True)
        return server

    def parameters(self, writing: bool) -> dict[str, Any]:
        """What libpq is told. Raises Refused."""
        address = self.address
        places = [address.host_and_port(host, _PORT) for host in address.hosts]
        session = {
            "statement_timeout": round(address.number("statement_timeout") * 1000),
            "idle_in_transaction_session_timeout": _PATIENCE_MILLISECONDS,
            "jit": "off",
            **(_BY_KEYS if writing else {}),
        }
        return {
            "host": ",".join(host for host, _ in places),
            "port": ",".join(str(port) for _, port in places),
            "user": address.user or None,
            "password": address.password or None,
            "dbname": address.database,
            "connect_timeout": address.whole("connect_timeout"),
            "application_name": address.options.get("application_name"),
            "options": " ".join(f"-c {name}={value}" for name, value in session.items()),
            "client_encoding": "utf8",
            "tcp_user_timeout": _PATIENCE_MILLISECONDS,
            **_KEEPALIVES,
            **{name: value for name, value in address.options.items() if name in LIBPQ},
        }

    def connect(self, writing: bool, cursor: type[Cursor] = Cursor) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection in autocommit mode. Raises psycopg.Error."""
        connection = psycopg.Connection.connect(
            autocommit=True,
            row_factory=tuple_row,
            cursor_factory=cursor,
            prepare_threshold=0,
            **self.parameters(writing),
        )
        connection.prepared_max = _STATEMENTS_PREPARED
        for kind, dumper in ((int, Int8BinaryDumper), (str, StrBinaryDumper), (bytes, BytesBinaryDumper)):
            connection.adapters.register_dumper(kind, dumper)
        arrays.register(connection.adapters)
        return connection
