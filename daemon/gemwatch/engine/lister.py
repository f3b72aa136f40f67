"""Reads one list for many watched jobs of a type, so that only the changed ones need a poll."""

from collections.abc import Callable

import structlog

from gemwatch.core.clock import Clock
from gemwatch.core.job import Failed, Refused, Throttled
from gemwatch.core.listing import Listed, Listing, in_turn
from gemwatch.core.login import LoginError
from gemwatch.core.text.formatting import counted
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.health_monitor import Change, HealthMonitor
from gemwatch.engine.ports import Database, Listings, Metrics
from gemwatch.engine.wake_up import WakeUp

log = structlog.get_logger()

REST = 15 * 60.0  # seconds without a list of a type after a useless one


class Lister:
    """A list postpones the polls of unchanged jobs. Without a list they are due as usual.

    So nothing depends on a list: if it fails, lacks a job or is odd, the job's own poll follows.
    """

    def __init__(
        self,
        *,
        active: ActiveConfig,
        listings: Listings,
        database: Database,
        clock: Clock,
        health_monitor: HealthMonitor,
        metrics: Metrics,
        take: Callable[[Change], None],
        on_due: Callable[[], None],
    ) -> None:
        """`take` records a change of health. `on_due` is called if a list made jobs due."""
        self._active = active
        self._listings = listings
        self._database = database
        self._clock = clock
        self._health_monitor = health_monitor
        self._metrics = metrics
        self._take = take
        self._on_due = on_due
        self.wake_up = WakeUp()
        self._next_at = 0.0
        self._turns: dict[str, int] = {}  # by type: the last job that was polled regardless of the lists
        self._resting: dict[str, float] = {}  # by type: when to read lists again

    async def run(self) -> None:
        while True:
            await self.wake_up.wait(within=1)
            await self.sweep_if_due()

    async def sweep_if_due(self) -> None:
        poll, now = self._active.settings.poll, self._clock.monotonic()
        if not poll.sweep or now < self._next_at or self._health_monitor.locked_out or self._active.pace.held:
            return
        self._next_at = now + poll.every.total_seconds()
        found = await self._database(self._listings.job_types, poll.every)
        for job_type, jobs in found.items():
            if now >= self._resting.get(job_type, 0.0):
                await self._sweep(job_type, jobs)

    async def _sweep(self, job_type: str, jobs: int) -> None:
        asked_at, sent = self._clock.now(), self._clock.monotonic()
        match await self._list(job_type):
            case None | Throttled():
                return
            case Listing() as listing:
                every = self._active.settings.poll.every
                if job_type not in self._turns:
                    self._turns[job_type] = self._anywhere(listing)
                after, many = self._turns[job_type], in_turn(jobs, every)
                swept = await self._database(
                    self._listings.record, listing, job_type, every, asked_at, after=after, many=many
                )
                self._turns[job_type] = swept.last
                if swept.behind:
                    behind = counted(swept.behind, "finished job is", "finished jobs are")
                    self._rest(job_type, f"the list is not up to date: {behind} unfinished in it")
                    return
                self._metrics.sweep("listed")
                if not swept.due:  # if jobs are due, their polls show whether the API works
                    self._take(self._health_monitor.observe(listing, sent_at=asked_at, sent=sent, others=True))
                log.debug("list_read", job_type=job_type, listed=len(listing.statuses), due=swept.due)
                if swept.due:
                    self._on_due()
            case useless:
                reason = useless.reason if isinstance(useless, Failed | Refused) else "HTTP 404 Not Found"
                self._rest(job_type, reason)

    def _anywhere(self, listing: Listing) -> int:
        """A random job to start after. A fixed one would favor the jobs after it if the program restarts often."""
        ids = list(listing.statuses) or [0]
        return ids[int(self._clock.monotonic()) % len(ids)]

    def _rest(self, job_type: str, reason: str) -> None:
        self._metrics.sweep("not_listed")
        self._resting[job_type] = self._clock.monotonic() + REST
        log.warning("list_failed", job_type=job_type, reason=reason, detail="gemwatch polls these jobs one by one.")

    async def _list(self, job_type: str) -> Listed | None:
        """Returns None if no request was sent. A refused list does not count as a refused login, because an account
        may be allowed to poll but not to list."""
        active = self._active
        credentials = active.credentials
        try:
            token = await credentials.token()
        except LoginError:
            return None
        pace = active.pace
        async with pace.slot() as slot:
            if active.credentials is not credentials or self._health_monitor.locked_out or not slot.granted:
                return None
            with self._health_monitor.asking():
                seen = await active.api.list_jobs(job_type, token.value)
            pace.settle(seen)
        return seen
