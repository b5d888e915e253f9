"""What a list filter means, one entry at a time: for databases that cannot evaluate it themselves, and to compare those with that can."""

from __future__ import annotations

from typing import Any

from drivers.base import Compare, Filter, IsNull, Junction, Not, OneOf, Refused, Visible

NUMBERS = {"ExecutionStatus", "StartTime", "ExecutionTime", "CloseTime", "ExecutionDuration"}
NUMBERS |= {"HistoryLength", "HistorySizeBytes", "StateTransitionCount"}
TEXTS = {"WorkflowId", "RunId", "WorkflowType", "TaskQueue"}
TEXTS |= {"ParentWorkflowId", "ParentRunId", "RootWorkflowId", "RootRunId"}
OPERATORS = {"=", "!=", "<", "<=", ">", ">=", "starts", "not starts"}


def check(filter: Filter | None) -> None:
    """Raises Refused when the filter compares what cannot be compared."""
    match filter:
        case Not(part):
            check(part)
        case Junction(op, parts):
            if op not in ("AND", "OR") or not parts:
                raise Refused(f"Parts cannot be joined with {op!r}.")
            for part in parts:
                check(part)
        case OneOf(field, values):
            for value in values:
                check(Compare(field, "=", value))
        case Compare(field, op, value):
            if op not in OPERATORS or (op.endswith("starts") and not isinstance(value, str)):
                raise Refused(f"{field} {op} {value!r} is no comparison.")
            if field in (NUMBERS if isinstance(value, str) else TEXTS):
                raise Refused(f"{field} cannot be compared with {value!r}.")


def holds(filter: Filter | None, entry: Visible) -> bool:
    """Whether the filter lets the entry through, by the rules of drivers.base."""
    match filter:
        case None:
            return True
        case Not(part):
            return not holds(part, entry)
        case Junction(op, parts):
            return (all if op == "AND" else any)(holds(part, entry) for part in parts)
        case IsNull(field, negated):
            return (field_of(entry, field) in (None, [])) != negated
        case OneOf(field, values, negated):
            return _any(entry, field, lambda found: found in values, negated)
        case Compare(field, op, value):
            negated = op in ("!=", "not starts")
            return _any(entry, field, lambda found: _compare(found, op, value), negated)


def _any(entry: Visible, field: str, test: Any, negated: bool) -> bool:
    found = field_of(entry, field)
    values = found if isinstance(found, list) else [] if found is None else [found]
    return bool(values) and any(map(test, values)) != negated


def _compare(found: Any, op: str, value: Any) -> bool:
    if isinstance(found, str) != isinstance(value, str):
        return False
    tests = {
        "=": found == value,
        "!=": found == value,
        "<": found < value,
        "<=": found <= value,
        ">": found > value,
        ">=": found >= value,
    }
    return tests[op] if op in tests else str(found).startswith(str(value))


_NAMES = {"ExecutionStatus": "status"}


def field_of(entry: Visible, field: str) -> Any:
    """The entry's value of a field by its official name; None when it has none."""
    if field in entry.search_attributes:
        return entry.search_attributes[field]
    if field in ("WorkflowId", "RunId"):
        return entry.key.workflow_id if field == "WorkflowId" else entry.key.run_id
    if field == "ExecutionDuration":
        return entry.close_time - entry.execution_time if entry.close_time else None
    name = "".join("_" + letter.lower() if letter.isupper() else letter for letter in field)[1:]
    value = getattr(entry, _NAMES.get(field, name), None)
    return None if value == "" or (field == "CloseTime" and not value) else value
