"""Several server processes on one store: workflows of official workers run across them, and go on when one is killed or leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.service import TLSConfig
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from drivers.base import Fault
from drivers.registry import open_store
from tests import stores
from tests.servers import Server, free_port

pytestmark = [pytest.mark.asyncio, stores.only("postgresql")]
SOON = timedelta(seconds=10)
ROLES = (("frontend",), ("frontend",), ("history",), ("history",), ("matching",), ("worker",))
RECOVERY_SECONDS_MAX = 30.0


@activity.defn
async def increment(n: int) -> int:
    return n + 1


@workflow.defn
class Child:
    @workflow.run
    async def run(self, n: int) -> int:
        return await workflow.execute_activity(increment, n, start_to_close_timeout=SOON)


@workflow.defn
class Parent:
    """An activity, a child elsewhere, a timer; then as many signals as it was told of."""

    def __init__(self) -> None:
        self.signals: list[str] = []

    @workflow.run
    async def run(self, signals: int) -> list[str]:
        one = await workflow.execute_activity(increment, 0, start_to_close_timeout=SOON)
        await workflow.execute_child_workflow(Child.run, one)
        await asyncio.sleep(0.1)
        await workflow.wait_condition(lambda: len(self.signals) >= signals)
        return self.signals

    @workflow.signal
    def note(self, name: str) -> None:
        self.signals.append(name)

    @workflow.query
    def noted(self) -> list[str]:
        return self.signals


def server(url: str, log: Path, *roles: str) -> Server:
    flags = [flag for role in roles for flag in ("--role", role)]
    internal = ("--internal-address", f"127.0.0.1:{free_port()}")
    return Server("tctl", "--setup", *internal, *flags, store=url, log=log)


async def joined(url: str, count: int) -> None:
    """Returns once the store knows so many processes."""
    store = open_store(url)

    def there() -> int:
        try:
            return len(store.members())
        except Fault:
            return 0  # the first of them is making the schema

    async with asyncio.timeout(60):
        while there() < count:
            await asyncio.sleep(0.2)
    store.close()


@asynccontextmanager
async def workers(*clients: Client) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for client in clients:
            kinds, runner = [Parent, Child], UnsandboxedWorkflowRunner()
            worker = Worker(client, task_queue="q", workflows=kinds, activities=[increment], workflow_runner=runner)
            await stack.enter_async_context(worker)
        yield


async def begin(client: Client, name: str, count: int, signals: int) -> list[WorkflowHandle[Parent, list[str]]]:
    ids = [f"{name}-{n}" for n in range(count)]
    starts = [client.start_workflow(Parent.run, signals, id=id, task_queue="q") for id in ids]
    return list(await asyncio.gather(*starts))


async def signal(client: Client, ids: list[str], name: str) -> None:
    await asyncio.gather(*(client.get_workflow_handle(id).signal(Parent.note, name) for id in ids))


async def test_workflows_cross_processes_and_survive_one(tmp_path: Path) -> None:
    url = stores.create("postgresql")
    servers = [server(url, tmp_path / f"{n}.log") for n in range(2)]
    try:
        for each in servers:
            each.start()
        await joined(url, len(servers))
        one, two = [await Client.connect(each.address) for each in servers]
        async with workers(one, two):
            handles = await begin(one, "calm", 20, signals=2)
            ids = [handle.id for handle in handles]
            await asyncio.gather(signal(one, ids, "a"), signal(two, ids, "b"))
            assert len(await two.get_workflow_handle(ids[0]).query(Parent.noted)) <= 2
            found = await asyncio.gather(*(handle.result() for handle in handles))
            assert all(sorted(names) == ["a", "b"] for names in found)
        async with workers(one):
            handles = await begin(one, "killed", 20, signals=1)
            servers[1].kill()
            async with asyncio.timeout(RECOVERY_SECONDS_MAX):
                await signal(one, [handle.id for handle in handles], "a")
                found = await asyncio.gather(*(handle.result() for handle in handles))
            assert all(names == ["a"] for names in found)
            assert servers[0].stop() == 0
    finally:
        for each in servers:
            if each.process is not None and each.process.poll() is None:
                each.kill()


@pytest.fixture(params=["plain", "mutual TLS"])
def tls(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TLSConfig | bool:
    """What clients need; the servers find their certificates in the environment."""
    if request.param == "plain":
        return False
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1", "localhost")
    cert, key, ca = (tmp_path / name for name in ("cert.pem", "key.pem", "ca.pem"))
    made.cert_chain_pems[0].write_to_path(cert)
    made.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(ca)
    for name in ("TLS", "INTERNAL_TLS"):
        monkeypatch.setenv(f"TEMPORAL_SERVER_{name}_CERT", str(cert))
        monkeypatch.setenv(f"TEMPORAL_SERVER_{name}_KEY", str(key))
    monkeypatch.setenv("TEMPORAL_SERVER_TLS_CLIENT_CA", str(ca))
    monkeypatch.setenv("TEMPORAL_SERVER_INTERNAL_TLS_CA", str(ca))
    return TLSConfig(ca.read_bytes(), client_cert=cert.read_bytes(), client_private_key=key.read_bytes())


async def test_roles_may_live_apart_and_leave_in_order(tmp_path: Path, tls: TLSConfig | bool) -> None:
    url = stores.create("postgresql")
    servers = [server(url, tmp_path / f"{n}.log", *roles) for n, roles in enumerate(ROLES)]
    try:
        servers[0].launch()
        await joined(url, 1)
        for each in servers[1:]:
            each.launch()
        await joined(url, len(servers))
        client = await Client.connect(servers[0].address, tls=tls)
        async with workers(client):
            handles = await begin(client, "apart", 10, signals=1)
            assert servers[2].stop() == 0  # the other process with history takes over
            async with asyncio.timeout(RECOVERY_SECONDS_MAX):
                await signal(client, [handle.id for handle in handles], "a")
                found = await asyncio.gather(*(handle.result() for handle in handles))
        assert all(names == ["a"] for names in found)
        assert [each.stop() for each in servers[3:]] == [0, 0, 0]
    finally:
        for each in servers:
            if each.process is not None and each.process.poll() is None:
                each.kill()
