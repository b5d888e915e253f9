"""The commands and messages of a worker, from the short forms that programs have: `["timer", "t1", 0.2]`."""

from __future__ import annotations

from typing import Any

from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import Message
from temporalio.api.command.v1 import Command
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.protocol.v1 import Message as Packet
from temporalio.api.update.v1 import Acceptance, Rejection

from tests.core.chain import command, payload, payloads, seconds
from tests.reference.test_histories import BOOM, Teller
from tests.reference.world import Fields

SHORT = 5.0  # a time-out below this is waited for

TIMEOUTS = {
    "schedule_to_start": "schedule_to_start_timeout",
    "schedule_to_close": "schedule_to_close_timeout",
    "start_to_close": "start_to_close_timeout",
    "heartbeat": "heartbeat_timeout",
}
FATAL = {"message": "boom", "application_failure_info": {"type": "Fatal", "non_retryable": True}}
ENDS: dict[str, tuple[str, Fields]] = {
    "complete": ("RespondActivityTaskCompleted", {"result": payloads("14")}),
    "fail": ("RespondActivityTaskFailed", {"failure": BOOM}),
    "fatal": ("RespondActivityTaskFailed", {"failure": FATAL}),
    "cancel": ("RespondActivityTaskCanceled", {"details": payloads("15")}),
    "beat": ("RecordActivityTaskHeartbeat", {"details": payloads("16")}),
}


def retry_policy(attempts: int) -> Fields:
    return {"maximum_attempts": attempts, "initial_interval": seconds(0.1), "backoff_coefficient": 1}


def query_result(how: str) -> Fields:
    if how == "fail":
        return {"result_type": 2, "error_message": "boom"}
    return {"result_type": 1, "answer": payloads("6")}


def packet(id: str, body: Message) -> Packet:
    packed = Packed()
    packed.Pack(body)
    return Packet(id=f"{id}/{type(body).__name__}", protocol_instance_id=id, body=packed)


def acceptance(about: Fields) -> Acceptance:
    return Acceptance(
        accepted_request_message_id=about["id"],
        accepted_request_sequencing_event_id=about["event"],
        accepted_request=about["request"],
    )


def rejection(about: Fields) -> Rejection:
    return Rejection(
        rejected_request_message_id=about["id"],
        rejected_request_sequencing_event_id=about["event"],
        rejected_request=about["request"],
        failure=BOOM,  # type: ignore[arg-type]
    )


def order(messages: Any, field: str) -> None:
    """Sorts what a server tells in any order."""
    sorted_ = sorted(messages, key=lambda each: str(getattr(each, field)))
    copies = [type(each).FromString(each.SerializeToString()) for each in sorted_]
    del messages[:]
    messages.extend(copies)


class Commands(Teller):
    """A method for each kind of command; w is the workflow whose worker gives it."""

    def __init__(self, server: Any, tag: str) -> None:
        super().__init__(server, f"{tag}-a")
        self.tag = tag
        self._limits: dict[tuple[str, str], list[float]] = {}
        self._task_timeout: dict[str, float] = {}

    def _id(self, name: str) -> str:
        return f"{self.tag}-{name}"

    def _expect(self, *durations: float) -> None:
        """What is set off now is over after the longest of these that are short."""
        raise NotImplementedError

    def _events(self, name: str, run_id: str = "") -> list[HistoryEvent]:
        raise NotImplementedError

    def _command(self, w: str, kind: str, *arguments: Any) -> Command:
        made: Command = getattr(self, f"_{kind}")(w, *arguments)
        return made

    def _timer(self, w: str, id: str, s: float) -> Command:
        self._expect(s)
        return command("start_timer", timer_id=id, start_to_fire_timeout=seconds(s))

    def _cancel_timer(self, w: str, id: str) -> Command:
        return command("cancel_timer", timer_id=id)

    def _act(self, w: str, id: str, options: Fields) -> Command:
        queue = {"name": f"{self._id(w)}-{id}"}
        fields: Fields = {"activity_id": id, "task_queue": queue, "activity_type": {"name": "Act"}}
        for key, field in TIMEOUTS.items():
            if key in options:
                fields[field] = seconds(options[key])
        fields["retry_policy"] = retry_policy(options.get("retry", 1))
        short = [s for s in (options.get(key, 0) for key in TIMEOUTS) if 0 < s < SHORT]
        self._limits[w, id] = [s + 0.15 for s in short]
        self._expect(*(s for s in (options.get("schedule_to_start", 0), options.get("schedule_to_close", 0))))
        return command("schedule_activity_task", input=payloads("8"), **fields)

    def _cancel_act(self, w: str, id: str) -> Command:
        found = [
            event.event_id
            for event in self._events(w)
            if event.activity_task_scheduled_event_attributes.activity_id == id
        ]
        return command("request_cancel_activity_task", scheduled_event_id=found[-1] if found else 99)

    def _marker(self, w: str, name: str) -> Command:
        return command("record_marker", marker_name=name, details={"d": payloads("9")})

    def _upsert(self, w: str, value: str) -> Command:
        return command(
            "upsert_workflow_search_attributes", search_attributes={"indexed_fields": {"Colour": payload(value)}}
        )

    def _memo(self, w: str, value: str) -> Command:
        return command("modify_workflow_properties", upserted_memo={"fields": {"m": payload(value)}})

    def _child(self, w: str, name: str, options: Fields) -> Command:
        fields: Fields = {"workflow_id": self._id(name), "workflow_type": {"name": "Child"}}
        fields |= {"task_queue": {"name": self._id(name)}, "workflow_task_timeout": seconds(120)}
        self._task_timeout[name] = 120
        if "retry" in options:
            fields["retry_policy"] = retry_policy(options["retry"])
        if "run" in options:
            fields["workflow_run_timeout"] = seconds(options["run"])
            self._expect(options["run"] * 2 + 0.3)
        fields |= {
            key: options[key]
            for key in ("parent_close_policy", "workflow_id_reuse_policy", "cron_schedule")
            if key in options
        }
        return command("start_child_workflow_execution", input=payloads("10"), **fields)

    def _signal_external(self, w: str, name: str, child: bool = False) -> Command:
        execution = {"workflow_id": self._id(name)}
        return command(
            "signal_external_workflow_execution", execution=execution, signal_name="ext", child_workflow_only=child
        )

    def _cancel_external(self, w: str, name: str, child: bool = False) -> Command:
        where: Fields = {"workflow_id": self._id(name), "child_workflow_only": child}
        return command("request_cancel_external_workflow_execution", **where)

    def _complete(self, w: str) -> Command:
        return command("complete_workflow_execution", result=payloads("11"))

    def _fail(self, w: str, final: bool = False) -> Command:
        self._expect(0.3)
        info = {"type": "Boom", "non_retryable": final}
        return command("fail_workflow_execution", failure={"message": "boom", "application_failure_info": info})

    def _canceled(self, w: str) -> Command:
        return command("cancel_workflow_execution", details=payloads("12"))

    def _again(self, w: str, options: Fields) -> Command:
        fields: Fields = {}
        if "backoff" in options:
            fields["backoff_start_interval"] = seconds(options["backoff"])
            self._expect(options["backoff"])
        if "run" in options:
            fields["workflow_run_timeout"] = seconds(options["run"])
        if "memo" in options:
            fields["memo"] = {"fields": {"n": payload(options["memo"])}}
        return command("continue_as_new_workflow_execution", input=payloads("13"), **fields)
