"""Which stores the tests run on, and the database servers for them: processes with data folders and ports of their own.

`STORES=sqlite,postgresql` narrows the choice; without it there are all. A server is started when a test first asks for it and ended
with the test run. What is missing is installed from Debian when the tests run as root, and is one sentence otherwise.
"""

from __future__ import annotations

import atexit
import os
import pwd
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path

import pytest

from tests.servers import free_port

ALL = ("sqlite", "postgresql", "mysql", "cassandra")
WANTED = tuple(name.strip() for name in os.environ.get("STORES", ",".join(ALL)).split(","))
_READY_SECONDS = 60

if unknown := set(WANTED) - set(ALL):
    raise pytest.UsageError(f"STORES names {', '.join(sorted(unknown))}; there are {', '.join(ALL)}.")


def only(store: str) -> pytest.MarkDecorator:
    """Marks tests that need this store: skipped when it is not among those asked for."""
    return pytest.mark.skipif(store not in WANTED, reason=f"STORES={','.join(WANTED)}")


_RIGS = {"postgresql": "PostgresRig", "mysql": "MysqlRig", "cassandra": "CassandraRig"}
SERVERS = [pytest.param(name, marks=only(name)) for name in _RIGS]  # for tests of whatever runs on a server


def create(store: str) -> str:
    """Makes a new database on the server of this test run; returns its URL."""
    url: str = getattr(import_module(f"tests.drivers.{store}_rig"), _RIGS[store])().url
    return url


def program(name: str, package: str, folders: str = "usr/sbin") -> str:
    """The path of a program, also sought in the folders of that glob from the root; its Debian package is installed when it is missing."""
    path = _found(name, folders)
    if path is None:
        _install(name, package)
        path = _found(name, folders)
    assert path is not None, f"The Debian package {package} has no program {name}."
    return path


def _found(name: str, folders: str) -> str | None:
    return shutil.which(
        name,
        path=os.pathsep.join(
            [*(str(path) for path in sorted(Path("/").glob(folders), reverse=True)), os.environ["PATH"]]
        ),
    )


def _install(name: str, package: str) -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise RuntimeError(
            f"These tests need {name}: install the Debian package {package}, or set STORES to other stores."
        )
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-qq", "--no-install-recommends", package]):
        result = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"The Debian package {package} cannot be installed: {result.stderr.strip()}")


class Database:
    """A database server with a folder of its own, run by `user` when the tests are run by root. Subclasses say how it is made, and
    when it is ready."""

    def __init__(self, user: str = "", port: int = 0) -> None:
        self.port = port or free_port()
        self.user = user if user and os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="tctl-store-"))
        self.folder.chmod(0o755)
        self.own(self.folder)
        self.process: subprocess.Popen[bytes] | None = None
        atexit.register(self.remove)

    def own(self, path: Path) -> None:
        """Makes a file the server's."""
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def command(self) -> Sequence[str]:
        """What runs the server in the foreground."""
        raise NotImplementedError

    def check(self) -> None:
        """Returns when the server answers, and raises anything when it does not yet."""
        raise NotImplementedError

    def run(self, *command: str) -> None:
        """Runs a command of the set-up as the server's user."""
        result = subprocess.run(self._as_user(command), cwd=self.folder, capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"{command[0]}: {result.stderr}"

    def start(self) -> None:
        """Starts the server and returns when it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self._as_user(self.command()), cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self.check, self.process, self.folder / "log")

    def kill(self) -> None:
        """kill -9 of the server and of every process that it has started."""
        self._end(signal.SIGKILL)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ends it in its own way."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(60)

    def remove(self) -> None:
        """Ends it and deletes its data."""
        atexit.unregister(self.remove)
        if self.process is not None and self.process.poll() is None:
            self._end(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _as_user(self, command: Sequence[str]) -> Sequence[str]:
        """Another program changes the user: Popen would fork for that, which gRPC's threads may not survive."""
        if not self.user:
            return command
        return ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups", *command]

    def _end(self, number: int) -> None:
        assert self.process is not None
        pid = self.process.pid
        children = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        with ExitStack() as opened:
            ended = []
            for one in (pid, *children):
                with suppress(ProcessLookupError):
                    ended.append(os.pidfd_open(one))
                    opened.callback(os.close, ended[-1])
                    os.kill(one, number)
            for one in ended:
                select.select([one], [], [], _READY_SECONDS)
        self.process.wait(_READY_SECONDS)


def wait_until(check: Callable[[], None], process: subprocess.Popen[bytes], log: Path) -> None:
    """Returns once `check` does; an AssertionError with the end of the log when the process ends or is not ready within a minute."""
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            check()
            return
        except Exception as error:
            if process.poll() is not None or time.monotonic() > deadline:
                end = log.read_text(errors="replace")[-2000:]
                raise AssertionError(f"The database server is not ready ({error}): {end}") from error
        time.sleep(0.05)
