"""The decision about a poll, as tables and properties."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.core.job import Failed, JobDetails, NotFound, Observation, Refused, Seen, Throttled, is_end
from gemwatch.core.kinds import EventKind, LoginFacts, SuccessFacts, UnknownStatusFacts
from gemwatch.core.polls.decide import LOST_EVERY, decide
from gemwatch.core.polls.tracked import Memory, Policy, Tracked, Verdict

NOW = datetime(2026, 2, 18, 12, tzinfo=UTC)
BEFORE = NOW - timedelta(seconds=60)
MINUTE = timedelta(minutes=1)
POLICY = Policy(not_found_after=3)


def seen(status: str, at: datetime = NOW) -> Seen:
    return Seen(at=at, job=JobDetails(job_id=7, status=status), raw=status)


def tracked(status: str | None = None, **memory: object) -> Tracked:
    known = Memory(status=status, seen_at=BEFORE if status else None, status_since=BEFORE if status else None)
    return Tracked(job_id=7, every=MINUTE, memory=replace(known, **memory))  # type: ignore[arg-type]


def kinds(verdict: Verdict) -> list[str]:
    return [event.kind.value for event in verdict.events]


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (None, "REQUESTED", []),
        (None, "IN_PROGRESS", []),
        (None, "SUCCESS", ["success"]),
        (None, "FAILED", ["failed"]),
        (None, "PAUSED", ["unknown-status"]),
        ("REQUESTED", "IN_PROGRESS", ["started"]),
        ("REQUESTED", "SUCCESS", ["success"]),
        ("REQUESTED", "FAILED", ["failed"]),
        ("REQUESTED", "PAUSED", ["unknown-status"]),
        ("IN_PROGRESS", "SUCCESS", ["success"]),
        ("IN_PROGRESS", "FAILED", ["failed"]),
        ("IN_PROGRESS", "REQUESTED", []),
        ("PAUSED", "SUCCESS", ["success"]),
        ("SUCCESS", "IN_PROGRESS", ["started"]),
        ("SUCCESS", "FAILED", ["failed"]),
        ("FAILED", "SUCCESS", ["success"]),
    ],
)
def test_status_change_is_a_transition_with_its_event(before: str | None, now: str, told: list[str]) -> None:
    verdict = decide(tracked(before), seen(now), POLICY, 0.5)
    assert kinds(verdict) == told
    assert verdict.transition is not None
    assert (verdict.transition.before, verdict.transition.job.status) == (before, now)
    assert verdict.transition.last_seen_before == (BEFORE if before else None)
    assert verdict.memory.status_since == NOW


@pytest.mark.parametrize("status", ["REQUESTED", "IN_PROGRESS", "SUCCESS", "FAILED", "PAUSED", "success"])
def test_unchanged_status_has_no_transition_or_event(status: str) -> None:
    verdict = decide(tracked(status, reported_statuses="PAUSED\nsuccess"), seen(status), POLICY, 0.5)
    assert (verdict.transition, verdict.events) == (None, ())
    assert verdict.memory.status_since == BEFORE
    assert verdict.memory.seen_at == NOW


@pytest.mark.parametrize("status", ["SUCCESS", "FAILED"])
def test_finished_job_is_not_polled(status: str) -> None:
    assert decide(tracked("IN_PROGRESS"), seen(status), POLICY, 0.5).due_at is None


@pytest.mark.parametrize("status", ["REQUESTED", "IN_PROGRESS", "PAUSED", "success", "Done"])
def test_unfinished_job_is_polled_again(status: str) -> None:
    assert decide(tracked("REQUESTED"), seen(status), POLICY, 0.5).due_at == NOW + MINUTE


@pytest.mark.parametrize(("roll", "seconds"), [(0, 54), (0.5, 60), (0.999999, 66)])
def test_next_poll_is_due_after_the_interval_with_jitter(roll: float, seconds: float) -> None:
    due = decide(tracked("REQUESTED"), seen("REQUESTED"), POLICY, roll).due_at
    assert due is not None
    assert (due - NOW).total_seconds() == pytest.approx(seconds, abs=0.001)


def test_first_sight_of_a_finished_job_says_so() -> None:
    facts = decide(tracked(), seen("SUCCESS"), POLICY, 0.5).events[0].facts
    assert isinstance(facts, SuccessFacts)
    assert (facts.first_sight, facts.before) == (True, None)


def test_running_time_counts_from_the_first_sight() -> None:
    running = decide(tracked("REQUESTED"), seen("IN_PROGRESS", BEFORE), POLICY, 0.5).memory
    ended = decide(tracked("IN_PROGRESS", running_since=running.running_since), seen("SUCCESS"), POLICY, 0.5)
    facts = ended.events[0].facts
    assert isinstance(facts, SuccessFacts)
    assert facts.running_since == BEFORE


def test_new_run_starts_with_a_new_running_time() -> None:
    again = decide(tracked("SUCCESS", running_since=BEFORE), seen("REQUESTED"), POLICY, 0.5)
    assert again.memory.running_since is None


def test_not_found_is_reported_once_after_several_404s() -> None:
    job, told = tracked("REQUESTED"), []
    for _ in range(6):
        verdict = decide(job, NotFound(at=NOW), POLICY, 0.5)
        told.append(kinds(verdict))
        job = replace(job, memory=verdict.memory)
    assert told == [[], [], ["not-found"], [], [], []]
    assert job.memory.status == "REQUESTED"


def test_missing_job_is_polled_every_15_minutes() -> None:
    for roll in (0, 0.5, 0.99):
        due = decide(tracked(misses=2), NotFound(at=NOW), POLICY, roll).due_at
        assert due is not None
        assert due >= NOW + LOST_EVERY


def test_found_job_can_be_reported_missing_again() -> None:
    back = decide(tracked("REQUESTED", misses=5, reported_missing=True), seen("REQUESTED"), POLICY, 0.5)
    assert (back.memory.misses, back.memory.reported_missing, back.due_at) == (0, False, NOW + MINUTE)


@pytest.mark.parametrize(
    "answer",
    [
        NotFound(at=NOW),
        Refused(at=NOW, reason="HTTP 401"),
        Refused(at=NOW, reason="no token", certain=True),
        Throttled(at=NOW, retry_after=timedelta(seconds=9)),
        Failed(at=NOW, sent_at=NOW, reason="HTTP 500"),
        Failed(at=NOW, sent_at=NOW, reason="HTML", bad=True),
    ],
)
@pytest.mark.parametrize("status", [None, "REQUESTED", "IN_PROGRESS"])
def test_only_an_observation_changes_a_job(status: str | None, answer: Observation) -> None:
    verdict = decide(tracked(status), answer, POLICY, 0.5)
    assert verdict.memory.status == status
    assert verdict.transition is None
    assert verdict.seen is None
    assert verdict.due_at is not None


@pytest.mark.parametrize("answer", [Throttled(at=NOW), Throttled(at=NOW, asked=False)])
def test_throttled_jobs_keep_their_turn_however_often(answer: Throttled) -> None:
    job = tracked("IN_PROGRESS")
    for _ in range(9):
        verdict = decide(job, answer, POLICY, 0.99)
        assert verdict.due_at == NOW  # so it comes before jobs that were answered
        job = replace(job, memory=verdict.memory)


def test_failed_polls_have_growing_pauses() -> None:
    job, pauses = tracked("REQUESTED"), []
    for _ in range(12):
        verdict = decide(job, Failed(at=NOW, sent_at=NOW, reason="HTTP 500"), POLICY, 1 - 1e-9)
        assert verdict.due_at is not None
        pauses.append(round((verdict.due_at - NOW).total_seconds()))
        job = replace(job, memory=verdict.memory)
    assert pauses[:5] == [2, 4, 8, 16, 32]
    assert pauses[-1] == max(pauses) == 300
    assert job.memory.last_error == "HTTP 500"


def test_answer_after_failures_forgets_them() -> None:
    memory = decide(tracked("REQUESTED", failures=9, last_error="x"), seen("REQUESTED"), POLICY, 0.5).memory
    assert (memory.failures, memory.last_error) == (0, None)


def test_single_refused_job_is_reported_with_its_recovery() -> None:
    others_answered = replace(POLICY, last_good_sent_at=NOW)
    first = decide(tracked("REQUESTED"), Refused(at=BEFORE, reason="HTTP 403"), POLICY, 0.5)
    job = replace(tracked("REQUESTED"), memory=first.memory)
    second = decide(job, Refused(at=NOW, reason="HTTP 403"), others_answered, 0.5)
    assert (kinds(first), kinds(second)) == ([], ["login"])
    assert second.events[0].job_id == 7
    assert second.due_at is not None
    assert second.due_at >= NOW + LOST_EVERY
    job = replace(job, memory=second.memory)
    assert kinds(decide(job, Refused(at=NOW, reason="HTTP 403"), others_answered, 0.5)) == []
    answered = decide(job, seen("REQUESTED"), others_answered, 0.5)
    assert [event.facts for event in answered.events] == [LoginFacts(over=True, since=BEFORE)]


def test_refusal_without_other_answers_is_not_the_jobs() -> None:
    job = tracked("REQUESTED", refused_at=NOW)
    policy = replace(POLICY, last_good_sent_at=BEFORE)
    assert kinds(decide(job, Refused(at=NOW, reason="HTTP 401"), policy, 0.5)) == []


STATUSES = st.sampled_from(["REQUESTED", "IN_PROGRESS", "SUCCESS", "FAILED", "PAUSED"])
ANSWERS = st.one_of(
    STATUSES,
    st.just(NotFound(at=NOW)),
    st.just(Throttled(at=NOW)),
    st.just(Refused(at=NOW, reason="HTTP 401")),
    st.just(Failed(at=NOW, sent_at=NOW, reason="HTTP 500")),
)


@given(st.lists(st.tuples(ANSWERS, st.floats(0, 1, exclude_max=True)), max_size=40))
def test_any_sequence_reports_each_end_once(
    answers: list[tuple[str | Observation, float]],
) -> None:
    job, ends, history = tracked(), [], []
    for answer, roll in answers:
        verdict = decide(job, seen(answer) if isinstance(answer, str) else answer, POLICY, roll)
        ends += [event.kind.value for event in verdict.events if event.kind in (EventKind.SUCCESS, EventKind.FAILED)]
        if verdict.transition:
            history.append(verdict.transition.job.status)
        job = replace(job, memory=verdict.memory)
    shown = [answer for answer, _ in answers if isinstance(answer, str)]
    changes = [now for before, now in zip([None, *shown], shown, strict=False) if now != before]
    assert history == changes
    assert ends == [status.lower() for status in changes if is_end(status)]


def test_unknown_status_is_reported_once_per_word() -> None:
    job, reported = tracked("IN_PROGRESS"), list[tuple[str, str | None]]()
    for status in ("PAUSED", "PAUSED", "IN_PROGRESS", "PAUSED", "ON HOLD", "PAUSED", "ON HOLD"):
        verdict = decide(job, seen(status), POLICY, 0.5)
        for event in verdict.events:
            if isinstance(event.facts, UnknownStatusFacts):
                reported.append((event.facts.job.status, event.facts.before))
        job = replace(job, memory=verdict.memory)
    assert reported == [("PAUSED", "IN_PROGRESS"), ("ON HOLD", "PAUSED")]


def test_unknown_status_of_an_older_store_is_reported_too() -> None:
    assert kinds(decide(tracked("PAUSED"), seen("PAUSED"), POLICY, 0.5)) == ["unknown-status"]


def test_remembered_statuses_are_bounded() -> None:
    job = tracked("IN_PROGRESS")
    for number in range(100):
        job = replace(job, memory=decide(job, seen(f"ODD {number}"), POLICY, 0.5).memory)
    assert (job.memory.reported_statuses or "").split("\n") == [f"ODD {number}" for number in range(80, 100)]


@pytest.mark.parametrize(("hours", "minutes"), [(0, 1), (23, 1), (24, 15), (99, 15)])
def test_unknown_status_is_polled_less_often_after_a_day(hours: int, minutes: int) -> None:
    job = tracked("PAUSED", status_since=NOW - timedelta(hours=hours), reported_statuses="PAUSED")
    assert decide(job, seen("PAUSED"), POLICY, 0.5).due_at == NOW + timedelta(minutes=minutes)


def test_known_status_is_polled_as_usual_after_a_day() -> None:
    job = tracked("IN_PROGRESS", status_since=NOW - timedelta(hours=99))
    assert decide(job, seen("IN_PROGRESS"), POLICY, 0.5).due_at == NOW + MINUTE
