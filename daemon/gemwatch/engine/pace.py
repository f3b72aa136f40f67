"""How fast the API may be asked: so many at a time, so many a second, and not at all while it said to wait."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from gemwatch.core.clock import Clock
from gemwatch.core.job import Failed, Throttled
from gemwatch.core.listing import Listed

_FIRST_HOLD, _MOST_HOLD = 2.0, 60.0  # seconds, where the API does not say for how long to wait


@dataclass(slots=True)
class Turns:
    """When the next one is, on the monotonic clock. It outlives an edit of the limits.

    `probing`: since the API asked to wait, no other answer has come; `probe_out`: the one request is under way.
    """

    next_at: float = 0.0
    held_until: float = 0.0
    throttles: int = 0  # requests to wait in a row that did not say for how long
    probing: bool = False
    probe_out: bool = False


class Pace:
    """Requests are spaced evenly: no burst, whatever became due at once.

    `rate` 0: no limit. `turns`: of the pace that this one replaces, since what the API said last still counts.
    When the API asks to wait, nothing is sent until then, and after it one request at a time, until one is answered.
    """

    def __init__(self, clock: Clock, *, at_once: int, rate: float, turns: Turns | None = None) -> None:
        self._clock = clock
        self._slots = asyncio.Semaphore(at_once)
        self._gap = 1 / rate if rate else 0.0
        self.turns = turns or Turns()
        self._ahead = at_once + (2 * at_once if not rate else min(at_once, max(1, int(rate))))

    @property
    def ahead(self) -> int:
        """How many polls may be under way or waiting for their turn: enough to keep the turns filled, and few enough
        that none waits for long."""
        return 1 if self.turns.probing else self._ahead

    def slot(self) -> "_Slot":
        """Wait for a turn, as `async with`; its `granted` says whether a request may be sent."""
        return _Slot(self._slots, self.turns, self._turn)

    def settle(self, seen: Listed) -> None:
        """Take in what the request of a turn was answered."""
        match seen:
            case Throttled():
                self._throttle(seen.retry_after)
            case Failed():
                pass  # no word from the API on how fast it may be asked
            case _:
                self.turns.throttles, self.turns.probing = 0, False

    @property
    def held(self) -> bool:
        """Whether nothing may be sent now, since the API said to wait."""
        return self.turns.probe_out or self.turns.held_until > self._clock.monotonic()

    @property
    def hold_left(self) -> float:
        """Seconds until a request may be sent at the earliest; a second at a time while the first one is out."""
        return max(self.turns.held_until - self._clock.monotonic(), 1.0 if self.turns.probe_out else 0.0)

    @property
    def waits(self) -> float:
        """Seconds until the next request may be sent, apart from a hold."""
        return max(0.0, self.turns.next_at - self._clock.monotonic())

    def _throttle(self, pause: timedelta | None) -> None:
        """Send nothing for this long, or for a growing while where the API does not say (0 s says nothing)."""
        if pause:
            seconds = pause.total_seconds()
        elif self.turns.held_until > self._clock.monotonic():
            return  # one of many that were under way: the same word, not a further one
        else:
            seconds = min(_MOST_HOLD, _FIRST_HOLD * 2 ** min(self.turns.throttles, 10))
            self.turns.throttles += 1
        self.turns.held_until = max(self.turns.held_until, self._clock.monotonic() + seconds)
        self.turns.probing = True

    async def _turn(self) -> bool:
        while not self.held and self.waits > 0:  # noqa: ASYNC110 (no event, but a time that others move)
            await asyncio.sleep(self.waits)
        if self.held:
            return False
        # Half a gap may be made up for, so that late wake-ups do not add up to a lower rate.
        self.turns.next_at = max(self.turns.next_at, self._clock.monotonic() - self._gap / 2) + self._gap
        return True


class _Slot:
    """One of the requests at a time, from its turn on. Not a generator: it is entered for each request."""

    __slots__ = ("_is_probe", "_slots", "_turn", "_turns", "granted")

    def __init__(self, slots: asyncio.Semaphore, turns: Turns, turn: Callable[[], Awaitable[bool]]) -> None:
        self.granted = False
        self._slots = slots
        self._turns = turns
        self._turn = turn
        self._is_probe = False

    async def __aenter__(self) -> Self:
        await self._slots.acquire()
        try:
            self.granted = await self._turn()
        except BaseException:
            self._slots.release()
            raise
        if self.granted and self._turns.probing:
            self._turns.probe_out = self._is_probe = True
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._is_probe:
            self._turns.probe_out = False
        self._slots.release()
