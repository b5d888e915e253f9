"""The SQLite driver keeps the contract, and what is its own: durability of every connection, its URLs, what its errors mean."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from drivers.base import Batch, Execution, Refused, SetCurrent, Unavailable
from drivers.conformance import SchemaContract, StoreContract, VisibilityContract
from drivers.conformance.make import begin, core, key
from drivers.registry import open_store
from tests.drivers.sqlite_rig import MemoryRig, SqliteRig


@pytest.fixture
def rig(tmp_path: Path) -> SqliteRig:
    return SqliteRig(tmp_path)


class TestStore(StoreContract): ...


class TestSchema(SchemaContract): ...


class TestVisibility(VisibilityContract): ...


class TestInMemory(StoreContract):
    @pytest.fixture
    def rig(self) -> MemoryRig:
        return MemoryRig()


def test_every_connection_syncs_before_it_answers(tmp_path: Path) -> None:
    """Without both of these a power failure loses acknowledged commits."""
    rig = SqliteRig(tmp_path)
    store = rig.open()
    store.migrate()
    store.load("shard", key(1))
    store.commit([begin("shard", store.acquire("shard", "me"), key(1))])
    assert len(rig.connections) >= 2
    for connection in rig.connections:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"
    rig.lose_commit(store)
    with pytest.raises(Exception, match="disk"):
        store.acquire("shard", "me")
    store.acquire("shard", "me")
    assert rig.connections[-1].execute("PRAGMA synchronous").fetchone() == (2,), "after a reconnect, too"


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///a.db", "a.db"),
        ("sqlite:////{}/b.db", "b.db"),
        ("sqlite:///sp%20ace.db?cache_size=-100", "sp ace.db"),
    ],
)
def test_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, file: str) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store(url.format(str(tmp_path).lstrip("/")))
    store.migrate()
    store.close()
    assert (tmp_path / file).exists()


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///", "sqlite://host/a.db", "sqlite:///a.db?synchronous=FULL;", "sqlite:///a.db?turbo=1"],
)
def test_urls_refused(url: str) -> None:
    with pytest.raises(Refused):
        open_store(url)


def test_options_win_over_the_url(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="busy_timeout"):
        open_store(f"sqlite:////{tmp_path}/a.db?busy_timeout=5", {"busy_timeout": "a b"})


def test_refused_when_the_folder_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="unable to open"):
        open_store(f"sqlite:////{tmp_path}/missing/a.db")


def test_unavailable_while_another_process_writes(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = open_store(f"sqlite:////{path}?busy_timeout=1")
    store.migrate()
    range_id = store.acquire("shard", "me")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        store.commit([core("shard", range_id, key(1), b"1")])
    assert store.load("shard", key(1)) is None, "readers go on"
    other.execute("ROLLBACK")
    assert store.commit([core("shard", range_id, key(1), b"1")]) == [None]
    store.close()


def test_unavailable_when_the_disk_is_full(tmp_path: Path) -> None:
    rig = SqliteRig(tmp_path)
    store = rig.open()
    store.migrate()
    range_id = store.acquire("shard", "me")
    writer = rig.connections[0]
    [pages] = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(Unavailable, match="full"):
        store.commit([core("shard", range_id, key(1), b"x" * 100_000)])
    assert store.load("shard", key(1)) is None
    assert store.commit([core("shard", range_id, key(1), b"1")]) == [None]


def test_a_deleted_run_leaves_no_row(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/a.db")
    store.migrate()
    range_id = store.acquire("shard", "me")
    batch = begin("shard", range_id, key(1))
    batch.visible[0].search_attributes = {"Keywords": ["a", "b"]}
    gone = Batch(
        "shard",
        range_id,
        [SetCurrent(*key(1)[:2], "run-1", None)],
        [Execution(key(1), None)],
        tasks_done=[("queue", 0)],
    )
    assert store.commit([batch]) == store.commit([gone]) == [None]
    store.close()
    with sqlite3.connect(tmp_path / "a.db") as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        left = {name for name in tables if connection.execute(f"SELECT count(*) FROM {name}").fetchone() != (0,)}
    assert left == {"lease", "migration"}


def test_refused_when_a_blob_is_too_big(tmp_path: Path) -> None:
    rig = SqliteRig(tmp_path)
    store = rig.open()
    store.migrate()
    range_id = store.acquire("shard", "me")
    rig.connections[0].setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100_000)
    results = store.commit([core("shard", range_id, key(1), b"x" * 100_001), core("shard", range_id, key(2), b"1")])
    assert [type(result) for result in results] == [Refused, type(None)]
    with pytest.raises(Refused):
        store.put_record("kind", "id", b"x" * 100_001, 0)


def test_refused_when_the_file_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"this is not a database, and it is long enough to be looked at" * 100)
    with pytest.raises(Refused, match="not a database"):
        open_store(f"sqlite:////{tmp_path}/a.db")
