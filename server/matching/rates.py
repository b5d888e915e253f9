"""A token bucket: how many tasks a queue may hand out per second.

Source: service/matching/rate_limit_manager.go (the last poll's max_tasks_per_second holds; a rate of 0 stops the queue).
"""

from __future__ import annotations

SECOND = 1_000_000_000


class Bucket:
    """Lets `rate` tasks a second pass, up to one second's worth (at least one) in a burst. Times are nanoseconds."""

    __slots__ = ("_at", "_tokens", "rate")

    def __init__(self, rate: float, now: int) -> None:
        self.rate = rate
        self._tokens = self.burst
        self._at = now

    @property
    def burst(self) -> float:
        return max(self.rate, 1.0) if self.rate else 0.0

    def set(self, rate: float, now: int) -> None:
        """Changes the rate; what has been saved up stays, within the new burst."""
        self._refill(now)
        self.rate = rate
        self._tokens = min(self._tokens, self.burst)

    def take(self, now: int) -> bool:
        """Whether one task may pass now; it is counted if so."""
        self._refill(now)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def give_back(self) -> None:
        """A task that was counted did not pass after all."""
        self._tokens = min(self._tokens + 1.0, self.burst)

    def next_at(self, now: int) -> int | None:
        """When the next task may pass; None for never, as long as the rate is 0."""
        self._refill(now)
        if not self.rate:
            return None
        return now + max(0, int((1.0 - self._tokens) / self.rate * SECOND) + 1)

    def _refill(self, now: int) -> None:
        self._tokens = min(self.burst, self._tokens + (now - self._at) / SECOND * self.rate)
        self._at = max(self._at, now)
