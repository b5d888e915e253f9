"""The store of a server: opened by its URL with the secrets filled in, and looked at before anything is built on it.

A URL may name a secret instead of holding it: `${NAME}` is a variable of the environment, `${file:/path}` what a file holds. Sentences
show the URL as it was written, without a password.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from drivers import registry
from drivers.base import Store, Unavailable
from drivers.copy import MARK
from server.environment import Environment
from server.settings import SettingsError, without_password

REACH_SECONDS_MAX = 60.0
PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 0.1, 5.0

log = logging.getLogger(__name__)
_SECRET = re.compile(r"\$\{(file:)?([^}]*)\}")


def with_secrets(url: str, environ: Mapping[str, str]) -> str:
    """The URL with what it names; a part of it is escaped as URLs ask, the whole of it is not. Raises SettingsError."""

    def secret(found: re.Match[str]) -> str:
        value = _file(found[2]) if found[1] else environ.get(found[2])
        if value is None:
            raise SettingsError(f"the store's URL names the environment variable {found[2]}, which is not set")
        return value if found[0] == url else quote(value, safe="")

    return _SECRET.sub(secret, url)


def scheme(url: str) -> str:
    """The kind of store that the URL names. Raises SettingsError."""
    return with_secrets(url, os.environ).partition(":")[0]


async def reached(url: str, migrate: bool, environment: Environment, stop: asyncio.Event) -> Store:
    """As `opened`; while the database cannot be reached it is tried again, for a minute or until `stop` is set."""
    pause, ends = PAUSE_SECONDS_MIN, environment.monotonic() + REACH_SECONDS_MAX
    while True:
        try:
            return await environment.writing(opened, url, os.environ, migrate)
        except Unavailable as fault:
            if stop.is_set() or environment.monotonic() + pause > ends:
                raise
            log.warning("the store cannot be reached, the next try is in %.1f s: %s", pause, fault)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)
        pause = min(2 * pause, PAUSE_SECONDS_MAX)


def opened(url: str, environ: Mapping[str, str], migrate: bool) -> Store:
    """The store, with the schema that this server needs; `migrate` brings it there first. Raises SettingsError, drivers.base.Fault."""
    full = with_secrets(url, environ)
    store = registry.open_store(full)
    try:
        wanted = len(registry.migrations(full))
        if migrate and store.schema_version() < wanted:
            store.migrate()
        check(url, store, wanted)
    except BaseException:
        store.close()
        raise
    return store


def check(url: str, store: Store, wanted: int) -> None:
    """Returns when a server that knows schema version `wanted` can start on the store. Raises SettingsError that names the command to
    run, Fault."""
    found, shown = store.schema_version(), without_password(url)
    if not found:
        raise SettingsError(f"the database has no schema; run `tctl schema setup --store {shown}`")
    if found < wanted:
        told = f"the database has schema version {found} and this server needs {wanted}"
        raise SettingsError(f"{told}; run `tctl schema update --store {shown}`")
    if found > wanted:
        told = f"the database has schema version {found}, newer than the {wanted} that this server knows"
        raise SettingsError(f"{told}; run `pip install --upgrade tctl`")
    if mark := store.record(*MARK):
        source = json.loads(mark.data)["from"]
        raise SettingsError(
            f"the store holds a part of a copy; run `tctl schema copy --from {source} --to {shown}` to finish it"
        )


def _file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingsError(f"the store's URL names the file {path}, which cannot be read: {reason}") from None
