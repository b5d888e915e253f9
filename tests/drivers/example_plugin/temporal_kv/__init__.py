"""A driver for `kv:////absolute/path` and `kv:///relative/path`: everything is a key with a value, in order, in one file.

It shows how a driver looks that does not start from `drivers.sql`: `database.py` is all that it asks of a database (a transaction, a read
by key, a range of keys), `store.py` says where things stand and keeps the contract with that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drivers.base import Migration, Refused, Store, hookimpl

from .database import Database
from .store import MIGRATIONS, KvStore

_PREFIX = "kv:///"


@hookimpl
def open_store(url: str, options: Mapping[str, str]) -> Store:
    path = url.removeprefix(_PREFIX)
    if options or not url.startswith(_PREFIX) or not path or "?" in path:
        raise Refused("A key-value URL is kv:///relative or kv:////absolute, without options.")
    return KvStore(Database(path))


@hookimpl
def migrations() -> Sequence[Migration]:
    return MIGRATIONS
