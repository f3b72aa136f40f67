"""Limits the requests to the API: at a time, per second, and none while the API asks to wait."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from gemwatch.core.clock import Clock
from gemwatch.core.job import Failed, Throttled
from gemwatch.core.listing import Listed

_FIRST_HOLD, _MOST_HOLD = 2.0, 60.0  # seconds to wait if the API does not say how long


@dataclass(slots=True)
class Turns:
    """When the next request may be sent, on the monotonic clock. Stays valid after an edit of the limits.

    `probing`: there was no other answer since the API asked to wait. `probe_out`: the single probe is running.
    """

    next_at: float = 0.0
    held_until: float = 0.0
    throttles: int = 0  # consecutive answers that asked to wait without a duration
    probing: bool = False
    probe_out: bool = False


class Pace:
    """Spaces requests evenly, even if many become due at once.

    `rate` 0: no limit. `turns`: from the pace that this one replaces, so that a request to wait still counts.
    When the API asks to wait, gemwatch sends nothing until then, and afterwards one request at a time until one is
    answered.
    """

    def __init__(self, clock: Clock, *, at_once: int, rate: float, turns: Turns | None = None) -> None:
        self._clock = clock
        self._slots = asyncio.Semaphore(at_once)
        self._gap = 1 / rate if rate else 0.0
        self.turns = turns or Turns()
        self._ahead = at_once + (2 * at_once if not rate else min(at_once, max(1, int(rate))))

    @property
    def ahead(self) -> int:
        """How many polls may run or wait for their turn: enough to use every turn, and few enough that none waits
        for long."""
        return 1 if self.turns.probing else self._ahead

    def slot(self) -> "_Slot":
        """Wait for a turn, with `async with`. Its `granted` says whether a request may be sent."""
        return _Slot(self._slots, self.turns, self._turn)

    def settle(self, seen: Listed) -> None:
        """Process the answer to the request of a turn."""
        match seen:
            case Throttled():
                self._throttle(seen.retry_after)
            case Failed():
                pass  # says nothing about the permitted rate
            case _:
                self.turns.throttles, self.turns.probing = 0, False

    @property
    def held(self) -> bool:
        """Whether the API asked to wait, so that nothing may be sent now."""
        return self.turns.probe_out or self.turns.held_until > self._clock.monotonic()

    @property
    def hold_left(self) -> float:
        """Seconds until a request may be sent at the earliest. While the probe is running: one second at a time."""
        return max(self.turns.held_until - self._clock.monotonic(), 1.0 if self.turns.probe_out else 0.0)

    @property
    def waits(self) -> float:
        """Seconds until the next request may be sent, ignoring a request to wait."""
        return max(0.0, self.turns.next_at - self._clock.monotonic())

    def _throttle(self, pause: timedelta | None) -> None:
        """Send nothing for this long. If the API names no duration (or 0 s), wait longer each time."""
        if pause:
            seconds = pause.total_seconds()
        elif self.turns.held_until > self._clock.monotonic():
            return  # one of several requests at that time: the same limit, not a new one
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
        # Catch up by up to half a gap, so that late wake-ups do not lower the rate.
        self.turns.next_at = max(self.turns.next_at, self._clock.monotonic() - self._gap / 2) + self._gap
        return True


class _Slot:
    """One of the concurrent requests, from its turn on. A class, because a generator per request is slower."""

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
