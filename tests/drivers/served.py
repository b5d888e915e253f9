"""What drivers of database servers keep beyond the contract: logins, encryption, and faults that a server's administrator can cause.

A test module supplies the fixtures `rig`, `database` (the server that the rigs are on) and `encrypted` (one with TLS).
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from drivers.base import Refused, Store, Unavailable, Unknown
from drivers.conformance import Rig
from drivers.conformance.make import begin, core, key
from drivers.registry import open_store
from tests import stores
from tests.servers import free_port

R = TypeVar("R")


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    cert, private = folder / "cert.pem", folder / "key.pem"
    how = ["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"]
    what = [
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        str(private),
        "-out",
        str(cert),
    ]
    subprocess.run([stores.program("openssl", "openssl"), *how, *what], capture_output=True, check=True)
    return cert, private


def at_last(call: Callable[[], R]) -> R:
    """What the call returns once it does; a store may have a few connections that are dead."""
    for _ in range(3):
        try:
            return call()
        except (Unavailable, Unknown):
            continue
    return call()


class ServedContract:
    """Inherited by the tests of each driver."""

    @pytest.fixture
    def store(self, rig: Rig) -> Store:
        store = open_store(rig.url)
        store.migrate()
        return store

    def test_dropped_connections_are_replaced(self, store: Store, database: Any) -> None:
        range_id = store.acquire("shard", "me")
        store.commit([begin("shard", range_id, key(1))])
        assert store.load("shard", key(1)) is not None
        database.drop()
        with pytest.raises(Unavailable):
            store.load("shard", key(1))
        assert store.load("shard", key(1)) is not None
        with pytest.raises((Unavailable, Unknown)):
            store.commit([core("shard", range_id, key(1), b"x")])
        newer = store.acquire("shard", "me")
        assert store.commit([core("shard", newer, key(1), b"next")]) == [None]

    def test_unavailable_while_the_database_is_read_only(self, store: Store, database: Any) -> None:
        range_id = store.acquire("shard", "me")
        database.read_only(True)
        try:
            database.drop()
            assert at_last(lambda: store.load("shard", key(1))) is None, "reads go on"
            for _ in range(3):
                with pytest.raises((Unavailable, Unknown)) as told:
                    store.commit([core("shard", range_id, key(1), b"x")])
            assert isinstance(told.value, Unavailable), "once connected again, it is clear that nothing happened"
        finally:
            database.read_only(False)
            database.drop()
        newer = at_last(lambda: store.acquire("shard", "me"))
        assert store.commit([core("shard", newer, key(1), b"x")]) == [None]

    def test_unavailable_when_a_statement_takes_too_long(self, rig: Rig, store: Store, database: Any) -> None:
        range_id = store.acquire("shard", "me")
        hasty = open_store(f"{rig.url}?statement_timeout=0.5")
        with database.holding(rig.url, "shard"):
            with pytest.raises(Unavailable):
                hasty.commit([core("shard", range_id, key(1), b"x")])
            assert hasty.load("shard", key(1)) is None
        assert hasty.commit([core("shard", range_id, key(1), b"y")]) == [None]
        loaded = store.load("shard", key(1))
        assert loaded is not None
        assert loaded.core == b"y"

    def test_a_commit_is_few_statements(self, rig: Rig) -> None:
        store = rig.open()
        store.migrate()
        range_id = store.acquire("shard", "me")
        batches = [begin("shard", range_id, key(n), n) for n in range(100)]
        assert store.commit(batches) == [None] * 100
        rig.cut(store, 14)
        more = [begin("shard", range_id, key(n), n) for n in range(100, 200)]
        assert store.commit(more) == [None] * 100
        assert rig.heal(store), "fewer than 15 statements for 100 batches"

    def test_login_is_refused(self, rig: Rig) -> None:
        scheme, _, rest = rig.url.partition("://")
        user, _, place = rest.rpartition("@")
        for url in (f"{scheme}://temporal:Wrong@{place}", f"{scheme}://{user}@{place.partition('/')[0]}/nowhere"):
            with pytest.raises(Refused) as told:
                open_store(url)
            assert "Wrong" not in str(told.value)
            assert "Se cret" not in str(told.value)

    def test_unavailable_where_nobody_listens(self, rig: Rig) -> None:
        with pytest.raises(Unavailable, match=r"(?i)connect"):
            open_store(f"{rig.url.partition('://')[0]}://temporal@127.0.0.1:{free_port()}/test?connect_timeout=2")

    @pytest.mark.parametrize(
        ("query", "sentence"),
        [
            ("colour=red", "has no option 'colour'; there are: .*connect_timeout, .*pool_size"),
            ("pool_size=none", "pool_size is a number"),
            ("pool_size=0", "pool_size is a whole number"),
            ("statement_timeout=-1", "statement_timeout is a number"),
            ("connect_timeout=1.5", "connect_timeout is a whole number"),
        ],
    )
    def test_options_are_checked(self, rig: Rig, query: str, sentence: str) -> None:
        with pytest.raises(Refused, match=sentence):
            open_store(f"{rig.url}?{query}")

    @pytest.mark.parametrize(
        "place", ["", "127.0.0.1", "127.0.0.1/", "127.0.0.1/a/b", "127.0.0.1:x/a", "127.0.0.1:99999/a"]
    )
    def test_urls_are_checked(self, rig: Rig, place: str) -> None:
        with pytest.raises(Refused, match="port is a number|user:password@host:port/database"):
            open_store(f"{rig.url.partition('://')[0]}://temporal:Secret@{place}")

    def test_options_win_over_the_url(self, rig: Rig) -> None:
        with pytest.raises(Refused, match="pool_size"):
            open_store(f"{rig.url}?pool_size=4", {"pool_size": "0"})
