"""Arithmetic on retry policies. The figures are those of common/retrypolicy and service/history/workflow/retry.go."""

from __future__ import annotations

import pytest
from temporalio.api.common.v1 import RetryPolicy
from temporalio.api.enums.v1 import RetryState as R
from temporalio.api.enums.v1 import TimeoutType as T
from temporalio.api.failure.v1 import Failure

from server.core import failures, retry
from server.core.limits import Limits
from server.core.rejected import InvalidArgument
from tests.core.commands import failure, seconds
from tests.core.harness import SECOND


def policy(**fields: object) -> RetryPolicy:
    given = {name: seconds(value) if name.endswith("interval") else value for name, value in fields.items()}
    return retry.defaulted(RetryPolicy(**given), Limits())


@pytest.mark.parametrize(("attempt", "expected"), [(1, 1), (2, 2), (3, 4), (7, 64), (8, 100), (60, 100), (5000, 100)])
def test_intervals_grow_up_to_the_maximum(attempt: int, expected: int) -> None:
    assert retry.next_interval(policy(), attempt, 0) == (expected * SECOND, retry.IN_PROGRESS)


def test_the_maximum_follows_from_the_first_interval() -> None:
    assert policy(initial_interval=0.2).maximum_interval == seconds(20)
    assert policy(initial_interval=3, maximum_interval=4).maximum_interval == seconds(4)
    assert policy().backoff_coefficient == 2
    assert policy(backoff_coefficient=1.5).backoff_coefficient == 1.5


def test_attempts_run_out() -> None:
    assert retry.next_interval(policy(maximum_attempts=3), 2, 0) == (2 * SECOND, retry.IN_PROGRESS)
    assert retry.next_interval(policy(maximum_attempts=3), 3, 0) == (None, R.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED)


def test_time_runs_out() -> None:
    assert retry.next_interval(policy(), 2, 10 * SECOND, 12 * SECOND)[0] == 2 * SECOND
    assert retry.next_interval(policy(), 2, 10 * SECOND, 12 * SECOND - 1) == (None, R.RETRY_STATE_TIMEOUT)


def test_a_failure_may_ask_for_its_own_delay() -> None:
    late = failure(delay=500)
    assert retry.next_interval(policy(), 1, 0, 0, late)[0] == 100 * SECOND
    assert retry.next_interval(policy(), 1, 0, 0, late, delay_beyond_maximum=True)[0] == 500 * SECOND
    assert retry.next_interval(policy(), 1, 0, 0, failure(delay=0), delay_beyond_maximum=True) == (
        None,
        R.RETRY_STATE_TIMEOUT,
    )


def timeout(kind: T.ValueType) -> Failure:
    return failures.timeout_failure("late", kind)


@pytest.mark.parametrize(
    ("given", "types", "expected"),
    [
        (None, [], True),
        (Failure(), [], True),
        (Failure(terminated_failure_info={}), [], False),
        (Failure(canceled_failure_info={}), [], False),
        (timeout(T.TIMEOUT_TYPE_UNSPECIFIED), [], False),
        (timeout(T.TIMEOUT_TYPE_START_TO_CLOSE), [], True),
        (timeout(T.TIMEOUT_TYPE_START_TO_CLOSE), ["TemporalTimeout:StartToClose"], False),
        (timeout(T.TIMEOUT_TYPE_SCHEDULE_TO_START), [], False),
        (timeout(T.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE), [], False),
        (timeout(T.TIMEOUT_TYPE_HEARTBEAT), [], True),
        (timeout(T.TIMEOUT_TYPE_HEARTBEAT), ["TemporalTimeout:Heartbeat"], False),
        (timeout(T.TIMEOUT_TYPE_HEARTBEAT), ["TemporalTimeout:StartToClose"], True),
        (failures.server_failure("x", non_retryable=False), [], True),
        (failures.server_failure("x", non_retryable=True), [], False),
        (failure("type", non_retryable=True), [], False),
        (failure("type"), ["other"], True),
        (failure("type"), ["other", "type"], False),
        (Failure(child_workflow_execution_failure_info={}, cause=failure(non_retryable=True)), [], True),
    ],
)
def test_which_failures_are_tried_again(given: Failure | None, types: list[str], expected: bool) -> None:
    assert retry.retryable(given, types) is expected
    found, verdict = retry.next_interval(policy(non_retryable_error_types=types), 1, 0, 0, given)
    assert (found is not None) is expected
    assert expected or verdict == R.RETRY_STATE_NON_RETRYABLE_FAILURE


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (RetryPolicy(initial_interval=seconds(-22)), "invalid InitialInterval set on retry policy: negative duration"),
        (RetryPolicy(backoff_coefficient=0.8), "BackoffCoefficient cannot be less than 1 on retry policy."),
        (RetryPolicy(maximum_interval=seconds(-2)), "invalid MaximumInterval set on retry policy: negative duration"),
        (
            RetryPolicy(maximum_interval=seconds(5), initial_interval=seconds(10)),
            "MaximumInterval cannot be less than InitialInterval on retry policy.",
        ),
        (RetryPolicy(maximum_attempts=-3), "MaximumAttempts cannot be negative on retry policy."),
        (
            RetryPolicy(non_retryable_error_types=["TemporalTimeout:Unspecified"]),
            "Invalid timeout type value: Unspecified.",
        ),
        (RetryPolicy(non_retryable_error_types=["TemporalTimeout:unknown"]), "Invalid timeout type value: unknown."),
    ],
)
def test_what_makes_no_sense_is_refused(given: RetryPolicy, sentence: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        retry.validate(retry.defaulted(given, Limits()))
    assert caught.value.message == sentence


def test_one_attempt_needs_no_sense() -> None:
    retry.validate(RetryPolicy(backoff_coefficient=0.5, maximum_attempts=1))
    retry.validate(
        policy(non_retryable_error_types=["TemporalTimeout:Heartbeat", "TemporalTimeout:TIMEOUT_TYPE_HEARTBEAT", "x"])
    )


def test_failures_are_cut_to_size() -> None:
    big = failure("Kind")
    big.message, big.stack_trace = "é" * 1000, "s" * 1000
    big.cause.message = "never seen"
    cut = failures.truncated(big, 101)
    assert cut.application_failure_info.type == "Kind"
    assert cut.message == "é" * 42
    assert not cut.stack_trace and not cut.HasField("cause")
    small = failures.truncated(big, 10_000)
    assert (small.message, small.stack_trace, small.cause.message) == (big.message, big.stack_trace, "never seen")
