"""Lists and counts of runs: the filter tree of drivers.base becomes one SQL condition.

Logic has two values: a comparison with an absent value is false, whatever the operator, and `Not` of it is true. SQL's NULL comes to
the same: only `Not` could tell it from false, and it is written IS NOT TRUE. An attribute that
is a list of keywords equals a value when one of them does, and differs from it (`!=`) when it has some and none does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from drivers.base import Compare, Filter, IsNull, Junction, Not, OneOf, Refused, RunKey, Visible
from drivers.sql import statements as s
from drivers.sql.connections import Connections

Value = str | int | float | bool
Condition = tuple[str, list[Any]]

COLUMNS = {
    "WorkflowId": "workflow_id",
    "RunId": "run_id",
    "WorkflowType": "workflow_type",
    "TaskQueue": "task_queue",
    "ExecutionStatus": "status",
    "StartTime": "start_time",
    "ExecutionTime": "execution_time",
    "CloseTime": "close_time",
    "ExecutionDuration": "(close_time - execution_time)",
    "HistoryLength": "history_length",
    "HistorySizeBytes": "history_size_bytes",
    "StateTransitionCount": "state_transition_count",
    "ParentWorkflowId": "parent_workflow_id",
    "ParentRunId": "parent_run_id",
    "RootWorkflowId": "root_workflow_id",
    "RootRunId": "root_run_id",
}
_OPERATORS = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_TEXTS = {name for name in COLUMNS if name.endswith(("Id", "Type", "Queue"))}
_LIST = f"""
SELECT {", ".join(s.VISIBLE.columns.names)} FROM visible WHERE namespace_id = ? AND ({{condition}})
ORDER BY closed DESC, start_time DESC, run_id DESC LIMIT ?"""
_AFTER = "closed <= ? AND (closed, start_time, run_id) < (?, ?, ?)"
_COUNT = "SELECT {group}, count(*) FROM visible WHERE namespace_id = ? AND ({condition})"


class SqlVisibility:
    """The half of a SQL store that lists."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def list_visible(
        self, namespace_id: str, filter: Filter | None, after: bytes, limit: int
    ) -> tuple[list[Visible], bytes]:
        condition, values = compile_filter(filter)
        if after:
            closed, start_time, run_id = _decode(after)
            condition, values = (f"({condition}) AND {_AFTER}", [*values, closed, closed, start_time, run_id])
        with self._connections.reading() as session:
            rows = session.run(_LIST.format(condition=condition), (namespace_id, *values, limit + 1)).fetchall()
        found = [visible_of(row) for row in rows[:limit]]
        return found, _encode(found[-1]) if len(rows) > limit else b""

    def count_visible(self, namespace_id: str, filter: Filter | None, group_by: str = "") -> list[tuple[object, int]]:
        if group_by and group_by not in COLUMNS:
            raise Refused(f"Runs cannot be grouped by {group_by!r}.")
        condition, values = compile_filter(filter)
        column = COLUMNS.get(group_by, "NULL")
        statement = _COUNT.format(group=column, condition=condition)
        if group_by:
            statement += f" GROUP BY {column} ORDER BY {column}"
        with self._connections.reading() as session:
            return [(row[0], row[1]) for row in session.run(statement, (namespace_id, *values)).fetchall()]


def compile_filter(filter: Filter | None) -> Condition:
    """The condition and its parameters. Raises Refused."""
    match filter:
        case None:
            return "1 = 1", []
        case Not(part):
            condition, values = compile_filter(part)
            return f"({condition}) IS NOT TRUE", values
        case Junction(op, parts):
            if op not in ("AND", "OR") or not parts:
                raise Refused(f"Parts cannot be joined with {op!r}.")
            compiled = [compile_filter(part) for part in parts]
            return f" {op} ".join(f"({one})" for one, _ in compiled), [value for _, some in compiled for value in some]
        case IsNull(field, negated):
            return _is_null(field, negated)
        case OneOf(field, values, negated):
            return _one_of(field, values, negated)
        case Compare(field, op, value):
            return _one_of(field, (value,), op == "!=") if op in ("=", "!=") else _compare(field, op, value)


def _is_null(field: str, negated: bool) -> Condition:
    if field in COLUMNS:
        return f"{COLUMNS[field]} IS {'NOT ' if negated else ''}NULL", []
    present, values = _exists(field, "1 = 1", [])
    return (present if negated else f"NOT {present}"), values


def _one_of(field: str, values: Sequence[Value], negated: bool) -> Condition:
    if field in COLUMNS:
        _check(field, values)
        marks = ", ".join("?" * len(values))
        return f"{COLUMNS[field]} {'NOT ' if negated else ''}IN ({marks})", list(values)
    compiled = [_value_test("=", value) for value in values]
    equal, parameters = _exists(
        field, " OR ".join(one for one, _ in compiled), [each for _, some in compiled for each in some]
    )
    if not negated:
        return equal, parameters
    present, names = _is_null(field, negated=True)
    return f"({present} AND NOT {equal})", [*names, *parameters]


def _compare(field: str, op: str, value: Value) -> Condition:
    if op == "not starts":
        present, names = _is_null(field, negated=True)
        starts, values = _compare(field, "starts", value)
        return f"({present} AND NOT {starts})", [*names, *values]
    if op not in _OPERATORS and op != "starts":
        raise Refused(f"There is no operator {op!r}.")
    if field not in COLUMNS:
        return _exists(field, *_value_test(op, value))
    _check(field, (value,))
    return _test(COLUMNS[field], op, value)


def _check(field: str, values: Sequence[Value]) -> None:
    """A column holds text or numbers; compared with the other kind, databases disagree about what is greater."""
    for value in values:
        if isinstance(value, str) != (field in _TEXTS):
            raise Refused(f"{field} cannot be compared with {value!r}.")


def _exists(field: str, test: str, values: list[Any]) -> Condition:
    return (f"EXISTS (SELECT 1 FROM search WHERE search.run = visible.run AND name = ? AND ({test}))", [field, *values])


def _value_test(op: str, value: Value) -> Condition:
    if isinstance(value, str):
        return _test("word", op, value)
    if op == "starts":
        raise Refused(f"A prefix is text, not {value!r}.")
    number = int(value) if isinstance(value, bool) else value
    return f"(whole {_OPERATORS[op]} ? OR fraction {_OPERATORS[op]} ?)", [number, number]


def _test(column: str, op: str, value: Value) -> Condition:
    if op != "starts":
        return f"{column} {_OPERATORS[op]} ?", [value]
    if not isinstance(value, str):
        raise Refused(f"A prefix is text, not {value!r}.")
    above = _above_prefix(value)
    return (f"({column} >= ? AND {column} < ?)", [value, above]) if above else (f"{column} >= ?", [value])


def _above_prefix(prefix: str) -> str:
    """The lowest text that is higher than every text with this prefix; empty when there is none."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return ""
    code = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if code == 0xD800 else code)  # surrogates are not text


def _encode(last: Visible) -> bytes:
    return json.dumps([last.close_time or s.NO_CLOSE, last.start_time, last.key.run_id]).encode()


def _decode(token: bytes) -> tuple[int, int, str]:
    try:
        closed, start_time, run_id = json.loads(token)
        return int(closed), int(start_time), str(run_id)
    except (ValueError, TypeError) as error:
        raise Refused("The page token is not one of this store.") from error


def visible_of(columns: Sequence[Any]) -> Visible:
    """The list entry that a row of `visible` holds."""
    row = dict(zip(s.VISIBLE.columns.names, columns, strict=True))
    key = RunKey(row.pop("namespace_id"), row.pop("workflow_id"), row.pop("run_id"))
    del row["run"], row["closed"]
    row["search_attributes"] = json.loads(row.pop("search"))
    row["close_time"] = row["close_time"] or 0
    for name in ("parent_workflow_id", "parent_run_id", "root_workflow_id", "root_run_id"):
        row[name] = row[name] or ""
    return Visible(key, **row)
