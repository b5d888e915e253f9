"""A process to be killed: `python -m drivers.conformance.victim URL` commits, and prints the number of each call once it has returned."""

from __future__ import annotations

import sys

from drivers.base import Batch
from drivers.conformance.make import begin, key
from drivers.registry import open_store

SIZE = 10  # batches a call
_CALLS_MAX = 5_000


def batch(range_id: int, number: int) -> Batch:
    """The batch of that number."""
    return begin("shard", range_id, key(number), number)


def main(url: str) -> None:
    store = open_store(url)
    range_id = store.acquire("shard", "victim")
    for call in range(_CALLS_MAX):
        assert store.commit([batch(range_id, call * SIZE + n) for n in range(SIZE)]) == [None] * SIZE
        sys.stdout.write(f"{call}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
