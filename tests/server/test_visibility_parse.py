"""The list filter. Sentences were recorded from the official server 1.32."""

from __future__ import annotations

import pytest
from temporalio.api.enums.v1 import IndexedValueType as Type

from drivers.base import Compare, IsNull, Junction, Not, OneOf
from server.core.rejected import InvalidArgument
from server.visibility.parse import parse

TYPES = {
    **dict.fromkeys(
        ("WorkflowId", "RunId", "WorkflowType", "TaskQueue", "ExecutionStatus"), Type.INDEXED_VALUE_TYPE_KEYWORD
    ),
    **dict.fromkeys(("StartTime", "CloseTime", "ExecutionTime"), Type.INDEXED_VALUE_TYPE_DATETIME),
    **dict.fromkeys(("HistoryLength", "ExecutionDuration"), Type.INDEXED_VALUE_TYPE_INT),
    "Flag": Type.INDEXED_VALUE_TYPE_BOOL,
    "Score": Type.INDEXED_VALUE_TYPE_DOUBLE,
}

GOOD = {
    "": None,
    " ": None,
    "WorkflowId = 'a'": Compare("WorkflowId", "=", "a"),
    '`WorkflowId` <> "a"': Compare("WorkflowId", "!=", "a"),
    "WorkflowId = 'it''s'": Compare("WorkflowId", "=", "it's"),
    "ExecutionStatus = 'TimedOut'": Compare("ExecutionStatus", "=", 7),
    "ExecutionStatus = 1": Compare("ExecutionStatus", "=", 1),
    "ExecutionStatus IN ('Running', 'Completed')": OneOf("ExecutionStatus", (1, 2)),
    "WorkflowId NOT IN ('a')": OneOf("WorkflowId", ("a",), negated=True),
    "WorkflowId starts_with 'a'": Compare("WorkflowId", "starts", "a"),
    "WorkflowId NOT STARTS_WITH 'a'": Compare("WorkflowId", "not starts", "a"),
    "CloseTime IS NULL": IsNull("CloseTime"),
    "CloseTime is not null": IsNull("CloseTime", negated=True),
    "StartTime > 1": Compare("StartTime", ">", 1),
    "StartTime = '1970-01-01T00:00:01.000000002Z'": Compare("StartTime", "=", 1_000_000_002),
    "StartTime = '1970-01-01T01:00:01+01:00'": Compare("StartTime", "=", 1_000_000_000),
    "HistoryLength BETWEEN 1 AND 2": Junction(
        "AND", (Compare("HistoryLength", ">=", 1), Compare("HistoryLength", "<=", 2))
    ),
    "ExecutionDuration > '1h30m'": Compare("ExecutionDuration", ">", 5400 * 10**9),
    "Flag = true": Compare("Flag", "=", True),
    "Score < 2": Compare("Score", "<", 2.0),
    "not WorkflowId='a'": Not(Compare("WorkflowId", "=", "a")),
    "WorkflowId='a' or RunId='b' and TaskQueue='c'": Junction(
        "OR",
        (
            Compare("WorkflowId", "=", "a"),
            Junction("AND", (Compare("RunId", "=", "b"), Compare("TaskQueue", "=", "c"))),
        ),
    ),
}

BAD = {
    "WorkflowId": "invalid expression: incomplete expression",
    "WorkflowId = ": "malformed SQL query: syntax error at position 40",
    "WorkflowId = 'a": "malformed SQL query: syntax error at position 43 near 'a'",
    "WorkflowId = 1": "invalid expression: invalid value type for search attribute WorkflowId of type Keyword: 1 (type: int64)",
    "Foo = 'a'": "invalid search attribute: Foo",
    "ExecutionStatus = 'RUNNING'": "invalid expression: invalid ExecutionStatus value 'RUNNING'",
    "StartTime > '2020-01-01'": "invalid expression: unable to parse datetime '2020-01-01'",
    "StartTime = 1.5": "invalid expression: invalid value type for search attribute StartTime of type Datetime: 1.5 (type: float64)",
    "WorkflowId IN ()": "malformed SQL query: syntax error at position 44",
    "WorkflowId LIKE 'a%'": "operation is not supported: operator 'LIKE' not supported for Keyword type search attribute 'WorkflowId'",
    "WorkflowId ='a' ORDER BY StartTime": "operation is not supported: 'ORDER BY' clause",
    "ORDER BY StartTime desc": "operation is not supported: 'ORDER BY' clause",
    "WorkflowId = 'a' LIMIT 5": "operation is not supported: 'LIMIT' clause",
    "WorkflowId = 'a' AND": "malformed SQL query: syntax error at position 48",
    "(WorkflowId='a'": "malformed SQL query: syntax error at position 43",
    "WorkflowId == 'a'": "malformed SQL query: syntax error at position 41",
    "StartTime STARTS_WITH 'a'": "invalid expression: unable to parse datetime 'a'",
    "GROUP BY WorkflowId": "operation is not supported: 'GROUP BY' clause is not supported for search attribute WorkflowId",
    "GROUP BY ExecutionStatus, WorkflowType": "operation is not supported: 'GROUP BY' clause supports only a single field",
    "GROUP BY Foo": "invalid search attribute: Foo",
    "HistoryLength > 'a'": 'invalid expression: invalid value type for search attribute HistoryLength of type Int: "a" (type: string)',
    "WorkflowId = null": "invalid expression: unexpected value type *sqlparser.NullVal",
    "1 = 1": "invalid expression: must be a column name but was *sqlparser.SQLVal",
    "WorkflowId = RunId": 'operation is not supported: column name on the right side of comparison expression (did you forget to quote "RunId"?)',
    "WorkflowId IN ('a', 1)": "invalid expression: invalid value type for search attribute WorkflowId of type Keyword: 1 (type: int64)",
    "select * from x": "malformed SQL query: syntax error at position 34 near 'select'",
}


@pytest.mark.parametrize("text", GOOD)
def test_good_filters_become_trees(text: str) -> None:
    assert parse(text, TYPES).filter == GOOD[text]


@pytest.mark.parametrize("text", BAD)
def test_bad_filters_get_the_official_sentence(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse(text, TYPES)
    assert caught.value.message == f"invalid query: {BAD[text]}"


def test_counts_may_be_grouped_by_status() -> None:
    assert parse("GROUP BY ExecutionStatus", TYPES) == (None, "ExecutionStatus")
    assert parse("WorkflowId='a' GROUP BY ExecutionStatus", TYPES) == (
        Compare("WorkflowId", "=", "a"),
        "ExecutionStatus",
    )
