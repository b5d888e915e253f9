"""Plays programs on the official server and on ours, and finds what they tell differently.

What several runs of the official server tell differently is a race and no difference. A difference is made small before it is shown: steps are
taken away for as long as one remains.
"""

from __future__ import annotations

import difflib
import json
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from tests.reference.generator import generate, readable, smaller
from tests.reference.player import Player, Program, Server

FLAGS = (  # both servers: pauses are on, runs may follow each other at once, and timers fire when they are due
    "--dynamic-config-value",
    "frontend.WorkflowPauseEnabled=true",
    "--dynamic-config-value",
    'history.workflowIdReuseMinimalInterval="0s"',
    "--dynamic-config-value",
    'history.timerProcessorMaxTimeShift="1ms"',
)
TRIES = 3
SHRINKS_MAX = 80


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
        left = SHRINKS_MAX
        candidates = smaller(difference.program)
        for candidate in candidates:
            left -= 1
            found = self.compare(candidate, difference.seed)
            if found is not None:
                return self.shrink(found)
            if not left:
                break
        return difference

    def hunt(self, seeds: Iterable[int], jobs: int = 6) -> Iterator[Difference]:
        """Differences of the programs of these seeds, as they are found, not shrunk."""
        with ThreadPoolExecutor(jobs) as pool:
            yield from filter(None, pool.map(lambda seed: self.compare(generate(seed), seed), seeds))


def lines(told: Iterable[Any]) -> list[str]:
    """As `told` has it."""
    return [line for each in told for line in json.dumps(each, indent=1).splitlines()]
