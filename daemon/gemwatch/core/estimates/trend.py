"""Predicts the next of a few numbers that may grow slowly, jump, or only vary.

Fits a weighted straight line. Recent numbers weigh more, so a jump is soon learned. The slope has a narrow prior
around zero, so chance does not look like growth. This is Bayesian linear regression with exponential forgetting;
`make bench PART=estimates` shows how often its ranges hold.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

FORGETTING = 0.9  # the weight of each number, relative to the next newer one
SLOPE_SPREAD = 0.05  # how much the logarithm of a duration is likely to change from run to run: 5 %
LEAST_NOISE = 0.03  # of the logarithms: even runs with equal times will vary by a few per cent

# Student's t at 90 % for 1, 2, 3, ... degrees of freedom. A few samples underestimate their spread; with these
# factors the range from 10 to 90 % has its stated coverage.
_T90 = (
    *(3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383, 1.372),
    *(1.363, 1.356, 1.350, 1.345, 1.341, 1.337, 1.333, 1.330, 1.328, 1.325),
)
_FEWEST_FREE = 1.5  # with fewer degrees of freedom, the range after three runs would hold in 9 of 10 cases
_Z90 = NormalDist().inv_cdf(0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Design:
    """What depends only on how many numbers there are: weights, and places relative to their centre of weight."""

    weights: tuple[float, ...]
    places: tuple[float, ...]
    total: float  # of the weights
    squares: float  # of the squared weights
    ahead: float  # the place of the next number
    width: float  # the weighted sum of the squared places
    width_squares: float  # the same with squared weights


def forecast(numbers: Sequence[float]) -> tuple[float, float]:
    """The mean and the spread of the next number, as of a normal distribution. Needs three numbers, oldest first."""
    design = _design(len(numbers))
    weights, places, total = design.weights, design.places, design.total
    centre = math.fsum(w * y for w, y in zip(weights, numbers, strict=True)) / total
    off = [number - centre for number in numbers]
    lean = math.fsum(w * x * y for w, x, y in zip(weights, places, off, strict=True))
    noise = _noise_of_steps(numbers, weights)
    for _ in range(2):  # how much the prior holds the slope depends on the noise, and the noise on the slope
        prior = noise / SLOPE_SPREAD**2
        held = design.width + prior
        slope = lean / held
        left = math.fsum(w * (y - slope * x) ** 2 for w, x, y in zip(weights, places, off, strict=True))
        share = design.width / held  # of a parameter, spent on the slope
        taken = design.squares / total + design.width_squares / held * (2 - share)
        noise = max(left / max(total - taken, total / (2 * len(numbers))), LEAST_NOISE**2)
    freedom = total**2 / design.squares - 1 - share
    of_mean = design.squares / total**2 + design.ahead**2 * design.width_squares / held**2
    of_prior = (design.ahead * SLOPE_SPREAD * prior / held) ** 2
    spread = math.sqrt(noise * (1 + of_mean) + of_prior)
    return centre + slope * design.ahead, spread * _student(freedom)


def _noise_of_steps(numbers: Sequence[float], weights: Sequence[float]) -> float:
    """The variance from the differences of neighbours: neither growth nor one jump makes it large."""
    steps = math.fsum(w * (b - a) ** 2 for w, a, b in zip(weights[1:], numbers, numbers[1:], strict=False))
    return max(steps / math.fsum(weights[1:]) / 2, LEAST_NOISE**2)


@lru_cache(maxsize=64)
def _design(count: int) -> _Design:
    weights = tuple(FORGETTING ** (count - 1 - place) for place in range(count))
    total, squares = math.fsum(weights), math.fsum(weight**2 for weight in weights)
    centre = math.fsum(weight * place for place, weight in enumerate(weights)) / total
    places = tuple(place - centre for place in range(count))
    return _Design(
        weights=weights,
        places=places,
        total=total,
        squares=squares,
        ahead=count - centre,
        width=math.fsum(w * x**2 for w, x in zip(weights, places, strict=True)),
        width_squares=math.fsum(w**2 * x**2 for w, x in zip(weights, places, strict=True)),
    )


def _student(freedom: float) -> float:
    """How much wider than a normal distribution's the range must be; interpolated over 1/freedom."""
    freedom = min(max(freedom, _FEWEST_FREE), float(len(_T90)))
    below = min(int(freedom), len(_T90) - 1)
    part = (1 / below - 1 / freedom) * below * (below + 1)
    return (_T90[below - 1] + (_T90[below] - _T90[below - 1]) * part) / _Z90
