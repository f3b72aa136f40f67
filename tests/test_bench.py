"""The bench's arithmetic. The rest of it is measured by running it: `make bench`."""

import math

import pytest

from bench.figures import (
    REFERENCE,
    Figure,
    Machine,
    as_json,
    between,
    bucket_quantile,
    buckets_of,
    quantile,
    samples,
    table,
    total,
)
from bench.nginx import share_of_transitions

PAGE = """# HELP polls Looks.
polls_total{outcome="seen"} 90.0
polls_total{outcome="failed"} 10.0
late_seconds_bucket{le="0.1"} 50.0
late_seconds_bucket{le="0.5"} 99.0
late_seconds_bucket{le="+Inf"} 100.0
late_seconds_count 100.0
"""


def test_quantile_is_one_of_the_values() -> None:
    assert [quantile([3.0, 1.0, 2.0, 4.0], q) for q in (0, 0.5, 0.75, 0.95, 1)] == [1, 2, 3, 4, 4]
    assert math.isnan(quantile([], 0.5))


def test_bucket_quantile_is_the_edge_it_does_not_exceed() -> None:
    buckets = buckets_of(samples(PAGE), "late_seconds")
    assert [bucket_quantile(buckets, q) for q in (0.5, 0.51, 0.99, 1)] == [0.1, 0.5, 0.5, math.inf]
    assert math.isnan(bucket_quantile({}, 0.5))
    assert math.isnan(bucket_quantile(between(buckets, buckets), 0.5))


def test_metric_is_summed_over_its_labels() -> None:
    assert total(samples(PAGE), "polls_total") == 100


@pytest.mark.parametrize("transitions", [0.0, 0.01, 0.1, 0.5])
def test_share_of_changed_answers_is_as_requested(transitions: float) -> None:
    share = share_of_transitions(transitions)
    assert 2 * share * (1 - share) == pytest.approx(transitions)


@pytest.mark.parametrize(
    ("value", "bar", "clears"),
    [
        (1.0, {}, None),
        (1.0, {"least": 0.8}, True),
        (0.7, {"least": 0.8}, False),
        (0.0, {"most": 0.0}, True),
        (2.0, {"most": 1.0}, False),
        (math.nan, {"most": 1.0}, False),
        (math.nan, {"least": 1.0}, False),
    ],
)
def test_figure_is_compared_with_its_bar(value: float, bar: dict[str, float], clears: object) -> None:
    assert Figure(part="", what="", value=value, **bar).clears is clears


def test_bars_are_scaled_by_what_the_bare_loop_needs() -> None:
    slow = Machine(cpu=2 * REFERENCE, wall=3 * REFERENCE)
    assert Figure(part="", what="", value=18, most=10, scales="cpu").on(slow).clears is True
    assert Figure(part="", what="", value=31, most=10, scales="wall").on(slow).clears is False
    assert Figure(part="", what="", value=8.4, most=6.5, scales="wall", fixed=5.5).on(slow).most == 8.5
    assert Figure(part="", what="", value=1.3, most=1.25).on(slow).most == 1.25  # a ratio scales with nothing


def test_table_shows_value_rounds_bar_and_verdict() -> None:
    figure = Figure(part="10 jobs", what="lateness", value=12345.6, unit="s", most=1, rounds=(12000.0, 13000.0))
    assert table([figure]).splitlines()[-1].split("  ") == [
        "10 jobs: lateness",
        "12 346 s",
        "12 000 .. 13 000",
        "<= 1",
        "FAIL",
    ]
    assert as_json([Figure(part="", what="", value=math.nan)])[0]["value"] is None
