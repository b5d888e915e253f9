"""The MySQL driver keeps the contract on MariaDB, and what is its own: encryption, what its errors mean, the size of packets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from drivers.base import Batch, History, Refused, Unavailable, Unknown
from drivers.conformance import SchemaContract, StoreContract, VisibilityContract
from drivers.conformance.make import core, key
from drivers.mysql.connect import Server
from drivers.mysql.dialect import MysqlDialect
from drivers.registry import open_store
from tests import stores
from tests.drivers.mysql_rig import MariaDB, MysqlRig, server
from tests.drivers.served import ServedContract, certificate

pytestmark = stores.only("mysql")


@pytest.fixture
def rig() -> MysqlRig:
    return MysqlRig()


@pytest.fixture
def database() -> MariaDB:
    return server()


class TestStore(StoreContract): ...


class TestSchema(SchemaContract): ...


class TestVisibility(VisibilityContract): ...


class TestServed(ServedContract): ...


@pytest.fixture(scope="module")
def encrypted() -> Iterator[MariaDB]:
    database = MariaDB()
    for path in certificate(database.folder):
        database.own(path)
    database.settings.update(
        {"ssl-cert": str(database.folder / "cert.pem"), "ssl-key": str(database.folder / "key.pem")}
    )
    database.start()
    yield database
    database.remove()


def test_encryption_is_checked(encrypted: MariaDB, tmp_path: Path) -> None:
    url = encrypted.create()
    for query in ("", "?ssl-mode=REQUIRED", f"?ssl-mode=VERIFY_IDENTITY&ssl-ca={encrypted.folder}/cert.pem"):
        connection = Server.parse(url + query, {}).connect()
        cursor = connection.cursor()
        cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
        assert cursor.fetchone()[1], f"encrypted with {query or 'what is preferred'}"
        connection.close()
    certificate(tmp_path)
    with pytest.raises(Unavailable, match="(?i)certificate"):
        open_store(f"{url}?ssl-mode=VERIFY_CA&ssl-ca={tmp_path}/cert.pem")
    with pytest.raises(Unavailable, match="cannot be read"):
        open_store(f"{url}?ssl-mode=VERIFY_CA&ssl-ca={tmp_path}/missing.pem")


def test_encryption_that_is_not_there(rig: MysqlRig) -> None:
    with pytest.raises(Unavailable, match="SSL"):
        open_store(f"{rig.url}?ssl-mode=REQUIRED")
    with pytest.raises(Refused, match="ssl-mode is one of"):
        open_store(f"{rig.url}?ssl-mode=perhaps")


@pytest.mark.parametrize(
    ("code", "before", "at_commit"),
    [
        (1114, Unavailable, Unavailable),  # table full
        (1290, Unavailable, Unavailable),  # read-only
        (1213, Unavailable, Unavailable),  # deadlock
        (1205, Unavailable, Unavailable),  # lock wait
        (1146, Unavailable, Unavailable),  # no such table
        (1180, Unavailable, Unknown),  # error during COMMIT
        (1053, Unavailable, Unknown),  # shutdown
        (2006, Unavailable, Unknown),  # gone away
        (2013, Unavailable, Unknown),  # lost
        (1406, Refused, Refused),  # too long
        (1264, Refused, Refused),  # out of range
        (1153, Refused, Refused),  # packet too large
    ],
)
def test_errors_mean_faults(code: int, before: type[Exception], at_commit: type[Exception]) -> None:
    dialect = MysqlDialect(Server.parse("mysql://localhost/test", {}))
    error = pymysql.OperationalError(code, "told")
    assert type(dialect.fault(error, committing=False)) is before
    assert type(dialect.fault(error, committing=True)) is at_commit


def test_statements_fit_into_packets(rig: MysqlRig) -> None:
    """MariaDB takes 16 MiB in one packet unless told otherwise, and a byte is written with two."""
    store = rig.open()
    store.migrate()
    range_id = store.acquire("shard", "me")
    rows = [History(key(1), n, n, bytes([n]) * (3 << 20)) for n in range(1, 9)]
    assert store.commit([Batch("shard", range_id, history=rows)]) == [None]
    assert store.history("shard", key(1), 8, 8, 1) == rows[-1:]
    results = store.commit([core("shard", range_id, key(2), b"x" * (9 << 20)), core("shard", range_id, key(3), b"1")])
    assert [type(result) for result in results] == [Refused, type(None)]
    assert "max_allowed_packet" in str(results[0])


def test_one_host_alone() -> None:
    with pytest.raises(Refused, match="one host"):
        open_store("mysql://u@one,two/test")
