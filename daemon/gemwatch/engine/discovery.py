"""Watches the jobs that rules match in the lists of the account, and reports when lists fail for long."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from gemwatch.core.clock import Clock
from gemwatch.core.events import Event
from gemwatch.core.health import ApiState, Login
from gemwatch.core.job import JobDetails, Seen, Throttled, is_end
from gemwatch.core.kinds import ApiFacts, ConfigFacts
from gemwatch.core.listing import Listing
from gemwatch.core.lists.rules import first_match, types_of
from gemwatch.core.settings import Rule
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.health_monitor import Change, HealthMonitor
from gemwatch.engine.poll_once import PollOnce
from gemwatch.engine.ports import Database, Discoveries
from gemwatch.engine.reading import Reading, reason_of

log = structlog.get_logger()

MOST_DOUBTS = 20  # jobs to poll after a list that contradicts an earlier one
ROUNDS = 3  # without a good list of a type, before discovery counts as failing
_AT_ONCE = 1000  # jobs to match between two polls


@dataclass(slots=True)
class _Failing:
    """Why a list has been failing, since when (wall clock and monotonic seconds), for how many rounds."""

    reason: str
    since: datetime
    began: float
    rounds: int = 0


class Discovery:
    """A list only adds watches. A job's own polls decide everything else, and no list removes a watch."""

    def __init__(
        self,
        *,
        active: ActiveConfig,
        discoveries: Discoveries,
        database: Database,
        clock: Clock,
        health_monitor: HealthMonitor,
        take: Callable[[Change], None],
        on_due: Callable[[], None],
        poll_once: PollOnce,
        notes: Mapping[str, Any],
    ) -> None:
        """`take` records events. `on_due` is called when watches were added."""
        self._poll_once = poll_once
        self._active = active
        self._discoveries = discoveries
        self._database = database
        self._clock = clock
        self._health_monitor = health_monitor
        self._take = take
        self._on_due = on_due
        self._next_at = 0.0
        self._rules: tuple[Rule, ...] = ()
        self._failing: dict[str, _Failing] = {}
        self._good: set[str] = set()  # the types whose last list was complete
        self.succeed(notes)

    def succeed(self, notes: Mapping[str, Any]) -> None:
        """Continue with what was reported before, by an earlier run or by another replica."""
        since = notes.get("discovery_failing_since")
        self._reported: datetime | None = datetime.fromisoformat(since) if since else None
        self._full: dict[str, list[str]] = notes.get("rules_full") or {}  # their keys, by job type

    @property
    def lists_known(self) -> bool:
        """Whether all lists that the rules need have been read, and the last time completely."""
        return self._good.issuperset(types_of(self._active.settings.discover))

    async def needs(self) -> Collection[str]:
        """The types whose lists the rules need now. An edit of the rules needs them at once."""
        settings, now = self._active.settings, self._clock.monotonic()
        if now < self._next_at and settings.discover == self._rules:
            return ()
        self._next_at = now + settings.poll.list_every.total_seconds()
        self._rules = settings.discover
        ended = await self._database(self._discoveries.end, self._rules, self._clock.now())
        if ended:
            log.info("discovered_watches_ended", watches=ended)
        types = types_of(self._rules)
        self._failing = {job_type: one for job_type, one in self._failing.items() if job_type in types}
        if not types:  # without a list, nothing else would report that these are over
            self._report(failed=False)
            self._report_full((), None)
        return types

    async def take(self, reading: Reading) -> None:
        """Watch the jobs that the rules find in a list."""
        match reading.seen:
            case Listing() as listing:
                await self._watch(listing)
                if reading.incomplete is None:
                    self._failing.pop(listing.job_type, None)
                    self._good.add(listing.job_type)
                else:
                    self._fail(reading, reading.incomplete)
            case Throttled():
                return
            case useless:
                self._fail(reading, reason_of(useless))
        self._report(failed=reading.job_type in self._failing)

    async def _watch(self, listing: Listing) -> None:
        rules, now = self._rules, self._clock.now()
        found: list[tuple[Rule, JobDetails]] = []
        for number, job in enumerate(listing.jobs.values()):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            if (rule := first_match(rules, job, now)) is not None:
                found.append((rule, job))
        if doubtful := await self._database(self._discoveries.doubtful, found):
            past = {*doubtful[MOST_DOUBTS:]} | {one for one in doubtful[:MOST_DOUBTS] if not await self._may_run(one)}
            found = [(rule, job) for rule, job in found if job.job_id not in past]
        every = self._active.settings.poll.every
        done = await self._database(self._discoveries.add, found, listing.jobs.keys(), every, now)
        for job_id, rule_key in done.added:
            log.info("job_discovered", job_id=job_id, rule=rule_key)
        if done.added:
            self._on_due()
        self._report_full(done.full, listing.job_type)

    async def _may_run(self, job_id: int) -> bool:
        """Whether the job itself shows that it runs. Without an answer it is watched rather than lost."""
        seen = (await self._poll_once(job_id)).seen
        ended = isinstance(seen, Seen) and is_end(seen.job.status)
        log.warning("lists_contradict", job_id=job_id, ended=ended)
        return not ended and not isinstance(seen, Throttled)  # then the next list asks again

    def _fail(self, reading: Reading, reason: str) -> None:
        failing = self._failing.setdefault(
            reading.job_type, _Failing(reason, reading.sent_at, self._clock.monotonic())
        )
        failing.reason = reason
        self._good.discard(reading.job_type)
        failing.rounds += 1
        log.warning("discovery_failed", job_type=reading.job_type, reason=reason, rounds=failing.rounds)

    def _report(self, *, failed: bool) -> None:
        """Report once that lists fail, and once that none does. A failing API and login have their own events."""
        alert_after = self._active.settings.poll.alert_after.total_seconds()
        now = self._clock.monotonic()
        long = {
            job_type: one
            for job_type, one in self._failing.items()
            if one.rounds >= ROUNDS and now - one.began >= alert_after
        }
        health = self._health_monitor.health
        known = health.api is ApiState.DOWN or health.login is Login.REFUSED
        if failed and long and self._reported is None and not known:
            since = min(one.since for one in long.values())
            reason = "; ".join(f"{job_type}: {one.reason}" for job_type, one in sorted(long.items()))
            self._send_about_lists(ApiFacts(over=False, reason=reason, since=since, discovery=True), since)
        elif self._reported is not None and not self._failing:
            self._send_about_lists(ApiFacts(over=True, since=self._reported, discovery=True), None)

    def _send_about_lists(self, facts: ApiFacts, since: datetime | None) -> None:
        self._reported = since
        notes = {"discovery_failing_since": since and since.isoformat()}
        self._take(Change(events=[Event(at=self._clock.now(), facts=facts)], notes=notes))

    def _report_full(self, full: Sequence[str], job_type: str | None) -> None:
        """Report once which rules watch as many jobs as they may, and once that none does."""
        before = {key for keys in self._full.values() for key in keys}
        needed = types_of(self._rules)
        listed = {} if job_type is None else {job_type: [*full]}
        self._full = {kind: keys for kind, keys in self._full.items() if kind in needed} | listed
        now = {key for keys in self._full.values() for key in keys}
        if now == before:
            return
        facts = ConfigFacts(over=not now, rules=True, full_rules=tuple(sorted(now)))
        happened = [Event(at=self._clock.now(), facts=facts)] if now - before or not now else []
        self._take(Change(events=happened, notes={"rules_full": self._full}))
