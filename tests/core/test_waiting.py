"""What looks and the daemon's word make of a job that is waited for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.core.job import Failed, JobDetails, NotFound, Observation, Refused, Seen, Throttled
from gemwatch.core.outcome import Outcome
from gemwatch.core.waiting import (
    SILENT,
    DaemonJobStatus,
    JobStanding,
    Source,
    after_daemon_status,
    after_poll,
    next_pause,
    reliable,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def seen(status: str, at: datetime = NOW) -> Seen:
    return Seen(at=at, job=JobDetails(job_id=7, status=status), raw="{}")


def polls(*observations: Observation, standing: JobStanding | None = None) -> JobStanding:
    standing = standing or JobStanding(job_id=7)
    for observation in observations:
        standing = after_poll(standing, observation, not_found_after=3)
    return standing


MISS, REFUSED, DOWN = NotFound(at=NOW), Refused(at=NOW, reason="no"), Failed(at=NOW, sent_at=NOW, reason="HTTP 503")


@pytest.mark.parametrize(
    ("observations", "outcome"),
    [
        ([seen("REQUESTED")], None),
        ([seen("IN_PROGRESS")], None),
        ([seen("CANCELLED")], None),
        ([seen("SUCCESS")], Outcome.SUCCESS),
        ([seen("FAILED")], Outcome.FAILED),
        ([MISS, MISS], None),
        ([MISS, MISS, MISS], Outcome.NOT_FOUND),
        ([MISS, MISS, seen("REQUESTED"), MISS, MISS], None),
        ([MISS, DOWN, MISS, DOWN, MISS], Outcome.NOT_FOUND),
        ([REFUSED], None),
        ([REFUSED, REFUSED], Outcome.LOGIN_REFUSED),
        ([REFUSED, seen("REQUESTED"), REFUSED], None),
        ([DOWN] * 1000, None),
        ([Throttled(at=NOW)] * 1000, None),
    ],
)
def test_outcome_follows_the_polls(observations: list[Observation], outcome: Outcome | None) -> None:
    assert polls(*observations).outcome is outcome


def test_success_that_needs_review_has_its_own_outcome() -> None:
    standing = after_poll(
        JobStanding(job_id=7), seen("SUCCESS"), not_found_after=3, needs_review=("Half is unmatched.",)
    )
    assert (standing.outcome, standing.needs_review) == (Outcome.NEEDS_REVIEW, ("Half is unmatched.",))


def test_outage_keeps_the_status_and_its_reason_ends() -> None:
    before = polls(seen("IN_PROGRESS"))
    during = polls(DOWN, DOWN, standing=before)
    assert (during.status, during.status_since, during.failures, during.last_error) == (
        "IN_PROGRESS",
        NOW,
        2,
        "HTTP 503",
    )
    assert polls(seen("IN_PROGRESS", NOW + MINUTE), standing=during).last_error is None


def test_status_counts_from_its_first_sight() -> None:
    standing = polls(seen("IN_PROGRESS"), seen("IN_PROGRESS", NOW + MINUTE))
    assert (standing.status_since, standing.seen_at) == (NOW, NOW + MINUTE)


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        (DaemonJobStatus(job_id=7, next_poll_at=NOW + MINUTE), True),
        (DaemonJobStatus(job_id=7, status="SUCCESS"), True),
        (DaemonJobStatus(job_id=7, failures=9, next_poll_at=NOW + MINUTE), True),
        (DaemonJobStatus(job_id=7, next_poll_at=NOW - MINUTE), True),
        (DaemonJobStatus(job_id=7, next_poll_at=NOW - SILENT - MINUTE), False),
        (DaemonJobStatus(job_id=7, misses=1, next_poll_at=NOW + MINUTE), False),
        (DaemonJobStatus(job_id=7, refused=True, next_poll_at=NOW + MINUTE), False),
    ],
)
def test_daemon_that_cannot_see_the_job_is_unreliable(reported: DaemonJobStatus, *, expected: bool) -> None:
    assert reliable(reported, NOW) is expected


def test_later_own_observation_is_kept() -> None:
    own = polls(seen("IN_PROGRESS"))
    older = after_daemon_status(
        own, DaemonJobStatus(job_id=7, name="Weekly", status="REQUESTED", seen_at=NOW - MINUTE)
    )
    assert (older.status, older.name, older.source) == ("IN_PROGRESS", "Weekly", Source.DAEMON)
    newer = after_daemon_status(own, DaemonJobStatus(job_id=7, status="FAILED", seen_at=NOW + MINUTE))
    assert (newer.status, newer.outcome) == ("FAILED", Outcome.FAILED)


def test_daemon_status_resets_misses_and_refusals() -> None:
    standing = after_daemon_status(
        polls(MISS, MISS, REFUSED), DaemonJobStatus(job_id=7, status="IN_PROGRESS", seen_at=NOW)
    )
    assert (standing.misses, standing.refusals, standing.outcome) == (0, 0, None)


@pytest.mark.parametrize(("waited", "pause"), [(0, 5), (30, 5), (100, 10), (400, 40), (600, 60), (100_000, 60)])
def test_polls_start_fast_and_slow_down_to_the_interval(waited: float, pause: float) -> None:
    running = polls(seen("IN_PROGRESS"))
    taken = next_pause(running, seen("IN_PROGRESS"), waited=timedelta(seconds=waited), every=MINUTE, roll=0.5)
    assert taken.total_seconds() == pytest.approx(pause)


@given(
    st.sampled_from([seen("IN_PROGRESS"), MISS, REFUSED, DOWN, Throttled(at=NOW)]),
    st.integers(1, 10_000),
    st.integers(0, 10**6),
    st.floats(0, 1, exclude_max=True),
)
def test_pauses_are_bounded_on_both_sides(observation: Observation, times: int, waited: int, roll: float) -> None:
    standing = JobStanding(job_id=7, failures=times)
    pause = next_pause(standing, observation, waited=timedelta(seconds=waited), every=MINUTE, roll=roll)
    assert timedelta(seconds=0.5) <= pause <= timedelta(minutes=5)


def test_end_of_an_earlier_run_does_not_end_the_wait() -> None:
    reported = DaemonJobStatus(job_id=7, status="SUCCESS", status_since=NOW, seen_at=NOW, next_poll_at=NOW + MINUTE)
    standing = after_daemon_status(JobStanding(job_id=7), reported)
    assert (standing.status, standing.outcome, standing.source) == (None, None, Source.DAEMON)
    looked = after_daemon_status(standing, replace(reported, seen_at=NOW + MINUTE, next_poll_at=None))
    assert (looked.status, looked.outcome) == ("SUCCESS", Outcome.SUCCESS)
