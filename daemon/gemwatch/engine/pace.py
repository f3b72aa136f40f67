"""Limits the requests to the API: at a time, per second, and none while the API asks to wait."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, Self

from gemwatch.core.backoff import THROTTLED_MOST
from gemwatch.core.clock import Clock
from gemwatch.core.job import Failed, Throttled
from gemwatch.core.listing import Listed
from gemwatch.core.sharing.rate import Share, next_turn, share_of
from gemwatch.core.sharing.replicas import FRESH_FOR, Refreshed
from gemwatch.engine.ports import Database

_FIRST_HOLD, _MOST_HOLD = 2.0, 60.0  # seconds to wait if the API does not say how long


@dataclass(slots=True)
class Turns:
    """When the next request may be sent, on the monotonic clock. Stays valid after an edit of the limits.

    `probing`: there was no other answer since the API asked to wait. `probe_out`: the single probe is running.
    `shared`: with several replicas on one store, what this one may send.
    """

    next_at: float = 0.0
    held_until: float = 0.0
    throttles: int = 0  # consecutive answers that asked to wait without a duration
    probing: bool = False
    probe_out: bool = False
    shared: "Shared | None" = None


@dataclass(slots=True, kw_only=True)
class Shared:
    """A replica's part of the rate, from the last refresh of its row.

    `ahead`: by how many seconds the database's clock is ahead of our monotonic one.
    """

    on_hold: Callable[[], None] = lambda: None  # the API asked this replica to wait: the others should know
    share: Share | None = None  # None: nothing may be sent yet
    ahead: float = 0.0
    valid_until: float = float("-inf")  # on the monotonic clock: then the others count without this replica
    held_until: float = 0.0  # the API asked another replica to wait


class Pace:
    """Spaces requests evenly, even if many become due at once.

    `rate` 0: no limit. `turns`: from the pace that this one replaces, so that a request to wait still counts.
    When the API asks to wait, gemwatch sends nothing until then, and afterwards one request at a time until one is
    answered.
    """

    def __init__(self, clock: Clock, *, at_once: int, rate: float, turns: Turns | None = None) -> None:
        self._clock = clock
        self._slots = asyncio.Semaphore(at_once)
        self._rate, self._gap = rate, 1 / rate if rate else 0.0
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

    def resume(self, left: timedelta) -> bool:
        """Continue a pause of the previous process, unless it is over. More than an hour means that the clock was
        set back."""
        if left <= timedelta(0):
            return False
        self.turns.held_until = self._clock.monotonic() + min(left, THROTTLED_MOST).total_seconds()
        self.turns.probing = True
        return True

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
        """Whether nothing may be sent now: the API asked to wait, or this replica has no share of the rate."""
        return self.asked_to_wait or self._without_share

    @property
    def asked_to_wait(self) -> bool:
        """Whether the API asked to wait, and this time or the single request after it is not over."""
        return self.turns.probe_out or self._held_until > self._clock.monotonic()

    @property
    def hold_left(self) -> float:
        """Seconds until a request may be sent at the earliest. One second at a time while that is not known."""
        unknown = self.turns.probe_out or self._without_share
        return max(self.asked_for, 1.0 if unknown else 0.0)

    @property
    def asked_for(self) -> float:
        """Seconds that are left of the time that the API asked to wait."""
        return max(0.0, self._held_until - self._clock.monotonic())

    @property
    def waits(self) -> float:
        """Seconds until the next request may be sent, ignoring a request to wait."""
        return max(0.0, self._next_at() - self._clock.monotonic())

    @property
    def _held_until(self) -> float:
        shared = self.turns.shared
        return max(self.turns.held_until, shared.held_until if shared is not None else 0.0)

    @property
    def _without_share(self) -> bool:
        shared = self.turns.shared
        if shared is None:
            return False
        return shared.valid_until <= self._clock.monotonic() or (bool(self._rate) and shared.share is None)

    def _next_at(self) -> float:
        """When the next request may be sent. Catch up by up to half a gap, so that late wake-ups do not lower the
        rate."""
        now, shared = self._clock.monotonic(), self.turns.shared
        if not self._rate or shared is None or shared.share is None or shared.share.parts == 1:
            return max(self.turns.next_at, now - self._gap / 2)
        # The turns of the replicas follow each other, so that the API sees evenly spaced requests of all of them.
        earliest = max(self.turns.next_at, now - self._gap * shared.share.parts / 2)
        return next_turn(shared.share, self._rate, earliest + shared.ahead) - shared.ahead

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
        if self.turns.shared is not None:
            self.turns.shared.on_hold()

    async def _turn(self) -> bool:
        if not self._rate and self.turns.next_at <= self._clock.monotonic():
            return not self.held
        while not self.held and self.waits > 0:  # noqa: ASYNC110 (no event, but a time that others move)
            await asyncio.sleep(self.waits)
        if self.held:
            return False
        self.turns.next_at = self._next_at() + self._gap
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


class Holds(Protocol):
    """The replicas' common note about a request to wait."""

    def exchange(self, mine: timedelta | None) -> timedelta: ...


class SharedPace:
    """Keeps this replica's share of the rate, and tells the others when the API asks to wait.

    Until the first `update` nothing is sent.
    """

    def __init__(
        self,
        *,
        me: str,
        holds: Holds,
        turns: Turns,
        database: Database,
        clock: Clock,
        on_hold: Callable[[], None],
    ) -> None:
        """`on_hold` is called when the API asks to wait: the next update should come soon."""
        self._me = me
        self._holds = holds
        self._turns = turns
        self._database = database
        self._clock = clock
        self._shared = turns.shared = Shared(on_hold=on_hold)
        self._reported = False  # a hold of this replica

    async def update(self, refreshed: Refreshed) -> None:
        """Take the share that follows from the living replicas, and exchange requests to wait."""
        shared, turns = self._shared, self._turns
        shared.share = share_of(self._me, refreshed.replicas, refreshed.now)
        shared.ahead = refreshed.now.timestamp() - (refreshed.began + refreshed.ended) / 2
        shared.valid_until = refreshed.began + FRESH_FOR
        left = turns.held_until - self._clock.monotonic()
        mine = None
        if left > 0:
            mine, self._reported = timedelta(seconds=left), True
        elif self._reported and not turns.probing:
            mine, self._reported = timedelta(0), False
        others = await self._database(self._holds.exchange, mine)
        shared.held_until = self._clock.monotonic() + others.total_seconds()
