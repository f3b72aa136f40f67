"""Limits for waiting and running jobs: reported once, and polled in time."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.core.estimates.estimate import Basis, Experience
from gemwatch.core.job import Failed, Seen
from gemwatch.core.kinds import QueuedTooLongFacts, RunningTooLongFacts, StartedFacts
from gemwatch.core.limits import GRACE, Bound, Limits, LimitWord
from gemwatch.core.polls.decide import decide
from gemwatch.core.polls.tracked import Memory, Policy, Tracked, Verdict
from gemwatch.core.work import WatchClaim, fingerprint, report_on
from support.past import HOUR, NOW, job, past

MINUTE = timedelta(minutes=1)
LIMITS = Limits(queued=2 * HOUR, running=8 * HOUR, min_running=5 * MINUTE)
POLICY = Policy(limits=LIMITS)
RAW = "as it came"
RUNNING = Memory(status="IN_PROGRESS", status_since=NOW, seen_at=NOW, running_since=NOW)
WAITING = Memory(status="REQUESTED", status_since=NOW, seen_at=NOW)


def poll_once(
    memory: Memory, status: str, at: datetime, policy: Policy = POLICY, own: Limits | None = None, **fields: Any
) -> Verdict:
    details = job(status, **{"requested_at": NOW.isoformat(), **fields})
    seen = Seen(at=at, job=details, raw=RAW)
    return decide(Tracked(job_id=7, every=MINUTE, memory=memory, limits=own), seen, policy, 0.5)


def kinds(verdict: Verdict) -> list[str]:
    return [event.kind.value for event in verdict.events]


@pytest.mark.parametrize(
    ("memory", "status", "limit", "kind"),
    [
        (WAITING, "REQUESTED", 2 * HOUR, "queued-too-long"),
        (RUNNING, "IN_PROGRESS", 8 * HOUR, "running-too-long"),
    ],
)
def test_passed_limit_is_reported_once(memory: Memory, status: str, limit: timedelta, kind: str) -> None:
    before = poll_once(memory, status, NOW + limit - timedelta(seconds=1))
    assert kinds(before) == []
    assert before.memory.clock_at == NOW + limit
    passed = poll_once(before.memory, status, NOW + limit)
    assert kinds(passed) == [kind]
    facts = passed.events[0].facts
    assert isinstance(facts, QueuedTooLongFacts | RunningTooLongFacts)
    assert (facts.since, facts.limit) == (NOW, Bound(length=limit))
    assert (passed.memory.reported_limits, passed.memory.clock_at) == (kind, None)
    again = poll_once(passed.memory, status, NOW + limit + HOUR)
    assert kinds(again) == []
    assert again.memory.reported_limits == kind


def test_both_limits_and_the_end_are_reported() -> None:
    waited = poll_once(WAITING, "REQUESTED", NOW + 3 * HOUR)
    started = poll_once(waited.memory, "IN_PROGRESS", NOW + 4 * HOUR)
    late = poll_once(started.memory, "IN_PROGRESS", NOW + 13 * HOUR)
    ended = poll_once(late.memory, "SUCCESS", NOW + 14 * HOUR)
    assert [kinds(v) for v in (waited, started, late, ended)] == [
        ["queued-too-long"],
        ["started"],
        ["running-too-long"],
        ["success"],
    ]
    assert ended.memory.reported_limits == "queued-too-long running-too-long"
    assert ended.due_at is None
    again = poll_once(ended.memory, "IN_PROGRESS", NOW + 15 * HOUR)
    assert again.memory.reported_limits is None
    assert kinds(poll_once(again.memory, "IN_PROGRESS", NOW + 24 * HOUR)) == ["running-too-long"]


def test_finished_wait_is_not_reported_as_too_long() -> None:
    assert kinds(poll_once(WAITING, "IN_PROGRESS", NOW + 3 * HOUR)) == ["started"]
    assert kinds(poll_once(RUNNING, "FAILED", NOW + 9 * HOUR)) == ["failed"]


def test_only_an_observation_passes_a_limit() -> None:
    tracked = Tracked(job_id=7, every=MINUTE, memory=RUNNING)
    at = NOW + 9 * HOUR
    assert decide(tracked, Failed(at=at, sent_at=at, reason="down"), POLICY, 0.5).events == ()


@given(st.floats(1, 9 * 3600), st.floats(0, 1, exclude_max=True), st.integers(1, 86_400))
def test_next_poll_is_at_the_next_limit_at_the_latest(elapsed: float, roll: float, every: int) -> None:
    tracked = Tracked(job_id=7, every=timedelta(seconds=every), memory=RUNNING)
    at = NOW + timedelta(seconds=elapsed)
    verdict = decide(tracked, Seen(at=at, job=job("IN_PROGRESS"), raw=RAW), POLICY, roll)
    assert verdict.due_at is not None
    assert verdict.due_at > at
    if verdict.memory.clock_at is not None:
        assert verdict.due_at <= verdict.memory.clock_at + GRACE
        assert decide(
            replace(tracked, memory=verdict.memory),
            Seen(at=verdict.memory.clock_at + GRACE, job=job("IN_PROGRESS"), raw=RAW),
            POLICY,
            roll,
        ).events


@pytest.mark.parametrize(
    ("status", "seconds", "told"),
    [
        ("SUCCESS", 299, ["success", "finished-too-fast"]),
        ("SUCCESS", 300, ["success"]),
        ("SUCCESS", None, ["success"]),
        ("FAILED", 12, ["failed"]),
    ],
)
def test_finished_too_fast_is_reported_with_the_success(status: str, seconds: int | None, told: list[str]) -> None:
    verdict = poll_once(RUNNING, status, NOW + MINUTE, statistics={"execution_time_sec": seconds})
    assert kinds(verdict) == told
    assert kinds(poll_once(verdict.memory, status, NOW + HOUR, statistics={"execution_time_sec": seconds})) == []
    assert ("finished-too-fast" in (verdict.memory.reported_limits or "")) == (len(told) == 2)


def test_own_limits_replace_the_general_ones_by_key() -> None:
    own = Limits(running=HOUR, queued=LimitWord.OFF)
    assert own.over(LIMITS) == Limits(queued=LimitWord.OFF, running=HOUR, min_running=5 * MINUTE)
    assert Limits.from_json(own.as_json() or {}) == own
    assert Limits().as_json() is None
    assert kinds(poll_once(RUNNING, "IN_PROGRESS", NOW + HOUR, own=own)) == ["running-too-long"]
    assert kinds(poll_once(RUNNING, "IN_PROGRESS", NOW + HOUR, Policy(), own)) == ["running-too-long"]
    assert kinds(poll_once(WAITING, "REQUESTED", NOW + 3 * HOUR, own=own)) == []


def test_poll_before_a_limit_changes_nothing() -> None:
    first = poll_once(RUNNING, "IN_PROGRESS", NOW + HOUR)
    job_before = Tracked(job_id=7, every=MINUTE, memory=first.memory)
    claim = WatchClaim(tracked=job_before, claim=NOW, due_at=NOW, fingerprint=fingerprint(RAW))
    again = poll_once(first.memory, "IN_PROGRESS", NOW + 2 * HOUR)
    assert report_on(claim, NOW + 2 * HOUR, again).quiet


def test_without_limits_nothing_changes() -> None:
    bare = poll_once(RUNNING, "IN_PROGRESS", NOW + 99 * HOUR, Policy())
    assert (bare.events, bare.memory.clock_at, bare.memory.reported_limits) == ((), None, None)
    assert bare.due_at == NOW + 99 * HOUR + MINUTE


@pytest.mark.parametrize(
    ("memory", "status", "after"),
    [(RUNNING, "IN_PROGRESS", 2.3 * HOUR), (WAITING, "REQUESTED", 1.2 * HOUR)],
)
def test_automatic_limit_is_twice_the_upper_bound(memory: Memory, status: str, after: timedelta) -> None:
    limits = Limits(queued=LimitWord.AUTO, running=LimitWord.AUTO, min_running=LimitWord.AUTO)
    experience = Experience(past(HOUR, HOUR, HOUR, queued=HOUR / 2))
    assert kinds(poll_once(memory, status, NOW + 99 * HOUR, Policy(limits=limits, experience=Experience()))) == []
    policy = Policy(limits=limits, experience=experience)
    early = poll_once(memory, status, NOW + after * 0.8, policy)
    assert kinds(early) == []
    assert early.memory.clock_at is not None
    late = poll_once(memory, status, NOW + after, policy)
    assert len(kinds(late)) == 1
    facts = late.events[0].facts
    assert isinstance(facts, QueuedTooLongFacts | RunningTooLongFacts)
    assert (facts.limit.runs, facts.limit.basis) == (3, Basis.INPUT)


def test_automatic_least_time_is_half_the_lower_bound() -> None:
    policy = Policy(limits=Limits(min_running=LimitWord.AUTO), experience=Experience(past(HOUR, HOUR, HOUR)))
    for seconds, told in ((20 * 60, 2), (40 * 60, 1)):
        verdict = poll_once(RUNNING, "SUCCESS", NOW + HOUR, policy, statistics={"execution_time_sec": seconds})
        assert len(kinds(verdict)) == told


def test_started_event_has_the_expected_end() -> None:
    policy = Policy(experience=Experience(past(HOUR, HOUR, HOUR)))
    (started,) = poll_once(WAITING, "IN_PROGRESS", NOW, policy).events
    assert isinstance(started.facts, StartedFacts)
    assert started.facts.estimate is not None
    assert (started.facts.estimate.runs, started.facts.estimate.basis) == (3, Basis.INPUT)
    (bare,) = poll_once(WAITING, "IN_PROGRESS", NOW, Policy(experience=Experience())).events
    assert isinstance(bare.facts, StartedFacts)
    assert bare.facts.estimate is None


def test_requeued_job_waits_since_it_was_requeued() -> None:
    ended = poll_once(RUNNING, "FAILED", NOW + 9 * HOUR)
    again = poll_once(ended.memory, "REQUESTED", NOW + 10 * HOUR)
    assert kinds(again) == []
    assert again.memory.clock_at == NOW + 12 * HOUR
    assert kinds(poll_once(again.memory, "REQUESTED", NOW + 12 * HOUR)) == ["queued-too-long"]
    anew = (NOW + 9.5 * HOUR).isoformat()
    assert (
        poll_once(ended.memory, "REQUESTED", NOW + 10 * HOUR, requested_at=anew).memory.clock_at == NOW + 11.5 * HOUR
    )


@given(st.datetimes(), st.sampled_from(["", "Z"]))
def test_any_request_time_is_accepted(requested_at: datetime, zone: str) -> None:
    verdict = poll_once(WAITING, "REQUESTED", NOW, requested_at=requested_at.isoformat() + zone)
    assert verdict.due_at is not None


def test_limits_of_a_newer_version_are_read() -> None:
    said = {"queued": "seldom", "running": 3600.0, "pausing": 60.0}
    assert Limits.from_json(said) == Limits(queued=LimitWord.OFF, running=timedelta(hours=1))
