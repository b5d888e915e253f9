"""Workflows outlive their store: those of a shipped old schema after an update, and those of one store in the copy on another. Open ones
are finished by a worker of the official SDK; closed ones show the same history.
"""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.message import Message
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.worker import Worker

from server.core import laws
from tests import stores
from tests.drivers.plugin import install
from tests.drivers.shop import ACTIVITIES, QUEUE, WORKFLOWS, Basket, Countdown
from tests.servers import BIN, Server

OLD = Path(__file__).parents[1] / "drivers" / "sqlite_schema_1.sql"
COLOUR = SearchAttributeKey.for_keyword("Colour")


def tctl(*words: str) -> subprocess.CompletedProcess[str]:
    """What a command did."""
    return subprocess.run([str(BIN / "tctl"), *words], capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def serving(store: str, *flags: str) -> Iterator[Server]:
    server = Server("tctl", *flags, store=store)
    server.start()
    try:
        yield server
    finally:
        assert server.stop() == 0


@asynccontextmanager
async def working(client: Client) -> AsyncIterator[None]:
    async with Worker(client, task_queue=QUEUE, workflows=WORKFLOWS, activities=ACTIVITIES):
        yield


async def histories(client: Client) -> dict[tuple[str, str], list[Message]]:
    """Every event of every run, by workflow id and run id."""
    found = {}
    async for run in client.list_workflows():
        handle = client.get_workflow_handle(run.id, run_id=run.run_id)
        found[run.id, run.run_id] = list((await handle.fetch_history()).events)
    return found


@pytest.fixture
def old(tmp_path: Path) -> str:
    """The URL of a database of schema version 1, left by a server that was stopped in the middle of things."""
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.executescript(OLD.read_text())
    return f"sqlite:////{tmp_path}/old.db"


async def test_workflows_of_the_first_schema_go_on_after_an_update(old: str) -> None:
    refused = tctl("server", "start", "--store", old)
    assert refused.returncode == 1
    assert f"needs 2; run `tctl schema update --store {old}`" in refused.stderr
    assert tctl("schema", "update", "--store", old).returncode == 0
    assert tctl("schema", "check", "--store", old).returncode == 0
    with serving(old) as server:
        client = await Client.connect(server.address, namespace="shop")
        was = await histories(client)
        assert len(was) == 9
        assert [run.id async for run in client.list_workflows("Colour = 'green' AND Size > 3")] == ["terminated"]
        counts = await client.count_workflows("GROUP BY ExecutionStatus")
        assert {group.group_values[0]: group.count for group in counts.groups} == {
            "Running": 3,
            "Completed": 2,
            "ContinuedAsNew": 3,
            "Terminated": 1,
        }
        async with working(client):
            for name, customer, item in (("open", "Bob", "chair"), ("waiting-for-activity", "Cid", "table")):
                basket = client.get_workflow_handle_for(Basket.run, name)
                await basket.signal(Basket.add, "lamp")
                await basket.signal(Basket.pay)
                assert await basket.result() == f"{customer}: a box with {item}, a box with lamp"
            never_polled = client.get_workflow_handle_for(Basket.run, "never-polled")
            assert await never_polled.result() == "Dan: a box with vase"
        await _grown(client, was)


async def _grown(client: Client, was: dict[tuple[str, str], list[Message]]) -> None:
    """Each history begins with what it was, and is lawful; some may have gone on by themselves."""
    now = await histories(client)
    assert now.keys() == was.keys()
    for run, events in now.items():
        assert events[: len(was[run])] == was[run], run
        laws.check(events)


async def test_setup_makes_schema_namespace_and_search_attributes(tmp_path: Path) -> None:
    store = f"sqlite:////{tmp_path}/new.db"
    for _ in range(2):
        with serving(store, "--setup", "--search-attribute", "Colour=Keyword") as server:
            client = await Client.connect(server.address)
            async with working(client):
                attributes = TypedSearchAttributes([SearchAttributePair(COLOUR, "red")])
                counted = await client.execute_workflow(
                    Countdown.run, 1, id="countdown", task_queue=QUEUE, search_attributes=attributes
                )
                assert counted == "done"
    with serving(store) as server:
        client = await Client.connect(server.address)
        assert (await client.count_workflows("Colour = 'red'")).count == 4


async def copied(source: str, destination: str) -> None:
    """Fills the source with open and closed workflows, copies it, and finishes them on the copy."""
    with serving(source, "--setup") as server:
        client = await Client.connect(server.address)
        async with working(client):
            assert await client.execute_workflow(Countdown.run, 2, id="countdown", task_queue=QUEUE) == "done"
            baskets = [
                await client.start_workflow(Basket.run, f"customer {n}", id=f"basket-{n}", task_queue=QUEUE)
                for n in range(20)
            ]
            for basket in baskets:
                await basket.signal(Basket.add, "lamp")
            while not all([await basket.query(Basket.packed) for basket in baskets]):
                await asyncio.sleep(0.05)
        for basket in baskets:
            await basket.signal(Basket.add, "chair")  # nobody works: a workflow task waits
        asleep = await client.start_workflow(
            Basket.run, "early bird", id="delayed", task_queue=QUEUE, start_delay=timedelta(hours=1)
        )
        was = await histories(client)
        assert asleep.id == "delayed"
        refused = tctl("schema", "copy", "--from", source, "--to", destination)
        assert refused.stderr.startswith("Error: The source is in use by 1 server"), refused.stderr
    done = tctl("schema", "copy", "--from", source, "--to", destination)
    assert done.returncode == 0, done.stderr
    with serving(destination) as server:
        client = await Client.connect(server.address)
        await _grown(client, was)
        async with working(client):
            for n in range(20):
                basket = client.get_workflow_handle_for(Basket.run, f"basket-{n}")
                await basket.signal(Basket.pay)
                assert await basket.result() == f"customer {n}: a box with lamp, a box with chair"
            again = await client.execute_workflow(Countdown.run, 0, id="countdown", task_queue=QUEUE)
            assert again == "done"
        described = await client.get_workflow_handle("delayed").describe()
        assert described.status == WorkflowExecutionStatus.RUNNING


async def test_workflows_go_on_in_a_copy(tmp_path: Path) -> None:
    await copied(f"sqlite:////{tmp_path}/a.db", f"sqlite:////{tmp_path}/b.db")


async def test_workflows_go_on_in_a_copy_on_another_kind_of_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", install(tmp_path / "site"))
    await copied(f"sqlite:////{tmp_path}/a.db", f"kv:///{tmp_path}/b.kv")


@pytest.mark.parametrize("kind", stores.SERVERS)
async def test_workflows_go_on_in_a_copy_on_a_database_server(tmp_path: Path, kind: str) -> None:
    database = stores.create(kind)
    await copied(f"sqlite:////{tmp_path}/a.db", database)
    back = tctl("schema", "copy", "--from", database, "--to", f"sqlite:////{tmp_path}/back.db")
    assert back.returncode == 0, back.stderr
