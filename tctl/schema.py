"""`tctl schema`: sets up, updates and looks at the schema of a store, and copies all that a store holds to another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from tctl.command import CommandError, command, group
from tctl.flags import Local, option

if TYPE_CHECKING:
    from drivers.base import Store
    from drivers.copy import Progress

app = group("Set up, update and copy a store")
Url = Annotated[str, option("--store", envvar="TEMPORAL_SERVER_STORE", help="URL: sqlite:///temporal.db.")]
DryRun = Annotated[bool, option("--dry-run", help="Print the statements and change nothing.")]
Version = Annotated[int | None, option("--version", help="Stop at this version.")]


class Opened:
    """A store, the newest version of its schema, and what leads there."""

    def __init__(self, url: str) -> None:
        from drivers.registry import migrations, open_store
        from server.stores import with_secrets

        full = with_secrets(url, os.environ)
        self.url = url
        self.migrations = migrations(full)
        self.store: Store = open_store(full)

    def check(self) -> None:
        """Raises SettingsError with the command to run, unless a server could start."""
        from server.stores import check

        check(self.url, self.store, len(self.migrations))

    def plan(self, call: Local, target: int | None) -> None:
        """Prints the statements from the version that stands to `target`."""
        found, wanted = self.store.schema_version(), len(self.migrations) if target is None else target
        steps = self.migrations[found:wanted]
        call.printer.data([{**step._asdict(), "statements": list(step.statements)} for step in steps])
        for step in steps:
            call.printer.line(f"-- {step.name}\n", "magenta")
            for statement in step.statements:
                call.printer.line(f"{statement};\n")

    def migrate(self, call: Local, target: int | None) -> None:
        """Brings the schema to `target` and tells the versions."""
        before = self.store.schema_version()
        self.tell(call, self.store.migrate(target), before)

    def tell(self, call: Local, version: int, before: int) -> None:
        """Prints the versions."""
        found = {"version": version, "latest": len(self.migrations), "before": before}
        call.printer.data(found)
        call.printer.card([(name.capitalize(), value) for name, value in found.items()])


@contextmanager
def _opened(url: str) -> Iterator[Opened]:
    from drivers.base import Fault
    from server.settings import SettingsError

    try:
        opened = Opened(url)
        try:
            yield opened
        finally:
            opened.store.close()
    except (Fault, SettingsError) as error:
        raise CommandError(str(error)) from None


@command(app, "setup")
def setup(call: Local, *, store: Url, dry_run: DryRun = False) -> None:
    """Bring an empty database to the newest schema; again changes nothing."""
    with _opened(store) as opened:
        before = opened.store.schema_version()
        if before not in (0, len(opened.migrations)):
            raise CommandError(f"the schema is set up already (version {before}), use 'tctl schema update'")
        if dry_run:
            opened.plan(call, None)
        else:
            opened.migrate(call, None)


@command(app, "update")
def update(call: Local, *, store: Url, version: Version = None, dry_run: DryRun = False) -> None:
    """Bring the schema to the newest version."""
    with _opened(store) as opened:
        if not opened.store.schema_version():
            raise CommandError("the database has no schema, use 'tctl schema setup'")
        if dry_run:
            opened.plan(call, version)
        else:
            opened.migrate(call, version)


@command(app, "plan")
def plan(call: Local, *, store: Url, version: Version = None) -> None:
    """Show the statements that setup or update would run."""
    with _opened(store) as opened:
        opened.plan(call, version)


@command(app, "check")
def check(call: Local, *, store: Url) -> None:
    """Succeed when a server can start on the store, or say which command to run."""
    with _opened(store) as opened:
        opened.check()
        version = opened.store.schema_version()
        opened.tell(call, version, version)


@command(app, "version")
def version_(call: Local, *, store: Url) -> None:
    """Show the version of the schema; 0 for a database without one."""
    with _opened(store) as opened:
        found = opened.store.schema_version()
        opened.tell(call, found, found)


@command(app, "copy")
def copy(
    call: Local,
    *,
    source: Annotated[str, option("--from", metavar="URL", help="Store to copy; no server may run on it.")],
    destination: Annotated[str, option("--to", metavar="URL", help="Empty store, or one with an unfinished copy.")],
) -> None:
    """Copy all that a stopped cluster's store holds to another store, of any kind; run again, it goes on where it was interrupted."""
    from drivers.base import Unavailable, Unknown
    from drivers.copy import Copy
    from server.settings import without_password

    with _opened(source) as here, _opened(destination) as there, _progress() as progress:
        here.check()
        there.store.migrate()
        try:
            counts = dict(Copy(here.store, there.store, without_password(source), progress).run())
        except (Unavailable, Unknown) as fault:
            raise CommandError(f"{fault} Run the same command again, and it goes on from here.") from None
    call.printer.data(counts)
    call.printer.card([(kind.capitalize(), count) for kind, count in counts.items()])


@contextmanager
def _progress() -> Iterator[Progress]:
    """Shows how far it has come, on a terminal."""
    import sys

    if not sys.stderr.isatty():
        yield lambda _what, _rows, _total: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda what, rows, total: bar.update(task, description=what, completed=rows, total=total)
