"""When a job is expected to end, and from which runs the estimate is made."""

import math
import tracemalloc
from datetime import timedelta

import pytest

from gemwatch.core.estimates import estimate as module
from gemwatch.core.estimates.estimate import MOST_RUNS, Basis, Experience
from support.past import HOUR, NOW, job, past, run

MINUTE = timedelta(minutes=1)
OTHER = {"input_filename": "other.parquet"}


@pytest.mark.parametrize(
    ("runs", "basis"),
    [
        (past(HOUR, HOUR, HOUR), Basis.INPUT),
        (past(HOUR, HOUR) + past(HOUR, **OTHER), Basis.RELEASE),
        (past(HOUR, HOUR, storage_id=None) + past(HOUR, **OTHER), Basis.RELEASE),
        (past(HOUR, HOUR) + past(HOUR, overture_release="2025-12-17.0", **OTHER), Basis.TYPE),
        (past(HOUR, HOUR, HOUR, overture_release="2025-12-17.0"), Basis.INPUT),
        (past(HOUR, HOUR), None),
        (past(HOUR, HOUR, HOUR, job_type="LANE_LEVEL_MATCHING"), None),
        (past(HOUR, HOUR) + past(HOUR, status="FAILED"), None),
        (past(HOUR, HOUR, timedelta()), None),
        ([*past(HOUR, HOUR), run(ran=None)], None),
    ],
)
def test_estimate_uses_the_most_similar_three_runs(runs: list[module.Run], basis: Basis | None) -> None:
    outlook = Experience(runs).outlook(job("IN_PROGRESS"))
    assert (outlook and outlook.basis) == basis


def test_running_job_is_estimated_from_other_runs() -> None:
    expected = Experience(past(60 * MINUTE, 72 * MINUTE, 50 * MINUTE)).estimate(job("IN_PROGRESS"), NOW, NOW)
    assert expected is not None
    assert abs(expected.ends_at - (NOW + HOUR)) < 4 * MINUTE
    assert NOW + 30 * MINUTE < expected.earliest < NOW + 50 * MINUTE
    assert NOW + 72 * MINUTE < expected.latest < NOW + 120 * MINUTE
    assert (expected.runs, expected.basis, expected.overdue) == (3, Basis.INPUT, False)


def test_elapsed_time_counts_until_overdue() -> None:
    experience = Experience(past(50 * MINUTE, 60 * MINUTE, 72 * MINUTE))
    since = NOW - 5 * HOUR
    expected = experience.estimate(job("IN_PROGRESS"), since, NOW)
    assert expected is not None
    assert expected.overdue
    assert NOW < expected.earliest < expected.ends_at < expected.latest
    fresh = experience.estimate(job("IN_PROGRESS"), NOW, NOW)
    assert fresh is not None
    assert expected.running == fresh.running


def test_waiting_job_is_estimated_to_wait_then_run() -> None:
    runs = past(HOUR, HOUR, HOUR, queued=30 * MINUTE)
    expected = Experience(runs).estimate(job("REQUESTED", requested_at=NOW.isoformat()), None, NOW)
    assert expected is not None
    assert abs(expected.ends_at - (NOW + 90 * MINUTE)) < timedelta(seconds=1)
    assert expected.queue is not None
    assert abs(expected.queue.median - 30 * MINUTE) < timedelta(seconds=1)


def test_waiting_job_needs_runs_with_a_seen_wait() -> None:
    assert Experience(past(HOUR, HOUR, HOUR)).estimate(job("REQUESTED"), None, NOW) is None


@pytest.mark.parametrize("status", ["SUCCESS", "FAILED", "PAUSED"])
def test_job_that_neither_waits_nor_runs_has_no_estimate(status: str) -> None:
    assert Experience(past(HOUR, HOUR, HOUR)).estimate(job(status), NOW, NOW) is None


def test_job_with_an_unseen_start_has_no_estimate() -> None:
    experience = Experience(past(HOUR, HOUR, HOUR, queued=HOUR))
    assert experience.estimate(job("IN_PROGRESS"), None, NOW) is None
    assert experience.estimate(job("REQUESTED", requested_at=None), None, NOW) is None


def test_outlook_follows_new_runs_and_forgets_old_ones() -> None:
    experience = Experience(past(*[HOUR] * MOST_RUNS))
    for _ in range(MOST_RUNS):
        experience.add(run(ran=2 * HOUR))
    outlook = experience.outlook(job("IN_PROGRESS"))
    assert outlook is not None
    assert outlook.running is not None
    assert outlook.runs == MOST_RUNS
    assert math.isclose(outlook.running.quantile(0.5).total_seconds(), 7200, rel_tol=1e-6)


def test_kinds_in_memory_are_bounded_by_last_use() -> None:
    experience = Experience(past(HOUR, HOUR, HOUR))
    for number in range(module.MOST_KEYS + 10):
        experience.add(run(input_filename=f"{number}.parquet"))
    last = f"{module.MOST_KEYS + 9}.parquet"
    for name, basis in (("test_data.parquet", Basis.RELEASE), (last, Basis.RELEASE)):
        outlook = experience.outlook(job("IN_PROGRESS", input_filename=name))
        assert outlook is not None
        assert outlook.basis is basis
    for _ in range(2):
        experience.add(run(input_filename=last))
    outlook = experience.outlook(job("IN_PROGRESS", input_filename=last))
    assert outlook is not None
    assert outlook.basis is Basis.INPUT


def test_experience_past_its_caps_does_not_grow() -> None:
    kinds = 600
    experience = Experience(kinds=kinds)

    def learn(numbers: range) -> int:
        for number in numbers:
            for one in past(*[HOUR] * (MOST_RUNS + 1), input_filename=f"input-{number}.parquet"):
                experience.add(one)
            assert experience.outlook(one) is not None
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        past_the_cap = learn(range(2 * kinds))
        later = learn(range(2 * kinds, 4 * kinds))
    finally:
        tracemalloc.stop()
    assert past_the_cap < kinds * 3_000  # bytes: thirty runs and an outlook of each kind
    assert later < past_the_cap * 1.1
