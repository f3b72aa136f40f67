"""Keeps this daemon known to the other replicas on its store, and knows which of them live."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from gemwatch.core.clock import Clock
from gemwatch.core.health import Login
from gemwatch.core.sharing.replicas import REFRESH_EVERY, Refreshed, Replica, is_fresh
from gemwatch.engine.ports import Database, Member
from gemwatch.engine.wake_up import WakeUp


class Membership:
    """Refreshes the daemon's row every few seconds. Without a `member` (SQLite) the daemon is alone and writes none.

    `replicas`: all daemons that live, as of the last refresh.
    """

    def __init__(
        self, *, member: Member | None, database: Database, clock: Clock, login: Callable[[], Login]
    ) -> None:
        self._member = member
        self._database = database
        self._clock = clock
        self._login = login
        self._last: Refreshed | None = None
        self.on_refreshed: Callable[[Refreshed], Awaitable[None]] | None = None
        self.watch_list: str | None = None  # the hash that the next refresh publishes
        self.wake_up = WakeUp()

    @property
    def id(self) -> str | None:
        """The id of this replica. None: there can be no others."""
        return None if self._member is None else self._member.id

    @property
    def replicas(self) -> tuple[Replica, ...]:
        """The replicas that live, with this one; none on SQLite."""
        return () if self._last is None else self._last.replicas

    @property
    def refreshed_at(self) -> datetime | None:
        """The database's time at the last refresh."""
        return None if self._last is None else self._last.now

    @property
    def fresh(self) -> bool:
        """Whether this daemon may claim and send."""
        return self._member is None or is_fresh(self._last, self._clock.monotonic())

    @property
    def leads(self) -> bool:
        """Whether this daemon does the work that only one replica does."""
        if self._member is None:
            return True
        return self.fresh and any(one.leader for one in self.replicas if one.id == self._member.id)

    async def run(self) -> None:
        while self._member is not None:
            await self.wake_up.wait(within=REFRESH_EVERY)
            await self.refresh()

    async def refresh(self) -> None:
        """Refresh the row, and take note of the others."""
        if self._member is not None:
            self._last = await self._database(self._member.refresh, self._login(), self.watch_list)
            if self.on_refreshed is not None:
                await self.on_refreshed(self._last)
