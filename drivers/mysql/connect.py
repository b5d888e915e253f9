"""Where a MySQL or MariaDB database is and how its connections are set up: in autocommit mode, strict, in UTC, encrypted when the
server can.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pymysql
from pymysql.constants import CLIENT, FIELD_TYPE

from drivers.base import Refused
from drivers.mysql.pipeline import PipelineConnection
from drivers.sql.url import Address

_PORT = 3306
# The mysql client's own options, in its words.
TLS = {"ssl-mode": "PREFERRED", "ssl-ca": "", "ssl-cert": "", "ssl-key": ""}
_MODES = ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
_LOCK_SECONDS = 10
_SESSION = f"""
SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', autocommit = 1,
innodb_lock_wait_timeout = {_LOCK_SECONDS}"""
_ISOLATION = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
_INTEGERS = (FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.LONG, FIELD_TYPE.INT24, FIELD_TYPE.LONGLONG)


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()


# Ids are VARBINARY columns, which compare by bytes; data are BLOB columns, given back as they are.
_DECODERS: dict[Any, Any] = {
    **dict.fromkeys(_INTEGERS, int),
    **dict.fromkeys((FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE, FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL), float),
    **dict.fromkeys((FIELD_TYPE.VARCHAR, FIELD_TYPE.VAR_STRING, FIELD_TYPE.STRING), _text),
}


@dataclass(frozen=True)
class Server:
    """A database and the options of its connections."""

    address: Address
    host: str
    port: int

    @classmethod
    def parse(cls, url: str, options: Mapping[str, str]) -> Server:
        """Raises Refused."""
        address = Address.parse(url, options, {**TLS, "unix_socket": ""})
        if len(address.hosts) != 1:
            raise Refused("The driver mysql takes one host; put a proxy before several.")
        if address.options["ssl-mode"].upper() not in _MODES:
            raise Refused(f"The option ssl-mode is one of {', '.join(_MODES)}.")
        return cls(address, *address.host_and_port(address.hosts[0], _PORT))

    @property
    def mode(self) -> str:
        """Of encryption."""
        return self.address.options["ssl-mode"].upper()

    def connect(self, kind: type[PipelineConnection] = PipelineConnection) -> PipelineConnection:
        """A connection in autocommit mode. Raises pymysql.Error."""
        options, patience = self.address.options, self.address.number("statement_timeout") or None
        settings: dict[str, Any] = {
            "host": self.host or "localhost",
            "port": self.port,
            "user": self.address.user or None,
            "password": self.address.password,
            "database": self.address.database,
            "unix_socket": options.get("unix_socket"),
            "charset": "utf8mb4",
            "autocommit": None,
            "connect_timeout": self.address.whole("connect_timeout"),
            "read_timeout": patience,
            "write_timeout": patience,
            "conv": _DECODERS,
            "client_flag": CLIENT.MULTI_STATEMENTS,
            "ssl": self._context,
            "ssl_disabled": self.mode == "DISABLED",
        }
        connection = kind(**settings)
        with connection.cursor() as cursor:
            for statement in (_SESSION, _ISOLATION):
                cursor.execute(statement)
            cursor.execute("SELECT @@max_allowed_packet")
            connection.packet_bytes_max = cursor.fetchone()[0]
        return connection

    @cached_property
    def _context(self) -> ssl.SSLContext | None:
        """What is read of certificates, once; None when they need not be looked at."""
        if self.mode in ("DISABLED", "PREFERRED"):
            return None
        options = self.address.options
        try:
            context = ssl.create_default_context(cafile=options.get("ssl-ca"))
            if "ssl-cert" in options:
                context.load_cert_chain(options["ssl-cert"], options.get("ssl-key"))
        except OSError as error:
            raise pymysql.OperationalError(2026, f"the certificates cannot be read: {error}") from error
        context.check_hostname = self.mode == "VERIFY_IDENTITY"
        if not self.mode.startswith("VERIFY"):
            context.verify_mode = ssl.CERT_NONE
        return context
