"""Time as an argument: what the world's clock looks like to whoever is given one."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The time of day, aware, in UTC. It can jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow, for waits and limits."""
        ...
