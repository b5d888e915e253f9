"""Random programs on the official server and on ours, which must tell the same; and those that once found a bug, kept with what the official
server told.

PROGRAMS=1000 plays that many (`make nightly`); SEED=7 plays the one of that seed. A difference is printed as the smallest program that shows it.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reference.differential import PROGRAMS, TRIES, Difference, Pair, served, told
from tests.reference.player import Server

SEEDS = (
    1,
    6,
    7,
    9,
    12,
    14,
    17,
    22,
    24,
    30,
    51,
    57,
    60,
    64,
    76,
    82,
    131,
    147,
    151,
    176,
    187,
    200,
    201,
    234,
    270,
    310,
    369,
    479,
    562,
)
SHRUNK_MAX = 3  # of the differences found


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served("tctl", tmp_path_factory.mktemp("programs") / "ours.log") as server:
        yield server


@pytest.fixture(scope="module")
def pair(ours: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with served("temporal", tmp_path_factory.mktemp("programs") / "official.log") as official:
        yield Pair(official, ours)


@pytest.mark.parametrize("path", sorted(PROGRAMS.glob("*.json")), ids=lambda path: path.stem)
def test_a_program_that_found_a_bug(ours: Server, path: Path) -> None:
    golden = json.loads(path.read_text())
    tries = [told(ours, golden["program"]) for _ in range(1)]
    while golden["official"] not in tries and len(tries) < TRIES:
        tries.append(told(ours, golden["program"]))
    if golden["official"] not in tries:
        pytest.fail(f"{golden['why']}\n{Difference(-1, golden['program'], golden['official'], tries[0])}")


def seeds() -> list[int]:
    """The fixed ones and fresh ones, which are printed; or the one that is asked for."""
    if "SEED" in os.environ:
        return [int(os.environ["SEED"])]
    wanted = int(os.environ.get("PROGRAMS", len(SEEDS) + 1))
    fresh = random.randrange(10**6, 10**9)
    chosen = [*SEEDS, *range(fresh, fresh + max(wanted - len(SEEDS), 1))][-wanted:]
    print(f"{wanted} programs, fresh seeds from {fresh}")
    return chosen


@pytest.mark.timeout(7200)
def test_random_programs(pair: Pair) -> None:
    differences = list(pair.hunt(seeds()))
    shown = [pair.shrink(each) for each in differences[:SHRUNK_MAX]] + differences[SHRUNK_MAX:]
    if differences:
        pytest.fail(f"{len(differences)} differences\n" + "\n".join(map(str, shown)))
