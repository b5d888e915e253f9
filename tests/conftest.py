"""Tests run in another order each time, module by module. The summary prints the seed; ORDER_SEED repeats a run's order."""

from __future__ import annotations

import os
import random
from itertools import groupby

import pytest

SEED = int(os.environ.get("ORDER_SEED", "0")) or random.randrange(1, 1 << 32)


@pytest.hookimpl(tryfirst=True)  # pytest groups by parametrized fixtures afterwards
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    chance = random.Random(SEED)
    modules = [list(group) for _, group in groupby(items, key=lambda item: item.nodeid.partition("::")[0])]
    chance.shuffle(modules)
    for module in modules:
        chance.shuffle(module)
    items[:] = [item for module in modules for item in module]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"ORDER_SEED={SEED}")
