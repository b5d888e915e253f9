"""The house rules, read from the sources: sizes, words, sleeps, and documents that say what is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from temporalio.api.operatorservice.v1 import service_pb2 as operator_service
from temporalio.api.workflowservice.v1 import service_pb2 as workflow_service

from drivers.base import Store
from server import settings
from server.core import limits
from server.frontend.activity import Activities
from server.frontend.endpoints import EndpointRpcs
from server.frontend.namespace import NamespaceRpcs
from server.frontend.operator import NamespaceDeletion, SearchAttributeRpcs
from server.frontend.standalone import StandaloneActivities
from server.frontend.standalone_nexus import StandaloneOperations
from server.frontend.system import System
from server.frontend.task_queue import TaskQueues
from server.frontend.visibility import Lists
from server.frontend.workflow import table as workflow_table
from server.telemetry import Telemetry
from tests.core.generate_state import SOURCES, generate

HERE = Path(__file__).resolve()
ROOT = HERE.parents[1]
OURS = [
    p for room in ("tctl", "server", "drivers") for p in (ROOT / room).rglob("*.py") if not p.name.endswith("_pb2.py")
]
ALL = [*OURS, *(ROOT / "tests").rglob("*.py")]
OPERATING = (ROOT / "docs" / "operating.md").read_text()
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 40
METHODS_MAX = 20
STORE_METHODS_MAX = 18
BANNED = re.compile(r"\b(TODO|FIXME|XXX|[Hh]ack|HACK|stub that|for now)\b|/home/|/root/")
# They watch real servers and real time from outside.
MAY_SLEEP = {
    "tests/bench/run.py",
    "tests/cluster/test_cluster.py",
    "tests/reference/player.py",
    "tests/reference/test_histories.py",
    "tests/reference/test_pauses.py",
    "tests/sdk/program.py",
    "tests/sdk/test_python.py",
    "tests/sdk/test_stores.py",
    "tests/server/test_crash.py",
    "tests/server/test_store_failures.py",
    "tests/stores.py",
    "tests/server/test_frontend_namespaces.py",
    "tests/server/test_history_engine.py",
    "tests/server/test_history_faults.py",
    "tests/server/test_history_queries.py",
    "tests/server/test_history_reads.py",
    "tests/server/test_history_timers.py",
}
# The faces of a whole service: one method an RPC, each a line or two.
FACES = {"Engine", "Workers", "Workflows", "Partition"}


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{path.relative_to(ROOT)}:{node.name}", node.end_lineno - node.lineno + 1


def test_files_hold_one_concept() -> None:
    long = {str(p.relative_to(ROOT)): n for p in ALL if (n := len(p.read_text().splitlines())) > FILE_LINES_MAX}
    assert not long


def test_functions_are_short() -> None:
    lengths = [length for path in OURS for _, length in functions(path)]
    assert sorted(lengths)[len(lengths) // 2] <= 10
    assert sorted(lengths)[len(lengths) * 9 // 10] <= 30
    assert not {name: length for path in OURS for name, length in functions(path) if length > FUNCTION_LINES_MAX}


def test_classes_have_few_public_methods() -> None:
    wide = {}
    for path in OURS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and node.name not in FACES:
                methods = [n for n in node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
                public = [n.name for n in methods if not n.name.startswith("_")]
                if len(public) > METHODS_MAX:
                    wide[node.name] = len(public)
    assert not wide


def test_the_store_is_narrow() -> None:
    assert len([name for name in vars(Store) if not name.startswith("_")]) <= STORE_METHODS_MAX


def test_nothing_sleeps_where_an_event_would_do() -> None:
    sleeping = re.compile(r"\b(time|asyncio)\.sleep\((?!0\))")
    assert {str(p.relative_to(ROOT)) for p in ALL if sleeping.search(p.read_text())} <= MAY_SLEEP


def test_every_limit_is_looked_at() -> None:
    words = {word for path in OURS if path.name != "limits.py" for word in re.findall(r"\w+", path.read_text())}
    assert not set(limits.KEYS.values()) - words


def test_no_banned_words() -> None:
    texts = [*ALL, *(ROOT / "docs").glob("*.md"), *(ROOT / name for name in ("README.md", "CHANGELOG.md", "Makefile"))]
    found = [(str(p.relative_to(ROOT)), m[0]) for p in texts if p != HERE for m in BANNED.finditer(p.read_text())]
    assert not found


@pytest.mark.parametrize("path", [p for p in ALL if p.name != "__init__.py"], ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_says_what_it_promises(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), path


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_generated_messages_are_fresh(source: Path, tmp_path: Path) -> None:
    generate(source, tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_text() == (source.parent / path.name).read_text(), f"run `make proto`: {path.name} is old"


def served() -> set[str]:
    """Every RPC that has a handler."""
    any = MagicMock()
    system = System(any, "")
    return {
        *workflow_table(any, any),
        *Activities(any).table(),
        *TaskQueues(any, any, "").table(),
        *Lists(any, any).table(),
        *NamespaceRpcs(any, any).table(),
        *system.table(),
        *SearchAttributeRpcs(any).table(),
        *NamespaceDeletion(any, any, any, any).table(),
        *EndpointRpcs(any, any).table(),
        *StandaloneActivities(any, any, any).table(),
        *StandaloneOperations(any, any, any).table(),
        *system.operator_table(),
    }


def test_readme_says_which_rpcs_are_served() -> None:
    rows = [line.split("|") for line in (ROOT / "README.md").read_text().splitlines() if line.count("|") == 4]
    told = [set(re.findall(r"`([A-Z]\w+)`", " ".join(row[column] for row in rows))) for column in (2, 3)]
    names = {
        *workflow_service.DESCRIPTOR.services_by_name["WorkflowService"].methods_by_name,
        *operator_service.DESCRIPTOR.services_by_name["OperatorService"].methods_by_name,
    }
    assert told[0] == served()
    assert told[1] >= names - served()
    assert not told[1] & served()


def test_every_setting_is_documented() -> None:
    names = [*settings.KEYS, *(key.variable for key in settings.KEYS.values()), *dynamic_keys()]
    assert not [name for name in names if f"`{name}`" not in OPERATING]


def dynamic_keys() -> set[str]:
    """Every key of the dynamic configuration that has an effect."""
    kept_alive = {
        f"frontend.keepAlive{name}" for name in re.findall(r'milliseconds\("(\w+)"', text_of("server/run.py"))
    }
    asked = re.compile(r'config\.\w+\("([\w.]+)"')
    return {*limits.KEYS, *kept_alive, *(key for path in OURS for key in asked.findall(path.read_text()))}


def text_of(path: str) -> str:
    return (ROOT / path).read_text()


def test_every_metric_is_documented() -> None:
    names = re.findall(r"# TYPE (\w+) ", Telemetry().text())
    assert len(names) > 5
    assert not [name for name in names if f"`{name}`" not in OPERATING]
