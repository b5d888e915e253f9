"""A small shop of the official Python SDK. Workflows that were left open in an old or copied store are finished by it, so its code must
go on replaying histories that it wrote earlier: `tests/drivers/sqlite_schema_1.sql` holds some.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow

QUEUE = "shop"


@activity.defn
async def pack(item: str) -> str:
    """Packs."""
    return f"a box with {item}"


@workflow.defn
class Basket:
    """Collects items by signal, packs each with an activity, and ends when it is paid."""

    def __init__(self) -> None:
        self.items: list[str] = []
        self.boxes: list[str] = []
        self.paid = False

    @workflow.run
    async def run(self, customer: str) -> str:
        while not self.paid or self.items:
            await workflow.wait_condition(lambda: bool(self.items) or self.paid)
            if self.items:
                box = await workflow.execute_activity(
                    pack, self.items.pop(0), start_to_close_timeout=timedelta(minutes=1)
                )
                self.boxes.append(box)
        return f"{customer}: {', '.join(self.boxes)}"

    @workflow.signal
    def add(self, item: str) -> None:
        self.items.append(item)

    @workflow.signal
    def pay(self) -> None:
        self.paid = True

    @workflow.query
    def packed(self) -> list[str]:
        return self.boxes


@workflow.defn
class Countdown:
    """Continues as new until nothing is left."""

    @workflow.run
    async def run(self, left: int) -> str:
        if left:
            workflow.continue_as_new(left - 1)
        return "done"


WORKFLOWS = [Basket, Countdown]
ACTIVITIES = [pack]
