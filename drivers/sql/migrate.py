"""Applies the numbered migrations of a SQL driver: each file is one transaction, applied once, in order, where the database can.

The table `migration` lists those applied.
"""

from __future__ import annotations

from drivers import migrations
from drivers.base import Refused
from drivers.sql.connections import Connections
from drivers.sql.dialect import Dialect

_VERSION = "SELECT coalesce(max(version), 0) FROM migration"


class Migrations(migrations.Migrations):
    """The migrations that a driver package ships."""

    def version(self, connections: Connections, dialect: Dialect) -> int:
        """The newest one applied; 0 for an empty database. Raises Unavailable."""
        with connections.reading() as session:
            if not session.run(dialect.migrated).fetchone()[0]:
                return 0
            version: int = session.run(_VERSION).fetchone()[0]
        return version

    def migrate(self, connections: Connections, dialect: Dialect, target: int | None) -> int:
        """Applies those up to `target` that are missing. Raises Unavailable, Unknown, Refused."""
        goal = self.goal(target)
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
