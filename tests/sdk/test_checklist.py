"""The official Go, Java and TypeScript SDKs, each with a program that goes through the whole checklist on a real server process."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from tests.sdk.checklist import CHECKS, EVERYWHERE
from tests.servers import Server

HERE = Path(__file__).resolve().parent
PREFIX = "EVENT_TYPE_"


def needed(program: str) -> str:
    path = shutil.which(program)
    assert path is not None, f"{program} is needed for this test: `make tools` installs it"
    return path


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def go(address: str, folder: Path) -> str:
    run(needed("go"), "build", "-o", folder / "checklist", ".", cwd=HERE / "go")
    return run(folder / "checklist", address, cwd=folder)


def java(address: str, folder: Path) -> str:
    libraries = HERE / "java" / "target" / "lib"
    assert libraries.is_dir(), "the Java SDK is needed for this test: `make tools` fetches it"
    sources = sorted((HERE / "java").glob("*.java"))
    run(needed("javac"), "-parameters", "-cp", f"{libraries}/*", "-d", folder, *sources, cwd=folder)
    return run(needed("java"), "-cp", f"{folder}:{libraries}/*", "Main", address, cwd=folder)


def typescript(address: str, _folder: Path) -> str:
    return run(needed("node"), "main.js", address, cwd=HERE / "typescript")


@cache
def seen(language: str, address: str, folder: Path) -> dict[str, dict[str, Any]]:
    """What the program printed, by check; or under "" why it could not run."""
    folder.mkdir()
    try:
        text = {"go": go, "java": java, "typescript": typescript}[language](address, folder)
    except AssertionError as error:
        return {"": {"error": str(error)}}
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return {line["check"]: line for line in lines}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checklist")


def in_order(wanted: tuple[str, ...], found: list[str]) -> bool:
    rest = iter(found)
    return all(event in rest for event in wanted)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("language", EVERYWHERE)
def test_nothing_is_left_out(language: str, server: Server, folder: Path) -> None:
    wanted = {name for name, check in CHECKS.items() if language in check.languages}
    found = seen(language, server.address, folder / language)
    assert set(found) == wanted, found.get("")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("language", "name"),
    [(language, name) for language in EVERYWHERE for name, check in CHECKS.items() if language in check.languages],
)
async def test_check(language: str, name: str, server: Server, folder: Path) -> None:
    check, lines = CHECKS[name], seen(language, server.address, folder / language)
    assert name in lines, lines.get("")
    line = lines[name]
    assert "error" not in line, line["error"]
    assert line["saw"] == check.saw
    client = await Client.connect(server.address)
    history = await client.get_workflow_handle(line["workflow"], run_id=line["run"]).fetch_history()
    found = [EventType.Name(event.event_type).removeprefix(PREFIX) for event in history.events]
    assert in_order(check.events, found), " ".join(found)
    assert {event: Counter(found)[event] for event in check.times} == check.times, " ".join(found)
    assert [event.event_id for event in history.events] == list(range(1, len(found) + 1))
