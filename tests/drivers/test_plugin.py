"""A driver from outside the package: installed with pip, found by the scheme of its URL, and it keeps the contract."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.drivers.plugin import PLUGIN, install


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that has the driver."""
    return {**os.environ, "PYTHONPATH": install(tmp_path_factory.mktemp("site"))}


def run(environ: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    """What a Python process with the driver did."""
    return subprocess.run(
        [sys.executable, *command], env=environ, capture_output=True, text=True, check=False, timeout=110
    )


def test_it_is_not_there_when_it_is_not_installed() -> None:
    done = run(dict(os.environ), "-m", "tctl", "schema", "version", "--store", "kv:///x.kv")
    assert done.stderr.startswith("Error: No driver is installed for 'kv'; installed are: ")


def test_commands_find_it(installed: dict[str, str], tmp_path: Path) -> None:
    store = f"kv:///{tmp_path}/a.kv"
    plan = run(installed, "-m", "tctl", "schema", "plan", "--store", store)
    assert plan.stdout.startswith("-- keys and values\n\nCREATE TABLE kv"), plan.stderr
    assert run(installed, "-m", "tctl", "schema", "setup", "--store", store).returncode == 0
    assert run(installed, "-m", "tctl", "schema", "check", "--store", store).returncode == 0


def test_it_keeps_the_contract(installed: dict[str, str]) -> None:
    done = run(installed, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(PLUGIN / "contract.py"))
    assert done.returncode == 0, done.stdout[-5000:]
    assert " skipped" not in done.stdout.splitlines()[-1]
