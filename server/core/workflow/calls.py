"""What calls to others (handlers of Nexus operations, receivers of callbacks) have in common: what was said, and when to call again.

Source: components/nexusoperations/statemachine.go, components/callbacks/statemachine.go, common/backoff/retrypolicy.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from temporalio.api.common.v1 import Link, Payload
from temporalio.api.failure.v1 import Failure

from server.core.limits import HOUR, SECOND
from server.core.state_pb2 import NexusCalls

if TYPE_CHECKING:
    from server.core.step import Step

INTERVAL, INTERVAL_MAX = SECOND, HOUR


class Said(NamedTuple):
    """What a handler said of an operation. Without failure: `token` names one that it has started, else `result` is its result. `failure` is
    how it ended (`canceled` or failed), unless the call itself is what failed: `retryable` says then whether to call again."""

    token: str = ""
    result: Payload | None = None
    links: Sequence[Link] = ()
    failure: Failure | None = None
    canceled: bool = False
    retryable: bool = False


def record(step: Step, calls: NexusCalls, failure: Failure | None = None) -> None:
    """A call has ended, and none follows."""
    calls.attempt += 1
    calls.last_attempt_complete_time = step.now
    calls.next_attempt_time = 0
    calls.ClearField("last_attempt_failure")
    if failure is not None:
        calls.last_attempt_failure.CopyFrom(failure)


def again(step: Step, calls: NexusCalls, failure: Failure) -> None:
    """A call has failed, and another follows at `next_attempt_time`: a second later, then twice as late each time, up to an hour."""
    record(step, calls, failure)
    interval = min(INTERVAL * 2 ** min(calls.attempt - 1, 20), INTERVAL_MAX)
    calls.next_attempt_time = step.now + int(interval * (0.8 + 0.2 * step.ids.random()))
