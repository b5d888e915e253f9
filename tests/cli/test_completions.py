"""The completion scripts in `completions/` are those that the commands print, and the one for bash completes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tctl import completion
from tests.cli.conftest import tctl

FOLDER = Path(__file__).parents[2] / "completions"
SCRIPTS = {"bash": "tctl.bash", "zsh": "_tctl", "fish": "tctl.fish"}


@pytest.mark.parametrize("shell", SCRIPTS)
def test_scripts_are_up_to_date(shell: str) -> None:
    """When this fails: tctl completion SHELL > completions/FILE."""
    assert tctl("completion", shell).out == (FOLDER / SCRIPTS[shell]).read_text()


def test_every_command_is_known() -> None:
    tree = completion.tree()
    assert {" workflow start", " operator namespace create", " server start-dev", " schema update"} <= tree.keys()
    assert {"--workflow-id", "--address", "--output", "--help"} <= set(tree[" workflow describe"])


COMPLETED = [
    ("tctl work", ["workflow"]),
    ("tctl workflow sh", ["show"]),
    ("tctl workflow show --f", ["--follow"]),
    ("tctl operator namespace d", ["describe", "delete"]),
    ("tctl --address x:1 workflow lis", ["list"]),
]


@pytest.mark.parametrize(("line", "expected"), COMPLETED)
def test_bash_completes(line: str, expected: list[str]) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    words = line.split(" ")
    script = f'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD={len(words) - 1}; _tctl; echo "${{COMPREPLY[@]}}"'
    command = [bash, "-c", script, "bash", str(FOLDER / "tctl.bash"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == expected


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_read_their_script(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    subprocess.run([shell, "-n", str(FOLDER / SCRIPTS[shell])], check=True)
