"""How fast the API may be asked: so many at a time, so many a second, and not at all while it said to wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from gemwatch.core.clock import Clock


class Pace:
    """Requests are spaced evenly: no burst, whatever became due at once. `rate` 0: no limit."""

    def __init__(self, clock: Clock, *, at_once: int, rate: float) -> None:
        self._clock = clock
        self._slots = asyncio.Semaphore(at_once)
        self._gap = 1 / rate if rate else 0.0
        self._next = 0.0  # monotonic: when the next request may be sent
        self.ahead = at_once + (at_once if not rate else min(at_once, max(1, int(rate))))

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a turn; the turn ends with the block."""
        async with self._slots:
            await self._turn()
            yield

    def hold(self, pause: timedelta) -> None:
        """Send nothing for this long."""
        self._next = max(self._next, self._clock.monotonic() + pause.total_seconds())

    @property
    def waits(self) -> float:
        """Seconds until the next request may be sent."""
        return max(0.0, self._next - self._clock.monotonic())

    @property
    def held(self) -> bool:
        """Whether that is longer than the pace alone explains."""
        return self.waits > max(1.0, 2 * self._gap)

    async def _turn(self) -> None:
        while self.waits > 0:  # noqa: ASYNC110 (no event, but a time that a hold may move)
            await asyncio.sleep(self.waits)
        # Half a gap may be made up for, so that late wake-ups do not add up to a lower rate.
        self._next = max(self._next, self._clock.monotonic() - self._gap / 2) + self._gap
