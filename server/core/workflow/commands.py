"""What the handlers of commands share: their attributes, the limits on what a worker sends, and what an event takes over from its command.

Source: service/history/api/command_attr_validator.go, api/respondworkflowtaskcompleted/workflow_size_checker.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temporalio.api.command.v1 import Command

from server.core.rejected import BadCommand

if TYPE_CHECKING:
    from server.core.step import Step


def attributes(command: Command, name: str, cause: int) -> Any:
    """The attributes of a command of type `name` (snake case). Raises BadCommand when the worker has set none."""
    field = f"{name}_command_attributes"
    if not command.HasField(field):  # type: ignore[arg-type]
        kind = name.title().replace("_", "")
        raise BadCommand(cause, f"{kind}CommandAttributes is not set on {kind}Command.")
    return getattr(command, field)


def extras(command: Command) -> dict[str, Any]:
    """Fields of HistoryEvent that go from a command to its event."""
    out: dict[str, Any] = {}
    if command.HasField("user_metadata"):
        out["user_metadata"] = command.user_metadata
    if command.event_group_markers:
        out["event_group_markers"] = command.event_group_markers
    return out


def check_blob(step: Step, size: int, cause: int, sentence: str) -> None:
    """Payloads of a command may have so many bytes. Raises BadCommand, which terminates the run."""
    if size > step.namespace.limits.blob_size_bytes_max:
        raise BadCommand(cause, sentence, terminates=True)


def check_memo(step: Step, size: int, cause: int, sentence: str) -> None:
    """A memo may have so many bytes. Raises BadCommand, which terminates the run."""
    if size > step.namespace.limits.memo_size_bytes_max:
        raise BadCommand(cause, sentence, terminates=True)
