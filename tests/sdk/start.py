"""What `make start` does: the server on a SQLite file, a worker of the official SDK, one workflow through a kill -9, and its history.

python -m tests.sdk.start [FILE]
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from pathlib import Path

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from tests.sdk.program import ACTIVITIES, WORKFLOWS, Order, OrderWorkflow
from tests.servers import Server


async def play(server: Server) -> None:
    """Runs one order; the server is killed while it waits for its signal."""
    client = await Client.connect(server.address)
    queue = f"orders-{uuid.uuid4()}"
    async with Worker(client, task_queue=queue, workflows=WORKFLOWS, activities=ACTIVITIES):
        order = Order("a lamp", fails=1)
        handle = await client.start_workflow(OrderWorkflow.run, order, id=f"order-{uuid.uuid4()}", task_queue=queue)
        print(f"started {handle.id}: charge the customer (the first attempt fails), sleep, wait for a signal")
        print(f"query:   {await handle.query(OrderWorkflow.where)}")
        server.kill()
        print("the server was killed with kill -9 and starts again on its file")
        await asyncio.to_thread(server.start)
        await handle.signal(OrderWorkflow.ship, "shipped")
        print(f"result:  {await handle.result()}")
    await show(handle)


async def show(handle: WorkflowHandle[OrderWorkflow, str]) -> None:
    """Prints the history."""
    async for event in handle.fetch_history_events():
        name = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").title().replace("_", "")
        print(f"{event.event_id:4} {event.event_time.ToJsonString()} {name}")


def main() -> int:
    file = Path(sys.argv[1] if len(sys.argv) > 1 else "var/temporal.db")
    file.parent.mkdir(parents=True, exist_ok=True)
    server = Server("tctl", file=file, log=file.with_suffix(".log"))
    server.start()
    print(f"the server listens on {server.address} and keeps everything in {file}")
    try:
        asyncio.run(play(server))
    finally:
        code = server.stop()
    print(f"stopped with exit code {code}. Start it yourself: .venv/bin/tctl server start-dev --db-filename {file}")
    return code


if __name__ == "__main__":
    sys.exit(main())
