"""What a run looks like from outside."""

from __future__ import annotations

from google.protobuf.json_format import MessageToDict

from drivers.base import RunKey, Visible
from server.core.workflow import describe
from tests.core.chain import KNOWN, Chain, command, payload, seconds
from tests.core.harness import SECOND

START = "2023-11-14T22:13:20Z"


def test_a_run_that_has_just_started() -> None:
    chain = Chain(workflow_run_timeout=seconds(60), user_metadata={"summary": payload("1")})
    shown = MessageToDict(chain.describe(), preserving_proto_field_name=True)
    size = shown["workflow_execution_info"].pop("history_size_bytes")
    assert int(size) == chain.state.core.history_size_bytes > 0
    assert shown == {
        "execution_config": {
            "task_queue": {"name": "queue", "kind": "TASK_QUEUE_KIND_NORMAL"},
            "workflow_run_timeout": "60s",
            "default_workflow_task_timeout": "10s",
            "user_metadata": {"summary": MessageToDict(payload("1"))},
        },
        "workflow_execution_info": {
            "execution": {"workflow_id": "wf", "run_id": "run-1"},
            "type": {"name": "Type"},
            "start_time": START,
            "execution_time": START,
            "status": "WORKFLOW_EXECUTION_STATUS_RUNNING",
            "history_length": "2",
            "memo": {},
            "search_attributes": {},
            "auto_reset_points": {},
            "task_queue": "queue",
            "state_transition_count": "1",
            "root_execution": {"workflow_id": "wf", "run_id": "run-1"},
            "first_run_id": "run-1",
        },
        "pending_workflow_task": {
            "state": "PENDING_WORKFLOW_TASK_STATE_SCHEDULED",
            "scheduled_time": START,
            "original_scheduled_time": START,
            "attempt": 1,
        },
        "workflow_extended_info": {
            "run_expiration_time": "2023-11-14T22:14:20Z",
            "original_start_time": START,
            "request_id_infos": {"start": {"event_type": "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED", "event_id": "1"}},
        },
    }


def test_a_run_without_timeout_expires_in_the_year_one() -> None:
    extended = MessageToDict(Chain().describe().workflow_extended_info)
    assert extended["runExpirationTime"] == "0001-01-01T00:00:00Z"
    assert "executionExpirationTime" not in extended


def test_a_closed_run_says_how_long_it_took() -> None:
    chain = Chain(workflow_start_delay=seconds(5), workflow_execution_timeout=seconds(50))
    chain.pass_time(5)
    chain.poll_workflow()
    assert chain.describe().pending_workflow_task.started_time.ToNanoseconds() == chain.now
    chain.pass_time(10)
    task = chain.poll_workflow()
    chain.now += SECOND
    chain.complete(task, command("complete_workflow_execution"))
    response = chain.describe()
    info = response.workflow_execution_info
    assert (info.status, info.close_time.ToNanoseconds()) == (2, chain.now)
    assert info.execution_duration == seconds(11)
    assert not response.HasField("pending_workflow_task")
    assert (
        response.workflow_extended_info.execution_expiration_time.ToNanoseconds() == chain.state.core.execution_deadline
    )


def test_what_the_builds_of_the_worker_leave_behind() -> None:
    chain = Chain()
    for build in ("b1", "b1", "b2"):
        chain.answer(
            binary_checksum=build, worker_version_stamp={"build_id": build}, force_create_new_workflow_task=True
        )
    info = chain.describe().workflow_execution_info
    assert info.most_recent_worker_version_stamp.build_id == "b2"
    points = info.auto_reset_points.points
    assert [(p.build_id, p.first_workflow_task_completed_id) for p in points] == [("b1", 4), ("b2", 10)]
    fields = info.search_attributes.indexed_fields
    assert fields["BuildIds"] == payload('["unversioned","unversioned:b1","unversioned:b2"]', type="KeywordList")
    assert fields["BinaryChecksums"] == payload('["b1","b2"]', type="KeywordList")


def test_pending_activities() -> None:
    chain = Chain()
    chain.answer(
        command(
            "schedule_activity_task",
            activity_id="a",
            activity_type={"name": "Act"},
            task_queue={"name": "acts"},
            start_to_close_timeout=seconds(9),
            schedule_to_close_timeout=seconds(60),
            priority={"priority_key": 2},
        )
    )
    shown = MessageToDict(chain.describe().pending_activities[0], preserving_proto_field_name=True)
    assert shown == {
        "activity_id": "a",
        "activity_type": {"name": "Act"},
        "state": "PENDING_ACTIVITY_STATE_SCHEDULED",
        "attempt": 1,
        "scheduled_time": START,
        "expiration_time": "2023-11-14T22:14:20Z",
        "priority": {"priority_key": 2},
        "activity_options": {
            "task_queue": {"name": "acts", "normal_name": "acts"},
            "schedule_to_close_timeout": "60s",
            "schedule_to_start_timeout": "60s",
            "start_to_close_timeout": "9s",
            "heartbeat_timeout": "0s",
            "retry_policy": {"initial_interval": "1s", "backoff_coefficient": 2.0, "maximum_interval": "100s"},
            "priority": {"priority_key": 2},
        },
    }
    chain.poll_activity()
    started = chain.describe().pending_activities[0]
    assert started.state == 2
    assert started.last_started_time.ToNanoseconds() == chain.now
    assert started.last_worker_identity == "worker"
    chain.pass_time(9)
    waiting = chain.describe().pending_activities[0]
    assert (waiting.state, waiting.attempt) == (1, 2)
    assert waiting.next_attempt_schedule_time == waiting.scheduled_time
    assert waiting.current_retry_interval == seconds(1)
    assert waiting.last_failure.timeout_failure_info.timeout_type == 1
    assert not waiting.HasField("last_started_time")
    chain.pass_time(1)
    assert not chain.describe().pending_activities[0].HasField("next_attempt_schedule_time")


def test_lists_have_the_values_by_name() -> None:
    chain = Chain(
        memo={"fields": {"m": payload("1")}},
        search_attributes={
            "indexed_fields": {
                "Color": payload('"red"'),
                "Number": payload("[7]"),
                "Tags": payload('["a","b"]'),
                "When": payload('"2026-01-02T03:04:05.000000006Z"'),
                "Flag": payload("true"),
                "Ratio": payload("2"),
            }
        },
    )
    row = Visible(RunKey(*chain.key), **describe.visible(chain.state))
    assert row.search_attributes == {
        "Color": "red",
        "Number": 7,
        "Tags": ["a", "b"],
        "When": 1767323045_000000006,
        "Flag": True,
        "Ratio": 2.0,
    }
    assert (row.workflow_type, row.task_queue, row.status, row.close_time) == ("Type", "queue", 1, 0)
    assert (row.start_time, row.execution_time, row.root_run_id) == (chain.now, chain.now, "run-1")
    assert set(row.search_attributes) < set(KNOWN)
    chain.answer(command("complete_workflow_execution"))
    row = Visible(RunKey(*chain.key), **describe.visible(chain.state))
    assert (row.status, row.close_time, row.history_length) == (2, chain.now, 5)
    assert row.search_attributes["BuildIds"] == ["unversioned"]
