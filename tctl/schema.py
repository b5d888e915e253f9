"""`tctl schema`: sets up and updates the schema of a store, and tells its version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from tctl.command import CommandError, command, group
from tctl.flags import Local, option

if TYPE_CHECKING:
    from drivers.base import Store

app = group("Set up and update a store's schema")
Url = Annotated[str, option("--store", envvar="TEMPORAL_SERVER_STORE", help="URL: sqlite:///temporal.db.")]


@contextmanager
def _opened(url: str) -> Iterator[Store]:
    from drivers.base import Fault
    from drivers.registry import open_store

    try:
        store = open_store(url)
        try:
            yield store
        finally:
            store.close()
    except Fault as error:
        raise CommandError(str(error)) from None


def _tell(call: Local, url: str, version: int, before: int) -> None:
    from drivers.registry import migrations

    found = {"version": version, "latest": len(migrations(url)), "before": before}
    call.printer.data(found)
    call.printer.card([(name.capitalize(), value) for name, value in found.items()])


@command(app, "setup")
def setup(call: Local, *, store: Url) -> None:
    """Bring an empty database to the newest schema."""
    with _opened(store) as opened:
        before = opened.schema_version()
        if before:
            raise CommandError(f"the schema is set up already (version {before}), use 'tctl schema update'")
        _tell(call, store, opened.migrate(), before)


@command(app, "update")
def update(
    call: Local,
    *,
    store: Url,
    version: Annotated[int | None, option("--version", help="Stop at this version.")] = None,
) -> None:
    """Bring the schema to the newest version."""
    with _opened(store) as opened:
        before = opened.schema_version()
        if not before:
            raise CommandError("the database has no schema, use 'tctl schema setup'")
        _tell(call, store, opened.migrate(version), before)


@command(app, "version")
def version_(call: Local, *, store: Url) -> None:
    """Show the version of the schema; 0 for a database without one."""
    with _opened(store) as opened:
        found = opened.schema_version()
        _tell(call, store, found, found)
