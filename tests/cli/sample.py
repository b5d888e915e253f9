"""Workflows to look at with a command line, and the worker that runs them."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

QUEUE = "cli-tests"


@activity.defn
async def greet(name: str) -> str:
    """Greets."""
    return f"Hello, {name}!"


@activity.defn
async def never() -> None:
    """Fails until it is given up."""
    raise ApplicationError("not now")


@workflow.defn(name="Greet")
class Greet:
    """Greets through an activity."""

    @workflow.run
    async def run(self, name: str) -> str:
        """The greeting."""
        found: str = await workflow.execute_activity(greet, name, start_to_close_timeout=timedelta(seconds=10))
        return found


@workflow.defn(name="Fail")
class Fail:
    """Fails, with a cause."""

    @workflow.run
    async def run(self) -> None:
        """Never returns."""
        try:
            raise ApplicationError("inner", {"a": 1}, type="Inner")
        except ApplicationError as error:
            raise ApplicationError("outer", non_retryable=True) from error


@workflow.defn(name="Wait")
class Wait:
    """Waits for a signal, tells its state, and retries an activity meanwhile."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    @workflow.run
    async def run(self) -> list[Any]:
        """What was said."""
        stubborn = workflow.start_activity(
            never,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(initial_interval=timedelta(hours=1)),
        )
        await workflow.wait_condition(lambda: bool(self.said))
        stubborn.cancel()
        return self.said

    @workflow.signal
    def say(self, word: Any, more: Any = None) -> None:
        """Says a word, and perhaps another."""
        self.said += [word] if more is None else [word, more]

    @workflow.query
    def state(self, extra: str = "") -> dict[str, Any]:
        """How many words were said."""
        return {"said": len(self.said), "extra": extra}


@workflow.defn(name="Again")
class Again:
    """Continues as new until it has counted down."""

    @workflow.run
    async def run(self, left: int) -> str:
        """The end."""
        if left:
            workflow.continue_as_new(left - 1)
        return "done"


async def work(address: str, stop: threading.Event, ready: Future[None]) -> None:
    """Runs the worker until `stop`."""
    try:
        client = await Client.connect(address)
        worker = Worker(
            client,
            task_queue=QUEUE,
            identity="cli-worker",
            workflows=[Greet, Fail, Wait, Again],
            activities=[greet, never],
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        async with worker:
            ready.set_result(None)
            await asyncio.to_thread(stop.wait)
    except BaseException as error:
        if not ready.done():
            ready.set_exception(error)
        raise
