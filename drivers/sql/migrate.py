"""Numbered migrations: files `NNNN_(pre|post)_name.sql` in a driver's folder `schema`, each opening with a comment that says what it is for.

`pre` files may be applied while servers of the version before still run, `post` files only when none does. A statement ends with
a semicolon at the end of a line. Each file is one transaction, applied once, in order; the table `migration` lists those applied.
"""

from __future__ import annotations

import re
from functools import cached_property
from importlib.resources import files

from drivers.base import Migration, Refused
from drivers.sql.connections import Connections
from drivers.sql.dialect import Dialect

_VERSION = "SELECT coalesce(max(version), 0) FROM migration"
_FILE = re.compile(r"(\d{4})_(pre|post)_(\w+)\.sql")


class Migrations:
    """The migrations that a driver package ships."""

    def __init__(self, package: str) -> None:
        self._package = package

    @cached_property
    def all(self) -> list[Migration]:
        """In order; their numbers are 1, 2, 3…"""
        found = []
        for file in files(self._package).joinpath("schema").iterdir():
            if match := _FILE.fullmatch(file.name):
                statements = [part.strip() for part in re.split(r";\s*$", file.read_text("utf-8"), flags=re.MULTILINE)]
                found.append(
                    Migration(int(match[1]), file.name.removesuffix(".sql"), [part for part in statements if part])
                )
        found.sort()
        assert [migration.version for migration in found] == list(range(1, len(found) + 1)), (
            "migrations are numbered 1, 2, 3…"
        )
        return found

    @property
    def latest(self) -> int:
        """The version of the last one."""
        return len(self.all)

    def version(self, connections: Connections, dialect: Dialect) -> int:
        """The newest one applied; 0 for an empty database. Raises Unavailable."""
        with connections.reading() as session:
            if not session.run(dialect.migrated).fetchone()[0]:
                return 0
            version: int = session.run(_VERSION).fetchone()[0]
        return version

    def migrate(self, connections: Connections, dialect: Dialect, target: int | None) -> int:
        """Applies those up to `target` that are missing. Raises Unavailable, Unknown, Refused."""
        goal = self.latest if target is None else target
        if not 0 <= goal <= self.latest:
            raise Refused(f"This driver has schema versions up to {self.latest}; {goal} is not one of them.")
        while self._apply_next(connections, dialect, goal):
            pass
        return goal

    def _apply_next(self, connections: Connections, dialect: Dialect, goal: int) -> bool:
        with connections.writing() as session, dialect.migrating(session.connection.cursor()):
            version: int = session.run(_VERSION).fetchone()[0]
            if version > goal:
                raise Refused(f"The schema is at version {version}, newer than {goal}; it cannot go back.")
            if version == goal:
                return False
            migration = self.all[version]
            dialect.apply(session.connection.cursor(), migration)
            session.run("INSERT INTO migration (version, name) VALUES (?, ?)", migration[:2])
        return True
