"""Plays programs on the official server and on ours, and finds what they tell differently.

What several runs of the official server tell differently is a race and no difference. A difference is made small before it is shown: steps are
taken away for as long as one remains.
"""

from __future__ import annotations

import difflib
import json
import sys
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import grpc

from tests.reference.conftest import BIG
from tests.reference.generator import generate, readable, smaller
from tests.reference.player import Player, Program, Server
from tests.servers import running

FLAGS = (  # both servers: pauses are on, runs may follow each other at once, and timers fire when they are due
    *("--search-attribute", "Colour=Keyword", "--search-attribute", "Size=Int"),
    *("--dynamic-config-value", "frontend.WorkflowPauseEnabled=true"),
    *("--dynamic-config-value", 'history.workflowIdReuseMinimalInterval="0s"'),
    *("--dynamic-config-value", 'history.timerProcessorMaxTimeShift="1ms"'),
)
TRIES = 3
SHRINKS_MAX = 80
PROGRAMS = Path(__file__).parent / "programs"


class Difference(NamedTuple):
    """A program, and what either server told of it, a line each."""

    seed: int
    program: Program
    official: list[str]
    ours: list[str]

    def __str__(self) -> str:
        lines = difflib.unified_diff(self.official, self.ours, "official", "ours", n=12, lineterm="")
        shown = "\n".join(list(lines)[:120])
        return f"program of seed {self.seed}:\n{readable(self.program)}\n{json.dumps(self.program)}\n{shown}\n"


def told(server: Server, program: Program) -> list[str]:
    """What the server tells of the program, as lines."""
    player = Player(server, f"p{uuid.uuid4().hex[:12]}")
    return [line for each in player.play(program) for line in json.dumps(each, indent=1).splitlines()]


class Pair(NamedTuple):
    """The two servers."""

    official: Server
    ours: Server

    def compare(self, program: Program, seed: int = -1) -> Difference | None:
        """None when some run of ours is like some run of the official one."""
        officials: list[list[str]] = []
        ours: list[list[str]] = []
        for _ in range(TRIES):
            with ThreadPoolExecutor(2) as both:
                one, two = both.map(lambda server: told(server, program), self)
            officials.append(one)
            ours.append(two)
            if any(each in officials for each in ours):
                return None
        return Difference(seed, program, officials[0], ours[0])

    def shrink(self, difference: Difference) -> Difference:
        """The smallest program with a difference that is found by leaving things out."""
        left, candidates = SHRINKS_MAX, smaller(difference.program)
        while left and (candidate := next(candidates, None)):
            left -= 1
            found = self.compare(candidate, difference.seed)
            if found is not None:
                difference, candidates = found, smaller(found.program)
        return difference

    def hunt(self, seeds: Iterable[int], jobs: int = 6) -> Iterator[Difference]:
        """Differences of the programs of these seeds, as they are found, not shrunk."""
        with ThreadPoolExecutor(jobs) as pool:
            yield from filter(None, pool.map(lambda seed: self.compare(generate(seed), seed), seeds))


@contextmanager
def served(program: str, log: Path | None = None) -> Iterator[Server]:
    """A server of that program (temporal or tctl) for the time of the block."""
    with running(program, *FLAGS, log=log) as server, grpc.insecure_channel(server.address, options=BIG) as channel:
        yield Server(channel)


def keep(name: str, why: str, program: Program) -> None:
    """Makes a golden file of a program that found a bug: what the official server tells of it, which ours tells as well."""
    with served("temporal") as official, served("tctl") as ours:
        found = Pair(official, ours).compare(program)
        assert found is None, found
        golden = {"why": why, "program": program, "official": told(official, program)}
    (PROGRAMS / f"{name}.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":  # python -m tests.reference.differential NAME WHY < program.json
    keep(sys.argv[1], sys.argv[2], json.load(sys.stdin))
