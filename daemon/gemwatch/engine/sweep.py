"""Uses lists to find the watched jobs that changed, so that only these need a poll."""

from collections.abc import Callable, Collection

import structlog

from gemwatch.core.clock import Clock
from gemwatch.core.job import Throttled
from gemwatch.core.listing import Listing, in_turn
from gemwatch.core.text.formatting import counted
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.health_monitor import Change, HealthMonitor
from gemwatch.engine.ports import Database, Listings, Metrics
from gemwatch.engine.reading import Reading, reason_of

log = structlog.get_logger()

REST = 15 * 60.0  # seconds without a list of a type after a useless one


class Sweep:
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
        self._next_at = 0.0
        self._jobs: dict[str, int] = {}  # by type: how many jobs a list covers
        self._turns: dict[str, int] = {}  # by type: the last job that was polled regardless of the lists
        self._resting: dict[str, float] = {}  # by type: when to read lists again

    async def needs(self) -> Collection[str]:
        """The types of which to read a list now."""
        poll, now = self._active.settings.poll, self._clock.monotonic()
        if not poll.sweep or now < self._next_at:
            return ()
        self._next_at = now + poll.every.total_seconds()
        self._jobs = dict(await self._database(self._listings.job_types, poll.every))
        return [job_type for job_type in self._jobs if now >= self._resting.get(job_type, 0.0)]

    async def take(self, reading: Reading) -> None:
        """Record a list that this asked for. One that others asked for comes at another time than its interval."""
        match reading.seen:
            case Listing() as listing:
                await self._record(reading, listing)
            case Throttled():
                return
            case useless:
                self._rest(reading.job_type, reason_of(useless))

    async def _record(self, reading: Reading, listing: Listing) -> None:
        every, job_type = self._active.settings.poll.every, listing.job_type
        if job_type not in self._turns:
            self._turns[job_type] = self._anywhere(listing)
        after, many = self._turns[job_type], in_turn(self._jobs.get(job_type, 0), every)
        swept = await self._database(self._listings.record, listing, every, reading.sent_at, after=after, many=many)
        self._turns[job_type] = swept.last
        if swept.behind:
            behind = counted(swept.behind, "finished job is", "finished jobs are")
            self._rest(job_type, f"the list is not up to date: {behind} unfinished in it")
            return
        self._metrics.sweep("listed")
        if not swept.due:  # if jobs are due, their polls show whether the API works
            monitor = self._health_monitor
            self._take(monitor.observe(listing, sent_at=reading.sent_at, sent=reading.sent, others=True))
        if swept.due:
            self._on_due()

    def _anywhere(self, listing: Listing) -> int:
        """A random job to start after. A fixed one would favor the jobs after it if the program restarts often."""
        ids = list(listing.jobs) or [0]
        return ids[int(self._clock.monotonic()) % len(ids)]

    def _rest(self, job_type: str, reason: str) -> None:
        self._metrics.sweep("not_listed")
        self._resting[job_type] = self._clock.monotonic() + REST
        log.warning("list_failed", job_type=job_type, reason=reason, detail="gemwatch polls these jobs one by one.")
