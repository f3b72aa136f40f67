"""Many events in one message."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gemwatch.core.events import Event
from gemwatch.core.kinds import EventKind, FailedFacts, LoginFacts, NeedsReviewFacts, SuccessFacts
from gemwatch.core.runs import PreviousRun
from gemwatch.core.text.rendering import Format, Rendered, render
from gemwatch.core.text.summary import fitting, summarise
from gemwatch.core.traits import Tone
from support.events import details, event_of
from support.gem import document

AT = datetime(2026, 2, 18, 13, 21, 7, tzinfo=UTC)


def ended(job_id: int, status: str = "SUCCESS", name: str | None = None, *, at: datetime = AT) -> Event:
    good = status == "SUCCESS"
    job = details(document(job_id, status, result_filename=f"{job_id}.parquet" if good else None))
    facts = SuccessFacts(job=job, before="IN_PROGRESS") if good else FailedFacts(job=job, before="IN_PROGRESS")
    return Event(at=at, job_id=job_id, name=name, facts=facts)


def letters(events: Sequence[Event]) -> list[tuple[int, Event]]:
    return list(enumerate(events, 101))


def text(events: Sequence[tuple[int, Event]], now: datetime = AT, most: int | None = None) -> Rendered:
    return render(summarise(events, now=now), Format.TEXT, most)


STORM = letters(
    [ended(1), ended(2, name="Belgium"), ended(3, "FAILED"), ended(4), ended(5, "FAILED", "Malta"), ended(6)]
)


def test_summary_of_what_a_target_missed_says_it_was_down() -> None:
    missed = summarise(STORM, now=AT, missed=True)
    assert "This target was down. Its messages went to its fallback" in render(missed, Format.TEXT).body
    assert "was down" not in text(STORM).body


def test_summary_of_jobs_lists_failures_first() -> None:
    message = text(STORM)
    assert message.title == "6 jobs finished: 4 SUCCESS, 2 FAILED"
    assert message.tone is Tone.BAD
    assert (
        message.body
        == """\
FAILED: job 3 · gw-103
FAILED: Malta (job 5) · gw-105
SUCCESS: job 1 · 1.parquet · matched 84.7 % · gw-101
SUCCESS: Belgium (job 2) · 2.parquet · matched 84.7 % · gw-102
SUCCESS: job 4 · 4.parquet · matched 84.7 % · gw-104
SUCCESS: job 6 · 6.parquet · matched 84.7 % · gw-106

These events were waiting at the same time, so they are sent as one message."""
    )


def test_summary_shows_reasons_and_previous_numbers() -> None:
    good = ended(1).facts
    assert isinstance(good, SuccessFacts)
    previous = PreviousRun(job_id=5, ended_at=AT, matched=0.861)
    before = Event(at=AT, job_id=1, facts=replace(good, previous=previous))
    reasons = ("matched 84.7 %, below the floor of 90.0 %",)
    job = replace(good.job, result_filename="2.parquet")
    poll_once = Event(at=AT, job_id=2, facts=NeedsReviewFacts(job=job, before="IN_PROGRESS", reasons=reasons))
    slow = event_of(EventKind.RUNNING_TOO_LONG, job_id=3)
    message = text(letters([before, poll_once]))
    assert message.title == "2 jobs finished: 1 SUCCESS, 1 SUCCESS to review"
    assert message.tone is Tone.WARNING
    assert message.body.splitlines()[:2] == [
        "SUCCESS, needs review: job 2 · 2.parquet · matched 84.7 %, below the floor of 90.0 % · gw-102",
        "SUCCESS: job 1 · 1.parquet · matched 84.7 %; previous: 86.1 % · gw-101",
    ]
    assert text(letters([before, slow])).title == "2 events: 1 SUCCESS, 1 other"


def test_summary_says_which_jobs_the_gate_could_not_judge() -> None:
    good = ended(1).facts
    assert isinstance(good, SuccessFacts)
    unjudged, why = ("the ratio is unclear",), ("fewer roads",)
    review = NeedsReviewFacts(job=good.job, before="IN_PROGRESS", reasons=why, unjudged=unjudged)
    events = [
        Event(at=AT, job_id=1, facts=replace(good, unjudged=unjudged)),
        Event(at=AT, job_id=2, facts=review),
        ended(3),
    ]
    rows = text(letters(events)).body.splitlines()[:3]
    assert ["the ratio is unclear" in row for row in rows] == [True, True, False]
    assert "fewer roads" in rows[0]


def test_summary_lists_service_failures_first() -> None:
    others = [
        event_of(EventKind.STARTED, job_id=7),
        event_of(EventKind.NOT_FOUND, job_id=8),
        event_of(EventKind.LOGIN),
        Event(at=AT, facts=LoginFacts(over=True)),
    ]
    message = text(letters([ended(1), *others]))
    assert message.title == "5 events: 1 SUCCESS, 4 others"
    assert message.tone is Tone.BAD
    assert message.body.splitlines()[:5] == [
        "gemwatch: login refused · gw-104",
        "gemwatch: login recovered · gw-105",
        "NOT FOUND: job 8 · gw-103",
        "SUCCESS: job 1 · 1.parquet · matched 84.7 % · gw-101",
        "STARTED: job 7 · gw-102",
    ]
    assert text(letters(others)).title == "4 events"


def test_summary_counts_a_job_once() -> None:
    assert text(letters([ended(1, "FAILED"), ended(1)])).title == "2 events: 1 SUCCESS, 1 FAILED"


def test_summary_of_successes_is_good() -> None:
    assert text(letters([ended(1), ended(2)])).tone is Tone.GOOD


def test_summary_says_when_late_events_were_observed() -> None:
    early = ended(1, at=AT - timedelta(hours=1))
    first, second = text(letters([early, ended(2)])).body.splitlines()[:2]
    assert first == "SUCCESS: job 1 · 1.parquet · matched 84.7 % · observed 18 Feb 2026, 12:21:07 UTC · gw-101"
    assert second == "SUCCESS: job 2 · 2.parquet · matched 84.7 % · gw-102"


def test_summary_counts_rows_that_do_not_fit() -> None:
    body = text(STORM, most=64).body
    assert body == "FAILED: job 3 · gw-103\nFAILED: Malta (job 5) · gw-105\nand 4 more"


@given(
    st.lists(st.tuples(st.integers(1, 2**63 - 1), st.sampled_from(["SUCCESS", "FAILED"]), st.text()), min_size=1),
    st.integers(200, 4000),
    st.timedeltas(timedelta(0), timedelta(days=2)),
    st.sampled_from(Format),
)
def test_summary_has_a_row_for_each_fitting_event(
    jobs: list[tuple[int, str, str]], most: int, late: timedelta, form: Format
) -> None:
    waiting = letters([ended(job_id, status, name) for job_id, status, name in jobs])
    number = fitting(waiting, most, form)
    assert 1 <= number <= len(waiting)
    body = render(summarise(waiting[:number], now=AT + late), form, most).body
    assert len(body) <= most
    assert number == 1 or all(re.search(rf"\bgw-{event_id}\b", body) for event_id, _ in waiting[:number])
