"""Simulates how often the ranges of the estimates hold: steady, growing and jumping running times.

Eight in ten ranges should hold, from five runs on, whatever the times look like. The draws have a fixed seed, so the
figures are the same on every machine.
"""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from bench.figures import Figure
from gemwatch.core.estimates.durations import Durations
from gemwatch.core.estimates.estimate import HIGH, LOW, MOST_RUNS
from gemwatch.core.limits import MARGIN

DRAWS = 2000
RUNS = (5, 7, 10, 15, 20, 30)  # known runs at the prediction
JUMPED = 3  # of the known runs came after the jump: the prediction is for the fourth
NOISE = 0.1
_HOUR = 3600.0

Times = Callable[[random.Random, int], float]  # the seconds of the run with this number


def _growing(share: float) -> Times:
    return lambda draw, number: _HOUR * (1 + share) ** number * draw.lognormvariate(0, NOISE)


def _two_peaks(draw: random.Random, _number: int) -> float:
    return _HOUR * draw.choice((1, 2)) * draw.lognormvariate(0, NOISE)


STEADY: dict[str, Times] = {
    "log-normal, 10 %": _growing(0),
    "log-normal, 50 %": lambda draw, _: _HOUR * draw.lognormvariate(0, 0.5),
    "gamma": lambda draw, _: _HOUR * draw.gammavariate(4, 0.25),
    "uniform": lambda draw, _: _HOUR * draw.uniform(0.5, 1.5),
    "two peaks": _two_peaks,
}
MOVING: dict[str, Times] = {
    "5 % longer each run": _growing(0.05),
    "2 % longer each run": _growing(0.02),
    "3 % shorter each run": _growing(-0.03),
}


def estimates(_folder: Path, quick: bool) -> Iterator[list[Figure]]:  # noqa: FBT001 (the shape of a part)
    """The share of ranges that held, and of runs past an `auto` limit, over all numbers of known runs."""
    draws = DRAWS // 4 if quick else DRAWS
    figures = [figure for name, times in (STEADY | MOVING).items() for figure in _figures(name, times, draws)]
    jumps = tuple(100 * held(_jumping(before), before + JUMPED, draws) for before in (5, 10, 27))
    what = "4th run after a jump to twice the time, held"
    yield [*figures, Figure(part="estimates", what=what, value=min(jumps), unit="%", least=60, rounds=jumps)]


def _figures(name: str, times: Times, draws: int) -> Iterator[Figure]:
    shares = tuple(100 * held(times, runs, draws) for runs in RUNS)
    past = tuple(100 * past_auto(times, runs, draws) for runs in RUNS)
    rows = (("held, worst", shares, min(shares), 70, None), ("held, most", shares, max(shares), None, 90))
    for what, rounds, value, least, most in (*rows, ("past `auto`", past, max(past), None, 3)):
        described = f"{name}: {what}"
        yield Figure(part="estimates", what=described, value=value, unit="%", least=least, most=most, rounds=rounds)


def held(times: Times, runs: int, draws: int) -> float:
    """The share of ranges that held for the next run, with this number of known runs."""
    return _share(times, runs, draws, lambda low, high, came: low <= came <= high)


def past_auto(times: Times, runs: int, draws: int) -> float:
    """The share of runs that an `auto` limit would have reported, although nothing was wrong."""
    return _share(times, runs, draws, lambda low, high, came: not low / MARGIN <= came <= high * MARGIN)


def _share(times: Times, runs: int, draws: int, wanted: Callable[[float, float, float], bool]) -> float:
    draw, count = random.Random(runs), 0
    for _ in range(draws):
        *known, came = (times(draw, number) for number in range(runs + 1))
        durations = Durations.of(timedelta(seconds=seconds) for seconds in known[-MOST_RUNS:])
        assert durations is not None
        low, high = (durations.quantile(p).total_seconds() for p in (LOW, HIGH))
        count += wanted(low, high, came)
    return count / draws


def _jumping(before: int) -> Times:
    return lambda draw, number: _HOUR * (2 if number >= before else 1) * draw.lognormvariate(0, NOISE)
