"""Predicting a duration from a few measured ones."""

import math
import random
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.core.estimates.durations import Durations

SAMPLES = st.lists(st.floats(1, 1e6), min_size=3, max_size=30).map(
    lambda seconds: [timedelta(seconds=second) for second in seconds]
)


def minutes(*numbers: float) -> list[timedelta]:
    return [timedelta(minutes=number) for number in numbers]


def of(samples: list[timedelta]) -> Durations:
    durations = Durations.of(samples)
    assert durations is not None
    return durations


@pytest.mark.parametrize("samples", [[], minutes(5), minutes(5, 6), minutes(5, 6, 0), minutes(5, 6, -7)])
def test_fewer_than_three_times_give_no_distribution(samples: list[timedelta]) -> None:
    assert Durations.of(samples) is None


def test_middle_of_scattered_times_is_near_their_mean() -> None:
    middle = of(minutes(40, 10, 20, 40, 10)).quantile(0.5)
    assert middle.total_seconds() == pytest.approx(20 * 60, rel=0.1)


def test_equal_times_still_give_a_range() -> None:
    durations = of(minutes(10, 10, 10))
    assert durations.quantile(0.1) < timedelta(minutes=10) < durations.quantile(0.9)
    assert durations.quantile(0.9) < timedelta(minutes=12)


@pytest.mark.parametrize("count", [3, 5, 20])
def test_range_holds_in_eight_of_ten_cases(count: int) -> None:
    chance, held, draws = random.Random(7), 0, 4000
    for _ in range(draws):
        *known, came = (timedelta(seconds=chance.lognormvariate(8, 0.5)) for _ in range(count + 1))
        durations = of(known)
        held += durations.quantile(0.1) <= came <= durations.quantile(0.9)
    assert 0.75 < held / draws < 0.85


@given(SAMPLES, st.floats(0, 6e10))
def test_quantiles_grow_and_exceed_the_elapsed_time(samples: list[timedelta], elapsed: float) -> None:
    durations, beyond = of(samples), timedelta(seconds=elapsed)
    quantiles = [durations.quantile(p, beyond) for p in (0.01, 0.1, 0.5, 0.9, 0.99)]
    assert all(low <= high for low, high in pairwise(quantiles))
    assert quantiles[0] >= beyond or elapsed == 0


@given(SAMPLES, st.floats(0, 1e9))
def test_hazard_is_always_a_number(samples: list[timedelta], elapsed: float) -> None:
    hazard = of(samples).hazard(timedelta(seconds=elapsed))
    assert 0 <= hazard < math.inf
    assert elapsed < 1e6 or hazard > 0


def test_hazard_is_the_end_rate_of_the_remaining_runs() -> None:
    chance = random.Random(3)
    durations = of([timedelta(seconds=chance.lognormvariate(5, 0.4)) for _ in range(30)])
    passed = durations.quantile(0.7)
    step = durations.quantile(0.01, passed) - passed
    assert durations.hazard(passed) * step.total_seconds() == pytest.approx(0.01, rel=0.1)


def test_tail_of_the_distribution_is_smooth() -> None:
    durations = of(minutes(10, 10, 10))
    spread = durations.spread
    near, far = (timedelta(minutes=10 * math.exp(spread * z)) for z in (29.99, 30.01))
    ahead = [durations.quantile(0.5, beyond) - beyond for beyond in (near, far)]
    assert ahead[1].total_seconds() == pytest.approx(ahead[0].total_seconds(), rel=0.02)
    assert durations.hazard(far) == pytest.approx(durations.hazard(near), rel=0.02)
