"""The database fails in every way while the server is under load: it is killed and started again, drops connections, is read-only,
ends statements; and the server is killed, too. Callers are told UNAVAILABLE, the server recovers by itself, and nothing acknowledged is lost.

CRASH_SEED repeats a run's choices; FAILURES sets another number of them for each store.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import grpc
import pytest
from temporalio.api.workflowservice.v1.service_pb2_grpc import WorkflowServiceStub

from tests import stores
from tests.cassandra import Cassandra
from tests.drivers.mysql_rig import MariaDB
from tests.drivers.postgresql_rig import PostgreSQL
from tests.server import test_crash as crash
from tests.servers import Server

FAILURES = int(os.environ.get("FAILURES", "12"))
TOLD = {
    "UNAVAILABLE",
    "NOT_FOUND",
    "DEADLINE_EXCEEDED",
    "CANCELLED",
}  # NOT_FOUND: an answer to a task that another worker has now
R = TypeVar("R")


class Failures:
    """Lets one thing after another go wrong."""

    def __init__(self, database: PostgreSQL | MariaDB | Cassandra, server: Server, chance: random.Random) -> None:
        self.database, self.server, self.chance = database, server, chance

    def any(self) -> None:
        self.chance.choice([self.kill_database, self.kill_server, *self._milder()])()

    def _milder(self) -> list[Callable[[], None]]:
        if isinstance(self.database, Cassandra):
            return []
        return [self.database.drop, self.database.interrupt, self.read_only]

    def kill_database(self) -> None:
        self.database.kill()
        self.database.start()

    def kill_server(self) -> None:
        self.server.kill()
        self.server.start()

    def read_only(self) -> None:
        assert not isinstance(self.database, Cassandra)
        self.database.read_only(True)
        self.database.drop()
        self.database.read_only(False)
        self.database.drop()


class Load(crash.Load):
    """Notes what callers are told."""

    def __init__(self, stub: WorkflowServiceStub, queue: str) -> None:
        super().__init__(stub, queue)
        self.told: Counter[str] = Counter()

    async def again(self, call: Callable[[], Awaitable[R]]) -> R | None:
        async def noted() -> R:
            try:
                return await call()
            except grpc.aio.AioRpcError as error:
                self.told[error.code().name] += 1
                raise

        return await super().again(noted)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(PostgreSQL, marks=stores.only("postgresql")),
        pytest.param(MariaDB, marks=stores.only("mysql")),
        pytest.param(Cassandra, marks=stores.only("cassandra")),
    ],
)
async def test_nothing_acknowledged_is_lost(kind: type[PostgreSQL | MariaDB | Cassandra], tmp_path: Path) -> None:
    print(f"CRASH_SEED={crash.SEED}")
    chance = random.Random(crash.SEED)
    database = kind()
    database.start()
    flags = ("--setup", "--namespace", "default", "--log-level", "warn")
    server = Server("tctl", *flags, store=database.create(), log=tmp_path / "server.log")
    server.start()
    failures = Failures(database, server, chance)
    async with grpc.aio.insecure_channel(server.address, options=crash.OPTIONS) as channel:
        load = Load(WorkflowServiceStub(channel), f"crash-{crash.SEED}")
        async with crash.running(load):
            for _ in range(FAILURES):
                await asyncio.sleep(chance.uniform(0.05, 1.0))
                await asyncio.to_thread(failures.any)
            while len(load.started) <= crash.KILLS / 2:  # a database that starts slowly has left little time for them
                await asyncio.sleep(0.1)
        await crash.check(load, FAILURES / 2)
    assert server.stop() == 0
    database.remove()
    print(f"{len(load.started)} workflows, {len(load.completed)} activities acknowledged, {FAILURES} failures")
    assert load.told.keys() <= TOLD, load.told
