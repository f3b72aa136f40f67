"""Ranges for times that stay, grow, jump or have two peaks."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.core.estimates.trend import forecast

Numbers = Callable[[random.Random, int], float]
SIDE = 1.2815515594600038  # standard deviations of a normal distribution from 10 to 50 %
DRAWS = 2000

KINDS: dict[str, Numbers] = {
    "steady": lambda draw, _: draw.gauss(0, 0.1),
    "scattered": lambda draw, _: draw.gauss(0, 0.5),
    "growing": lambda draw, number: 0.0488 * number + draw.gauss(0, 0.1),
    "shrinking": lambda draw, number: -0.03 * number + draw.gauss(0, 0.1),
    "uniform": lambda draw, _: draw.uniform(-0.7, 0.4),
    "two peaks": lambda draw, _: draw.choice((0, 0.7)) + draw.gauss(0, 0.1),
}


def held(numbers: Numbers, known: int) -> float:
    draw, count = random.Random(known), 0
    for _ in range(DRAWS):
        *before, came = (numbers(draw, number) for number in range(known + 1))
        mean, spread = forecast(before)
        count += abs(came - mean) <= SIDE * spread
    return count / DRAWS


@pytest.mark.parametrize("known", [5, 10, 30])
@pytest.mark.parametrize("kind", KINDS)
def test_range_holds_in_seven_to_nine_of_ten_cases(kind: str, known: int) -> None:
    assert 0.7 <= held(KINDS[kind], known) <= 0.9


@pytest.mark.parametrize("before", [5, 10, 27])
def test_fourth_run_after_a_jump_is_expected(before: int) -> None:
    assert held(lambda draw, number: (0.69 if number >= before else 0) + draw.gauss(0, 0.1), before + 3) >= 0.6


def test_growth_is_continued() -> None:
    mean, _ = forecast([0.05 * number for number in range(10)])
    assert mean == pytest.approx(0.5, abs=0.01)


def test_growth_of_noise_is_not_believed() -> None:
    mean, _ = forecast([0.0, 0.5, 1.0])
    assert mean < 1.1


@given(st.lists(st.floats(-10, 22), min_size=3, max_size=30), st.floats(-5, 5))
def test_forecast_moves_with_the_numbers(numbers: list[float], shift: float) -> None:
    mean, spread = forecast(numbers)
    moved_mean, moved_spread = forecast([number + shift for number in numbers])
    assert moved_mean == pytest.approx(mean + shift, abs=1e-6)
    assert moved_spread == pytest.approx(spread, rel=1e-6)
    assert spread > 0
