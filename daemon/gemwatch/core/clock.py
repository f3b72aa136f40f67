"""The interface of a clock, so that time is an argument."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The current time, aware, in UTC. It can jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that never decrease, for waits and limits."""
        ...
