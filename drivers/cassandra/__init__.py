"""The driver for Apache Cassandra 4.1 or later: `cassandra://user:password@host1,host2:9042/keyspace?local_dc=dc1&replication=dc1:3`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drivers.base import Migration, Store, hookimpl
from drivers.cassandra.connect import Place
from drivers.cassandra.migrate import Schema
from drivers.cassandra.session import Session
from drivers.cassandra.store import CassandraStore
from drivers.migrations import Migrations

MIGRATIONS = Migrations("drivers.cassandra", "cql")


@hookimpl
def open_store(url: str, options: Mapping[str, str]) -> Store:
    place = Place.parse(url, options)
    return CassandraStore(Session(place), Schema(MIGRATIONS, place))


@hookimpl
def migrations(url: str) -> Sequence[Migration]:
    keyspace = Place.parse(url, {}).keyspace
    return [
        step._replace(statements=[statement.replace("{keyspace}", keyspace) for statement in step.statements])
        for step in MIGRATIONS.all
    ]
