"""What the handlers of commands share: their attributes, the limits on what a worker sends, and what an event takes over from its command.

Source: service/history/api/command_attr_validator.go, api/respondworkflowtaskcompleted/workflow_size_checker.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import SearchAttributes
from temporalio.api.enums.v1 import WorkflowTaskFailedCause

from server.core import search_attributes
from server.core.rejected import BadCommand, InvalidArgument

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


def check_search_attributes(
    step: Step, changes: SearchAttributes, total: SearchAttributes, too_big: int, say: Callable[[str], str] = str
) -> None:
    """Names, values (`say` makes the sentence about a bad one), and of all that the run would have (`total`) the sizes. Raises BadCommand, with
    the cause `too_big` for the last."""
    bad = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES
    try:
        search_attributes.check_names(changes, step.namespace)
    except InvalidArgument as wrong:
        raise BadCommand(bad, wrong.message) from wrong
    try:
        search_attributes.check_values(changes, step.namespace)
    except InvalidArgument as wrong:
        raise BadCommand(bad, say(wrong.message)) from wrong
    try:
        search_attributes.check_sizes(total, step.namespace.limits)
    except InvalidArgument as wrong:
        raise BadCommand(too_big, wrong.message, terminates=True) from wrong


def check_blob(step: Step, size: int, cause: int, sentence: str) -> None:
    """Payloads of a command may have so many bytes. Raises BadCommand, which terminates the run."""
    if size > step.namespace.limits.blob_size_bytes_max:
        raise BadCommand(cause, sentence, terminates=True)


def check_memo(step: Step, size: int, cause: int, sentence: str) -> None:
    """A memo may have so many bytes. Raises BadCommand, which terminates the run."""
    if size > step.namespace.limits.memo_size_bytes_max:
        raise BadCommand(cause, sentence, terminates=True)
