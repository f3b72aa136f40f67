"""Waits for jobs to end: uses the status from a running daemon, or polls on its own without one."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta

from gemwatch.core.clock import Clock
from gemwatch.core.health import doubts_rate
from gemwatch.core.job import Failed, JobDetails, NotFound, Observation, Refused, Seen, Status
from gemwatch.core.outcome import Outcome, WaitTerms, out_of_time, over
from gemwatch.core.settings import PollSettings
from gemwatch.core.waiting import DaemonJobStatus, JobStanding, after_daemon_status, after_poll, next_pause
from gemwatch.engine.pace import Pace
from gemwatch.engine.poll_once import PollOnce
from gemwatch.engine.ports import Api, Credentials
from gemwatch.engine.wake_up import WakeUp

TURN = 1.0  # seconds between two reads of the daemon's status
_TOKEN_EVERY = 5.0  # seconds between two checks of the token's expiry


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """The means to send requests to the API."""

    api: Api
    credentials: Credentials
    pace: Pace


class Waiting:
    """One wait, from its start to its outcome."""

    def __init__(
        self,
        *,
        jobs: Mapping[int, str | None],
        terms: WaitTerms,
        limit: timedelta | None,
        asking: Asking,
        poll: PollSettings,
        clock: Clock,
        daemon: Callable[[Collection[int]], Awaitable[Mapping[int, DaemonJobStatus]]],
        unreachable: Callable[[], Awaitable[str | None]],
        needs_review: Callable[[JobDetails, datetime], Awaitable[tuple[str, ...]]],
        show: Callable[[Sequence[JobStanding]], None],
        roll: Callable[[], float] = random.random,
    ) -> None:
        """`jobs` with their names. `limit` None: no limit.

        `daemon` returns what a running daemon reliably knows about jobs. `unreachable` returns why the API cannot be
        reached, or None. `needs_review` returns why a SUCCESS seen at that time needs a review. `show` is called with
        all standings when they may have changed.
        """
        self._terms, self._asking, self._poll_settings, self._clock = terms, asking, poll, clock
        self._daemon, self._unreachable, self._needs_review = daemon, unreachable, needs_review
        self._show, self._roll = show, roll
        self._standings = {job_id: JobStanding(job_id=job_id, name=name) for job_id, name in jobs.items()}
        self._began = clock.monotonic()
        self._deadline = None if limit is None else self._began + limit.total_seconds()
        self._no_token: Refused | None = None  # why there was no token, while the API was unreachable too
        self._no_good_from: float | None = None  # when the first poll since the last good answer started
        self._poll_once = PollOnce(
            active=asking,
            clock=clock,
            barred=lambda: False,
            doubted=lambda: doubts_rate(self._no_good_from, clock.monotonic()),
            asking=nullcontext,
        )
        self._polls: dict[int, asyncio.Task[None]] = {}
        self._due: dict[int, float] = {}  # on the monotonic clock; a missing job is due now
        self._known: Mapping[int, DaemonJobStatus] = {}  # what the daemon knows
        self._asked_daemon = float("-inf")
        self._wake_up = WakeUp()

    @property
    def standings(self) -> Sequence[JobStanding]:
        return tuple(self._standings.values())

    async def run(self) -> Outcome:
        """Wait for the outcome. If cancelled, `standings` keep their last values."""
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(self._keep_token())
            try:
                return await self._wait(group)
            finally:
                for task in (keeping, *self._polls.values()):
                    task.cancel()

    async def _wait(self, group: asyncio.TaskGroup) -> Outcome:
        while True:
            await self._read_daemon()
            self._show(self.standings)
            outcomes = [standing.outcome for standing in self.standings]
            if (outcome := over(outcomes, self._terms)) is not None:
                return outcome
            left = self._left()
            if left <= 0:
                return out_of_time(outcomes, self._terms)
            self._start_polls([job_id for job_id in self._open() if job_id not in self._known], group)
            await self._wake_up.wait(within=min(left, TURN))

    async def _read_daemon(self) -> None:
        now = self._clock.monotonic()
        if now - self._asked_daemon < TURN:  # an own poll woke the loop
            return
        self._asked_daemon = now
        self._known = await self._daemon(self._open())
        for job_id, word in self._known.items():
            self._standings[job_id] = after_daemon_status(
                self._standings[job_id], word, unknown_ends=self._terms.unknown_ends
            )
            self._due.pop(job_id, None)  # if the daemon stops, the job's first own poll is due at once

    def _open(self) -> list[int]:
        return [standing.job_id for standing in self.standings if standing.outcome is None]

    def _left(self) -> float:
        return TURN if self._deadline is None else self._deadline - self._clock.monotonic()

    def _start_polls(self, job_ids: Sequence[int], group: asyncio.TaskGroup) -> None:
        """Start the due polls, as far as there is room, the longest due first."""
        now, pace = self._clock.monotonic(), self._asking.pace
        due = [job_id for job_id in job_ids if job_id not in self._polls and self._due.get(job_id, now) <= now]
        if pace.held:
            return
        for job_id in sorted(due, key=lambda one: self._due.get(one, 0.0))[: max(0, pace.ahead - len(self._polls))]:
            self._polls[job_id] = group.create_task(self._poll(job_id))

    async def _poll(self, job_id: int) -> None:
        if self._no_good_from is None:
            self._no_good_from = self._clock.monotonic()
        seen = await self._seen(job_id)
        if isinstance(seen, Seen | NotFound):
            self._no_good_from = None
        why: tuple[str, ...] = ()
        if isinstance(seen, Seen) and seen.job.status == Status.SUCCESS:
            why = await self._needs_review(seen.job, seen.at)
        if self._standings[job_id].outcome is None:  # else the daemon has reported it first
            self._take(job_id, seen, why)
        del self._polls[job_id]
        self._wake_up.set()

    def _take(self, job_id: int, seen: Observation, why: tuple[str, ...]) -> None:
        now = self._clock.monotonic()
        standing = after_poll(
            self._standings[job_id],
            seen,
            not_found_after=self._poll_settings.not_found_after,
            needs_review=why,
            unknown_ends=self._terms.unknown_ends,
        )
        waited = timedelta(seconds=now - self._began)
        pause = next_pause(standing, seen, waited=waited, every=self._poll_settings.every, roll=self._roll())
        self._standings[job_id] = standing
        self._due[job_id] = now + pause.total_seconds()

    async def _seen(self, job_id: int) -> Observation:
        """Poll the job. If there is no token and the API is unreachable too, the network is at fault, not the login.

        The credentials remember a failure for a while, so once the API is reachable again, get a new token.
        """
        if self._no_token is not None and (why := await self._unreachable()) is not None:
            return _cut_off(self._no_token, why, self._clock.now())
        probing = self._no_token is not None or self._standings[job_id].refusals > 0
        seen = (await self._poll_once(job_id, probing=probing)).seen
        if not isinstance(seen, Refused) or not seen.certain:
            self._no_token = None
            return seen
        why = await self._unreachable()
        self._no_token = None if why is None else seen
        return seen if why is None else _cut_off(seen, why, seen.at)

    async def _keep_token(self) -> None:
        """Renew the token early, so that a short failure of the login does no harm."""
        while True:
            await self._asking.credentials.refresh_if_due()
            await asyncio.sleep(_TOKEN_EVERY)


def _cut_off(refused: Refused, why: str, now: datetime) -> Failed:
    return Failed(at=now, sent_at=now, reason=f"{why}; also, there is no token: {refused.reason}")
