"""Turns merged changes into few statements of many rows each.

Few statements matter more than their total work: at every call into the database client another Python thread may take the
interpreter and keep it for a while, so the number of calls, not of rows, decides how long a commit takes on a busy server.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from drivers.base import SearchValue, Visible
from drivers.sql import statements as s
from drivers.sql.changes import Changes, Lease, Row, Run
from drivers.sql.connections import Session
from drivers.sql.dialect import Columns, Dialect, Table


class Writer:
    """Writes rows with one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def write(self, session: Session, changes: Changes, leases: Iterable[Lease]) -> None:
        """Everything, in the open transaction of `session`."""
        runs = list(changes.runs.values())
        self._wipe(session, [run for run in runs if run.wiped and run.present])
        self._upsert(session, s.RUN, [row for run in runs if (row := run.row())])
        self._rows(session, s.POINTER, ((key, value) for key, value in changes.pointers.items()))
        self._rows(
            session,
            s.PENDING,
            (
                ((run.number, *key), data if data is None else (data,))
                for run in runs
                for key, data in run.pending.items()
            ),
        )
        self._upsert(session, s.HISTORY, [(run.number, *row[1:]) for run in runs for row in run.history.values()])
        self._rows(session, s.TASK, ((key, data if data is None else (data,)) for key, data in changes.tasks.items()))
        self._write_visible(session, [run for run in runs if run.visible])
        for lease in leases:
            if lease.grown:
                session.run(s.LEASE_RUNS, (lease.reserved, lease.number))

    def ask(
        self, session: Session, statement: str, columns: Columns, rows: Sequence[Row], suffix: str = ""
    ) -> Iterator[Any]:
        """Sends `statement` for where the columns equal one of the rows; in a pipeline it is waited for when a row is looked at."""
        cursors = (
            session.run(statement + condition + suffix, parameters)
            for condition, parameters in self._dialect.matches(columns, rows)
        )
        asked = list(cursors) if self._dialect.pipelined else cursors
        found = (row for cursor in asked for row in cursor.fetchall())
        return found if self._dialect.pipelined else iter(list(found))

    def _wipe(self, session: Session, runs: Sequence[Run]) -> None:
        numbers = [(run.number,) for run in runs]
        for table in s.OF_A_RUN:
            self._delete(session, table, s.OF_RUN, numbers)
        self._delete(session, "run", s.RUN.key, numbers)

    def _rows(self, session: Session, table: Table, changed: Iterable[tuple[Row, Row | None]]) -> None:
        """Deletes the keys that have no values any more, writes the others."""
        gone: list[Row] = []
        kept: list[Row] = []
        for key, values in changed:
            if values is None:
                gone.append(key)
            else:
                kept.append((*key, *values))
        self._delete(session, table.name, table.key, gone)
        self._upsert(session, table, kept)

    def _upsert(self, session: Session, table: Table, rows: Sequence[Row]) -> None:
        for statement, parameters in self._dialect.upserts(table, rows):
            session.run(statement, parameters)

    def _delete(self, session: Session, table: str, columns: Columns, rows: Sequence[Row]) -> None:
        for condition, parameters in self._dialect.matches(columns, rows):
            session.run(f"DELETE FROM {table} WHERE {condition}", parameters)

    def _write_visible(self, session: Session, runs: Sequence[Run]) -> None:
        self._delete(session, "search", s.OF_RUN, [(run.number,) for run in runs if run.present and not run.wiped])
        self._upsert(session, s.VISIBLE, [visible_row(run.number, run.visible) for run in runs if run.visible])
        self._upsert(
            session, s.SEARCH, [row for run in runs if run.visible for row in search_rows(run.number, run.visible)]
        )


def visible_row(number: int, visible: Visible) -> Row:
    """A row of the table of lists."""
    return (
        number,
        *visible.key,
        visible.workflow_type,
        visible.task_queue,
        visible.status,
        visible.start_time,
        visible.execution_time,
        visible.close_time or None,
        visible.close_time or s.NO_CLOSE,
        visible.history_length,
        visible.history_size_bytes,
        visible.state_transition_count,
        visible.parent_workflow_id or None,
        visible.parent_run_id or None,
        visible.root_workflow_id or None,
        visible.root_run_id or None,
        visible.memo,
        visible.attributes,
        json.dumps(dict(visible.search_attributes), ensure_ascii=False) if visible.search_attributes else "{}",
    )


def search_rows(number: int, visible: Visible) -> Iterator[Row]:
    """One row for each value of each custom search attribute."""
    for name, value in visible.search_attributes.items():
        for position, one in enumerate(value if isinstance(value, list) else (value,)):
            yield (number, name, position, *_typed(one))


def _typed(value: SearchValue) -> Row:
    if isinstance(value, str):
        return (value, None, None)
    return (None, None, value) if isinstance(value, float) else (None, int(value), None)  # type: ignore[arg-type]
