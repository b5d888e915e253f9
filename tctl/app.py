"""Finds the command that a command line names, importing its group alone, and turns an error into one sentence."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from tctl.command import CommandError, Unread, names_first

GROUPS = {
    "config": "Check configuration files",
    "completion": "Print the completion script of a shell",
    "operator": "Manage namespaces, search attributes and the cluster",
    "schema": "Set up and update a store's schema",
    "server": "Run a server",
    "task-queue": "Look at task queues",
    "workflow": "Start, look at and change workflow executions",
}
HELP = ("--help", "-h")
VERSION = ("--version", "-v")


def root() -> TyperGroup:
    """The command `tctl` as its help shows it: the groups without their commands."""
    groups: dict[str, Any] = {name: TyperGroup(name=name, help=help) for name, help in GROUPS.items()}
    about = "A Temporal server, and the commands to look at one; --version tells which."
    return TyperGroup(name="tctl", help=about, commands=groups, context_settings={"help_option_names": [*HELP]})


def load(name: str) -> TyperGroup:
    """One group with its commands."""
    module = importlib.import_module(f"tctl.{name.replace('-', '_')}")
    return typer.main.get_group(module.app)


def find(words: Sequence[str]) -> tuple[Any, list[str], list[str]]:
    """The command that the words name, its path, and the words that are left."""
    command: Any = root()
    path, rest = ["tctl"], list(words)
    while rest and rest[0] in getattr(command, "commands", {}):
        command = load(rest[0]) if len(path) == 1 else command.commands[rest[0]]
        path.append(rest.pop(0))
    return command, path, rest


def run(words: Sequence[str]) -> int:
    """Runs one command line and returns its exit code; an error is one sentence on stderr and the code 1."""
    if "--disable-config-env" in words:
        for name in [name for name in os.environ if name.startswith("TEMPORAL_")]:
            del os.environ[name]
    try:
        return _run(words)
    except (typer.Abort, KeyboardInterrupt):
        return _say("program interrupted")
    except Unread:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except CommandError as error:
        return _say(str(error))
    except typer.TyperException as error:
        return _say(error.format_message())
    except Exception as error:  # a user gets a sentence, never a traceback
        if "TCTL_TRACEBACK" in os.environ:
            raise
        return _say(f"{type(error).__name__}: {error}")


def _run(words: Sequence[str]) -> int:
    from tctl.flags import SHARED

    command, path, rest = find(names_first(words, SHARED))
    if len(path) == 1 and set(rest) & {*VERSION}:
        from importlib.metadata import version

        print(f"tctl version {version('tctl')}")
        return 0
    if isinstance(command, TyperGroup) and not set(rest) & {*HELP}:
        if rest:
            raise CommandError(f"unknown command {rest[0]!r} for {' '.join(path)!r}")
        command.main(["--help"], " ".join(path), standalone_mode=False)
        raise CommandError("unknown command")
    code = command.main(rest, " ".join(path), standalone_mode=False)
    return code if isinstance(code, int) else 0


def _say(sentence: str) -> int:
    print("Error:", " ".join(sentence.split()), file=sys.stderr)
    return 1
