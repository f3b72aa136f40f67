"""What the list and the job's page show of a job."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.adapters.gem.wire import read_details
from gemwatch.adapters.store.reads.rows import JobHistory, JobRow
from gemwatch.core.estimates.estimate import Basis, Estimate
from gemwatch.core.job import JobDetails, Statistics
from gemwatch.core.kinds import EventKind
from gemwatch.core.runs import Run
from gemwatch.core.text.formatting import distance, moment
from gemwatch.web.pages.job import JobContent, job_page
from gemwatch.web.pages.jobs import match, row
from gemwatch.web.pages.words import of_status
from support.gem import document

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
REQUESTED = NOW - HOUR
shares = st.none() | st.floats(0, 1)


def job(status: str | None = "IN_PROGRESS", **more: Any) -> JobRow:
    answer = None if status is None else json.dumps(document(7, status, requested_at=REQUESTED.isoformat()))
    usual = JobRow(
        job_id=7,
        name="Weekly",
        status=status,
        status_since=None if status is None else REQUESTED,
        watched=True,
        polled_at=NOW - timedelta(seconds=20),
        next_poll_at=NOW + timedelta(seconds=40),
        misses=0,
        failures=0,
        last_error=None,
        seen_at=None,
        refused=False,
        missing=False,
        running_since=None,
        job=None if answer is None else read_details(answer),
        answer=answer,
        estimate=None,
        needs_review=(),
        limits_passed=(),
        previous=None,
    )
    return replace(usual, **more)


def page(shown: JobRow, *runs: Run) -> JobContent:
    return job_page(JobHistory(job=shown, transitions=(), deliveries=(), runs=runs), NOW)


def estimate(earliest: timedelta, end: timedelta, latest: timedelta, *, overdue: bool = False) -> Estimate:
    return Estimate(
        ends_at=NOW + end,
        earliest=NOW + earliest,
        latest=NOW + latest,
        runs=8,
        basis=Basis.INPUT,
        overdue=overdue,
    )


def remarks(**more: Any) -> list[str]:
    return [remark.text for remark in row(job(**more), NOW).remarks]


@pytest.mark.parametrize(
    ("status", "word", "tone"),
    [
        (None, "Not seen yet", "wait"),
        ("REQUESTED", "Waiting", "wait"),
        ("IN_PROGRESS", "Running", "run"),
        ("SUCCESS", "Succeeded", "good"),
        ("FAILED", "Failed", "bad"),
        ("PAUSED", "PAUSED", "odd"),
    ],
)
def test_each_status_has_a_word_a_tone_and_an_icon(status: str | None, word: str, tone: str) -> None:
    badge = of_status(status)
    assert (badge.word, badge.tone) == (word, tone)
    assert badge.icon


def test_success_that_needs_review_shows_why() -> None:
    shown = row(job("SUCCESS", needs_review=("matched 50.0 %, below the floor of 80.0 %",)), NOW)
    assert shown.badge.word == "Needs review"
    assert [remark.text for remark in shown.remarks] == ["Matched 50.0 %, below the floor of 80.0 %"]


def test_estimate_bar_spans_from_request_to_latest_end() -> None:
    shown = row(job(estimate=estimate(HOUR / 2, HOUR, 3 * HOUR)), NOW).progress
    assert shown is not None
    assert (shown.elapsed, shown.earliest, shown.expected, shown.range) == (25, 37.5, 50, 62.5)
    assert (shown.words, shown.detail) == ("About 1 h left", "30 min to 3 h, by 8 runs of this input")


def test_job_longer_than_nearly_all_runs_is_overdue() -> None:
    shown = row(job(estimate=estimate(-HOUR, -HOUR / 2, -HOUR / 4, overdue=True)), NOW).progress
    assert shown is not None
    assert shown.words == "Overdue by 15 min: nearly all earlier runs had finished by now"
    assert (shown.overdue, shown.kind, shown.elapsed) == (True, "late", 100)


@pytest.mark.parametrize(
    ("status", "more", "why"),
    [
        ("IN_PROGRESS", {"running_since": NOW}, "three finished runs"),
        ("IN_PROGRESS", {"running_since": None}, "did not see the job start"),
        ("REQUESTED", {"job": JobDetails(job_id=7, status="REQUESTED")}, "does not say when the job was requested"),
        ("REQUESTED", {}, "three finished runs"),
        ("PAUSED", {}, "does not know what follows"),
    ],
)
def test_missing_estimate_shows_its_reason(status: str, more: dict[str, Any], why: str) -> None:
    shown = row(job(status, **more), NOW).progress
    assert shown is not None
    assert (shown.words, shown.scaled) == ("No estimate", False)
    assert why in (shown.detail or "")


@pytest.mark.parametrize("status", [None, "SUCCESS", "FAILED"])
def test_ended_and_unseen_jobs_have_no_estimate(status: str | None) -> None:
    assert row(job(status), NOW).progress is None


spans = st.timedeltas(min_value=timedelta(days=-400), max_value=timedelta(days=400))


@given(since=spans, one=spans, two=spans, three=spans, overdue=st.booleans())
def test_bars_stay_within_bounds_for_any_clock(
    since: timedelta, one: timedelta, two: timedelta, three: timedelta, *, overdue: bool
) -> None:
    earliest, end, latest = sorted((one, two, three))
    moved = job(
        job=None,
        status_since=NOW + since,
        estimate=estimate(earliest, end, latest, overdue=overdue),
    )
    shown = row(moved, NOW).progress
    if shown is not None:
        places = (shown.elapsed, shown.earliest, shown.expected, shown.earliest + shown.range)
        assert all(0 <= place <= 100.01 for place in places)
        assert shown.range >= 0


@given(shares, shares, shares, shares)
def test_shares_never_exceed_the_bar(
    whole: float | None, fully: float | None, partially: float | None, unmatched: float | None
) -> None:
    numbers = Statistics(matched=whole, fully_matched=fully, partially_matched=partially, unmatched=unmatched)
    shown = match(numbers)
    assert (shown is None) == (whole is None and fully is None)
    if shown is not None:
        assert 0 <= shown.fully <= 100
        assert 0 <= shown.partially <= 100.01 - shown.fully


def test_problem_of_a_job_is_shown_with_it() -> None:
    assert remarks(misses=3) == ["The API answered 3 times in a row that there is no such job (404)"]
    assert remarks(last_error="HTTP 500") == ["Last poll: HTTP 500"]
    assert remarks(limits_passed=(EventKind.QUEUED_TOO_LONG,)) == ["It has been waiting for longer than the limit"]
    assert remarks(watched=False) == ["No longer watched: it is not polled"]
    assert remarks(status="SUCCESS", last_error="HTTP 500") == []


def test_unwatched_job_has_no_next_poll() -> None:
    assert row(job(), NOW).next_poll is not None
    assert row(job(watched=False), NOW).next_poll is None


def test_unwatched_job_has_no_estimate() -> None:
    assert row(job(watched=False), NOW).progress is None


@pytest.mark.parametrize("details", [None, JobDetails(job_id=7, status="SUCCESS")])
def test_missing_details_leave_other_facts_readable(details: JobDetails | None) -> None:
    shown = row(job("SUCCESS", job=details), NOW)
    assert (shown.title, shown.match, shown.outcome) == ("Weekly", None, "Finished; the API gives no statistics")


def test_page_shows_which_rule_added_a_job() -> None:
    facts = {fact.label: fact.text for fact in page(job(rule='input "nl_*"')).facts}
    assert facts["Watched by rule"] == 'input "nl_*"'
    assert "Watched by rule" not in {fact.label for fact in page(job()).facts}


def test_invisible_characters_do_not_reach_the_page() -> None:
    assert row(job(name="a\u202eb\u200b\nc"), NOW).title == "ab c"
    assert row(job(name="\u200b"), NOW).title == "Job 7"


def run(job_id: int, **known: Any) -> Run:
    return Run(job_id=job_id, ended_at=NOW - job_id * HOUR, status="SUCCESS", **known)


def test_this_run_is_last_in_plots_and_first_in_the_table() -> None:
    earlier = [run(number, matched=0.8, roads=100, kilometres=20.0, ran=HOUR) for number in (1, 2, 3)]
    shown = page(job("SUCCESS"), *earlier).runs
    assert [run.job_id for run in shown.rows] == [7, 1, 2, 3]
    assert [run.this for run in shown.rows] == [True, False, False, False]
    assert [plot.heading for plot in shown.plots] == ["Matched", "Running time"]
    assert [dot.this for dot in shown.plots[0].dots] == [False, False, False, True]
    assert "matched +4.7 points" in shown.words
    assert page(job("FAILED"), *earlier).runs.words == "The results of earlier runs."


def test_runs_without_values_have_no_plot() -> None:
    shown = page(job(), run(1)).runs
    assert (len(shown.rows), shown.plots) == (1, ())


values = st.floats(0, 1) | st.just(0.5)
known_runs = st.builds(
    run,
    st.integers(1, 99),
    matched=st.none() | values,
    roads=st.none() | st.integers(0, 10**15),
    kilometres=st.none() | st.floats(0, 1e15),
    ran=st.none() | st.timedeltas(timedelta(0), timedelta(days=10_000)),
)


@given(st.lists(known_runs, max_size=30))
def test_plots_stay_within_bounds_for_any_runs(runs: list[Run]) -> None:
    for plot in page(job("SUCCESS"), *runs).runs.plots:
        assert all(0 <= dot.x <= 100 and 0 <= dot.y <= 130 for dot in plot.dots)
        assert all(0 <= one.x <= 100 and 0 <= one.y <= 130 and one.height >= 1 for one in plot.columns)


def test_times_of_today_have_no_date() -> None:
    assert moment(NOW, NOW) == "12:00:00"
    assert moment(NOW - timedelta(days=2), NOW) == "27 Feb, 12:00:00"
    assert moment(NOW - timedelta(days=90), NOW) == "1 Dec 2025, 12:00:00"
    assert [distance(NOW + t, NOW) for t in (-HOUR, timedelta(0), HOUR)] == ["1 h ago", "now", "in 1 h"]
