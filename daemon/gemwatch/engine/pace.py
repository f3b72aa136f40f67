"""How fast the API may be asked: so many at a time, so many a second, and not at all while it said to wait."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from gemwatch.core.clock import Clock

_FIRST_HOLD, _MOST_HOLD = 2.0, 60.0  # seconds, after a 429 that does not say for how long


@dataclass(slots=True)
class Turns:
    """When the next one is, on the monotonic clock. It outlives an edit of the limits."""

    next_at: float = 0.0
    held_until: float = 0.0
    throttles: int = 0  # 429s in a row that did not say for how long


class Pace:
    """Requests are spaced evenly: no burst, whatever became due at once.

    `rate` 0: no limit. `turns`: of the pace that this one replaces, since what the API said last still counts.
    `ahead` is how many looks may be under way or waiting for their turn: enough to keep the turns filled, and
    few enough that none waits for long.
    """

    def __init__(self, clock: Clock, *, at_once: int, rate: float, turns: Turns | None = None) -> None:
        self._clock = clock
        self._slots = asyncio.Semaphore(at_once)
        self._gap = 1 / rate if rate else 0.0
        self.turns = turns or Turns()
        self.ahead = at_once + (2 * at_once if not rate else min(at_once, max(1, int(rate))))

    def slot(self) -> "_Slot":
        """Wait for a turn, as `async with`. During a hold turns come without waiting: look at `held`."""
        return _Slot(self._slots, self._turn)

    def throttle(self, pause: timedelta | None) -> None:
        """The API said 429: send nothing for this long, or for a growing while if it does not say."""
        if pause is not None:
            seconds = pause.total_seconds()
        elif self.held:
            return  # one of many that were under way: the same word, not a further one
        else:
            seconds = min(_MOST_HOLD, _FIRST_HOLD * 2 ** min(self.turns.throttles, 10))
            self.turns.throttles += 1
        self.turns.held_until = max(self.turns.held_until, self._clock.monotonic() + seconds)

    def relax(self) -> None:
        """The API took a request as usual."""
        self.turns.throttles = 0

    @property
    def held(self) -> bool:
        """Whether nothing may be sent, since the API said to wait."""
        return self.turns.held_until > self._clock.monotonic()

    @property
    def waits(self) -> float:
        """Seconds until the next request may be sent, apart from a hold."""
        return max(0.0, self.turns.next_at - self._clock.monotonic())

    async def _turn(self) -> None:
        if self.held:
            return
        while self.waits > 0:  # noqa: ASYNC110 (no event, but a time that others move)
            await asyncio.sleep(self.waits)
        # Half a gap may be made up for, so that late wake-ups do not add up to a lower rate.
        self.turns.next_at = max(self.turns.next_at, self._clock.monotonic() - self._gap / 2) + self._gap


class _Slot:
    """One of the requests at a time, from its turn on. Not a generator: it is entered for each request."""

    def __init__(self, slots: asyncio.Semaphore, turn: Callable[[], Awaitable[None]]) -> None:
        self._slots = slots
        self._turn = turn

    async def __aenter__(self) -> None:
        await self._slots.acquire()
        try:
            await self._turn()
        except BaseException:
            self._slots.release()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._slots.release()
