"""Calls that a run makes to others until they have said something that lasts: a loop that calls, tells the run, and waits where it is to call again.

The message's row stays until then, so that a server that comes back calls again. Who is called knows a repetition by its request id.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from server.core.outcome import Namespace
from server.core.rejected import NotFound
from server.core.state import State
from server.core.state_pb2 import NexusCalls, Outgoing
from server.core.step import Step
from server.environment import pause
from server.history.cache import Run

if TYPE_CHECKING:
    from server.history.shard import Shard

T = TypeVar("T")


class Caller(NamedTuple):
    """One message under way. `forgotten` removes its row, in the decision that it is called in."""

    shard: Shard
    namespace: Namespace
    note: Outgoing
    forgotten: Callable[[Step], None]

    async def until_said(
        self,
        look: Callable[[State], tuple[T, NexusCalls] | None],
        call: Callable[[T], Awaitable[Callable[[Step], bool]]],
    ) -> bool:
        """`look` copies what is called about out of the run's state, with how its calls went (None: there is nothing to call about any more);
        `call` makes the call and returns the decision that tells the run, which returns True when it is to be called again. False when there
        was nobody to tell: the row is still there. Raises Rejected."""
        environment = self.shard.parts.environment
        while True:
            found = await self._looked(look)
            if found is None:
                return False
            about, calls = found
            wait = calls.next_attempt_time - environment.now()
            if wait > 0:
                await pause(environment, wait)
                continue
            if not await self._tell(await call(about)):
                return True

    async def _looked(self, look: Callable[[State], tuple[T, NexusCalls] | None]) -> tuple[T, NexusCalls] | None:
        def view(run: Run) -> tuple[T, NexusCalls] | None:
            assert run.state is not None
            return look(run.state)

        note = self.note
        key = note.source_namespace_id, note.source_workflow_id, note.source_run_id
        try:
            return await self.shard.look(*key, view)
        except NotFound:
            return None

    async def _tell(self, decide: Callable[[Step], bool]) -> bool:
        def told(step: Step) -> bool:
            again = decide(step)
            if not again:
                self.forgotten(step)
            return again

        return await self.shard.run(self.namespace, self.note.source_workflow_id, self.note.source_run_id, told)
