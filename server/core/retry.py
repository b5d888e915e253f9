"""When a failed attempt is tried again: arithmetic on a RetryPolicy, the same for activities and workflows.

Source: common/retrypolicy/retry_policy.go, service/history/workflow/retry.go, common/backoff/retrypolicy.go.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from temporalio.api.common.v1 import RetryPolicy
from temporalio.api.enums.v1 import RetryState, TimeoutType
from temporalio.api.failure.v1 import Failure

from server.core.durations import capped, duration
from server.core.limits import Limits
from server.core.rejected import InvalidArgument

TIMEOUT_TYPE_PREFIX = "TemporalTimeout:"  # how a policy names a timeout among its non-retryable types
INTERVAL_MAX = 2**63 - 1
RETRYABLE_TIMEOUTS = {
    TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE: "StartToClose",
    TimeoutType.TIMEOUT_TYPE_HEARTBEAT: "Heartbeat",
}
TIMEOUT_NAMES = {"StartToClose", "ScheduleToStart", "ScheduleToClose", "Heartbeat", *TimeoutType.keys()[1:]}
IN_PROGRESS = RetryState.RETRY_STATE_IN_PROGRESS


def next_interval(
    policy: RetryPolicy,
    attempt: int,
    now: int,
    expiration: int = 0,
    failure: Failure | None = None,
    *,
    delay_beyond_maximum: bool = False,
) -> tuple[int | None, RetryState.ValueType]:
    """How long to wait after `attempt` (from 1) failed at `now`, in nanoseconds, or None with the reason for not trying again. A delay that the
    failure asks for is cut to the policy's maximum, unless `delay_beyond_maximum` (activities)."""
    if not retryable(failure, policy.non_retryable_error_types):
        return None, RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE
    if 0 < policy.maximum_attempts <= max(attempt, 1):
        return None, RetryState.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED
    longest = policy.maximum_interval.ToNanoseconds()
    delay = _asked_delay(failure)
    if delay is None:
        interval = _exponential(policy, max(attempt, 1))
    else:
        interval, longest = delay, delay if delay_beyond_maximum else longest
    if longest and not 0 < interval <= longest:
        interval = longest
    if interval <= 0 or (expiration and now + interval > expiration):
        return None, RetryState.RETRY_STATE_TIMEOUT
    return interval, IN_PROGRESS


def retryable(failure: Failure | None, non_retryable_types: Collection[str] = ()) -> bool:
    """Whether a failure permits another attempt at all."""
    kind = failure.WhichOneof("failure_info") if failure is not None else None
    if failure is None or kind is None:
        return True
    if kind in ("terminated_failure_info", "canceled_failure_info"):
        return False
    if kind == "timeout_failure_info":
        name = RETRYABLE_TIMEOUTS.get(failure.timeout_failure_info.timeout_type)
        return name is not None and TIMEOUT_TYPE_PREFIX + name not in non_retryable_types
    if kind == "server_failure_info":
        return not failure.server_failure_info.non_retryable
    if kind == "application_failure_info":
        info = failure.application_failure_info
        return not info.non_retryable and info.type not in non_retryable_types
    return True


def _asked_delay(failure: Failure | None) -> int | None:
    if failure is None or not failure.application_failure_info.HasField("next_retry_delay"):
        return None
    return failure.application_failure_info.next_retry_delay.ToNanoseconds()


def interval(policy: RetryPolicy, attempt: int) -> int:
    """The wait before an attempt, whatever its failure asks for."""
    longest = policy.maximum_interval.ToNanoseconds() or INTERVAL_MAX
    return min(_exponential(policy, attempt), longest)


def _exponential(policy: RetryPolicy, attempt: int) -> int:
    first = policy.initial_interval.ToNanoseconds()
    try:
        interval = first * math.pow(policy.backoff_coefficient, attempt - 1)
    except OverflowError:
        return INTERVAL_MAX if first else 0
    return INTERVAL_MAX if interval >= INTERVAL_MAX else int(interval)


def defaulted(policy: RetryPolicy, limits: Limits) -> RetryPolicy:
    """A copy with what is not set filled in."""
    out = RetryPolicy()
    out.CopyFrom(policy)
    if not out.initial_interval.ToNanoseconds():
        out.initial_interval.CopyFrom(duration(limits.activity_retry_initial_interval))
    if not out.maximum_interval.ToNanoseconds():
        factor = int(limits.activity_retry_interval_factor_max)
        out.maximum_interval.CopyFrom(duration(factor * out.initial_interval.ToNanoseconds()))
    if not out.backoff_coefficient:
        out.backoff_coefficient = limits.activity_retry_interval_coefficient
    return out


def validate(policy: RetryPolicy) -> None:
    """Raises InvalidArgument for a policy (with its defaults filled in) that makes no sense. One attempt is no retry: nothing else matters then."""
    if policy.maximum_attempts == 1:
        return
    first = capped(policy.initial_interval, "invalid InitialInterval set on retry policy")
    if policy.backoff_coefficient < 1:
        msg = "BackoffCoefficient cannot be less than 1 on retry policy."
        raise InvalidArgument(msg)
    longest = capped(policy.maximum_interval, "invalid MaximumInterval set on retry policy")
    if 0 < longest < first:
        msg = "MaximumInterval cannot be less than InitialInterval on retry policy."
        raise InvalidArgument(msg)
    if policy.maximum_attempts < 0:
        msg = "MaximumAttempts cannot be negative on retry policy."
        raise InvalidArgument(msg)
    for name in policy.non_retryable_error_types:
        kind = name.removeprefix(TIMEOUT_TYPE_PREFIX)
        if kind != name and kind not in TIMEOUT_NAMES:
            msg = f"Invalid timeout type value: {kind}."
            raise InvalidArgument(msg)
