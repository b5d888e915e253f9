"""Random programs for `player`, each made from a seed, and the same programs smaller.

A generator keeps just enough of a model (which workflows have been started, whose task is held) to make steps that mean something; many still
meet refusals, which are compared too.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

from tests.reference.player import Program, Step

STEPS_MIN, STEPS_MAX = 4, 18
POLICIES = {
    "workflow_id_reuse_policy": (1, 1, 2, 3),
    "workflow_id_conflict_policy": (0, 1, 2, 3),
}
CLIENT = {  # what a client may do, and how often
    "signal": 10,
    "update": 9,
    "cancel": 3,
    "query": 5,
    "poll_update": 2,
    "start": 4,
    "signal_with_start": 2,
    "update_with_start": 2,
    "terminate": 1,
    "reset": 2,
    "reset_sticky": 1,
    "describe": 2,
    "pause": 1,
    "unpause": 2,
    "options": 1,
    "take_activity": 10,
    "activity": 12,
    "fail": 3,
    "stale": 1,
}
COMMANDS = {
    "timer": 8,
    "cancel_timer": 3,
    "act": 10,
    "cancel_act": 3,
    "marker": 3,
    "upsert": 2,
    "memo": 2,
    "child": 6,
    "signal_external": 4,
    "cancel_external": 3,
}
ONE_OF = {"child", "signal_external", "cancel_external"}  # two at once would be answered in any order
CLOSING = {"complete": 6, "fail": 3, "canceled": 2, "again": 3}


def generate(seed: int) -> Program:
    """The program of that seed, always the same."""
    return Generator(random.Random(seed)).program()


class Generator:
    """Makes one program."""

    def __init__(self, random: random.Random) -> None:
        self._random = random
        self._held: set[str] = set()
        self._known: list[str] = []
        self._acts: list[tuple[str, str]] = []
        self._sticky = (
            random.random() < 0.3
        )  # without updates: where those go depends on when the sticky queue was last polled
        self._flavour = random.choice(("plain", "plain", "timeouts", "updates", "children", "chains"))

    def program(self) -> Program:
        return [self._first(), *(self._step() for _ in range(self._random.randint(STEPS_MIN, STEPS_MAX)))]

    def _one(self, *choices: Any) -> Any:
        return self._random.choice(choices)

    def _maybe(self, chance: float) -> bool:
        return self._random.random() < chance

    def _weighted(self, weights: dict[str, int]) -> str:
        return self._random.choices(list(weights), list(weights.values()))[0]

    def _first(self) -> Step:
        kind = self._weighted({"start": 8, "signal_with_start": 1, "update_with_start": not self._sticky})
        step: Step = getattr(self, f"_{kind}")("a")
        return step

    def _step(self) -> Step:
        w = self._random.choice([*self._known, "a", "a"])
        if w in self._held and self._maybe(0.5):
            return self._answer(w)
        if w not in self._held and self._maybe(0.55):
            return self._take(w)
        updates = {"update": 20} if self._flavour == "updates" else {}
        if self._sticky:
            updates = {"update": 0, "update_with_start": 0}
        kind = self._weighted(CLIENT | updates)
        step: Step = getattr(self, f"_{kind}")(w)
        return step

    # Clients -----------------------------------------------------------------------------------------------------------------------

    def _start_options(self, w: str) -> Step:
        if w not in self._known:
            self._known.append(w)
        options: Step = {}
        if self._flavour == "timeouts" and self._maybe(0.6):
            options["task"] = 1
        if self._flavour == "chains" and self._maybe(0.5):
            options["retry"] = self._one(2, 3)
        if self._flavour == "chains" and self._maybe(0.2):
            options |= self._one({"run": 0.4}, {"all": 0.4}, {"delay": 0.2}, {"delay": 50}, {"run": 50})
        if self._flavour == "chains" and self._maybe(0.1):
            options["cron"] = "@every 1h"
        for key, value in (("memo", "1"), ("colour", '"red"')):
            if self._maybe(0.15):
                options[key] = value
        return options

    def _policies(self) -> Step:
        options: Step = {key: self._random.choice(values) for key, values in POLICIES.items() if self._maybe(0.7)}
        if options.get("workflow_id_conflict_policy") == 2 and self._maybe(0.5):
            attach = {"attach_request_id": True, "attach_completion_callbacks": True, "attach_links": True}
            options["on_conflict_options"] = attach
        if self._maybe(0.25):
            options["request"] = "same"
        return options

    def _start(self, w: str) -> Step:
        if not self._known:
            return {"do": "start", "w": w, **self._start_options(w)}
        w = self._one(w, "b")
        return {"do": "start", "w": w, **self._start_options(w), **self._policies()}

    def _signal_with_start(self, w: str) -> Step:
        options = self._start_options(w) | self._policies()
        options.pop("on_conflict_options", None)
        return {"do": "start", "w": w, "signal": "with", **options}

    def _update_with_start(self, w: str) -> Step:
        options = self._start_options(w) | self._policies()
        for key in ("cron", "delay"):
            options.pop(key, None)
        return {"do": "update_with_start", "w": w, "id": self._update_id(), "stage": self._one(2, 3), **options}

    def _signal(self, w: str) -> Step:
        return {"do": "signal", "w": w, "request": self._one("", "", "s1", "s2")}

    def _cancel(self, w: str) -> Step:
        return {"do": "cancel", "w": w, "request": self._one("", "c1")}

    def _update_id(self) -> str:
        return str(self._one("u1", "u2", "u3"))

    def _update(self, w: str) -> Step:
        return {"do": "update", "w": w, "id": self._update_id(), "stage": self._one(2, 2, 3)}

    def _poll_update(self, w: str) -> Step:
        return {"do": "poll_update", "w": w, "id": self._update_id(), "stage": self._one(0, 2, 3)}

    def _query(self, w: str) -> Step:
        self._held.discard(w)
        return {"do": "query", "w": w, "how": self._one("answer", "answer", "fail"), "reject": self._one(0, 0, 2, 3)}

    def _terminate(self, w: str) -> Step:
        return {"do": "terminate", "w": w}

    def _reset(self, w: str) -> Step:
        more = self._one({}, {}, {"reset_reapply_exclude_types": [1]}, {"reset_reapply_type": 2})
        self._held.discard(w)
        return {"do": "reset", "w": w, "task": self._one(0, 1, -1), **more}

    def _reset_sticky(self, w: str) -> Step:
        return {"do": "reset_sticky", "w": w}

    def _describe(self, w: str) -> Step:
        return {"do": "describe", "w": w}

    def _pause(self, w: str) -> Step:
        return {"do": "pause", "w": w}

    def _unpause(self, w: str) -> Step:
        return {"do": "pause", "w": w, "rpc": "Unpause"}

    def _options(self, w: str) -> Step:
        return {"do": "options", "w": w, "priority": self._one(0, 1, 3)}

    def _activity_rpc(self, w: str) -> Step:
        w, id = self._random.choice(self._acts) if self._acts else (w, "x")
        rpc = self._one("PauseActivity", "PauseActivity", "UnpauseActivity", "UnpauseActivity", "ResetActivity", "UpdateActivityOptions")  # fmt: skip
        more: Step = {}
        if rpc == "ResetActivity":
            more = self._one({}, {"keep_paused": True}, {"reset_heartbeat": True}, {"restore_original_options": True})
        if rpc == "UnpauseActivity":
            more = self._one({}, {"reset_attempts": True}, {"reset_heartbeat": True})
        if rpc == "UpdateActivityOptions":
            changed = {"activity_options": {"start_to_close_timeout": {"seconds": 99}}}
            more = {**changed, "update_mask": {"paths": ["start_to_close_timeout"]}}
        return {"do": "activity_rpc", "w": w, "rpc": rpc, "id": self._one(id, id, ""), **more}

    # Workers -----------------------------------------------------------------------------------------------------------------------

    def _take(self, w: str) -> Step:
        self._held.add(w)
        step: Step = {"do": "take", "w": w}
        if self._flavour == "timeouts" and self._maybe(0.3):
            self._held.discard(w)
            step["lose"] = True
        return step

    def _fail(self, w: str) -> Step:
        self._held.discard(w)
        return {"do": "fail", "w": w, "cause": self._one(14, 24)}

    def _stale(self, w: str) -> Step:
        return {"do": "answer", "w": w, "stale": True}

    def _take_activity(self, w: str) -> Step:
        w, id = self._random.choice(self._acts) if self._acts else (w, "x")
        return {"do": "take_activity", "w": w, "id": id}

    def _activity(self, w: str) -> Step:
        w, id = self._random.choice(self._acts) if self._acts else (w, "x")
        how = self._one("complete", "complete", "fail", "fail", "fatal", "cancel", "beat")
        return {"do": "activity", "w": w, "id": id, "how": how, **({"by_id": True} if self._maybe(0.15) else {})}

    def _answer(self, w: str) -> Step:
        self._held.discard(w)
        step: Step = {"do": "answer", "w": w}
        commands = self._commands(w)
        if commands:
            step["commands"] = commands
        if self._maybe(0.4):
            step["updates"] = self._one("accept", "accept", "reject", "ignore")
        if self._maybe(0.25):
            step["finish"] = [self._update_id()]
        for key, chance in (("heartbeat", 0.12), ("more", 0.12), ("sticky", 0.5)):
            if self._maybe(chance) and (self._sticky or key != "sticky"):
                step[key] = True
        if "more" in step:
            self._held.add(w)
        return step

    def _commands(self, w: str) -> list[list[Any]]:
        commands, crossing = [], False
        weights = COMMANDS | ({"child": 20} if self._flavour == "children" else {})
        for _ in range(self._one(0, 1, 1, 2, 2, 3)):
            kind = self._weighted(weights)
            if kind in ONE_OF and crossing:
                continue
            crossing = crossing or kind in ONE_OF
            commands.append([kind, *getattr(self, f"_of_{kind}")(w)])
        if self._maybe(0.4 if self._flavour == "chains" else 0.18):
            kind = self._weighted(CLOSING)
            commands.append([kind, *getattr(self, f"_of_{kind}", lambda _: ())(w)])
        return commands

    def _of_timer(self, w: str) -> tuple[Any, ...]:
        return self._one("t1", "t2", "t3"), self._one(0.05, 0.2, 50, 100)

    def _of_cancel_timer(self, w: str) -> tuple[Any, ...]:
        return (self._one("t1", "t2", "t3"),)

    def _of_act(self, w: str) -> tuple[Any, ...]:
        id = self._one("x", "y", "z")
        self._acts.append((w, id))
        options: Step = {"start_to_close": 60, "retry": self._one(1, 2, 0)}
        if self._maybe(0.3):
            options |= self._one(
                {"start_to_close": 0.3},
                {"heartbeat": 0.3},
                {"schedule_to_start": 0.3},
                {"schedule_to_close": 0.5},
                {"schedule_to_close": 100},
            )
        return id, options

    def _of_cancel_act(self, w: str) -> tuple[Any, ...]:
        return (self._one("x", "y", "z"),)

    def _of_marker(self, w: str) -> tuple[Any, ...]:
        return ("m",)

    def _of_upsert(self, w: str) -> tuple[Any, ...]:
        return (self._one('"blue"', "null", '"red"'),)

    def _of_memo(self, w: str) -> tuple[Any, ...]:
        return (self._one("2", "null"),)

    def _of_child(self, w: str) -> tuple[Any, ...]:
        name = self._one("c", "c", "d")
        if name not in self._known:
            self._known.append(name)
        options: Step = {"parent_close_policy": self._one(0, 1, 2, 3)}
        if self._maybe(0.3):
            options["workflow_id_reuse_policy"] = self._one(1, 2, 3)
        if self._maybe(0.2):
            options |= self._one({"retry": 2}, {"run": 0.4}, {"run": 0.4, "retry": 2})
        return name, options

    def _of_signal_external(self, w: str) -> tuple[Any, ...]:
        return self._one("a", "b", "c", "d"), self._one(False, False, True)

    _of_cancel_external = _of_signal_external

    def _of_fail(self, w: str) -> tuple[Any, ...]:
        return (self._one(False, False, True),)

    def _of_again(self, w: str) -> tuple[Any, ...]:
        return (self._one({}, {}, {"backoff": 0.2}, {"backoff": 50}, {"memo": "3"}),)


# Smaller ---------------------------------------------------------------------------------------------------------------------------


def smaller(program: Program) -> Iterator[Program]:
    """Programs with one thing less, those that lose most first."""
    for size in (8, 4, 2, 1):
        for at in range(len(program) - size, 0, -size):
            yield program[:at] + program[at + size :]
    for index, step in enumerate(program):
        for less in _less(step):
            yield [*program[:index], less, *program[index + 1 :]]


def _less(step: Step) -> Iterator[Step]:
    """The step without one command or one option."""
    for at in range(len(step.get("commands", ()))):
        less = copy.deepcopy(step)
        del less["commands"][at]
        yield less
    for key in step:
        if key not in ("do", "w", "id", "how", "rpc", "commands"):
            yield {k: v for k, v in step.items() if k != key}


def readable(program: Program) -> str:
    """One line a step, with its number."""
    return "\n".join(f"{number:3} {_line(step)}" for number, step in enumerate(program))


def _line(step: Step) -> str:
    options = ", ".join(f"{key}={value!r}" for key, value in step.items() if key not in ("do", "w"))
    return f"{step['do']} {step.get('w', '')} {options}".rstrip()
