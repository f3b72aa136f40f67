"""The outcome of a wait, as tables and properties."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.core.outcome import EXIT_CODES, Outcome, WaitTerms, out_of_time, over

S, L, F, N, R = Outcome.SUCCESS, Outcome.NEEDS_REVIEW, Outcome.FAILED, Outcome.NOT_FOUND, Outcome.LOGIN_REFUSED
ALL, ANY, FAST = WaitTerms(), WaitTerms(any_one=True), WaitTerms(fail_fast=True)
outcomes = st.lists(st.sampled_from([S, L, F, N, R, None]), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("known", "terms", "expected"),
    [
        ([S], ALL, S),
        ([None], ALL, None),
        ([S, None], ALL, None),
        ([F, None], ALL, None),
        ([S, S], ALL, S),
        ([S, L], ALL, L),
        ([L, R, S], ALL, R),
        ([R, N, L], ALL, N),
        ([N, F, R, L, S], ALL, F),
        ([S, None], ANY, S),
        ([L, None], ANY, L),
        ([F, None], ANY, F),
        ([S, F, None], ANY, F),
        ([N, None], ANY, None),
        ([R, N, None], ANY, None),
        ([N, S, None], ANY, S),
        ([R, N], ANY, N),
        ([S, None], FAST, None),
        ([L, None], FAST, None),
        ([F, None], FAST, F),
        ([N, None], FAST, N),
        ([R, S, None], FAST, R),
        ([S, S], FAST, S),
        ([N, None], WaitTerms(any_one=True, fail_fast=True), N),
        ([S, None], WaitTerms(any_one=True, fail_fast=True), S),
    ],
)
def test_wait_ends_with_its_outcome(
    known: Sequence[Outcome | None], terms: WaitTerms, expected: Outcome | None
) -> None:
    assert over(known, terms) is expected


@pytest.mark.parametrize(
    ("known", "terms", "expected"),
    [
        ([None], ALL, Outcome.TIMED_OUT),
        ([S, None], ALL, Outcome.TIMED_OUT),
        ([L, None], ALL, Outcome.TIMED_OUT),
        ([F, None], ALL, F),
        ([N, None], ALL, N),
        ([N, None], ANY, Outcome.TIMED_OUT),
    ],
)
def test_timeout_still_reports_a_failure(
    known: Sequence[Outcome | None], terms: WaitTerms, expected: Outcome
) -> None:
    assert out_of_time(known, terms) is expected


def test_each_outcome_has_its_own_exit_code() -> None:
    codes = [EXIT_CODES[outcome] for outcome in Outcome]
    assert len(set(codes)) == len(codes)
    assert 2 not in codes
    assert [outcome for outcome in Outcome if EXIT_CODES[outcome] == 0] == [S]


@given(outcomes, st.builds(WaitTerms, any_one=st.booleans(), fail_fast=st.booleans()))
def test_order_of_the_jobs_does_not_matter(known: list[Outcome | None], terms: WaitTerms) -> None:
    assert over(known, terms) is over(known[::-1], terms)
    assert out_of_time(known, terms) is out_of_time(known[::-1], terms)


@given(outcomes)
def test_exit_code_0_needs_success_of_all(known: list[Outcome | None]) -> None:
    assert (over(known, ALL) is S) == (set(known) == {S})
    assert (over(known, FAST) is S) == (set(known) == {S})
    assert (over(known, ALL) is None) == (None in known)


def test_unknown_status_ranks_between_failure_and_success() -> None:
    unknown = Outcome.UNKNOWN_STATUS
    assert EXIT_CODES[unknown] == 6
    assert over([unknown, Outcome.SUCCESS, Outcome.NEEDS_REVIEW], WaitTerms()) is unknown
    assert over([unknown, Outcome.NOT_FOUND], WaitTerms()) is Outcome.NOT_FOUND
    assert over([unknown, None], WaitTerms()) is None
    assert over([unknown, None], WaitTerms(any_one=True)) is unknown
