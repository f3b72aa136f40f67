"""Claims due watches, looks at the jobs, decides, and records what came of it in groups."""

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta

import structlog

from gemwatch.core.clock import Clock
from gemwatch.core.decide import Policy, decide
from gemwatch.core.estimate import Experience
from gemwatch.core.job import Failed, NotFound, Observation, Refused, Seen, Throttled
from gemwatch.core.work import MANY, Report, WatchClaim, report_on
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.health_monitor import Change, HealthMonitor
from gemwatch.engine.poll_once import PollOnce, PollResult
from gemwatch.engine.ports import Database, Metrics, Store
from gemwatch.engine.wake_up import WakeUp

log = structlog.get_logger()

PROBE_EVERY = 60.0  # seconds between two probes while the login is refused
GROUP, GROUP_WITHIN = 500, 0.1  # looks without news are recorded together: so many, or after so many seconds
GROUP_GAP, STORM_GAP = 0.01, 0.1  # seconds between two commits; in a storm, so that each is shared by many
TOKEN_LIMIT = timedelta(seconds=60)  # a look may wait this long for a token, twice


class Poller:
    """Two loops: one claims and starts looks, the other records what has come in, then what came meanwhile."""

    def __init__(
        self,
        *,
        active: ActiveConfig,
        store: Store,
        database: Database,
        clock: Clock,
        health_monitor: HealthMonitor,
        metrics: Metrics,
        on_recorded: Callable[[], None],
        progress: Callable[[str], None],
        experience: Experience,
        roll: Callable[[], float] = random.random,
    ) -> None:
        """`on_recorded` is called after a commit that left something to deliver; `experience` grows with each run."""
        self._active = active
        self._store = store
        self._database = database
        self._clock = clock
        self._health_monitor = health_monitor
        self._metrics = metrics
        self._on_recorded = on_recorded
        self._progress = progress
        self._experience = experience
        self._roll = roll
        self._poll_once = PollOnce(
            active=active,
            clock=clock,
            barred=lambda: health_monitor.locked_out,
            asking=health_monitor.asking,
        )
        self.wake_up = WakeUp()
        self._results = WakeUp()
        self._reports: list[Report] = []
        self._change = Change()
        self._polls: set[asyncio.Task[None]] = set()
        self._next_probe = 0.0
        self._more = False  # the last claim took all there was room for, so there may be more
        self._recording = False
        self._stopping = False

    async def run(self) -> None:
        """Poll until stopped. Anything unforeseen ends it, and with it the program."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._record_results())
            while not self._stopping:
                await self._claim(group)
                self._progress("polls")
                await self.wake_up.wait(within=1)

    async def stop(self, patience: float) -> None:
        """Claim no more, give the looks in hand `patience` seconds, and have recorded what they gave.

        A look that is cut off leaves its claim behind: the next start releases it.
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
        """Whether no look is under way and everything that was seen is recorded."""
        return not (self._polls or self._unrecorded or self._recording)

    @property
    def _unrecorded(self) -> bool:
        return bool(self._reports or self._change.events or self._change.notes)

    async def _claim(self, group: asyncio.TaskGroup) -> None:
        active = self._active
        probing = self._health_monitor.locked_out
        room = active.pace.ahead - len(self._polls)
        if probing:
            now = self._clock.monotonic()
            room = 1 if not self._polls and now >= self._next_probe else 0
        if room <= 0 or active.pace.held:
            return
        # Longer than any look can take: only a process that died lets a lease run out.
        lease = 6 * (active.settings.api.timeout + TOKEN_LIMIT) + timedelta(minutes=2)
        claims = await self._database(self._store.claim_watches, self._clock.now(), room, lease)
        self._more = len(claims) == room
        if probing and claims:
            self._next_probe = self._clock.monotonic() + PROBE_EVERY
        for claim in claims:
            task = group.create_task(self._poll(claim, probing=probing))
            self._polls.add(task)
            task.add_done_callback(self._polls.discard)

    async def _poll(self, claim: WatchClaim, *, probing: bool) -> None:
        job_id = claim.tracked.job_id
        try:
            result = await self._poll_once(job_id, probing=probing)
            others = True
            if isinstance(result.seen, Refused) and not result.seen.certain and not self._health_monitor.locked_out:
                others = await self._database(self._store.call_witness, self._clock.now(), job_id)
        except asyncio.CancelledError:
            if self._stopping:
                return
            raise
        self._count(claim, result)
        self._decide(claim, result, others=others)
        if self._more and len(self._polls) <= 1 + self._active.pace.ahead * 2 // 3:  # this one is about to go
            self.wake_up.set()

    def _decide(self, claim: WatchClaim, result: PollResult, *, others: bool) -> None:
        health_monitor, settings, seen = self._health_monitor, self._active.settings, result.seen
        policy = Policy(
            not_found_after=settings.poll.not_found_after,
            last_good_sent_at=health_monitor.last_good_sent_at,
            limits=settings.limits,
            gate=settings.gate,
            experience=self._experience,
            adaptive=settings.poll.adaptive,
        )
        verdict = decide(claim.tracked, seen, policy, self._roll())
        self._take_report(report_on(claim, seen.at, verdict))
        if isinstance(seen, Refused) and verdict.memory.reported_refused and not seen.certain:
            health_monitor.answered()  # the refusal concerns this job alone
        else:
            self.take(health_monitor.observe(seen, sent_at=result.sent_at, sent=result.sent, others=others))
        _say(claim.tracked.job_id, seen, verdict.memory.failures)

    def _take_report(self, report: Report) -> None:
        """Looks without news wait a moment for those under way: a commit costs the same for one as for hundreds."""
        self._reports.append(report)
        if not report.quiet or len(self._reports) >= GROUP or len(self._polls) == 1:
            self._results.set()
        elif len(self._reports) == 1:
            asyncio.get_running_loop().call_later(GROUP_WITHIN, self._results.set)

    def take(self, change: Change) -> None:
        """Have this recorded, on its own or with what else there is."""
        if change.events or change.notes:
            self._change.events += change.events
            self._change.notes |= change.notes
            self._results.set()

    async def _record_results(self) -> None:
        while True:
            await self._results.wait(within=1)
            self.take(self._health_monitor.check())
            if self._unrecorded:
                told = await self._record()
                await asyncio.sleep(STORM_GAP if told > MANY else GROUP_GAP)
            self._progress("records")
            if self._stopping and not (self._polls or self._unrecorded):
                return

    async def _record(self) -> int:
        """Record what there is; how many events that told."""
        reports, self._reports = self._reports, []
        change, self._change = self._change, Change()
        self._recording = True
        recorded = await self._database(self._store.record, reports, change.events, change.notes)
        self._recording = False
        for report in recorded.reports:
            self._say_moved(report)
        for run in recorded.runs:
            self._experience.add(run)
        for told in recorded.told:
            event = told.event
            self._metrics.event(event.kind)
            log.info("event", id=f"gw-{told.event_id}", kind=event.kind.value, job=event.job_id, targets=told.targets)
        if recorded.told:
            self._on_recorded()
        return len(recorded.told)

    def _say_moved(self, report: Report) -> None:
        move = report.verdict.transition
        if move is not None:
            self._metrics.transition(move.job.status)
            log.info("transition", job=report.verdict.job_id, before=move.before, after=move.job.status)

    def _count(self, claim: WatchClaim, result: PollResult) -> None:
        metrics = self._metrics
        if result.sent_at is not None and result.first_sent_at is not None:
            metrics.poll(_outcome(result.seen), result.seconds)
            metrics.lateness(max(0.0, (result.first_sent_at - claim.due_at).total_seconds()))


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


def _say(job_id: int, seen: Observation, failures: int) -> None:
    match seen:
        case Seen():
            log.debug("seen", job=job_id, status=seen.job.status)
        case NotFound():
            log.warning("not found", job=job_id)
        case Refused():
            log.warning("refused", job=job_id, reason=seen.reason)
        case Throttled():
            log.warning("throttled", job=job_id, retry_after=seen.retry_after and seen.retry_after.total_seconds())
        case Failed():
            what = "bad answer" if seen.bad else "no answer"
            log.warning(what, job=job_id, reason=seen.reason, in_a_row=failures)
