"""Waits of many hours in virtual time, with outages, clock jumps, and a daemon that starts and stops."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from gemwatch.core.job import Failed, JobDetails, NotFound, Observation, Refused, Seen
from gemwatch.core.login import LoginError, Token
from gemwatch.core.outcome import Outcome, WaitTerms
from gemwatch.core.settings import PollSettings
from gemwatch.core.waiting import DaemonJobStatus, JobStanding, Source
from gemwatch.engine.pace import Pace
from gemwatch.engine.waiting import Asking, Waiting
from support.virtual import VirtualClock, VirtualLoop

HOUR = 3600.0


class World:
    """An API, a login, a network and a daemon, each as a function of the seconds that have passed."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.clock = VirtualClock(loop)
        self._began = loop.time()
        self.status: Callable[[float], str | None] = lambda _: "IN_PROGRESS"  # None: the API does not answer
        self.login: Callable[[float], bool] = lambda _: True
        self.network: Callable[[float], bool] = lambda _: True
        self.daemon: Callable[[float], bool] = lambda _: False
        self.asked: list[tuple[float, int]] = []
        self.shown: list[Sequence[JobStanding]] = []
        self.last_error: LoginError | None = None
        self.failed_at = float("-inf")  # when there was no token: remembered for 30 s, as the real ones do
        self.remedy = "Log in again"

    @property
    def passed(self) -> float:
        return self.clock.monotonic() - self._began

    async def ask(self, job_id: int, token: str) -> Observation:
        await asyncio.sleep(0.1)
        now, status = self.clock.now(), self.status(self.passed)
        self.asked.append((self.passed, job_id))
        if status is None or not self.network(self.passed):
            return Failed(at=now, sent_at=now, reason="no answer")
        if status == "404":
            return NotFound(at=now)
        if status == "403":
            return Refused(at=now, reason="HTTP 403")
        return Seen(at=now, job=JobDetails(job_id=job_id, status=status), raw="{}")

    async def token(self) -> Token:
        if self.passed < self.failed_at + 30:
            raise LoginError("Please run 'az login'")
        return await self.renew(None)

    async def renew(self, stale: Token | None) -> Token:
        if not self.login(self.passed):
            self.failed_at = self.passed
            raise LoginError("Please run 'az login'")
        self.failed_at = float("-inf")
        return Token(value="token", fetched_at=self.clock.now())

    async def refresh_if_due(self) -> None:
        pass

    async def close(self) -> None:
        pass

    @property
    def expires_at(self) -> datetime | None:
        return None

    async def reported(self, job_ids: Collection[int]) -> Mapping[int, DaemonJobStatus]:
        if not self.daemon(self.passed):
            return {}
        status, at = self.status(self.passed), self.clock.now()
        return {job_id: DaemonJobStatus(job_id=job_id, status=status, seen_at=at) for job_id in job_ids}

    async def unreachable(self) -> str | None:
        return None if self.network(self.passed) else "no route to the host"

    async def needs_review(self, job: JobDetails, seen_at: datetime) -> tuple[str, ...]:
        return ()

    def waits(
        self, *job_ids: int, terms: WaitTerms | None = None, hours: float | None = None, rate: float = 0
    ) -> Waiting:
        return Waiting(
            jobs=dict.fromkeys(job_ids),
            terms=terms or WaitTerms(),
            limit=None if hours is None else timedelta(hours=hours),
            asking=Asking(api=self, credentials=self, pace=Pace(self.clock, at_once=16, rate=rate)),
            poll=PollSettings(),
            clock=self.clock,
            daemon=self.reported,
            unreachable=self.unreachable,
            needs_review=self.needs_review,
            show=self.shown.append,
            roll=lambda: 0.5,
        )


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    loop.close()


@pytest.fixture
def world(loop: VirtualLoop) -> World:
    return World(loop)


def test_hours_without_an_answer_do_not_end_a_wait(world: World, loop: VirtualLoop) -> None:
    world.status = lambda t: None if t < 9 * HOUR else "SUCCESS"
    assert loop.run_until_complete(world.waits(7).run()) is Outcome.SUCCESS
    assert world.passed < 9.2 * HOUR
    assert len(world.asked) < 300


def test_token_failure_without_network_is_not_a_refusal(world: World, loop: VirtualLoop) -> None:
    world.network = world.login = lambda t: not HOUR < t < 9 * HOUR
    world.status = lambda t: "IN_PROGRESS" if t < 9 * HOUR else "SUCCESS"
    assert loop.run_until_complete(world.waits(7).run()) is Outcome.SUCCESS


def test_token_failure_is_forgotten_with_the_network_back(world: World, loop: VirtualLoop) -> None:
    world.network = world.login = lambda t: t % 97 > 20
    world.status = lambda t: "IN_PROGRESS" if t < 2 * HOUR else "SUCCESS"
    assert loop.run_until_complete(world.waits(*range(1, 30)).run()) is Outcome.SUCCESS


def test_login_failure_with_network_ends_the_wait(world: World, loop: VirtualLoop) -> None:
    world.login = lambda t: t < HOUR
    waiting = world.waits(7)
    assert loop.run_until_complete(waiting.run()) is Outcome.LOGIN_REFUSED
    assert world.passed < HOUR + 120
    assert waiting.standings[0].last_error == "Please run 'az login'"
    assert waiting.standings[0].status == "IN_PROGRESS"


def test_brief_refusal_does_not_end_a_wait(world: World, loop: VirtualLoop) -> None:
    world.status = lambda t: "403" if t < 1 else "SUCCESS"
    assert loop.run_until_complete(world.waits(7).run()) is Outcome.SUCCESS


def test_job_that_turns_up_within_seconds_is_found(world: World, loop: VirtualLoop) -> None:
    world.status = lambda t: "404" if t < 3 else "SUCCESS"
    assert loop.run_until_complete(world.waits(7).run()) is Outcome.SUCCESS


def test_polls_begin_quickly_and_never_exceed_the_interval(world: World, loop: VirtualLoop) -> None:
    world.status = lambda t: "IN_PROGRESS" if t < 10 * HOUR else "FAILED"
    assert loop.run_until_complete(world.waits(7).run()) is Outcome.FAILED
    times = [at for at, _ in world.asked]
    assert sum(at < 60 for at in times) >= 8
    late = [after - before for before, after in pairwise(times) if before > HOUR]
    assert 60 <= min(late) <= max(late) < 63


def test_many_jobs_keep_to_the_rate(world: World, loop: VirtualLoop) -> None:
    waiting = world.waits(*range(1, 201), hours=0.1, rate=10)
    assert loop.run_until_complete(waiting.run()) is Outcome.TIMED_OUT
    times = [at for at, _ in world.asked]
    assert max(sum(start <= at < start + 10 for at in times) for start in times) <= 101
    assert {job_id for _, job_id in world.asked} == set(range(1, 201))


def test_time_limit_uses_the_monotonic_clock(world: World, loop: VirtualLoop) -> None:
    loop.call_later(HOUR, world.clock.jump, 86_400)
    loop.call_later(2 * HOUR, world.clock.jump, -2 * 86_400)
    assert loop.run_until_complete(world.waits(7, hours=8).run()) is Outcome.TIMED_OUT
    assert world.passed == pytest.approx(8 * HOUR, abs=1)


def test_daemon_that_comes_and_goes_is_used_while_it_runs(world: World, loop: VirtualLoop) -> None:
    world.daemon = lambda t: HOUR < t < 3 * HOUR
    world.status = lambda t: "REQUESTED" if t < 2 * HOUR else "IN_PROGRESS" if t < 4 * HOUR else "SUCCESS"
    waiting = world.waits(7)
    assert loop.run_until_complete(waiting.run()) is Outcome.SUCCESS
    assert not [at for at, _ in world.asked if HOUR + 5 < at < 3 * HOUR]
    assert min(at for at, _ in world.asked if at > 3 * HOUR) < 3 * HOUR + 3
    statuses = [standings[0].status for standings in world.shown]
    assert list(dict.fromkeys(statuses)) == [None, "REQUESTED", "IN_PROGRESS", "SUCCESS"]
    assert {standings[0].source for standings in world.shown} == {None, Source.DAEMON, Source.API}


def test_cancelled_wait_leaves_nothing_running(world: World, loop: VirtualLoop) -> None:
    async def cancelled() -> None:
        running = asyncio.create_task(world.waits(7, 8).run())
        await asyncio.sleep(100.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert asyncio.all_tasks() == {asyncio.current_task()}

    loop.run_until_complete(cancelled())
