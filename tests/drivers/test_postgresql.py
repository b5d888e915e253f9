"""The PostgreSQL driver keeps the contract, and what is its own: encryption, what its errors mean."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from drivers.base import Refused, RunKey, Unavailable, Unknown
from drivers.conformance import SchemaContract, StoreContract, VisibilityContract
from drivers.conformance.make import begin, key
from drivers.postgresql.connect import Server
from drivers.postgresql.dialect import PostgresDialect
from drivers.registry import open_store
from tests import stores
from tests.drivers.postgresql_rig import PostgreSQL, PostgresRig, server
from tests.drivers.served import ServedContract, certificate

pytestmark = stores.only("postgresql")


@pytest.fixture
def rig() -> PostgresRig:
    return PostgresRig()


@pytest.fixture
def database() -> PostgreSQL:
    return server()


class TestStore(StoreContract): ...


class TestSchema(SchemaContract): ...


class TestVisibility(VisibilityContract): ...


class TestServed(ServedContract): ...


@pytest.fixture(scope="module")
def encrypted() -> Iterator[PostgreSQL]:
    database = PostgreSQL()
    for path in certificate(database.folder):
        path.chmod(0o600)
        database.own(path)
    files = {"ssl_cert_file": str(database.folder / "cert.pem"), "ssl_key_file": str(database.folder / "key.pem")}
    database.settings.update(ssl="on", **files)
    database.start()
    yield database
    database.remove()


def test_encryption_is_checked(encrypted: PostgreSQL, tmp_path: Path) -> None:
    url = encrypted.create()
    (tmp_path / "root.pem").write_bytes((encrypted.folder / "cert.pem").read_bytes())
    with Server.parse(f"{url}?sslmode=verify-full&sslrootcert={tmp_path}/root.pem", {}).connect(
        writing=True
    ) as connection:
        assert connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (True,)
    other = tmp_path / "other"
    other.mkdir()
    certificate(other)
    with pytest.raises(Unavailable, match="certificate"):
        open_store(f"{url}?sslmode=verify-full&sslrootcert={other}/cert.pem")


def test_encryption_that_is_not_there(rig: PostgresRig) -> None:
    with pytest.raises(Unavailable, match="SSL"):
        open_store(f"{rig.url}?sslmode=require")


@pytest.mark.parametrize(
    ("error", "before", "at_commit"),
    [
        (errors.DiskFull("full"), Unavailable, Unavailable),
        (errors.ReadOnlySqlTransaction("read-only"), Unavailable, Unavailable),
        (errors.SerializationFailure("again"), Unavailable, Unavailable),
        (errors.DeadlockDetected("again"), Unavailable, Unavailable),
        (errors.QueryCanceled("too long"), Unavailable, Unavailable),
        (errors.UndefinedTable("schema"), Unavailable, Unavailable),
        (errors.UniqueViolation("race"), Unavailable, Unavailable),
        (errors.AdminShutdown("ended"), Unavailable, Unknown),
        (errors.CrashShutdown("ended"), Unavailable, Unknown),
        (psycopg.OperationalError("the connection is lost"), Unavailable, Unknown),
        (errors.NumericValueOutOfRange("large"), Refused, Refused),
        (errors.ProgramLimitExceeded("long"), Refused, Refused),
        (psycopg.DataError("NUL"), Refused, Refused),
    ],
)
def test_errors_mean_faults(error: Exception, before: type[Exception], at_commit: type[Exception]) -> None:
    dialect = PostgresDialect(Server.parse("postgresql://localhost/test", {}))
    assert type(dialect.fault(error, committing=False)) is before
    assert type(dialect.fault(error, committing=True)) is at_commit


def test_ids_too_long_together_are_refused(rig: PostgresRig) -> None:
    store = rig.open()
    store.migrate()
    range_id = store.acquire("shard", "me")
    long = RunKey(*(os.urandom(500).hex() for _ in range(3)))
    results = store.commit([begin("shard", range_id, long), begin("shard", range_id, key(2), 2)])
    assert [type(result) for result in results] in ([Refused, type(None)], [type(None)] * 2)
    assert (store.load("shard", long) is None) == (results[0] is not None)


def test_several_hosts_are_tried() -> None:
    parameters = Server.parse(
        "postgresql://u@one,two:6000,[::1]:7000/test?target_session_attrs=read-write", {}
    ).parameters(writing=True)
    assert (parameters["host"], parameters["port"]) == ("one,two,::1", "5432,6000,7000")
    assert parameters["target_session_attrs"] == "read-write"
