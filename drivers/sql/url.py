"""The URL of a database server: `scheme://user:password@host:port/database?option=value`, every part escaped as URLs are.

What a sentence about it repeats never holds the password.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from drivers.base import Refused

# Options that every server takes, with their defaults; times are seconds.
COMMON = {"pool_size": "16", "connect_timeout": "10", "statement_timeout": "30"}


@dataclass(frozen=True)
class Address:
    """Where a database is. `hosts` are as written, each with its port where there is one; `options` are those given."""

    user: str
    password: str = field(repr=False)
    hosts: tuple[str, ...]
    database: str
    options: Mapping[str, str]

    @classmethod
    def parse(cls, url: str, options: Mapping[str, str], known: Mapping[str, str]) -> Address:
        """`options` win over those of the URL, those over the defaults of `known` (empty: not given). Raises Refused."""
        scheme, _, rest = url.partition("://")
        where, _, query = rest.partition("?")
        place, _, database = where.partition("/")
        login, _, hosts = place.rpartition("@")
        user, _, password = login.partition(":")
        if not database or "/" in database:
            raise Refused(f"A URL of this kind is {scheme}://user:password@host:port/database.")
        defaults = {**COMMON, **known}
        asked = {**dict(parse_qsl(query, keep_blank_values=True)), **options}
        for name in asked:
            if name not in defaults:
                raise Refused(f"The driver {scheme} has no option {name!r}; there are: {', '.join(sorted(defaults))}.")
        chosen = {name: value for name, value in {**defaults, **asked}.items() if value}
        return cls(unquote(user), unquote(password), tuple(unquote(hosts).split(",")), unquote(database), chosen)

    def number(self, name: str) -> float:
        """An option that is a number, 0 when it is not given. Raises Refused."""
        text = self.options.get(name, "0")
        try:
            number = float(text)
        except ValueError:
            number = -1
        if not 0 <= number < 1e6:
            raise Refused(f"The option {name} is a number from 0 up, not {text!r}.")
        return number

    def whole(self, name: str) -> int:
        """An option that is a whole number from 1 up. Raises Refused."""
        number = self.number(name)
        if number != int(number) or number < 1:
            raise Refused(f"The option {name} is a whole number from 1 up, not {self.options.get(name)!r}.")
        return int(number)

    def host_and_port(self, host: str, default: int) -> tuple[str, int]:
        """The two halves of `host:port`; brackets around an IPv6 address are taken off. Raises Refused."""
        name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        if not colon:
            name, port = host, str(default)
        if not port.isdecimal() or not 0 < int(port) < 1 << 16:
            raise Refused(f"A port is a number up to 65535, not {port!r}.")
        return name.strip("[]"), int(port)
