"""Assembles the command line from its groups, each loaded when it is named, and turns an error into one sentence."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from tctl.command import CommandError, names_first

GROUPS = {
    "operator": "Manage namespaces, search attributes and the cluster",
    "schema": "Set up and update a store's schema",
    "server": "Run a server",
    "task-queue": "Look at task queues",
    "workflow": "Start, look at and change workflow executions",
}


class Lazy(TyperGroup):
    """The root: its groups are modules of this package, imported when one is named."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the groups."""
        return list(GROUPS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A group without its commands, which is all that the help of the root shows."""
        return TyperGroup(name=cmd_name, help=GROUPS[cmd_name]) if cmd_name in GROUPS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The group that is to run, with its commands."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, load(name) if name else found, rest


def load(name: str) -> TyperGroup:
    """One group with its commands."""
    module = importlib.import_module(f"tctl.{name.replace('-', '_')}")
    return typer.main.get_group(module.app)


app = typer.Typer(
    cls=Lazy,
    name="tctl",
    help="A Temporal server, and the commands to look at one.",
    add_completion=False,
    no_args_is_help=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


@app.callback(invoke_without_command=True)
def root(ctx: typer.Context, version: bool = typer.Option(False, "--version", "-v", help="Show the version.")) -> None:
    """A Temporal server, and the commands to look at one."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"tctl version {installed('tctl')}")
        raise typer.Exit()
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit(1)


def run(words: Sequence[str]) -> int:
    """Runs one command line and returns its exit code; an error is one sentence on stderr and the code 1."""
    from tctl.flags import SHARED

    if "--disable-config-env" in words:
        for name in [name for name in os.environ if name.startswith("TEMPORAL_")]:
            del os.environ[name]
    try:
        code = app(names_first(words, SHARED), standalone_mode=False, prog_name="tctl")
        return code if isinstance(code, int) else 0
    except typer.Abort:
        return _say("program interrupted")
    except KeyboardInterrupt:
        return _say("program interrupted")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except CommandError as error:
        return _say(str(error))
    except typer.TyperException as error:
        return _say(error.format_message())
    except Exception as error:
        if "TCTL_TRACEBACK" in os.environ:
            raise
        return _say(f"{type(error).__name__}: {error}")


def _say(sentence: str) -> int:
    print("Error:", " ".join(sentence.split()), file=sys.stderr)
    return 1
