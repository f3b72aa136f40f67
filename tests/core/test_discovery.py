"""Which jobs a rule matches, what their watches are like, and what happens to past jobs."""

from datetime import UTC, datetime, timedelta
from fnmatch import translate
from re import fullmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.core.job import ENDS, JobDetails, Status, is_end
from gemwatch.core.lists.rules import Fate, fate, first_match, fits, in_window, key_of, types_of, watch_of
from gemwatch.core.settings import Rule, Watch

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

words = st.text("ab*?[]_.", max_size=6)
fields = st.none() | words.filter(bool)
patterns = st.none() | words.filter(bool)
times = st.none() | st.integers(-400, 400).map(lambda hours: NOW + hours * HOUR)
jobs = st.builds(
    JobDetails,
    job_id=st.integers(1, 99),
    status=st.sampled_from([*Status, "PAUSED"]),
    storage_id=fields,
    input_filename=fields,
    job_type=fields,
    overture_release=fields,
    orbis_version=fields,
    requested_at=times,
)
rules = st.builds(
    Rule,
    job_type=patterns,
    storage=patterns,
    input=patterns,
    release=patterns,
    requested_within=st.integers(1, 300).map(lambda hours: hours * HOUR),
)


def matched(pattern: str | None, *values: str | None) -> bool:
    return pattern is None or any(value is not None and fullmatch(translate(pattern), value) for value in values)


@given(rules, jobs)
def test_rule_fits_exactly_if_each_pattern_does(rule: Rule, job: JobDetails) -> None:
    assert fits(rule, job) == (
        matched(rule.job_type, job.job_type)
        and matched(rule.storage, job.storage_id)
        and matched(rule.input, job.input_filename)
        and matched(rule.release, job.overture_release, job.orbis_version)
    )


@given(st.lists(rules, max_size=4), jobs)
def test_first_match_is_the_first_that_fits_in_its_window(many: list[Rule], job: JobDetails) -> None:
    found = first_match(many, job, NOW)
    fitting = [rule for rule in many if fits(rule, job) and in_window(rule, job, NOW)]
    assert found == (fitting[0] if fitting else None)


@given(rules, jobs, st.integers(0, 1000))
def test_job_with_a_request_time_leaves_the_window_for_good(rule: Rule, job: JobDetails, hours: int) -> None:
    later = NOW + hours * HOUR
    if job.requested_at is not None and not in_window(rule, job, NOW):
        assert not in_window(rule, job, later)
    if job.requested_at is None:
        assert in_window(rule, job, later) == (not is_end(job.status))


@given(jobs, st.integers(-300, 300))
def test_unfinished_and_later_jobs_are_never_past(job: JobDetails, hours: int) -> None:
    applied = NOW + hours * HOUR
    later = job.requested_at is not None and job.requested_at > applied
    assert (fate(job, applied) is Fate.PAST) == (job.status in ENDS and not later)


@given(rules, rules)
def test_rules_have_the_same_key_exactly_if_their_patterns_are(one: Rule, other: Rule) -> None:
    def of(rule: Rule) -> tuple[str | None, ...]:
        return rule.job_type, rule.storage, rule.input, rule.release

    assert (key_of(one) == key_of(other)) == (of(one) == of(other))


@given(st.text(max_size=300), jobs)
def test_name_is_one_printable_line(template: str, job: JobDetails) -> None:
    watch = watch_of(Rule(input="*", watch=Watch(job_id=0, name=template)), job)
    assert watch.job_id == job.job_id
    assert watch.name is None or (watch.name.isprintable() and 0 < len(watch.name) <= 200)


def test_name_has_the_values_of_the_job() -> None:
    rule = Rule(input="*", watch=Watch(job_id=0, name="{input} of {storage}, {release} ({job_id})", group="g"))
    job = JobDetails(job_id=7, status="SUCCESS", storage_id="s", input_filename="{job_id}\nx", orbis_version="1.2")
    assert watch_of(rule, job) == Watch(job_id=7, name="{job_id} x of s, 1.2 (7)", group="g")


@pytest.mark.parametrize(
    ("job_type", "types"),
    [
        (None, ("ROAD_MATCHING", "LANE_LEVEL_MATCHING")),
        ("ROAD_MATCHING", ("ROAD_MATCHING",)),
        ("NEW_MATCHING", ("NEW_MATCHING",)),
        ("LANE*", ("LANE_LEVEL_MATCHING",)),
        ("X*", ()),
    ],
)
def test_types_of_rules(job_type: str | None, types: tuple[str, ...]) -> None:
    assert types_of([Rule(job_type=job_type, input="*")]) == types
