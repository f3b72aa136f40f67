"""How often to poll, based on the durations of earlier runs."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.core.estimates.cadence import LONGEST, MOST, interval
from gemwatch.core.estimates.estimate import Experience
from gemwatch.core.job import JobDetails, Seen
from gemwatch.core.polls.decide import decide
from gemwatch.core.polls.tracked import Memory, Policy, Tracked
from gemwatch.core.runs import Run

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def details(status: str) -> JobDetails:
    return JobDetails(job_id=1, status=status, job_type="ROAD_MATCHING", requested_at=START)


def experience(
    running: timedelta, queued: timedelta | None = None, spread: float = 0.2, runs: int = 20
) -> Experience:
    draw = random.Random(1)
    return Experience(
        Run(
            job_id=n,
            status="SUCCESS",
            ended_at=START,
            job_type="ROAD_MATCHING",
            queued=queued and queued * draw.lognormvariate(0, spread),
            ran=running * draw.lognormvariate(0, spread),
        )
        for n in range(runs)
    )


def when(elapsed: timedelta, known: Experience, every: timedelta = MINUTE, status: str = "IN_PROGRESS") -> timedelta:
    return interval(every, details(status), START, known, START + elapsed)


def test_polls_far_from_the_likely_end_are_rare() -> None:
    assert when(MINUTE, experience(2 * HOUR)) == MOST * MINUTE


def test_job_near_its_end_is_polled_every_interval() -> None:
    assert when(2 * HOUR, experience(2 * HOUR)) == MINUTE


def test_last_long_pause_ends_before_the_likely_end() -> None:
    known = experience(2 * HOUR, spread=0.02)
    elapsed = timedelta()
    while elapsed < 1.8 * HOUR:
        elapsed += when(elapsed, known)
    assert elapsed < 1.95 * HOUR


def test_overdue_job_is_polled_every_interval() -> None:
    assert when(4 * HOUR, experience(2 * HOUR)) == MINUTE


def test_queue_has_its_own_cadence() -> None:
    known = experience(2 * HOUR, queued=10 * MINUTE)
    assert when(10 * MINUTE, known, status="REQUESTED") == MINUTE
    assert when(10 * MINUTE, known, status="IN_PROGRESS") == MOST * MINUTE


def test_interval_stays_without_experience() -> None:
    assert when(MINUTE, Experience()) == MINUTE
    assert when(MINUTE, experience(2 * HOUR, runs=2)) == MINUTE
    assert when(MINUTE, experience(2 * HOUR), status="PAUSED") == MINUTE
    assert interval(MINUTE, details("IN_PROGRESS"), None, experience(2 * HOUR), START) == MINUTE


@given(
    st.integers(1, 10**6),
    st.integers(0, 10**8),
    st.integers(1, 10**6),
    st.floats(0, 3),
    st.sampled_from(["REQUESTED", "IN_PROGRESS"]),
)
def test_pause_is_between_the_interval_and_its_maximum(
    every: int, elapsed: int, usual: int, spread: float, status: str
) -> None:
    own, span = timedelta(seconds=every), timedelta(seconds=usual)
    found = when(timedelta(seconds=elapsed), experience(span, span, spread), own, status)
    assert own <= found <= max(own, min(own * MOST, LONGEST))


@pytest.mark.parametrize(("adaptive", "expected"), [(False, MINUTE), (True, MOST * MINUTE)])
def test_adaptive_polling_is_off_by_default(adaptive: bool, expected: timedelta) -> None:  # noqa: FBT001
    tracked = Tracked(job_id=1, every=MINUTE, memory=Memory(status="IN_PROGRESS", running_since=START))
    policy = Policy(experience=experience(2 * HOUR), adaptive=adaptive)
    at = START + MINUTE
    assert decide(tracked, Seen(at=at, job=details("IN_PROGRESS"), raw="{}"), policy, 0.5).due_at == at + expected
