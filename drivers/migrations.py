"""The numbered steps of a schema that a driver package ships: files `NNNN_(pre|post)_name.suffix` in its folder `schema`.

Each opens with a comment that says what it is for. `pre` files may be applied while servers of the version before still run, `post` files
only when none does. A statement ends with a semicolon at the end of a line.
"""

from __future__ import annotations

import re
from functools import cached_property
from importlib.resources import files

from drivers.base import Migration, Refused


class Migrations:
    """The migrations in a package."""

    def __init__(self, package: str, suffix: str = "sql") -> None:
        self._package = package
        self._suffix = suffix

    @cached_property
    def all(self) -> list[Migration]:
        """In order; their numbers are 1, 2, 3…"""
        found, name = [], re.compile(rf"((\d{{4}})_(pre|post)_\w+)\.{self._suffix}")
        for file in files(self._package).joinpath("schema").iterdir():
            if match := name.fullmatch(file.name):
                statements = [part.strip() for part in re.split(r";\s*$", file.read_text("utf-8"), flags=re.MULTILINE)]
                found.append(Migration(int(match[2]), match[1], [part for part in statements if part]))
        found.sort()
        assert [migration.version for migration in found] == list(range(1, len(found) + 1)), (
            "migrations are numbered 1, 2, 3…"
        )
        return found

    @property
    def latest(self) -> int:
        """The version of the last one."""
        return len(self.all)

    def goal(self, target: int | None) -> int:
        """The version to bring a schema to. Raises Refused."""
        goal = self.latest if target is None else target
        if not 0 <= goal <= self.latest:
            raise Refused(f"This driver has schema versions up to {self.latest}; {goal} is not one of them.")
        return goal
