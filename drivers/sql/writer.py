"""Turns merged changes into few statements of many rows each.

Few statements matter more than their total work: at every call into the database client another Python thread may take the
interpreter and keep it for a while, so the number of calls, not of rows, decides how long a commit takes on a busy server.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from drivers.base import SearchValue, Visible
from drivers.sql import statements as s
from drivers.sql.changes import Changes, Lease, Row, Run
from drivers.sql.dialect import Cursor, Dialect, Table

# A statement's text depends on its number of rows: few numbers occur, so that each text stays prepared.
_ROWS = (128, 96, 64, 48, *range(32, 0, -1))


class Writer:
    """Writes rows with one dialect. Texts of statements are kept."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._upserts: dict[tuple[Table, int], str] = {}

    def write(self, cursor: Cursor, changes: Changes, leases: Iterable[Lease]) -> None:
        """Everything, in the open transaction of `cursor`."""
        runs = list(changes.runs.values())
        self._wipe(cursor, [run for run in runs if run.wiped and run.present])
        self._upsert(cursor, s.RUN, [row for run in runs if (row := run.row())])
        self._rows(cursor, s.POINTER, ((key, value) for key, value in changes.pointers.items()))
        self._rows(
            cursor,
            s.PENDING,
            (
                ((run.number, *key), data if data is None else (data,))
                for run in runs
                for key, data in run.pending.items()
            ),
        )
        self._upsert(cursor, s.HISTORY, [(run.number, *row[1:]) for run in runs for row in run.history.values()])
        self._rows(cursor, s.TASK, ((key, data if data is None else (data,)) for key, data in changes.tasks.items()))
        self._write_visible(cursor, [run for run in runs if run.visible])
        for lease in leases:
            if lease.grown:
                cursor.execute(self._dialect.sql(s.LEASE_RUNS), (lease.runs, lease.number))

    def select(
        self, cursor: Cursor, statement: str, columns: Sequence[str], rows: Sequence[Row], suffix: str = ""
    ) -> Iterator[Any]:
        """What `statement` finds where the columns equal one of the rows."""
        for part in self._parts(rows, len(columns)):
            condition = self._dialect.among(columns, len(part))
            cursor.execute(self._dialect.sql(statement + condition + suffix), [value for row in part for value in row])
            yield from cursor.fetchall()

    def _wipe(self, cursor: Cursor, runs: Sequence[Run]) -> None:
        numbers = [(run.number,) for run in runs]
        for table in s.OF_A_RUN:
            self._delete(cursor, table, ("run",), numbers)
        self._delete(cursor, "run", ("number",), numbers)

    def _rows(self, cursor: Cursor, table: Table, changed: Iterable[tuple[Row, Row | None]]) -> None:
        """Deletes the keys that have no values any more, writes the others."""
        gone: list[Row] = []
        kept: list[Row] = []
        for key, values in changed:
            if values is None:
                gone.append(key)
            else:
                kept.append((*key, *values))
        self._delete(cursor, table.name, table.key, gone)
        self._upsert(cursor, table, kept)

    def _upsert(self, cursor: Cursor, table: Table, rows: Sequence[Row]) -> None:
        for part in self._parts(rows, len(table.columns)):
            statement = self._upserts.get((table, len(part)))
            if statement is None:
                statement = self._upserts[table, len(part)] = self._dialect.sql(self._dialect.upsert(table, len(part)))
            cursor.execute(statement, list(chain.from_iterable(part)))

    def _delete(self, cursor: Cursor, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        for part in self._parts(rows, len(columns)):
            condition = self._dialect.among(columns, len(part))
            cursor.execute(self._dialect.sql(f"DELETE FROM {table} WHERE {condition}"), list(chain.from_iterable(part)))

    def _write_visible(self, cursor: Cursor, runs: Sequence[Run]) -> None:
        self._delete(cursor, "search", ("run",), [(run.number,) for run in runs if run.present and not run.wiped])
        self._upsert(cursor, s.VISIBLE, [visible_row(run.number, run.visible) for run in runs if run.visible])
        self._upsert(
            cursor, s.SEARCH, [row for run in runs if run.visible for row in search_rows(run.number, run.visible)]
        )

    def _parts(self, rows: Sequence[Row], width: int) -> Iterator[Sequence[Row]]:
        start, limit = 0, self._dialect.parameters_max // width
        while start < len(rows):
            size = next(size for size in _ROWS if size <= min(len(rows) - start, limit))
            yield rows[start : start + size]
            start += size


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
