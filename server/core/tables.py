"""The whole machine on one page: which event folds how, which command runs what, and what is due when.

Handlers live in server/core/workflow/, one noun a file; this page is their table of contents. An event type, a command type or a kind of
deadline that is not listed here does not exist. Two kinds of rule: what an input does is here; what must hold after any
input is in settle.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import CommandType as C
from temporalio.api.enums.v1 import EventType as E
from temporalio.api.history.v1 import HistoryEvent

from server.core.deadline import Deadline
from server.core.state import State
from server.core.workflow import activities, cancel, close, markers, signals, start, tasks, timers

if TYPE_CHECKING:
    from server.core.step import Step
