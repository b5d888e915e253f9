"""Bad input gets the status, the sentence and the details that the official server gives, and changes nothing."""

from __future__ import annotations

import pytest
from temporalio.api.workflowservice import v1 as messages

from tests.reference import cases_clients, cases_operators, cases_updates, cases_workers
from tests.reference.conftest import Pair
from tests.reference.world import Answer, Case, request_of

CASES = [*cases_clients.CASES, *cases_workers.CASES, *cases_updates.CASES, *cases_operators.CASES]
ACCEPTED = [
    *cases_clients.ACCEPTED,
    *cases_workers.ACCEPTED,
    *cases_updates.ACCEPTED,
    *cases_operators.ACCEPTED,
]


def test_cases_have_names_of_their_own() -> None:
    assert len({str(case) for case in CASES + ACCEPTED}) == len(CASES + ACCEPTED)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_same_refusal(pair: Pair, case: Case) -> None:
    before = pair.ours.snapshot()
    official, ours = (world.answer(case.rpc, request_of(case, world)) for world in pair)
    assert ours == official
    assert official.code not in ("OK", "DEADLINE_EXCEEDED"), "this is not bad input"
    assert pair.ours.snapshot() == before


@pytest.mark.parametrize("case", ACCEPTED, ids=str)
def test_same_acceptance(pair: Pair, case: Case) -> None:
    """What looks bad, and is none to the official server."""
    official, ours = (world.answer(case.rpc, request_of(case, world)) for world in pair)
    assert ours == official == Answer("OK")


@pytest.mark.parametrize(("case", "code"), cases_operators.CLEARER, ids=str)
def test_clearer_refusal(pair: Pair, case: Case, code: str) -> None:
    official, ours = (world.answer(case.rpc, request_of(case, world)) for world in pair)
    assert (official.code, ours.code) == ("UNKNOWN", code)


@pytest.mark.parametrize("name", ["held", "busy", "closed", "done"])
def test_tampered_tokens_do_nothing(pair: Pair, name: str) -> None:
    """A good token with any one byte changed or cut is refused; tokens are each server's own, so only ours is asked."""
    world = pair.ours
    good, before = world.tokens[name], world.snapshot()
    tampered = [good[:n] + bytes([good[n] ^ 1 << n % 8]) + good[n + 1 :] for n in range(len(good))]
    rpcs = ["RespondWorkflowTaskFailed", "RespondActivityTaskCanceled"]
    codes = {
        world.answer(rpc, getattr(messages, f"{rpc}Request")(namespace="default", task_token=token)).code
        for token in [*tampered, *(good[:n] for n in range(len(good)))]
        for rpc in rpcs
    }
    assert codes <= {"INVALID_ARGUMENT", "NOT_FOUND"}
    assert world.snapshot() == before
