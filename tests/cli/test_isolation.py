"""The command runs apart from the directory it is called in, and imports no more than it needs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
OWN = ("server", "drivers", "tests", "yaml", "grpc", "google", "temporalio", "rich")
TRAP = "import sys; sys.exit('the module of the user was imported')"


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A directory where every name that we import is somebody else's."""
    for name in OWN:
        (tmp_path / f"{name}.py").write_text(TRAP)
    (tmp_path / "settings").mkdir()
    return tmp_path


def run(
    trap: Path, *words: str, python_path: str | None = None, command: str = "tctl"
) -> subprocess.CompletedProcess[str]:
    """Runs the command in the directory."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if python_path is not None:
        environ["PYTHONPATH"] = python_path
    start = [str(BIN / "tctl")] if command == "tctl" else [sys.executable, "-m", "tctl"]
    return subprocess.run(
        [*start, *words], cwd=trap, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


SCHEMA = ("schema", "version", "--store", "sqlite:///here.db")


@pytest.mark.parametrize("python_path", [None, "", ".", f"{os.pathsep}/nowhere", f"/nowhere{os.pathsep}."])
@pytest.mark.parametrize("command", ["tctl", "python -m tctl"])
@pytest.mark.parametrize("words", [("--help",), SCHEMA, ("workflow", "list", "--address", "localhost:1")], ids=" ".join)
def test_modules_of_the_user_are_left_alone(
    trap: Path, python_path: str | None, command: str, words: tuple[str, ...]
) -> None:
    done = run(trap, *words, python_path=python_path, command=command)
    assert "the module of the user" not in done.stderr
    assert done.returncode == (1 if "list" in words else 0), done.stderr
    if "list" in words:
        assert "connection refused" in done.stderr


def test_packages_of_the_user_elsewhere_on_the_path_are_left_alone(
    trap: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A project's folder in PYTHONPATH may hold a `server.py` as well; only our own names are protected there."""
    for name in OWN[3:]:
        (trap / f"{name}.py").unlink()
    done = run(tmp_path_factory.mktemp("elsewhere"), *SCHEMA, python_path=str(trap))
    assert done.returncode == 0, done.stderr


def test_tctl_of_the_user_is_left_alone(trap: Path) -> None:
    (trap / "tctl.py").write_text(TRAP)
    assert run(trap, *SCHEMA).returncode == 0


def test_our_own_directory_is_no_trap() -> None:
    done = run(ROOT, "schema", "version", "--store", "sqlite:///:memory:", command="python -m tctl")
    assert done.returncode == 0, done.stderr


HEAVY = ("grpc", "google.protobuf", "temporalio", "server", "drivers", "yaml", "pydantic")
HELPS = [
    ("--help",),
    ("workflow", "--help"),
    ("workflow", "start", "--help"),
    ("operator", "namespace", "--help"),
    ("server", "start-dev", "--help"),
    ("schema", "setup", "-h"),
    ("task-queue", "describe", "--help"),
]
PROBE = """
import sys
from tctl.__main__ import main
sys.argv = ["tctl", *sys.argv[1:]]
code = main()
print(code, *sorted(sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize("words", HELPS, ids=" ".join)
def test_help_imports_little(words: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, "-c", PROBE, *words], capture_output=True, text=True, timeout=60, check=True)
    code, *modules = done.stderr.split()
    assert code == "0"
    assert [name for name in modules if name.startswith(tuple(f"{heavy}." for heavy in HEAVY)) or name in HEAVY] == []
    groups = {name for name in modules if name in ("tctl.workflow", "tctl.operator", "tctl.server", "tctl.schema")}
    assert len(groups) <= 1


@pytest.mark.parametrize("words", HELPS[:3], ids=" ".join)
def test_help_is_quick(words: tuple[str, ...]) -> None:
    """Within 0.3 s on an idle machine; the best of five, with room for a busy one."""
    took = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([str(BIN / "tctl"), *words], stdout=subprocess.DEVNULL, check=True)
        took.append(time.perf_counter() - began)
        if took[-1] < 0.3:
            break
    assert min(took) < 0.6
