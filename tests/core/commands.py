"""Short ways to write what workers send."""

from __future__ import annotations

from typing import Any

from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Payload, Payloads, RetryPolicy
from temporalio.api.enums.v1 import CommandType
from temporalio.api.failure.v1 import Failure

from server.core.durations import duration
from tests.core.harness import SECOND


def seconds(value: float) -> Any:
    return duration(int(value * SECOND))


def payloads(text: str) -> Payloads:
    return Payloads(payloads=[Payload(data=text.encode())])


def command(kind: str, **attributes: Any) -> Command:
    """A command by its name in snake case: command("start_timer", timer_id="t")."""
    out = Command(command_type=CommandType.Value("COMMAND_TYPE_" + kind.upper()))
    getattr(out, f"{kind}_command_attributes").SetInParent()
    for name, value in attributes.items():
        target = getattr(out, f"{kind}_command_attributes")
        if isinstance(value, str | int | bool):
            setattr(target, name, value)
        else:
            getattr(target, name).CopyFrom(value)
    return out


def schedule(
    activity_id: str = "a", *, queue: str = "queue", policy: RetryPolicy | None = None, **timeouts: float
) -> Command:
    """Schedules an activity; `timeouts` are seconds by their names without the ending: start_to_close=5."""
    out = command("schedule_activity_task", activity_id=activity_id)
    asked = out.schedule_activity_task_command_attributes
    asked.activity_type.name, asked.task_queue.name = "Work", queue
    for name, value in timeouts.items():
        getattr(asked, f"{name}_timeout").CopyFrom(seconds(value))
    if policy is not None:
        asked.retry_policy.CopyFrom(policy)
    return out


def timer(timer_id: str = "t", after: float = 1) -> Command:
    return command("start_timer", timer_id=timer_id, start_to_fire_timeout=seconds(after))


def failure(kind: str = "Error", *, non_retryable: bool = False, delay: float | None = None) -> Failure:
    out = Failure(message="it broke")
    out.application_failure_info.type, out.application_failure_info.non_retryable = kind, non_retryable
    if delay is not None:
        out.application_failure_info.next_retry_delay.CopyFrom(seconds(delay))
    return out
