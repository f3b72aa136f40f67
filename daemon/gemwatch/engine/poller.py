"""Claims due watches, polls their jobs, decides, and records the results in groups."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog

from gemwatch.core.clock import Clock
from gemwatch.core.estimates.estimate import Experience
from gemwatch.core.job import Failed, NotFound, Observation, Refused, Seen, Throttled
from gemwatch.core.kinds import LoginFacts
from gemwatch.core.polls.decide import decide, refused_alone
from gemwatch.core.polls.tracked import Policy
from gemwatch.core.sharing.rate import Share
from gemwatch.core.sharing.replicas import NotLeaderError
from gemwatch.core.work import MANY, Recorded, Report, WatchClaim, record_first, report_on
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.event_log import log_events, log_poll
from gemwatch.engine.health_monitor import Change, HealthMonitor
from gemwatch.engine.membership import Membership
from gemwatch.engine.poll_once import PollOnce, PollResult
from gemwatch.engine.ports import Database, Metrics, Store
from gemwatch.engine.wake_up import WakeUp

log = structlog.get_logger()

PROBE_EVERY = 60.0  # seconds between two probes while the login is refused
GROUP, GROUP_WITHIN = 500, 0.1  # polls without news are recorded together: up to this many, within these seconds
GROUP_GAP, STORM_GAP = 0.01, 0.1  # seconds between two commits; longer in a storm, so that many results share one
TOKEN_LIMIT = timedelta(seconds=60)  # a poll may wait this long for a token, up to twice
# Seconds of sleep: to claim in groups under load, and to notice jobs that another process made due.
SHORTEST, LONGEST = 0.1, 5.0
MANY_CLAIMS = 20  # at once: 200 polls per second


class Poller:
    """Two loops: one sleeps until a watch is due, claims and starts polls; the other records their results."""

    def __init__(
        self,
        *,
        active: ActiveConfig,
        store: Store,
        database: Database,
        clock: Clock,
        health_monitor: HealthMonitor,
        metrics: Metrics,
        membership: Membership,
        on_recorded: Callable[[], None],
        progress: Callable[[str], None],
        experience: Experience,
        poll_once: PollOnce,
        roll: Callable[[], float] = random.random,
    ) -> None:
        """`on_recorded` is called after a commit with new deliveries. `experience` grows with each run."""
        self._active = active
        self._store = store
        self._database = database
        self._clock = clock
        self._health_monitor = health_monitor
        self._metrics = metrics
        self._membership = membership
        self._on_recorded = on_recorded
        self._progress = progress
        self._experience = experience
        self._roll = roll
        self._poll_once = poll_once
        self.wake_up = WakeUp()
        self._results = WakeUp()
        self._reports: list[Report] = []
        self._change = Change()
        self._log = log.bind()
        self._polls: set[asyncio.Task[None]] = set()
        self._more = False  # the last claim used all the room, so more jobs may be due
        self._wakes_at = datetime.max.replace(tzinfo=UTC)  # when the next job was due at the last claim
        self._recording = False
        self._stopping = False

    async def run(self) -> None:
        """Poll until stopped. An unexpected error ends this and then the program."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._record_results())
            while not self._stopping:
                pause = await self._claim(group)
                self._progress("polls")
                await self.wake_up.wait(within=pause)

    async def stop(self, patience: float) -> None:
        """Stop claiming, give the running polls `patience` seconds, and record their results.

        A cancelled poll leaves its claim behind: the next start releases it.
        """
        self._stopping = True
        self.wake_up.set()
        if self._polls:
            await asyncio.wait(set(self._polls), timeout=patience)
        for task in set(self._polls):
            task.cancel()
        await asyncio.gather(*self._polls, return_exceptions=True)
        self._results.set()

    @property
    def idle(self) -> bool:
        """Whether no poll is running and every result is recorded."""
        return not (self._polls or self._unrecorded or self._recording)

    @property
    def _unrecorded(self) -> bool:
        return bool(self._reports or self._change.events or self._change.notes)

    async def _claim(self, group: asyncio.TaskGroup) -> float:
        """Start the due polls, as far as there is room. Returns the seconds to sleep."""
        active, now = self._active, self._clock.monotonic()
        if not self._membership.fresh:
            return 1.0
        if active.pace.held:
            return _asleep(active.pace.hold_left)
        health_monitor = self._health_monitor
        probing = health_monitor.locked_out
        if probing and (self._polls or now < health_monitor.next_probe):
            return _asleep(health_monitor.next_probe - now)
        room = 1 if probing else active.pace.ahead - len(self._polls)
        if room <= 0:
            return 1.0
        share = None if probing else self._membership.polls_first
        # Read before the call: the clock may follow a jump before the store makes it; the schedule moves after it.
        claims, next_due = await self._database(self._claim_due, self._clock.now(), room, share)
        # In a call of its own: one that fails is repeated as a whole, and would lose these claims. After many claims
        # other jobs are due soon, and the next call asks for them first.
        if 0 < len(claims) < MANY_CLAIMS:
            next_due = await self._database(self._store.next_due, share)
        self._more = len(claims) == room
        if probing and claims:
            health_monitor.next_probe = self._clock.monotonic() + PROBE_EVERY
        for claim in claims:
            task = group.create_task(self._poll(claim, probing=probing))
            self._polls.add(task)
            task.add_done_callback(self._polls.discard)
        self._wakes_at = next_due or datetime.max.replace(tzinfo=UTC)
        return LONGEST if next_due is None else _asleep((next_due - self._clock.now()).total_seconds())

    def _claim_due(self, now: datetime, room: int, share: Share | None) -> tuple[list[WatchClaim], datetime | None]:
        """Claims only what is due, because a claim is a write."""
        next_due = self._store.next_due(share)
        if next_due is None or next_due > now:
            return [], next_due
        # Longer than any poll can take: a lease only expires if its process has died.
        lease = 6 * (self._active.settings.api.timeout + TOKEN_LIMIT) + timedelta(minutes=2)
        return self._store.claim_watches(now, room, lease, share), next_due

    async def _poll(self, claim: WatchClaim, *, probing: bool) -> None:
        job_id = claim.tracked.job_id
        try:
            result = await self._poll_once(job_id, probing=probing)
            others = True
            if isinstance(result.seen, Refused) and not result.seen.certain and not self._health_monitor.locked_out:
                others = await self._database(self._store.call_witness, self._clock.now(), job_id)
                self.wake_up.set()  # the witness is due
        except asyncio.CancelledError:
            if self._stopping:
                return
            raise
        self._count(claim, result)
        self._decide(claim, result, others=others)
        # This poll still counts as running. After a probe the login may have recovered, and every job is due.
        if probing or (self._more and len(self._polls) <= 1 + self._active.pace.ahead * 2 // 3):
            self.wake_up.set()

    def _decide(self, claim: WatchClaim, result: PollResult, *, others: bool) -> None:
        health_monitor, settings, seen = self._health_monitor, self._active.settings, result.seen
        good = health_monitor.last_good_sent_at
        alone = isinstance(seen, Refused) and not seen.certain and refused_alone(claim.tracked.memory, good)
        if isinstance(seen, Refused) and alone:
            self.take(health_monitor.refused_alone(claim.tracked.job_id, seen))
        policy = Policy(
            not_found_after=settings.poll.not_found_after,
            last_good_sent_at=good,
            limits=settings.limits,
            gate=settings.gate,
            experience=self._experience,
            adaptive=settings.poll.adaptive,
            many_refused=health_monitor.refused_jobs.many,
        )
        verdict = decide(claim.tracked, seen, policy, self._roll())
        self._take_report(report_on(claim, seen.at, verdict))
        if alone:
            health_monitor.answered()  # the refusal concerns only this job
        else:
            self.take(health_monitor.observe(seen, sent_at=result.sent_at, sent=result.sent, others=others))
        log_poll(claim.tracked.job_id, seen, verdict.memory.failures, self._log)

    def _take_report(self, report: Report) -> None:
        """Results without news wait briefly for others, because one commit for hundreds costs the same as for one."""
        self._reports.append(report)
        if not report.quiet or len(self._reports) >= GROUP or len(self._polls) == 1:
            self._results.set()
        elif len(self._reports) == 1:
            asyncio.get_running_loop().call_later(GROUP_WITHIN, self._results.set)

    def take(self, change: Change) -> None:
        """Record this change together with the waiting results."""
        if change.events or change.notes:
            self._change.events += change.events
            self._change.notes |= change.notes
            self._results.set()

    async def _record_results(self) -> None:
        while True:
            await self._results.wait(within=1)
            self.take(self._health_monitor.check(others_poll=self._membership.others_poll))
            if self._unrecorded:
                events = await self._record()
                if self._reports:
                    self._results.set()
                await asyncio.sleep(STORM_GAP if events > MANY else GROUP_GAP)
            self._progress("records")
            if self._stopping and not (self._polls or self._unrecorded):
                return

    async def _record(self) -> int:
        """Record what is waiting: all of it, unless polls are behind. Returns the number of events."""
        behind = self._more and not self._stopping
        reports, self._reports = record_first(self._reports) if behind else (self._reports, [])
        change, self._change = self._change, Change()
        self._recording = True
        recorded = await self._record_all(reports, change)
        self._recording = False
        if any(due is not None and due < self._wakes_at for due in (report.verdict.due_at for report in reports)):
            self.wake_up.set()  # a job is due before the claiming loop would wake up
        for report in recorded.reports:
            self._log_transition(report)
        for run in recorded.runs:
            self._experience.add(run)
        log_events(recorded.events, self._metrics)
        if recorded.events:
            self._on_recorded()
        return len(recorded.events)

    async def _record_all(self, reports: Sequence[Report], change: Change) -> Recorded:
        """The leader reports about the API for all replicas. Each reports about its own login."""
        if change.events or change.notes:
            change.events = [self._membership.signed(event) for event in change.events]
            if self._membership.led_last:  # the store decides whether it still does
                with suppress(NotLeaderError):
                    return await self._database(
                        self._store.record, reports, change.events, change.notes, as_leader=True
                    )
                self._membership.lose()
            change = Change(events=[event for event in change.events if isinstance(event.facts, LoginFacts)])
        return await self._database(self._store.record, reports, change.events)

    def _log_transition(self, report: Report) -> None:
        move = report.verdict.transition
        if move is not None:
            self._metrics.transition(move.job.status)
            log.info("transition", job_id=report.verdict.job_id, before=move.before, after=move.job.status)

    def _count(self, claim: WatchClaim, result: PollResult) -> None:
        if result.sent_at is not None and result.first_sent_at is not None:
            self._metrics.poll(_outcome(result.seen), result.seconds)
            self._metrics.lateness(max(0.0, (result.first_sent_at - claim.due_at).total_seconds()))


def _outcome(seen: Observation) -> str:
    match seen:
        case Seen():
            return "seen"
        case NotFound():
            return "not_found"
        case Refused():
            return "refused"
        case Throttled():
            return "throttled"
        case Failed():
            return "bad" if seen.bad else "failed"


def _asleep(seconds: float) -> float:
    return min(max(seconds, SHORTEST), LONGEST)
