"""Crash: a process that is killed while it commits loses nothing that it was told is committed, and leaves no torn batch."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from drivers.conformance.make import key
from drivers.conformance.rig import Contract, Database, Rig, need
from drivers.conformance.victim import SIZE, batch


class Crash(Contract):
    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_crash_loses_nothing_acknowledged(self, rig: Rig, store: Database, seed: int) -> None:
        need(rig.requirements.second_store)
        victim = subprocess.Popen(
            [sys.executable, "-m", "drivers.conformance.victim", rig.url], stdout=subprocess.PIPE, text=True
        )
        assert victim.stdout is not None
        kill_after = random.Random(seed).randrange(5, 200)
        acknowledged = -1
        for line in victim.stdout:
            acknowledged = int(line)
            if acknowledged == kill_after:
                victim.kill()
        assert victim.wait(30) != 0
        assert acknowledged >= kill_after
        found = 0
        while store.load("shard", key(found * SIZE)):
            found += 1
        assert found in (acknowledged + 1, acknowledged + 2), f"seed {seed}: {acknowledged} was acknowledged"
        _whole(store, found)


def _whole(store: Database, calls: int) -> None:
    """Every call is there with all its rows, and nothing of the next."""
    for number in range(calls * SIZE):
        expected = batch(0, number)
        loaded = store.load("shard", key(number))
        assert loaded is not None
        assert loaded.pending == expected.executions[0].pending
        assert store.history("shard", key(number), 1, 9, 9) == expected.history
    assert len(store.tasks("shard", None, ("", 0), 100_000)) == calls * SIZE
    assert store.count_visible(key(0).namespace_id, None) == [(None, calls * SIZE)]
    assert store.load("shard", key(calls * SIZE)) is None
