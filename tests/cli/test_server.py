"""`tctl server` and `tctl schema`: what settings the flags become, and what is refused before anything starts."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import server
from server.settings import Settings
from tests.cli.conftest import Result, free_port, tctl


class Run:
    """Stands for server.run: remembers the settings, says that it serves, and ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings = Settings()
        self.code = 0
        module = ModuleType("server.run")
        module.main = self.main  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "server.run", module)
        monkeypatch.setattr(server, "run", module, raising=False)

    def main(self, settings: Settings, ready: Callable[[], None]) -> int:
        """What the command calls."""
        self.settings = settings
        ready()
        return self.code


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """A server that ends at once."""
    return Run(monkeypatch)


def ok(*words: str) -> Result:
    """The result of a command that must succeed."""
    done = tctl("server", *words)
    assert done.code == 0, done.err
    return done


def test_start_dev(run: Run) -> None:
    port, metrics, http = free_port(), free_port(), free_port()
    done = ok(
        *("start-dev", "--headless", "-p", str(port), "--metrics-port", str(metrics), "--http-port", str(http)),
        *("-n", "a", "--namespace", "b", "--search-attribute", "Colour=keyword", "--search-attribute", "Size=Int"),
        *("--dynamic-config-value", "frontend.rps=5", "--dynamic-config-value", 'x="y"', "--log-level", "error"),
        *("--sqlite-pragma", "synchronous=NORMAL", "--ip", "localhost"),
    )
    found = run.settings
    assert (found.store, found.setup) == ("sqlite:///:memory:?synchronous=NORMAL", True)
    assert (found.host, found.port, found.metrics_port, found.http_port) == ("127.0.0.1", port, metrics, http)
    assert found.namespaces == ("default", "a", "b")
    assert found.search_attributes == {"Colour": "Keyword", "Size": "Int"}
    assert found.dynamic_config == {"frontend.rps": 5, "x": "y"}
    assert found.log_level == "error"
    assert f"Temporal Server:      localhost:{port}\n" in done.out
    assert "Temporal Persistence: in-memory\n" in done.out
    assert f"Temporal Metrics:     http://localhost:{metrics}/metrics\n" in done.out


def test_start_dev_on_a_file(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ok("start-dev", "--port", str(free_port()), "--db-filename", "with space.db")
    assert run.settings.store == f"sqlite:///{tmp_path}/with%20space.db"
    assert run.settings.log_level == "warn"
    assert run.settings.metrics_port


def test_flags_of_the_web_ui_are_accepted_with_a_warning(run: Run) -> None:
    done = ok("start-dev", "--port", str(free_port()), "--ui-port", "1")
    assert done.err == "Warning: this server has no Web UI, so the --ui flags have no effect\n"


def test_settings_are_shown(run: Run) -> None:
    done = ok("start-dev", "--port", str(free_port()), "--log-config")
    assert "store: 'sqlite:///:memory:'\n" in done.err


def test_start_from_file_environment_and_flags(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    (tmp_path / "c.yaml").write_text(f'store: sqlite:///a.db\nfrontend: {{address: "127.0.0.1:{port}"}}\nsetup: true\n')
    monkeypatch.setenv("TEMPORAL_SERVER_STORE", "sqlite:///b.db")
    ok("start", "--config", str(tmp_path / "c.yaml"), "--role", "history", "--role", "matching")
    assert (run.settings.store, run.settings.port, run.settings.setup) == ("sqlite:///b.db", port, True)
    assert run.settings.roles == ("history", "matching")
    assert run.settings.log_level == "info"
    done = ok("start", "--store", "sqlite:///c.db", "--port", str(port), "--log-level", "never", "--log-format", "json")
    assert (run.settings.store, run.settings.setup) == ("sqlite:///c.db", False)
    assert (run.settings.log_level, run.settings.log_format) == ("never", "json")
    assert "Temporal Persistence: sqlite:///c.db\n" in done.out


def test_password_is_not_shown(run: Run) -> None:
    done = ok("start", "--store", "postgresql://me:secret@db/temporal", "--port", str(free_port()))
    assert "secret" not in done.out
    assert "postgresql://me@db/temporal" in done.out


@pytest.mark.parametrize("flag", ["--port", "--metrics-port", "--http-port"])
def test_port_in_use(run: Run, flag: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        others = () if flag == "--port" else ("--port", str(free_port()))
        done = tctl("server", "start-dev", flag, str(port), *others)
    what = {"--port": "frontend", "--metrics-port": "metrics", "--http-port": "frontend HTTP"}[flag]
    assert (done.code, done.err) == (1, f"Error: can't set {what} port {port}: Address already in use\n")


def test_a_server_that_ends_badly(run: Run) -> None:
    run.code = 3
    assert tctl("server", "start-dev", "--port", str(free_port())).err == "Error: the server ended with code 3\n"


def test_a_server_that_cannot_start(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from drivers.base import Unavailable

    def fail(settings: Settings, ready: Any) -> int:
        raise Unavailable("the database is locked")

    monkeypatch.setattr(sys.modules["server.run"], "main", fail)
    done = tctl("server", "start-dev", "--port", str(free_port()))
    assert (done.code, done.err) == (1, "Error: failed starting server: the database is locked\n")


def test_schema(tmp_path: Path) -> None:
    store = ("--store", f"sqlite:///{tmp_path}/t.db")
    assert tctl("schema", "update", *store).err == "Error: the database has no schema, use 'tctl schema setup'\n"
    assert tctl("schema", "version", *store, "-o", "json").json["version"] == 0
    made = tctl("schema", "setup", *store, "-o", "json").json
    assert made["version"] == made["latest"] > made["before"] == 0
    assert tctl("schema", "setup", *store, "-o", "json").json["before"] == made["latest"]
    assert tctl("schema", "update", *store, "-o", "json").json["version"] == made["latest"]
    assert f"Version  {made['latest']}\n" in tctl("schema", "version", *store).out
