"""When a group of jobs is done, and what is reported about it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.core.job import Status
from gemwatch.core.lists.groups import (
    GIVE_UP,
    SETTLE,
    GroupCheck,
    GroupTerms,
    Member,
    Opening,
    facts_of,
    standing,
    terms_by_group,
)
from gemwatch.core.settings import (
    ApiSettings,
    GroupSettings,
    Members,
    Rule,
    Settings,
    StoreSettings,
    Watch,
)

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OPENING = Opening(name="release", member_added_at=NOW)
DONE, OPEN = GroupCheck(done=True), GroupCheck()


@pytest.mark.parametrize(
    ("counts", "terms", "later", "found"),
    [
        ((0, 0, 0), GroupTerms(), 2 * GIVE_UP, OPEN),
        ((1, 1, 0), GroupTerms(), 0 * MINUTE, DONE),
        ((3, 2, 1), GroupTerms(), 2 * GIVE_UP, OPEN),
        ((3, 3, 0), GroupTerms(settle=SETTLE), 9 * MINUTE, OPEN),
        ((3, 3, 0), GroupTerms(settle=SETTLE), 10 * MINUTE, DONE),
        ((3, 3, 0), GroupTerms(expect=3, settle=SETTLE), 0 * MINUTE, DONE),
        ((4, 4, 0), GroupTerms(expect=3), 0 * MINUTE, DONE),
        ((4, 3, 1), GroupTerms(expect=3), 0 * MINUTE, OPEN),
        ((3, 3, 0), GroupTerms(expect=4), 0 * MINUTE, GroupCheck(idle_since=NOW)),
        ((3, 2, 0), GroupTerms(), 0 * MINUTE, GroupCheck(idle_since=NOW)),
    ],
)
def test_group_is_done_when_all_ended_and_enough(
    counts: tuple[int, int, int], terms: GroupTerms, later: timedelta, found: GroupCheck
) -> None:
    (members, ended, running), now = counts, NOW + later
    assert standing(OPENING, members=members, ended=ended, running=running, terms=terms, now=now) == found


def test_group_without_running_jobs_is_incomplete_after_a_day() -> None:
    idle = replace(OPENING, idle_since=NOW)

    def check(later: timedelta, running: int = 0) -> GroupCheck:
        counts = {"members": 11, "ended": 11 - running, "running": running}
        return standing(idle, **counts, terms=GroupTerms(expect=12), now=NOW + later)

    assert check(GIVE_UP - MINUTE) == GroupCheck(idle_since=NOW)
    assert check(GIVE_UP) == GroupCheck(done=True, incomplete=True, idle_since=NOW)
    assert check(GIVE_UP, running=1) == OPEN


numbers = st.integers(0, 4)
expected = st.none() | st.integers(1, 9)
spans = st.integers(0, 3000).map(lambda minutes: minutes * MINUTE)


@given(st.tuples(numbers, numbers, numbers), expected, spans, spans, st.none() | spans)
def test_group_is_never_done_while_a_job_runs_or_too_early(
    counts: tuple[int, int, int],
    expect: int | None,
    settle: timedelta,
    later: timedelta,
    idle: timedelta | None,
) -> None:
    ended, running, lost = counts
    members, now = sum(counts), NOW + later
    opening = replace(OPENING, idle_since=None if idle is None else NOW + idle)
    terms = GroupTerms(expect=expect, settle=settle)
    found = standing(opening, members=members, ended=ended, running=running, terms=terms, now=now)
    if found.done:
        assert members
        assert not running
    if found.done and not found.incomplete:
        assert ended == members
        assert ended >= expect if expect is not None else later >= settle
    if found.incomplete:
        assert opening.idle_since is not None
        assert now - opening.idle_since >= GIVE_UP
        assert lost or ended < (expect or 0)


def test_facts_count_each_member_once_by_its_outcome() -> None:
    members = [
        Member(job_id=4, status=Status.SUCCESS, ended_at=NOW, requested_at=NOW - MINUTE),
        Member(job_id=3, status=Status.SUCCESS, needs_review=True, ended_at=NOW + MINUTE),
        Member(job_id=2, status=Status.FAILED, requested_at=NOW - 2 * MINUTE, ended_at=NOW),
        Member(job_id=1, status="PAUSED", requested_at=NOW),
        Member(job_id=5),
    ]
    facts = facts_of("release", members, GroupTerms(expect=6), incomplete=True)
    assert (facts.members, facts.succeeded, facts.expect, facts.incomplete) == (5, 1, 6, True)
    assert (facts.failed, facts.needs_review, facts.unfinished) == ((2,), (3,), (1, 5))
    assert (facts.first_requested_at, facts.last_ended_at) == (NOW - 2 * MINUTE, NOW + MINUTE)


def test_groups_of_rules_settle_for_ten_minutes_unless_set() -> None:
    settings = Settings(
        api=ApiSettings(key="k"),
        store=StoreSettings(place=Path("gemwatch.db")),
        discover=tuple(Rule(input=one, watch=Watch(job_id=0, group=one)) for one in ("a", "b")),
        groups=(
            GroupSettings(name="b", settle=MINUTE, expect=12),
            GroupSettings(name="c", members=Members.QUIET),
        ),
    )
    assert terms_by_group(settings) == {
        "a": GroupTerms(settle=SETTLE),
        "b": GroupTerms(settle=MINUTE, expect=12),
        "c": GroupTerms(quiet=True),
    }
