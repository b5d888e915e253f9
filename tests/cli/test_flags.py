"""Every flag of the official command line is there, under the same names and with the same environment variable."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tctl.app import find
from tests.cli.conftest import official, tctl

COMMANDS = [
    f"{group} {name}"
    for group, names in {
        "workflow": ("start", "execute", "describe", "show", "list", "count", "signal", "query", "cancel", "terminate"),
        "workflow ": ("delete", "result"),
        "server": ("start-dev",),
        "task-queue": ("describe",),
        "operator namespace": ("create", "describe", "list", "update", "delete"),
        "operator search-attribute": ("list", "create", "remove"),
        "operator cluster": ("health", "system", "describe"),
    }.items()
    for name in names
]
LEFT_OUT = {
    "--env": "deprecated by its authors in favour of --profile",
    "--env-file": "deprecated by its authors in favour of --config-file",
}


def ours(path: str) -> Any:
    """Our command."""
    return find(path.split())[0]


def flags(command: Any) -> dict[str, Any]:
    """Every way to write each option of a command."""
    return {name: param for param in command.params for name in (*param.opts, *param.secondary_opts)}


@pytest.mark.parametrize("path", COMMANDS)
def test_flags_of_a_command(path: str) -> None:
    found = re.findall(r"^ +(?:(-\w), |    )(--[\w-]+)", official(*path.split(), "--help").out, re.MULTILINE)
    assert found
    known = flags(ours(path))
    for short, name in found:
        if name != "--help":
            assert name in known, f"{path} {name}"
            assert not short or short in known[name].opts, f"{path} {short}"


def test_shared_flags() -> None:
    rows = re.findall(r"^  (--[\w-]+)(?:, (-\w))? ?\S* +(TEMPORAL_\w+)?", official("options").out, re.MULTILINE)
    assert len(rows) > 30
    known = flags(ours("workflow list"))
    for name, short, variable in rows:
        if name in LEFT_OUT:
            continue
        assert name in known, name
        assert not short or short in known[name].opts
        variables = known[name].envvar or []
        assert not variable or variable in ([variables] if isinstance(variables, str) else variables), name


def test_flags_may_stand_anywhere(address: str) -> None:
    count = ("workflow", "count")
    asked = [
        (*count, "--address", address, "-o", "json"),
        ("--address", address, "-o", "json", *count),
        (f"--address={address}", "workflow", "-o=json", "count"),
        ("workflow", "--address", address, "--tls=false", "count", "-o", "json"),
        ("--no-json-shorthand-payloads=true", "-ojson", *count, "--address", address),
    ]
    assert {tctl(*words).out for words in asked} == {tctl(*asked[0]).out}
    assert tctl(*asked[0]).code == 0
