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
from server.frontend.activity import Activities
from server.frontend.namespace import NamespaceRpcs
from server.frontend.operator import NamespaceDeletion, SearchAttributeRpcs
from server.frontend.system import System
from server.frontend.task_queue import TaskQueues
from server.frontend.visibility import Lists
from server.frontend.workflow import table as workflow_table
from tests.core.generate_state import CORE, generate

ROOT = Path(__file__).resolve().parents[1]
OURS = [
    p for room in ("tctl", "server", "drivers") for p in (ROOT / room).rglob("*.py") if not p.name.endswith("_pb2.py")
]
ALL = [*OURS, *(ROOT / "tests").rglob("*.py")]
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 40
METHODS_MAX = 20
STORE_METHODS_MAX = 18
BANNED = re.compile(r"\b(TODO|FIXME|XXX|HACK|stub that|for now)\b")
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
    assert not [str(p.relative_to(ROOT)) for p in OURS if sleeping.search(p.read_text())]


def test_no_banned_words() -> None:
    found = [(str(p.relative_to(ROOT)), m[0]) for p in OURS for m in BANNED.finditer(p.read_text())]
    assert not found


@pytest.mark.parametrize("path", [p for p in ALL if p.name != "__init__.py"], ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_says_what_it_promises(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), path


def test_generated_messages_are_fresh(tmp_path: Path) -> None:
    generate(tmp_path)
    for name in ("state_pb2.py", "state_pb2.pyi"):
        assert (tmp_path / name).read_text() == (CORE / name).read_text(), f"run `make proto`: {name} is old"


def served() -> set[str]:
    """Every RPC that has a handler."""
    any = MagicMock()
    system = System(any, "")
    return {
        *workflow_table(any),
        *Activities(any).table(),
        *TaskQueues(any, any, "").table(),
        *Lists(any, any).table(),
        *NamespaceRpcs(any, any).table(),
        *system.table(),
        *SearchAttributeRpcs(any).table(),
        *NamespaceDeletion(any, any, any, any).table(),
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
    text = (ROOT / "docs" / "operating.md").read_text()
    assert not [
        key for key, read in settings.KEYS.items() if f"`{key}`" not in text or f"`{read.variable}`" not in text
    ]
