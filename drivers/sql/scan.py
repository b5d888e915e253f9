"""Reads everything that a SQL store holds, part by part: lease by lease its runs, history, pointers and tasks, then the records.

The place behind a part is written as JSON: the lease's number, which of its tables, and the last row of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from drivers.base import Batch, Current, Execution, History, Pending, Record, Refused, RunKey, SetCurrent, Task
from drivers.sql import statements as s
from drivers.sql.changes import RUNS_OF_A_LEASE_BITS
from drivers.sql.visibility import visible_of

Read = Callable[[str, Sequence[Any]], list[Any]]
Position = list[Any] | None  # the last row of a table; None: before the first
_RECORDS = -1  # in place of a lease's number
_LOWEST = -(2**63)


class Scanner:
    """Scans through `read`, which runs a statement with parameters and returns its rows."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._tables = (self._runs, self._history, self._pointers, self._tasks)

    def part(self, after: bytes, limit: int) -> tuple[Batch | list[Record], bytes]:
        """As Store.scan promises."""
        number, table, position = _decoded(after) if after else (0, 0, None)
        if number != _RECORDS and (found := self._read(s.SCAN_LEASE, (number,))):
            number, name, range_id = found[0]
            batch = Batch(name, range_id)
            position = self._tables[table](batch, number, position, limit)
            if position is None:
                table += 1
            return batch, _encoded(*((number + 1, 0) if table == len(self._tables) else (number, table)), position)
        rows = self._read(s.SCAN_RECORDS, (*(position or ("", "")), limit))
        return [Record(*row) for row in rows], _encoded(_RECORDS, 0, rows[-1][:2]) if len(rows) == limit else b""

    def _runs(self, batch: Batch, lease: int, position: Position, limit: int) -> Position:
        low, high = _numbers(lease)
        rows = self._read(s.SCAN_RUNS, (position[0] if position else low, high, limit))
        if not rows:
            return None
        bounds, pending = (rows[0][0], rows[-1][0]), dict[int, list[Pending]]()
        for number, *row in self._read(s.SCAN_PENDING, bounds):
            pending.setdefault(number, []).append(Pending(*row))
        for number, namespace_id, workflow_id, run_id, core, wake_at in rows:
            if core is not None:  # otherwise only other rows of the run are stored
                key = RunKey(namespace_id, workflow_id, run_id)
                batch.executions.append(Execution(key, core, wake_at, None, pending.get(number, ())))
        batch.visible = [visible_of(row) for row in self._read(s.SCAN_VISIBLE, bounds)]
        return _last(rows, limit, 0)

    def _history(self, batch: Batch, lease: int, position: Position, limit: int) -> Position:
        low, high = _numbers(lease)
        run, first = position or (low, 0)
        rows = self._read(s.SCAN_HISTORY, (run, high, run, first, limit))
        batch.history = [History(RunKey(*row[:3]), *row[3:6]) for row in rows]
        return _last(rows, limit, 6, 3)

    def _pointers(self, batch: Batch, lease: int, position: Position, limit: int) -> Position:
        rows = self._read(s.SCAN_POINTERS, (lease, *(position or ("", "")), limit))
        batch.current = [SetCurrent(row[0], row[1], None, Current(*row[2:])) for row in rows]
        return _last(rows, limit, 0, 1)

    def _tasks(self, batch: Batch, lease: int, position: Position, limit: int) -> Position:
        rows = self._read(s.SCAN_TASKS, (lease, *(position or ("", _LOWEST)), limit))
        batch.tasks = [Task(*row) for row in rows]
        return _last(rows, limit, 0, 1)


def _numbers(lease: int) -> tuple[int, int]:
    """Every number of a run of the lease is above the first and below the second."""
    return lease << RUNS_OF_A_LEASE_BITS, (lease + 1) << RUNS_OF_A_LEASE_BITS


def _last(rows: Sequence[Any], limit: int, *columns: int) -> Position:
    """Where a full page ends; None: nothing follows."""
    return [rows[-1][column] for column in columns] if len(rows) == limit else None


def _encoded(number: int, table: int, position: Sequence[Any] | None) -> bytes:
    return json.dumps([number, table, position]).encode()


def _decoded(after: bytes) -> tuple[int, int, Position]:
    try:
        number, table, position = json.loads(after)
    except (ValueError, TypeError) as error:
        raise Refused("The place to go on from is not one of this store.") from error
    return number, table, position
