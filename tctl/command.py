"""How a function becomes a command: its sets of options are spread over the command line and gathered again for the call.

The command line that results takes what the official one takes: shared flags anywhere, also before the command's name, and
`--flag=false` as well as `--flag`.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, get_type_hints

import typer
from typer.core import TyperCommand

F = TypeVar("F", bound=Callable[..., None])
SETTINGS = {"help_option_names": ["--help", "-h"]}


class CommandError(Exception):
    """The command did not succeed; the message is the one sentence that the user sees on stderr."""


def quoted(text: str) -> str:
    """A text in sentences, as Go's %q writes it."""
    return json.dumps(text, ensure_ascii=False)


class Unread(Exception):
    """Whoever read the output has gone, which is no failure of the command."""


def group(help: str) -> typer.Typer:
    """An empty group of commands."""
    return typer.Typer(help=help, add_completion=False, context_settings=SETTINGS)


def command(app: typer.Typer, name: str, **attrs: Any) -> Callable[[F], F]:
    """Adds a function to `app` as the command `name`; arguments that are sets of options become their options."""

    def register(function: F) -> F:
        hints = get_type_hints(function, include_extras=True)
        hints.pop("return", None)
        defaults = inspect.signature(function).parameters
        own = {key: _parameter(key, hint, defaults[key].default) for key, hint in hints.items() if not _is_set(hint)}
        sets = [hint for hint in hints.values() if _is_set(hint)]
        for each in reversed(sets):  # the first argument, what every command takes, is shown last
            own |= options(each)

        @functools.wraps(function)
        def run(**values: Any) -> None:
            given = {key: _gather(hint, values) if _is_set(hint) else values[key] for key, hint in hints.items()}
            try:
                function(**given)
                sys.stdout.flush()
            except BrokenPipeError:
                raise Unread from None
            except KeyboardInterrupt:
                raise CommandError("program interrupted") from None

        run.__signature__ = inspect.Signature(list(own.values()))  # type: ignore[attr-defined]
        run.__annotations__ = {key: each.annotation for key, each in own.items()}
        app.command(name, cls=Command, context_settings=SETTINGS, **attrs)(run)
        return function

    return register


@functools.cache
def options(kind: Any) -> dict[str, inspect.Parameter]:
    """Every option in a set and in the sets inside it, by name."""
    found: dict[str, inspect.Parameter] = {}
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        if _is_set(hints[field.name]):
            found |= options(hints[field.name])
        elif field.default_factory is not dataclasses.MISSING:
            found[field.name] = _parameter(field.name, hints[field.name], field.default_factory())
        else:
            absent = field.default is dataclasses.MISSING
            found[field.name] = _parameter(
                field.name, hints[field.name], inspect.Parameter.empty if absent else field.default
            )
    return found


def names_first(words: Sequence[str], shared: Mapping[str, bool]) -> list[str]:
    """Moves shared flags that stand before the names of commands behind them, as Go programs take them anywhere.
    `shared` says of each such flag whether a value follows it."""
    names: list[str] = []
    flags: list[str] = []
    rest = list(words)
    while rest and (not rest[0].startswith("-") or _flag(rest[0]) in shared):
        word = rest.pop(0)
        if not word.startswith("-"):
            names.append(word)
            continue
        flags.append(word)
        if shared.get(word) and rest:
            flags.append(rest.pop(0))
    return [*names, *flags, *rest]


def _flag(word: str) -> str:
    """The flag in `--flag`, `--flag=value`, `-f` and `-fvalue`."""
    return word.partition("=")[0] if word.startswith("--") else word[:2]


class Command(TyperCommand):
    """A command that also takes what Go programs take: `--flag=true`, `--flag=false`, `-f=value` and `-h`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments left over. Raises a usage error."""
        switches = {
            name: list(param.secondary_opts[:1])
            for param in self.params
            if getattr(param, "is_flag", False)
            for name in param.opts
        }
        return super().parse_args(ctx, [part for word in args for part in _plain(word, switches)])


def _plain(word: str, switches: dict[str, list[str]]) -> list[str]:
    name, equals, value = word.partition("=")
    if equals and name in switches and value.lower() in ("true", "t", "1"):
        return [name]
    if equals and name in switches and value.lower() in ("false", "f", "0"):
        return switches[name]
    return [name, value] if equals and re.fullmatch("-[a-z]", name) else [word]


def _is_set(hint: Any) -> bool:
    return dataclasses.is_dataclass(hint)


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _gather(kind: Any, values: dict[str, Any]) -> Any:
    """The set of options `kind`, filled from the values by name."""
    hints = get_type_hints(kind)
    filled = {
        field.name: _gather(hints[field.name], values) if _is_set(hints[field.name]) else values[field.name]
        for field in dataclasses.fields(kind)
    }
    return kind(**filled)
