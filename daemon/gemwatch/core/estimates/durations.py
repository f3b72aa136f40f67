"""Predicts a duration, with a range, from a few measured ones."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from statistics import NormalDist
from typing import Self

from gemwatch.core.estimates.trend import forecast

FEWEST = 3  # samples: with fewer, a range means nothing
LONGEST = 3.2e9  # seconds, a hundred years: an upper bound for ranges from few, scattered samples
_NORMAL = NormalDist()
_FAR = 30.0  # standard deviations: beyond, the tail is too small for a float and is approximated


@dataclass(frozen=True, slots=True)
class Durations:
    """The log-normal distribution of the next one: the logarithm of its seconds has this mean and spread."""

    mean: float
    spread: float
    count: int

    @classmethod
    def of(cls, samples: Iterable[timedelta]) -> Self | None:
        """The prediction from the samples, oldest first; None for too few. Ignores times that are not positive."""
        logarithms = [math.log(s) for sample in samples if (s := sample.total_seconds()) > 0]
        count = len(logarithms)
        if count < FEWEST:
            return None
        mean, spread = forecast(logarithms)
        return cls(mean, spread, count)

    def quantile(self, p: float, beyond: timedelta = timedelta()) -> timedelta:
        """The time that the next one stays below with probability `p`, if it has already lasted for `beyond`."""
        elapsed = beyond.total_seconds()
        if elapsed <= 0:
            return _span(self.mean + self.spread * _NORMAL.inv_cdf(p))
        z = self._deviations(elapsed)
        if z > _FAR:  # this far out, the remaining time is practically exponential
            ahead = timedelta(seconds=min(elapsed - math.log1p(-p) / self._hazard(elapsed, z), LONGEST))
            return max(beyond, ahead)
        left = _tail(z) * (1 - p)
        return max(beyond, _span(self.mean - self.spread * _NORMAL.inv_cdf(left))) if left < 1 else beyond

    def hazard(self, elapsed: timedelta) -> float:
        """The rate per second at which it ends, if it has already lasted this long."""
        seconds = elapsed.total_seconds()
        return self._hazard(seconds, self._deviations(seconds)) if seconds > 0 else 0.0

    def _deviations(self, seconds: float) -> float:
        return (math.log(seconds) - self.mean) / self.spread

    def _hazard(self, seconds: float, z: float) -> float:
        # Far out, density and tail both underflow to zero; their ratio approaches z + 1/z.
        ratio = z + 1 / z if z > _FAR else _NORMAL.pdf(z) / _tail(z)
        return ratio / (self.spread * seconds)


def _tail(z: float) -> float:
    """The probability beyond z. Computed as 1 - cdf(z), it would be lost to rounding from z = 8 on."""
    return math.erfc(z / math.sqrt(2)) / 2


def _span(logarithm: float) -> timedelta:
    return timedelta(seconds=math.exp(min(logarithm, math.log(LONGEST))))
