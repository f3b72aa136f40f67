"""The interface of a clock, so that time is an argument; and one that follows jumps on request."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

JUMP = timedelta(seconds=10)  # a larger difference between the two clocks is a jump, not drift
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    def now(self) -> datetime:
        """The current time, aware, in UTC. It can jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that never decrease, for waits and limits."""
        ...


class SteadyClock:
    """Between a jump and `follow`, time continues as if there had been none.

    So nothing is decided or written with the new time while the stored times are still the old ones: no message
    expires because the machine slept, and the code that moves the stored times need not guess which to move.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = self._ahead(clock.now())

    def now(self) -> datetime:
        wall = self._clock.now()
        return wall - self._jump(wall)

    def monotonic(self) -> float:
        return self._clock.monotonic()

    @property
    def jump(self) -> timedelta:
        """By how much the wall clock has jumped since it was last followed, or zero."""
        return self._jump(self._clock.now())

    def follow(self) -> None:
        """From now on use the time of the wall clock."""
        self._offset = self._ahead(self._clock.now())

    def _jump(self, wall: datetime) -> timedelta:
        jump = self._ahead(wall) - self._offset
        return jump if abs(jump) >= JUMP else timedelta()

    def _ahead(self, wall: datetime) -> timedelta:
        """How far a time of the wall clock, read just now, is ahead of the monotonic clock."""
        return wall - _EPOCH - timedelta(seconds=self._clock.monotonic())
