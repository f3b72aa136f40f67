"""Which success needs review, and the comparison with the previous run."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.core.events import Event, Target, audience
from gemwatch.core.gate import OFF, Gate, judged, reasons
from gemwatch.core.job import Statistics
from gemwatch.core.kinds import EventKind, FailedFacts, NeedsReviewFacts, SuccessFacts
from gemwatch.core.runs import PreviousRun, RequestChange, Run
from support.events import event_of
from support.past import NOW, run

GATE = Gate(matched_min=0.8, matched_drop_max=0.05, roads_change_max=0.2)
GOOD = {"matched": 0.86, "roads": 400_000}


def event(kind: EventKind = EventKind.SUCCESS) -> Event:
    return event_of(kind, at=NOW)


@pytest.mark.parametrize(
    ("now", "before", "why"),
    [
        (GOOD, GOOD, []),
        (GOOD, None, []),
        ({"matched": 0.8}, None, []),
        ({"matched": 0.7}, None, ["matched 70.0 %, below the floor of 80.0 %"]),
        ({"matched": 0.81}, {"matched": 0.86}, []),
        ({"matched": 0.80}, {"matched": 0.86}, ["matched 80.0 %, 6.0 points less than the 86.0 % before"]),
        ({"matched": 0.95}, {"matched": 0.86}, []),
        ({"roads": 480_000}, {"roads": 400_000}, []),
        ({"roads": 500_000}, {"roads": 400_000}, ["500,000 roads, 25.0 % more than the 400,000 before"]),
        ({"roads": 300_000}, {"roads": 400_000}, ["300,000 roads, 25.0 % fewer than the 400,000 before"]),
        ({"roads": 300_000}, {"roads": 0}, []),
        ({}, GOOD, []),
        (GOOD, {}, []),
        (
            {"matched": 0.5, "roads": 1},
            GOOD,
            [
                "matched 50.0 %, below the floor of 80.0 %",
                "matched 50.0 %, 36.0 points less than the 86.0 % before",
                "1 roads, 100.0 % fewer than the 400,000 before",
            ],
        ),
    ],
)
def test_success_needs_review_for_these_reasons(
    now: dict[str, Any], before: dict[str, Any] | None, why: list[str]
) -> None:
    assert list(reasons(run(**now), None if before is None else run(**before), GATE)) == why


shares = st.none() | st.floats(0, 1)
counts = st.none() | st.integers(0, 10**9)
results = st.builds(lambda matched, roads: run(matched=matched, roads=roads), shares, counts)


@given(results, st.none() | results)
def test_without_a_gate_nothing_needs_review(now: Run, before: Run | None) -> None:
    for gate in (None, Gate(), Gate(matched_min=OFF, matched_drop_max=OFF, roads_change_max=OFF)):
        assert judged(event(), now, before, gate).kind is EventKind.SUCCESS


@given(st.none() | results)
def test_missing_statistics_never_need_review(before: Run | None) -> None:
    assert judged(event(), run(), before, GATE).kind is EventKind.SUCCESS


def test_needs_review_replaces_the_plain_success() -> None:
    told = judged(event(), run(matched=0.7), None, GATE)
    assert told.kind is EventKind.NEEDS_REVIEW
    assert isinstance(told.facts, NeedsReviewFacts)
    assert told.facts.reasons == ("matched 70.0 %, below the floor of 80.0 %",)
    failed = event(EventKind.FAILED)
    assert judged(failed, run(matched=0.7), None, GATE).kind is EventKind.FAILED


def test_previous_run_is_compared_with_its_request() -> None:
    before = run(8, matched=0.86, roads=4, kilometres=1.5, confidence_threshold=60, overture_release="2025-12-17.0")
    told = judged(event(), run(matched=0.86, confidence_threshold=70), before, None)
    assert isinstance(told.facts, SuccessFacts)
    assert told.facts.previous == PreviousRun(
        job_id=1008,
        ended_at=NOW - timedelta(days=8),
        matched=0.86,
        roads=4,
        kilometres=1.5,
        ran=timedelta(hours=1),
        changed=(
            RequestChange(what="Overture release", before="2025-12-17.0", now="2026-01-21.0"),
            RequestChange(what="confidence threshold", before="60", now="70"),
        ),
    )


def test_own_gate_replaces_the_general_one_by_key() -> None:
    own = Gate(matched_min=0.9, roads_change_max=OFF)
    assert own.over(GATE) == Gate(matched_min=0.9, matched_drop_max=0.05, roads_change_max=OFF)
    assert Gate.from_json(own.as_json() or {}) == own
    assert Gate().as_json() is None


def test_success_targets_receive_needs_review_once() -> None:
    targets = [
        Target(name=name, url="json://h", on=frozenset(kinds))
        for name, kinds in {
            "success": [EventKind.SUCCESS],
            "look": [EventKind.NEEDS_REVIEW],
            "both": [EventKind.SUCCESS, EventKind.NEEDS_REVIEW],
            "failed": [EventKind.FAILED],
        }.items()
    ]
    assert audience(event(EventKind.NEEDS_REVIEW), targets) == ("success", "look", "both")
    assert audience(event(), targets) == ("success", "both")


def test_failure_states_its_running_time_and_the_last_success() -> None:
    failed = judged(event(EventKind.FAILED), run(status="FAILED"), run(8, matched=0.86), None)
    assert isinstance(failed.facts, FailedFacts)
    assert failed.facts.ran == timedelta(hours=1)
    assert failed.facts.last_success is not None
    assert failed.facts.last_success.job_id == 1008


@pytest.mark.parametrize(
    ("gate", "unclear", "told"),
    [
        (GATE, ("matched",), True),
        (Gate(matched_drop_max=0.1), ("matched",), True),
        (GATE, ("unmatched",), False),
        (Gate(matched_min=OFF, roads_change_max=0.1), ("matched",), False),
        (None, ("matched",), False),
    ],
)
def test_gate_that_could_not_be_applied_is_stated(gate: Gate | None, unclear: tuple[str, ...], *, told: bool) -> None:
    success = event()
    assert isinstance(success.facts, SuccessFacts)
    job = replace(success.facts.job, statistics=Statistics(unclear=unclear))
    facts = judged(replace(success, facts=replace(success.facts, job=job)), run(), None, gate).facts
    assert isinstance(facts, SuccessFacts)
    assert bool(facts.unjudged) is told


def test_gate_of_a_newer_version_is_read() -> None:
    assert Gate.from_json({"matched_min": 0.9, "lanes_min": 0.5}) == Gate(matched_min=0.9)
