"""Keeps this daemon known to the other replicas on its store. What it may do is decided here and nowhere else."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

import structlog

from gemwatch.core.clock import Clock
from gemwatch.core.events import Event
from gemwatch.core.health import Login
from gemwatch.core.kinds import LoginFacts
from gemwatch.core.sharing.polls import share_of_polls
from gemwatch.core.sharing.rate import Share
from gemwatch.core.sharing.replicas import (
    REFRESH_EVERY,
    NotLeaderError,
    Refreshed,
    Replica,
    is_fresh,
    others_poll,
)
from gemwatch.core.sharing.watch_lists import differing
from gemwatch.engine.ports import Database, Member
from gemwatch.engine.wake_up import WakeUp

log = structlog.get_logger()

_SEVERAL = 2


class Membership:
    """Refreshes the daemon's row and leases every few seconds.

    Without a `member` (SQLite) the daemon is alone: it leads, may do everything, and writes nothing.
    """

    def __init__(
        self,
        *,
        member: Member | None,
        database: Database,
        clock: Clock,
        login: Callable[[], Login],
        targets: Callable[[], Collection[str]],
        on_time: Callable[[Refreshed], None] = lambda _: None,
    ) -> None:
        """`targets`: the names of those that this replica can send to. `on_time` learns the database's time."""
        self._member = member
        self._database = database
        self._clock = clock
        self._login = login
        self._targets = targets
        self._on_time = on_time
        self._last: Refreshed | None = None
        self.on_refreshed: Callable[[Refreshed], Awaitable[None]] | None = None
        self._office: int | None = None  # the term for which the configuration is applied
        self.watch_list: str | None = None  # the hash that the next refresh publishes
        self.applied: str | None = None  # the hash of the applied watch list, if this replica leads
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
    def fresh(self) -> bool:
        """Whether this daemon may claim and send."""
        return self._member is None or is_fresh(self._last, self._clock.monotonic())

    @property
    def elected(self) -> bool:
        """Whether this daemon has the leader's lease."""
        return self._member is None or (self.fresh and self._last is not None and self._last.leads)

    @property
    def leads(self) -> bool:
        """Whether this daemon does what only one replica does: it is elected and has applied its configuration."""
        return self._member is None or (self.elected and self._last is not None and self._last.term == self._office)

    @property
    def led_last(self) -> bool:
        """Whether this daemon was the leader at the last refresh, however long ago that is."""
        return self._member is None or (self._last is not None and self._last.leads)

    @property
    def differing(self) -> tuple[str, ...]:
        """For the leader: the hosts of the replicas whose watch list is not the applied one."""
        return differing(self.replicas, self.applied) if self.leads and self.applied is not None else ()

    @property
    def others_poll(self) -> bool:
        """Whether the login of another replica is not refused."""
        return self.id is not None and others_poll(self.replicas, self.id)

    @property
    def polls_first(self) -> Share | None:
        """The jobs that this daemon polls first. None: all."""
        if self._member is None or self._last is None:
            return None
        return share_of_polls(self._member.id, self._last.replicas, self._last.now)

    def sends_to(self, target: str) -> bool:
        """Whether this daemon is the one that sends to a target now."""
        return self._member is None or (self.fresh and self._last is not None and target in self._last.targets)

    def take_office(self) -> None:
        """The configuration of the elected replica is applied."""
        if self._member is not None and self._last is not None:
            self._office = self._last.term
            log.info("leadership_taken", replica=self._member.id)

    def signed(self, event: Event) -> Event:
        """A `login` event with the host whose login it is about, if there are several replicas."""
        own = next((one for one in self.replicas if one.id == self.id), None)
        if own is None or len(self.replicas) < _SEVERAL or not isinstance(event.facts, LoginFacts) or event.job_id:
            return event
        return replace(event, facts=replace(event.facts, replica=own.host, others_poll=self.others_poll))

    async def run(self) -> None:
        while self._member is not None:
            await self.wake_up.wait(within=REFRESH_EVERY)
            await self.refresh()

    async def refresh(self) -> None:
        """Refresh row and leases, and take note of the others."""
        if self._member is None:
            return
        before = self.led_last
        self._last = await self._database(self._member.refresh, self._login(), self.watch_list, self._targets())
        self._on_time(self._last)
        if self.on_refreshed is not None:
            await self.on_refreshed(self._last)
        if before and not self._last.leads:
            self._log_loss()

    async def if_leading(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do what only one replica does again and again, if it is this one."""
        if self.leads:
            await self.as_leader(work)

    async def as_leader(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Do what only the leader does, once: it must not be skipped because the last refresh is old.

        The store refuses it if another replica leads by now. Returns whether it was done.
        """
        if self.led_last:
            try:
                await work()
            except NotLeaderError:
                self.lose()
            else:
                return True
        return False

    def lose(self) -> None:
        """The store has refused a transaction of the leader: another replica leads."""
        if self._last is not None and self._last.leads:
            self._last = replace(self._last, leads=False)
            self._log_loss()

    def _log_loss(self) -> None:
        log.warning("leadership_lost", replica=self.id, detail="Another replica leads, or none does at the moment.")
