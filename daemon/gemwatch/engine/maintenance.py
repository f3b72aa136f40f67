"""Renews the token, follows jumps of the clock, closes groups that are done, and deletes old history."""

from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog

from gemwatch.core.clock import SteadyClock
from gemwatch.core.events import Event
from gemwatch.core.health import Login
from gemwatch.core.kinds import ConfigFacts
from gemwatch.core.login import LoginError
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.event_log import log_events
from gemwatch.engine.membership import Membership
from gemwatch.engine.ports import Database, Housekeeping, Mark, Metrics, Store
from gemwatch.engine.wake_up import WakeUp

log = structlog.get_logger()

DIFFER_FOR = 60.0  # seconds: an edit reaches all hosts within that time
ORPHANS_EVERY, RETENTION_EVERY, RUNS_EVERY = 60.0, 86400.0, 600.0
STRAGGLERS_FOR = 30.0  # seconds after a jump: what began before it is recorded, and other replicas notice it


class Maintenance:
    """One loop for the store, and another one for the token, whose command may take a minute."""

    def __init__(
        self,
        *,
        active: ActiveConfig,
        store: Store,
        housekeeping: Housekeeping,
        database: Database,
        clock: SteadyClock,
        metrics: Metrics,
        membership: Membership,
        mark: Mark,
        follow_runs: Callable[[], Awaitable[None]],
        lists_known: Callable[[], bool],
        on_jump: Callable[[timedelta], None] = lambda _: None,
        on_recorded: Callable[[], None] = lambda: None,
    ) -> None:
        """`follow_runs` reads the runs that other replicas recorded. `lists_known`: whether all lists that rules need
        have been read, so that a job that is not in them is gone.

        `on_jump` is called with each jump of the wall clock.

        `on_recorded` is called after events were recorded.
        """
        self._follow_runs = follow_runs
        self._lists_known = lists_known
        self._on_jump = on_jump
        self._on_recorded = on_recorded
        self._active = active
        self._store = store
        self._housekeeping = housekeeping
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._membership = membership
        self._mark = mark
        self._without_groups: Hashable | None = None  # the store's mark when no group was open
        self.token_wake_up, self.wake_up = WakeUp(), WakeUp()
        self._noted: tuple[datetime | None] | None = None  # None: this process has not logged it yet
        self._recorded: tuple[datetime | None] | None = None  # the same for the record
        self._logged: LoginError | None = None
        self.succeed({})
        self._stragglers_until = 0.0
        self._next_runs = clock.monotonic() + RUNS_EVERY
        self._next_orphans = self._next_retention = clock.monotonic() + ORPHANS_EVERY

    async def renew_tokens(self) -> None:
        while True:
            await self.token_wake_up.wait(within=30)
            await self.tend_token()

    async def tend_token(self) -> None:
        """Renew the token if it expires soon, and record its expiry."""
        credentials = self._active.credentials
        await credentials.refresh_if_due()
        self._log_renewal(credentials.last_error, credentials.expires_at)
        await self._note_expiry(credentials.expires_at)

    def _log_renewal(self, error: LoginError | None, expires_at: datetime | None) -> None:
        """Log a renewal that fails while the old token is still valid, so that polling continues for now."""
        if error is not None and error is not self._logged and expires_at is not None:
            remedy = " ".join(error.remedy.split())
            log.warning("token_renewal_failed", reason=error.reason, remedy=remedy, valid_until=expires_at)
        self._logged = error

    async def _note_expiry(self, expires_at: datetime | None) -> None:
        """Record the leader's expiry for `gemwatch status`, which reads the store."""
        if self._noted != (expires_at,):
            self._noted, self._recorded = (expires_at,), None
            if expires_at is not None:
                log.info("token_renewed", valid_until=expires_at)
        if not self._membership.leads:
            self._recorded = None
        elif self._recorded != (expires_at,):
            self._recorded = (expires_at,)
            text = expires_at and expires_at.isoformat(timespec="seconds").replace("+00:00", "Z")
            await self._database(self._housekeeping.note, {"token_expires_at": text})

    async def run(self) -> None:
        while True:
            await self.wake_up.wait(within=2)
            await self.round()

    async def round(self) -> None:
        """Run the tasks that are due."""
        await self._follow_clock()
        await self._follow_others()
        await self._membership.if_leading(self._tend_store)

    async def _follow_others(self) -> None:
        """Estimates and `auto` limits also use the runs that other replicas recorded, and what the leader learned."""
        now = self._clock.monotonic()
        if len(self._membership.replicas) > 1 and now >= self._next_runs:
            self._next_runs = now + RUNS_EVERY
            await self._follow_runs()

    async def _tend_store(self) -> None:
        await self._close_groups()
        await self._compare_lists()
        await self._report_ended()
        now = self._clock.monotonic()
        if now >= self._next_orphans:
            self._next_orphans = now + ORPHANS_EVERY
            await self._expire()
        if now >= self._next_retention:
            self._next_retention = now + RETENTION_EVERY
            await self._prune()

    async def _follow_clock(self) -> None:
        """After a jump of the wall clock, move the schedule with it to avoid a burst of polls or a silence.

        The store works in the order of the calls: what was written before this step is moved, and the rest uses the
        new time. What was decided before it and is written afterwards may be due far in the future.
        """
        now = self._clock.monotonic()
        if jump := self._clock.jump:
            log.warning("clock_jumped", seconds=round(jump.total_seconds()), detail="The schedule is moved with it.")
            self._clock.follow()
            self._on_jump(jump)
            await self._membership.as_leader(
                lambda: self._database(self._housekeeping.shift_schedule, jump, self._clock.now())
            )
            self._stragglers_until = now + STRAGGLERS_FOR
        elif now < self._stragglers_until:
            await self._membership.if_leading(lambda: self._database(self._housekeeping.pull_back, self._clock.now()))

    async def _close_groups(self) -> None:
        mark = self._mark()  # before the store is read
        if mark is not None and mark == self._without_groups:
            return
        recorded = await self._database(self._store.close_groups, self._clock.now())
        log_events(recorded, self._metrics)
        if recorded:
            self._on_recorded()
        if mark is not None:
            open_now = await self._database(self._housekeeping.has_open_groups)
            self._without_groups = None if open_now else mark

    def succeed(self, notes: Mapping[str, Any]) -> None:
        """This replica leads from now on: continue with what was reported before."""
        self._differ_reported = bool(notes.get("watch_lists_differ"))
        self._differ_since: float | None = None
        self._seen = set[tuple[str, Login]]()

    async def _compare_lists(self) -> None:
        """Report once that watch lists of replicas differ for longer than an edit takes to reach all of them."""
        hosts, now = self._membership.differing, self._clock.monotonic()
        if not hosts:
            self._differ_since = None
        elif self._differ_since is None:
            self._differ_since = now
        long = self._differ_since is not None and now - self._differ_since >= DIFFER_FOR
        if long == self._differ_reported or (hosts and not long):
            return
        self._differ_reported = long
        event = Event(at=self._clock.now(), facts=ConfigFacts(over=not long, lists=True, hosts=hosts))
        notes = {"watch_lists_differ": long}
        recorded = await self._database(self._store.record, [], [event], notes, as_leader=True)
        log_events(recorded.events, self._metrics)
        self._on_recorded()

    async def _report_ended(self) -> None:
        """Report replicas that are gone and whose login was refused: nobody else says that this failure is over."""
        seen = {(one.id, one.login) for one in self._membership.replicas}
        if seen == self._seen:
            return
        recorded = await self._database(self._store.end_refused_logins, self._clock.now())
        self._seen = seen
        log_events(recorded, self._metrics)
        if recorded:
            self._on_recorded()

    async def _expire(self) -> None:
        known = self._active.targets.names
        expired = await self._database(self._housekeeping.expire_deliveries, self._clock.now(), known)
        for target, number in Counter(expired).items():
            log.error(
                "deliveries_given_up",
                target=target,
                deliveries=number,
                reason="The target is no longer in the configuration.",
            )
            for _ in range(number):
                self._metrics.delivery(target, "failed")

    async def _prune(self) -> None:
        before = self._clock.now() - self._active.settings.store.keep
        deleted = await self._database(self._housekeeping.prune, before, lists_known=self._lists_known())
        await self._database(self._housekeeping.prune_texts, self._clock.now())
        await self._database(self._housekeeping.checkpoint)
        log.info("retention_applied", jobs_deleted=deleted, older_than=before)
