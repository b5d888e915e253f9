"""A program of the official Python SDK that uses what this server serves: the tests run it, and `make start` shows it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError


@dataclass
class Order:
    """What a customer wants."""

    item: str
    fails: int = 0


@activity.defn
async def charge(order: Order) -> str:
    """Fails as often as the order says."""
    if activity.info().attempt <= order.fails:
        raise ApplicationError(f"no luck with attempt {activity.info().attempt}")
    return f"charged for {order.item} at attempt {activity.info().attempt}"


@activity.defn
async def hopeless() -> None:
    """Never works."""
    raise ApplicationError("it never works", type="Hopeless", non_retryable=True)


@activity.defn
async def beat_until_cancelled() -> str:
    """Beats until it hears of its cancellation."""
    activity.heartbeat("first")
    try:
        while True:
            await asyncio.sleep(0.1)
            activity.heartbeat("again")
    except asyncio.CancelledError:
        return "heard of it"


@activity.defn
async def local(name: str) -> str:
    """Runs beside the workflow."""
    return f"hello {name}"


@workflow.defn
class OrderWorkflow:
    """An activity with retries, then a timer, then a signal that carries the answer."""

    def __init__(self) -> None:
        self.state = "new"
        self.answer = ""

    @workflow.run
    async def run(self, order: Order) -> str:
        self.state = "charging"
        charged = await workflow.execute_activity(
            charge,
            order,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=50)),
        )
        self.state = "sleeping"
        await asyncio.sleep(0.2)
        self.state = "waiting"
        await workflow.wait_condition(lambda: self.answer != "")
        self.state = "done"
        return f"{charged}, {self.answer}"

    @workflow.signal
    def ship(self, answer: str) -> None:
        self.answer = answer

    @workflow.query
    def where(self) -> str:
        return self.state


@workflow.defn
class CountdownWorkflow:
    """Continues as new until nothing is left."""

    @workflow.run
    async def run(self, left: int) -> str:
        if left > 0:
            workflow.continue_as_new(left - 1)
        return f"lift off, run {workflow.info().continued_run_id is not None}"


@workflow.defn
class FailingWorkflow:
    """Fails with the failure of its activity."""

    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(hopeless, start_to_close_timeout=timedelta(seconds=5))


@workflow.defn
class CancelWorkflow:
    """Passes its own cancellation on to a heartbeating activity, and says what that answered."""

    @workflow.run
    async def run(self) -> str:
        handle = workflow.start_activity(
            beat_until_cancelled,
            start_to_close_timeout=timedelta(seconds=30),
            heartbeat_timeout=timedelta(seconds=2),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            handle.cancel()
            try:
                return await handle
            except ActivityError as error:
                return f"activity cancelled: {isinstance(error.cause, CancelledError)}"
        return "never"


@workflow.defn
class LocalWorkflow:
    """A local activity and a marker."""

    @workflow.run
    async def run(self, name: str) -> str:
        patched = workflow.patched("greeting")
        greeting = await workflow.execute_local_activity(local, name, start_to_close_timeout=timedelta(seconds=5))
        return f"{greeting}, {patched}"


@workflow.defn
class AccountWorkflow:
    """Its balance is changed by updates: never below nothing, and slowly when an activity has to agree."""

    def __init__(self) -> None:
        self.balance = 0
        self.closed = False

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.closed and workflow.all_handlers_finished())
        return self.balance

    @workflow.update
    def change(self, amount: int) -> int:
        self.balance += amount
        return self.balance

    @change.validator
    def check_change(self, amount: int) -> None:
        if self.balance + amount < 0:
            raise ApplicationError("not enough")

    @workflow.update
    async def change_slowly(self, item: str) -> str:
        charged = await workflow.execute_activity(charge, Order(item), start_to_close_timeout=timedelta(seconds=10))
        self.balance += 1
        return charged

    @workflow.update
    def refuse(self) -> None:
        raise ApplicationError("accepted, then failed", type="Refused")

    @workflow.signal
    def close(self) -> None:
        self.closed = True


WORKFLOWS = [OrderWorkflow, CountdownWorkflow, FailingWorkflow, CancelWorkflow, LocalWorkflow, AccountWorkflow]
ACTIVITIES = [charge, hopeless, beat_until_cancelled, local]
