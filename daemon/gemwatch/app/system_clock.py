"""The real clocks."""

import time
from datetime import UTC, datetime

from gemwatch.core.sharing.replicas import Refreshed


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class DatabaseClock:
    """The time of the database that several replicas share, whatever the clocks of their machines show.

    Between two refreshes it follows the monotonic clock, so that it neither jumps with the machine's clock nor needs
    a request.
    """

    def __init__(self) -> None:
        self._ahead: float | None = None  # seconds since 1970 at the monotonic clock's zero

    def now(self) -> datetime:
        if self._ahead is None:
            return datetime.now(UTC)
        return datetime.fromtimestamp(self._ahead + time.monotonic(), UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def learn(self, refreshed: Refreshed) -> None:
        """Follow the time of the database. A measurement is only as exact as its transaction was short: unless the
        clock is certainly wrong, it stays, so that it does not go back and forth."""
        now = refreshed.now.timestamp()
        earliest, latest = now - refreshed.ended, now - refreshed.began
        if self._ahead is None or not earliest <= self._ahead <= latest:
            self._ahead = (earliest + latest) / 2
