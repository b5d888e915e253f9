"""Every event type and every command type of the protocol is on the page of tables.py, or in the list of those that come later."""

from __future__ import annotations

from temporalio.api.enums.v1 import CommandType, EventType

from server.core import laws, tables
from server.core.step import ATTRIBUTES

EVENTS_NOT_YET = {
    "WORKFLOW_EXECUTION_UPDATE_REJECTED",
    "WORKFLOW_PROPERTIES_MODIFIED_EXTERNALLY",
    "ACTIVITY_PROPERTIES_MODIFIED_EXTERNALLY",
    "WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED",
}
COMMANDS_NOT_YET = {"PROTOCOL_MESSAGE"}


def names(kinds: set[int], enum: type) -> set[str]:
    return {enum.Name(kind).partition("_TYPE_")[2] for kind in kinds}  # type: ignore[attr-defined]


def test_every_event_type_has_a_fold_or_comes_later() -> None:
    missing = set(EventType.values()) - {0} - set(tables.APPLY)
    assert names(missing, EventType) == EVENTS_NOT_YET


def test_every_command_type_has_a_handler_or_comes_later() -> None:
    missing = set(CommandType.values()) - {0} - set(tables.COMMANDS)
    assert names(missing, CommandType) == COMMANDS_NOT_YET


def test_folds_and_handlers_are_named_for_what_they_serve() -> None:
    for kind, fold in tables.APPLY.items():
        assert fold.__name__ == "apply_" + EventType.Name(kind).removeprefix("EVENT_TYPE_").lower()
    for kind, run in tables.COMMANDS.items():
        assert run.__name__ == CommandType.Name(kind).removeprefix("COMMAND_TYPE_").lower()


def test_the_sets_agree_with_each_other_and_with_the_laws() -> None:
    assert set(ATTRIBUTES) == set(EventType.values()) - {0}
    assert tables.RESULTS <= tables.BUFFERED <= set(tables.APPLY)
    assert tables.RESULTS <= tables.NEWS
    assert not tables.BUFFERED & laws.PROMPT
    assert laws.NEWS & set(tables.APPLY) == tables.NEWS - laws.TASK_UNDONE
    assert set(tables.COMMANDS) >= tables.CLOSING
