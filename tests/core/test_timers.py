"""What the stories do not tell of timers. Sentences are the official server's."""

from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.command.v1 import Command
from temporalio.api.sdk.v1 import UserMetadata

from server.core.rejected import InvalidArgument
from tests.core.commands import command, payloads, timer
from tests.core.harness import SECOND, Run
from tests.core.test_activities import started, work

INVALID = "BadStartTimerAttributes: An invalid StartToFireTimeout is set on StartTimerCommand"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            Command(command_type=3),
            "BadStartTimerAttributes: StartTimerCommandAttributes is not set on StartTimerCommand.",
        ),
        (timer(""), "BadStartTimerAttributes: TimerId is not set on StartTimerCommand."),
        (
            timer("t" * 1001),
            f"BadStartTimerAttributes: TimerId on StartTimerCommand exceeds length limit. TimerId={'t' * 1001} Length=1001 Limit=1000",
        ),
        (
            timer("t", -1),
            f"{INVALID}: negative duration. TimerId=t",
        ),
        (
            command("start_timer", timer_id="t", start_to_fire_timeout=Duration(seconds=1, nanos=-5)),
            f"{INVALID}: duration has seconds and nanos with different signs. TimerId=t",
        ),
        (command("cancel_timer"), "BadCancelTimerAttributes: TimerId is not set on CancelTimerCommand."),
        (
            command("cancel_timer", timer_id="t" * 1001),
            f"BadCancelTimerAttributes: TimerId on CancelTimerCommand exceeds length limit. TimerId={'t' * 1001} Length=1001 Limit=1000",
        ),
    ],
)
def test_what_makes_no_sense_fails_the_task(given: Command, sentence: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        work(Run(), given)
    assert caught.value.message == sentence


def test_timers_fire_in_the_order_of_their_times() -> None:
    run = started(timer("late", 3), timer("early", 1), timer("between", 2))
    run.pass_time(3)
    fired = [e.timer_fired_event_attributes.timer_id for e in run.history if e.HasField("timer_fired_event_attributes")]
    assert fired == ["early", "between", "late"]


def test_a_very_long_timer_is_cut() -> None:
    run = started(timer("t", 400 * 365 * 86400))
    assert run.state.timers["t"].fire_at == run.now + 100 * 365 * 86400 * SECOND


def test_events_keep_what_the_worker_says_of_the_command_and_who_sent_it() -> None:
    said = timer()
    said.user_metadata.CopyFrom(UserMetadata(summary=payloads("nap").payloads[0]))
    run = started(said, timer("u"))
    assert run.history[-2].user_metadata == said.user_metadata
    assert not run.history[-1].HasField("user_metadata")
    run.pass_time(1)
    run = started(said)
    run.do(lambda step: setattr(step.state.core, "unseen", True))
    work(run, command("cancel_timer", timer_id="t"))
    assert run.history[-1].timer_canceled_event_attributes.identity == "worker"
