"""Bad calls about namespaces, task queues, search attributes and lists."""

from __future__ import annotations

from typing import Any

from tests.reference.cases_clients import LONG, RUN
from tests.reference.world import Case

DAY = {"seconds": 86400}
LISTS = (
    "ListWorkflowExecutions",
    "CountWorkflowExecutions",
    "ScanWorkflowExecutions",
    "ListArchivedWorkflowExecutions",
)
FILTERS = {
    "filter of words": "these are words",
    "filter with an open quote": "WorkflowId = 'x",
    "filter without a value": "WorkflowId =",
    "filter without an operator": "WorkflowId",
    "filter on an unknown attribute": "Nope = 'x'",
    "filter with an unknown status": "ExecutionStatus = 'Asleep'",
    "filter with a number for a status": "ExecutionStatus = 99",
    "filter with a bad time": "StartTime > 'yesterday'",
    "filter with a number for a word": "WorkflowType = 5",
    "filter with a word for a number": "Size = 'x'",
    "filter with LIKE": "WorkflowId LIKE 'x%'",
    "filter with a comparison of columns": "WorkflowId = RunId",
    "filter with arithmetic": "HistoryLength = 1 + 1",
    "filter with a subquery": "WorkflowId = (select 1)",
    "filter with an unknown group": "GROUP BY Nope",
    "filter with a group by time": "GROUP BY StartTime",
    "filter with two groups": "GROUP BY ExecutionStatus, WorkflowType",
    "filter with an unknown order": "ORDER BY Nope",
    "filter with an order by text": "ORDER BY WorkflowId",
    "filter with a semicolon": "WorkflowId = 'x'; drop table x",
    "filter with starts_with on a number": "Size STARTS_WITH 'x'",
    "filter with between and one bound": "Size BETWEEN 1",
    "filter with an empty list": "WorkflowId IN ()",
    "filter with is and a value": "WorkflowId IS 'x'",
    "filter with a limit": "WorkflowId = 'x' LIMIT 5",
    "filter with a double comparison": "WorkflowId == 'x'",
    "filter with a bare bracket": "(WorkflowId = 'x'",
    "filter with too many brackets": "(" * 200 + "WorkflowId = 'x'" + ")" * 200,
    "filter with too many NOTs": "NOT " * 200 + "WorkflowId = 'x'",
    "filter with too many parts": " OR ".join(["WorkflowId = 'x'"] * 996),
    "filter with an endless number": "Size = 1e999",
    "filter with a fraction for a time": "StartTime > 1.5",
    "filter with a number too big for a time": "StartTime > 99999999999999999999",
    "filter with a fraction for a status": "ExecutionStatus = 1.5",
    "filter with a fraction for a duration": "ExecutionDuration > 1.5",
    "filter with a bad duration": "ExecutionDuration > 'soon'",
    "filter with a duration too long": "ExecutionDuration > '99999999999h'",
    "filter with an order of lists": "BuildIds > 'x'",
    "filter with a range of lists": "BuildIds BETWEEN 'a' AND 'b'",
    "filter with a prefix of a list": "BuildIds NOT STARTS_WITH 'x'",
    "filter with a prefix of a status": "ExecutionStatus STARTS_WITH 'Run'",
    "filter with is true": "WorkflowId IS NOT TRUE",
    "filter with a pattern": "WorkflowId REGEXP 'x'",
    "filter with a careful comparison": "WorkflowId <=> 'x'",
    "filter that begins with AND": "AND WorkflowId = 'x'",
}


def namespace(what: str, **changes: Any) -> Case:
    fields = {"namespace": "refused", "workflow_execution_retention_period": DAY} | changes
    return Case("RegisterNamespace", what, fields)


def update(what: str, **changes: Any) -> Case:
    return Case("UpdateNamespace", what, {"namespace": "default"} | changes)


def queue(what: str, **changes: Any) -> Case:
    return Case("DescribeTaskQueue", what, {"namespace": "default", "task_queue": {"name": "q"}} | changes)


def attributes(what: str, **added: int) -> Case:
    return Case("AddSearchAttributes", what, {"namespace": "default", "search_attributes": added})


CASES = [
    *[
        Case("ListWorkflowExecutions", what, {"namespace": "default", "query": query})
        for what, query in FILTERS.items()
    ],
    *[
        Case("CountWorkflowExecutions", what, {"namespace": "default", "query": query})
        for what, query in FILTERS.items()
        if "order" not in what
    ],
    *[Case(rpc, "no namespace", {}) for rpc in LISTS],
    *[Case(rpc, "unknown namespace", {"namespace": "nowhere"}) for rpc in LISTS],
    Case("ListOpenWorkflowExecutions", "unknown namespace", {"namespace": "nowhere"}),
    namespace("no name", namespace=""),
    namespace("long name", namespace=LONG),
    namespace("name in use", namespace="default"),
    namespace("no retention", workflow_execution_retention_period=None),
    namespace("short retention", workflow_execution_retention_period={"seconds": 1}),
    namespace("negative retention", workflow_execution_retention_period={"seconds": -1}),
    namespace("unknown active cluster", active_cluster_name="nowhere"),
    namespace("unknown cluster", clusters=[{"cluster_name": "nowhere"}]),
    update("no name", namespace=""),
    update("unknown name", namespace="nowhere"),
    update("short retention", config={"workflow_execution_retention_ttl": {"seconds": 1}}),
    update("unknown cluster", replication_config={"active_cluster_name": "nowhere"}),
    Case("DescribeNamespace", "no name", {}),
    Case("DescribeNamespace", "unknown name", {"namespace": "nowhere"}),
    Case("DescribeNamespace", "unknown id", {"id": RUN}),
    Case("DeprecateNamespace", "no name", {}),
    Case("DeprecateNamespace", "unknown name", {"namespace": "nowhere"}),
    Case("DeleteNamespace", "no name", {}),
    Case("DeleteNamespace", "unknown name", {"namespace": "nowhere"}),
    Case("DeleteNamespace", "system namespace", {"namespace": "temporal-system"}),
    queue("no namespace", namespace=""),
    queue("unknown namespace", namespace="nowhere"),
    queue("no task queue", task_queue=None),
    queue("empty task queue", task_queue={"name": ""}),
    queue("long task queue", task_queue={"name": LONG}),
    Case("ListTaskQueuePartitions", "no task queue", {"namespace": "default"}),
    Case("ListTaskQueuePartitions", "unknown namespace", {"namespace": "nowhere", "task_queue": {"name": "q"}}),
    attributes("none"),
    attributes("of an unknown type", Other=99),
    attributes("of no type", Other=0),
    attributes("with a system name", RunId=2),
    Case("AddSearchAttributes", "unknown namespace", {"namespace": "nowhere", "search_attributes": {"Other": 2}}),
    Case("RemoveSearchAttributes", "none", {"namespace": "default"}),
    Case("RemoveSearchAttributes", "system", {"namespace": "default", "search_attributes": ["RunId"]}),
    Case("RemoveSearchAttributes", "unknown namespace", {"namespace": "nowhere", "search_attributes": ["Colour"]}),
    Case("ListSearchAttributes", "unknown namespace", {"namespace": "nowhere"}),
]

ODD = {
    "many brackets": "(" * 199 + "WorkflowId = 'x'" + ")" * 199,
    "many NOTs": "NOT " * 199 + "WorkflowId = 'x'",
    "many parts": " OR ".join(["WorkflowId = 'x'"] * 995),
    "many values": "WorkflowId IN ('x'" + ", 'x'" * 40_000 + ")",
    "a fraction for a whole number": "HistoryLength > 1.5",
    "a number beyond 64 bits": "HistoryLength > 99999999999999999999",
    "a plus": "HistoryLength = +5",
    "a time before all times": "StartTime > '0001-01-01T00:00:00Z'",
    "a time after all times": "StartTime > '9999-12-31T23:59:59Z'",
    "a time finer than can be": "StartTime > '2024-02-01T00:00:00.1234567891Z'",
    "a duration as digits": "ExecutionDuration > '10'",
    "a duration as a clock": "ExecutionDuration > '1:2:3'",
    "an endless clock": "ExecutionDuration > '99999999:00:00'",
}

ACCEPTED = [
    *[
        Case("ListWorkflowExecutions", f"filter with {what}", {"namespace": "default", "query": query})
        for what, query in ODD.items()
    ],
    Case("ListWorkflowExecutions", "filter with NOT", {"namespace": "default", "query": "NOT WorkflowId = 'x'"}),
    Case("ListOpenWorkflowExecutions", "no start time", {"namespace": "default"}),
    Case("ListClosedWorkflowExecutions", "no start time", {"namespace": "default"}),
    namespace("odd name", namespace="not a name!"),
    namespace("name of a uuid", namespace=RUN),
    queue("sticky without a normal name", task_queue={"name": "q", "kind": 2}),
    attributes("with an odd name", **{"a b": 2}),
    Case("RemoveSearchAttributes", "unknown", {"namespace": "default", "search_attributes": ["Nope"]}),
]

# The official server answers these as if they were faults of its own (UNKNOWN); ours says what is wrong.
CLEARER = [
    (
        Case("ListWorkflowExecutions", "page token that is none", {"namespace": "default", "next_page_token": b"junk"}),
        "INVALID_ARGUMENT",
    ),
    (Case("DescribeNamespace", "id that is none", {"id": "x"}), "NOT_FOUND"),
]
