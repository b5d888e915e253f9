"""Prints how many batches a store commits in a second: `python -m tests.bench.store_bench [URL] [--batches 25] [--busy]`.

A batch is what one decision of a workflow writes: the execution, two pending rows, a history row, a task and a list entry; one in
four begins a run and moves the pointer of its workflow id. With --busy another thread computes all the time, as the server's loop does.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

from drivers.base import Batch, Current, Execution, History, Pending, RunKey, SetCurrent, Store, Task, Visible
from drivers.registry import open_store

CORE, HISTORY, PENDING, TASK = (os.urandom(400), os.urandom(700), os.urandom(200), os.urandom(120))
NAMESPACE = str(uuid.uuid4())


class Load:
    """Makes batches of one lease."""

    def __init__(self, lease: str, range_id: int) -> None:
        self.lease, self.range_id = lease, range_id
        self.live: list[tuple[RunKey, int]] = []
        self.task_id = 0

    def batch(self) -> Batch:
        """The next decision: of a new run, or of one of the last hundred."""
        self.task_id += 1
        batch = Batch(self.lease, self.range_id)
        if self.task_id % 4 == 1:
            key, event = (RunKey(NAMESPACE, f"order-{uuid.uuid4()}", str(uuid.uuid4())), 1)
            self.live.append((key, event))
            batch.current.append(SetCurrent(*key[:2], None, Current(key.run_id, TASK)))
        else:
            recent = random.randrange(max(0, len(self.live) - 100), len(self.live))
            key, event = self.live[recent]
            self.live[recent] = (key, event + 3)
        pending = [Pending(1, str(event), PENDING), Pending(2, str(event - 3), None if event > 3 else PENDING)]
        now = time.time_ns()
        batch.executions.append(Execution(key, CORE, now, None, pending))
        batch.history.append(History(key, event, event + 2, HISTORY))
        batch.tasks.append(Task(f"w/{NAMESPACE}/queue", self.task_id, TASK))
        if self.task_id > 20:
            batch.tasks_done.append((f"w/{NAMESPACE}/queue", self.task_id - 20))
        batch.visible.append(Visible(key, "Order", "queue", 1, now, now, memo=TASK))
        return batch


def measure(store: Store, size: int, seconds: float) -> str:
    """Commits for so long and says how it went."""
    load = Load("shard-1", store.acquire("shard-1", "bench"))
    took: list[float] = []
    cpu, end = time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < end:
        batches = [load.batch() for _ in range(size)]
        begin = time.perf_counter()
        assert store.commit(batches) == [None] * size
        took.append(time.perf_counter() - begin)
    cpu = time.process_time() - cpu
    took.sort()
    rate, total = size * len(took) / sum(took), size * len(took)
    middle, late = took[len(took) // 2] * 1000, took[len(took) * 99 // 100] * 1000
    return f"{rate:8.0f} batches/s in commits of {size}: p50 {middle:.2f} ms, p99 {late:.2f} ms, {cpu / total * 1e6:.0f} us CPU a batch ({total} batches)"


def compute() -> None:
    """Keeps the interpreter busy."""
    while True:
        sum(range(1000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", help="default: a SQLite file in a new folder")
    parser.add_argument("--batches", type=int, default=25, help="in one call of commit")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--busy", action="store_true", help="another thread computes all the time")
    parser.add_argument(
        "--switch-interval", type=float, default=sys.getswitchinterval(), help="seconds; see sys.setswitchinterval"
    )
    options = parser.parse_args()
    sys.setswitchinterval(options.switch_interval)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(options.url or f"sqlite:///{Path(folder) / 'bench.db'}")
        store.migrate()
        if options.busy:
            threading.Thread(target=compute, daemon=True).start()
        print(measure(store, options.batches, options.seconds))
        store.close()


if __name__ == "__main__":
    main()
