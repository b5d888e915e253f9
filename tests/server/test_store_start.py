"""A server whose database cannot be reached when it starts waits for it, says so, and can be told to stop meanwhile. Several may set up
one database at once.
"""

from __future__ import annotations

import signal
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Server, wait_until_serving


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database that somebody else has for itself."""
    connection = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    connection.execute("CREATE TABLE theirs (one)")
    connection.execute("BEGIN EXCLUSIVE")
    yield connection
    connection.close()


@pytest.fixture
def server(tmp_path: Path, locked: sqlite3.Connection) -> Iterator[Server]:
    store = f"sqlite:////{tmp_path}/a.db?busy_timeout=1"
    server = Server("tctl", "--setup", store=store, log=tmp_path / "log")
    server.launch()
    yield server
    server.stop()


def _until_it_waits(log: Path) -> str:
    """What it has said once it has tried to reach the store."""
    while "the store cannot be reached, the next try is in" not in (text := log.read_text() if log.exists() else ""):
        threading.Event().wait(0.05)
    return text


def test_a_server_waits_for_its_store(server: Server, locked: sqlite3.Connection, tmp_path: Path) -> None:
    assert "database is locked" in _until_it_waits(tmp_path / "log")
    locked.execute("COMMIT")
    wait_until_serving(server.address)
    assert server.stop() == 0


def test_a_server_that_waits_can_be_stopped(server: Server, tmp_path: Path) -> None:
    _until_it_waits(tmp_path / "log")
    assert server.process is not None
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(10) == 1
    assert (tmp_path / "log").read_text().endswith("failed starting server: SQLite: database is locked.\n")


def test_servers_set_up_one_database_at_once(tmp_path: Path) -> None:
    flags = ("--setup", "--search-attribute", "Colour=Keyword", "--namespace", "default", "--namespace", "other")
    servers = [
        Server("tctl", *flags, store=f"sqlite:////{tmp_path}/new.db", log=tmp_path / f"{n}.log") for n in range(3)
    ]
    for server in servers:
        server.launch()
    try:
        for server in servers:
            wait_until_serving(server.address)
    finally:
        codes = [server.stop() for server in servers]
    assert codes == [0, 0, 0], [path.read_text() for path in tmp_path.glob("*.log")]
