"""`tctl task-queue`: who polls a task queue, and how much waits in it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tctl.command import command, group
from tctl.flags import Call, one_of, option

if TYPE_CHECKING:
    from temporalio.api.taskqueue.v1 import TaskQueueTypeInfo
    from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeTaskQueueResponse

app = group("Look at task queues")
TYPES = ("workflow", "activity", "nexus")
UNVERSIONED = "UNVERSIONED"
STATS = (
    "BuildID",
    "TaskQueueType",
    "ApproximateBacklogCount",
    "ApproximateBacklogAge",
    "BacklogIncreaseRate",
    "TasksAddRate",
    "TasksDispatchRate",
)
POLLERS = ("BuildID", "TaskQueueType", "Identity", "LastAccessTime", "RatePerSecond")


@dataclasses.dataclass(slots=True, kw_only=True)
class What:
    """Which task queue, and what to tell of it."""

    task_queue: Annotated[str, option("--task-queue", "-t", help="Name of the task queue.")]
    task_queue_type: Annotated[
        list[str],
        option("--task-queue-type", parser=one_of(*TYPES), metavar="|".join(TYPES), help="Only this type; repeatable."),
    ] = dataclasses.field(default_factory=list)
    select_build_id: Annotated[list[str], option("--select-build-id", help="Only this Build ID; may be repeated.")] = (
        dataclasses.field(default_factory=list)
    )
    select_unversioned: Annotated[bool, option("--select-unversioned", help="Include the unversioned queue.")] = False
    select_all_active: Annotated[bool, option("--select-all-active", help="Include all active versions.")] = False
    report_reachability: Annotated[bool, option("--report-reachability", help="Show task reachability.")] = False
    disable_stats: Annotated[bool, option("--disable-stats", help="Show no statistics.")] = False
    legacy_mode: Annotated[bool, option("--legacy-mode", help="Show the pollers of one type only.")] = False
    task_queue_type_legacy: Annotated[
        Literal["workflow", "activity"], option("--task-queue-type-legacy", help="The type in legacy mode.")
    ] = "workflow"
    partitions_legacy: Annotated[int, option("--partitions-legacy", help="Partitions to ask in legacy mode.")] = 1
    report_config: Annotated[bool, option("--report-config", help="Show the configuration (legacy mode).")] = False


@command(app, "describe")
def describe(call: Call, what: What) -> None:
    """Show the pollers and statistics of a task queue."""
    if what.legacy_mode:
        _legacy(call, what)
        return
    found = _ask(call, _request(call, what))
    rows = [
        (version or UNVERSIONED, kind, info.types_info[number])
        for version, info in sorted(found.versions_info.items())
        for number, kind in enumerate(TYPES, 1)
        if number in info.types_info
    ]
    reach = _reachability(found) if what.report_reachability else []
    stats = [] if what.disable_stats else [_stats(*row) for row in rows]
    pollers = [(version, kind, *_poller(each)) for version, kind, info in rows for each in info.pollers]
    _print(call, what, reach, stats, pollers)


def _print(call: Call, what: What, reach: list[Any], stats: list[Any], pollers: list[Any]) -> None:
    printer = call.printer
    sections = {
        "reachability": _named(("buildId", "reachability"), reach),
        "pollers": _named(_keys(POLLERS), pollers),
        "stats": _named(_keys(STATS), stats),
    }
    printer.data(sections)
    if what.report_reachability:
        printer.line("Task Reachability:", "magenta")
        printer.table(("BuildID", "Reachability"), reach)
    if not what.disable_stats:
        printer.line("Task Queue Statistics:", "magenta")
        printer.table(STATS, stats)
    printer.line("Pollers:", "magenta")
    printer.table(POLLERS, pollers)


def _keys(columns: tuple[str, ...]) -> tuple[str, ...]:
    return ("buildId", *(name[0].lower() + name[1:] for name in columns[1:]))


def _named(keys: tuple[str, ...], rows: list[Any]) -> list[dict[str, Any]] | None:
    return [dict(zip(keys, row, strict=True)) for row in rows] or None


def _request(call: Call, what: What) -> DescribeTaskQueueRequest:
    from temporalio.api.enums.v1 import DescribeTaskQueueMode, TaskQueueKind, TaskQueueType
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

    kinds = [TaskQueueType.Value(f"TASK_QUEUE_TYPE_{each.upper()}") for each in what.task_queue_type]
    request = DescribeTaskQueueRequest(
        namespace=call.client.namespace,
        task_queue=TaskQueue(name=what.task_queue, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL),
        api_mode=DescribeTaskQueueMode.DESCRIBE_TASK_QUEUE_MODE_ENHANCED,
        task_queue_types=kinds,
        report_pollers=True,
        report_stats=not what.disable_stats,
        report_task_reachability=what.report_reachability,
    )
    if what.select_build_id or what.select_unversioned or what.select_all_active:
        request.versions.build_ids.extend(what.select_build_id)
        request.versions.unversioned = what.select_unversioned
        request.versions.all_active = what.select_all_active
    return request


def _ask(call: Call, request: DescribeTaskQueueRequest) -> DescribeTaskQueueResponse:
    return call.client.ask(call.client.workflow.DescribeTaskQueue, request, "unable to describe task queue")


def _stats(version: str, kind: str, info: TaskQueueTypeInfo) -> tuple[Any, ...]:
    from tctl.render import go_duration

    stats = info.stats
    age = go_duration(stats.approximate_backlog_age.ToTimedelta())
    rates = (stats.tasks_add_rate - stats.tasks_dispatch_rate, stats.tasks_add_rate, stats.tasks_dispatch_rate)
    return (version, kind, stats.approximate_backlog_count, age, *(float(f"{rate:.7g}") for rate in rates))


def _poller(each: Any) -> tuple[Any, ...]:
    return (each.identity, each.last_access_time, each.rate_per_second)


def _reachability(found: DescribeTaskQueueResponse) -> list[tuple[str, str]]:
    words = ("unspecified", "reachable", "closedWorkflowsOnly", "unreachable")
    return [
        (version or UNVERSIONED, words[info.task_reachability]) for version, info in sorted(found.versions_info.items())
    ]


def _legacy(call: Call, what: What) -> None:
    """The older answer: pollers of one type, asked of each partition by name."""
    from temporalio.api.enums.v1 import TaskQueueKind, TaskQueueType
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

    from tctl.render import to_json

    statuses: list[Any] = []
    pollers: list[Any] = []
    answer: dict[str, Any] = {"taskQueues": statuses, "pollers": pollers}
    for partition in range(what.partitions_legacy):
        name = f"/_sys/{what.task_queue}/{partition}" if partition else what.task_queue
        request = DescribeTaskQueueRequest(
            namespace=call.client.namespace,
            task_queue=TaskQueue(name=name, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL),
            task_queue_type=TaskQueueType.Value(f"TASK_QUEUE_TYPE_{what.task_queue_type_legacy.upper()}"),
            include_task_queue_status=True,
            report_config=what.report_config,
        )
        found = _ask(call, request)
        statuses.append({"partition": partition} | to_json(found.task_queue_status, True))
        pollers.extend(found.pollers)
        if partition == 0 and found.HasField("config"):
            answer["config"] = found.config
    call.printer.data(answer)
    call.printer.line("Pollers:", "magenta")
    call.printer.table(("Identity", "LastAccessTime", "RatePerSecond"), [_poller(each) for each in pollers])
