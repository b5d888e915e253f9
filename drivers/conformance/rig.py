"""What a driver supplies to be tested: stores on one empty database, and ways to break their connections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import pytest

from drivers.base import Store, Visibility


class Database(Store, Visibility, Protocol):
    """A store that lists, too."""


@dataclass(frozen=True)
class Requirements:
    """What the suite asks beyond the plain contract. Empty text: the driver can; other text: the reason why it cannot."""

    second_store: str = ""  # a second store, in this or another process, on the same database
    broken_connections: str = ""  # the rig's cut, lose_commit and lose_answer
    nul_in_ids: str = ""  # U+0000 within an id


class Plan:
    """What is to break on the connections of a store, which ask it before each statement: the one that writes next, `after` so many
    statements; or the next COMMIT (`commit`: it is not sent, `answer`: it is)."""

    def __init__(self) -> None:
        self.after: int | None = None
        self.lose = ""

    def breaks(self, statement: object) -> bool:
        """Whether the connection breaks at this statement; counts it."""
        if (self.lose and statement == "COMMIT") or self.after == 0:
            self.after = None
            return True
        if self.after is not None:
            self.after -= 1
        return False

    def answer_is_lost(self) -> bool:
        """Whether the statement at which the connection breaks is done all the same; asked once."""
        lost, self.lose = self.lose, ""
        return lost == "answer"

    def heal(self) -> bool:
        """Takes back what has not happened; says whether there was anything."""
        waiting = self.after is not None or bool(self.lose)
        self.after, self.lose = None, ""
        return waiting


class Rig:
    """One database, empty at first. A driver overrides what it can and states the rest in `requirements`."""

    requirements = Requirements()
    url = ""  # opens the database through drivers.registry in another process

    def open(self) -> Database:
        """A new store on the database, its schema untouched."""
        raise NotImplementedError

    def fresh(self) -> Rig:
        """A rig on another empty database."""
        raise NotImplementedError

    def plan(self, store: Database) -> Plan:
        """The plan that the connections of `store` ask. A rig that breaks them in another way overrides the four methods below."""
        raise NotImplementedError

    def cut(self, store: Database, after: int) -> None:
        """The connection that `store` next writes with breaks after so many statements, before the next one is sent."""
        self.plan(store).after = after

    def lose_commit(self, store: Database) -> None:
        """The next transaction's COMMIT does not arrive, and nobody tells the store."""
        self.plan(store).lose = "commit"

    def lose_answer(self, store: Database) -> None:
        """The next transaction's COMMIT arrives, its answer does not."""
        self.plan(store).lose = "answer"

    def heal(self, store: Database) -> bool:
        """Takes back a break that has not happened; says whether there was one."""
        return self.plan(store).heal()

    def schema(self) -> object:
        """A comparable description of the database's schema."""
        raise NotImplementedError

    def pretend_version(self, version: int) -> None:
        """Notes in the database that its schema is at that version."""
        raise NotImplementedError


class Contract:
    """The base of the suite's classes: the fixture `store` is a migrated store of the driver's fixture `rig`."""

    @pytest.fixture
    def store(self, rig: Rig) -> Iterator[Database]:
        store = rig.open()
        store.migrate()
        yield store
        store.close()

    @pytest.fixture
    def second(self, rig: Rig, store: Database) -> Iterator[Database]:
        need(rig.requirements.second_store)
        second = rig.open()
        yield second
        second.close()


def need(reason: str) -> None:
    """Skips the test when there is a reason why the driver cannot."""
    if reason:
        pytest.skip(reason)
