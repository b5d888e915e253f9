"""The official command line on a real server process."""

from __future__ import annotations

import asyncio
import json
import subprocess
import uuid
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Worker

from tests.sdk.program import ACTIVITIES, WORKFLOWS
from tests.servers import BIN, Server


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


async def test_official_cli(server: Server) -> None:
    id, queue = f"cli-{uuid.uuid4()}", f"tq-{uuid.uuid4()}"

    async def temporal(*words: str) -> str:
        return await asyncio.to_thread(run, BIN / "temporal", "workflow", *words, "--address", server.address)

    client = await Client.connect(server.address)
    async with Worker(client, task_queue=queue, workflows=WORKFLOWS, activities=ACTIVITIES):
        given = ("--type", "OrderWorkflow", "--task-queue", queue, "--input", '{"item": "lamp", "fails": 0}')
        started = json.loads(await temporal("start", "--workflow-id", id, *given, "-o", "json"))
        assert started["workflowId"] == id
        assert "charging" in (answer := await temporal("query", "-w", id, "--type", "where")) or answer
        await temporal("signal", "-w", id, "--name", "ship", "--input", '"by train"')
        result = await temporal("result", "-w", id, "-o", "json")
        assert "by train" in result
        shown = json.loads(await temporal("show", "-w", id, "-o", "json"))
        assert shown["events"][0]["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED"
        described = json.loads(await temporal("describe", "-w", id, "-o", "json"))
        assert described["workflowExecutionInfo"]["status"] == "WORKFLOW_EXECUTION_STATUS_COMPLETED"
        listed = json.loads(await temporal("list", "--query", f"WorkflowId = '{id}'", "-o", "json"))
        assert [item["execution"]["workflowId"] for item in listed] == [id]
        other = f"{id}-2"
        await temporal("start", "--workflow-id", other, *given)
        await temporal("terminate", "-w", other, "--reason", "enough")
        described = json.loads(await temporal("describe", "-w", other, "-o", "json"))
        assert described["workflowExecutionInfo"]["status"] == "WORKFLOW_EXECUTION_STATUS_TERMINATED"
