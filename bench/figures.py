"""Measured figures: compares them with their bars and formats them as text and JSON. Pure functions."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any, Literal

_SAMPLE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
_LE = re.compile(r'le="([^"]+)"')


REFERENCE = 0.3  # seconds for 1 000 requests of the bare loop, on the reference machine of the bars


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """How long the bare loop needs for 1 000 requests, in seconds of CPU and of time."""

    cpu: float
    wall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured value. `least` and `most` are its bar; without both it is only information.

    `scales`: the bar is for a machine on which the bare loop needs `REFERENCE` seconds for 1 000 requests. The part
    above `fixed` is scaled by the time that the loop needs in the same run. `value` is the median of `rounds`.
    """

    part: str
    what: str
    value: float
    unit: str = ""
    least: float | None = None
    most: float | None = None
    rounds: tuple[float, ...] = ()
    scales: Literal["cpu", "wall"] | None = None
    fixed: float = 0.0

    def on(self, machine: "Machine") -> "Figure":
        """The same figure, with its bar scaled to this machine."""
        if self.scales is None or self.most is None:
            return self
        needed = machine.cpu if self.scales == "cpu" else machine.wall
        return replace(self, most=self.fixed + (self.most - self.fixed) * needed / REFERENCE)

    @property
    def clears(self) -> bool | None:
        """Whether it clears its bar; None without a bar. NaN (nothing measured) never clears it."""
        if self.least is None and self.most is None:
            return None
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)

    @property
    def bar(self) -> str:
        if self.least is not None:
            return f">= {shown(self.least)}"
        return f"<= {shown(self.most)}" if self.most is not None else ""


def of_rounds(part: str, what: str, rounds: Sequence[float], unit: str = "", **bar: Any) -> Figure:
    """The median of several rounds."""
    return Figure(part=part, what=what, value=median(rounds), unit=unit, rounds=tuple(rounds), **bar)


def quantile(values: Iterable[float], q: float) -> float:
    """The smallest value such that at least the share `q` of the values is not larger; NaN without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)] if ordered else math.nan


def bucket_quantile(buckets: Mapping[float, float], q: float) -> float:
    """The upper edge of the bucket with the quantile `q`, an upper bound for it. NaN without values.

    `buckets` maps each upper edge, the last one infinite, to the number of values up to it.
    """
    edges = sorted(buckets)
    total = buckets[edges[-1]] if edges else 0
    if not total:
        return math.nan
    return next(edge for edge in edges if buckets[edge] >= q * total)


def between(before: Mapping[float, float], after: Mapping[float, float]) -> dict[float, float]:
    """The counts of a histogram between two scrapes."""
    return {edge: count - before.get(edge, 0) for edge, count in after.items()}


def samples(text: str) -> dict[tuple[str, str], float]:
    """A page of Prometheus text as {(name, labels): value}."""
    found = (_SAMPLE.match(line) for line in text.splitlines())
    return {(hit["name"], hit["labels"] or ""): float(hit["value"]) for hit in found if hit}


def total(page: Mapping[tuple[str, str], float], name: str) -> float:
    """The sum of a metric over all its labels."""
    return sum(value for (known, _), value in page.items() if known == name)


def buckets_of(page: Mapping[tuple[str, str], float], name: str) -> dict[float, float]:
    """A histogram's buckets: upper edge to count."""
    edges = ((_LE.search(labels), value) for (known, labels), value in page.items() if known == f"{name}_bucket")
    return {float(hit[1]): value for hit, value in edges if hit}


def shown(value: float) -> str:
    """Three significant digits, with thousands separated."""
    if not math.isfinite(value):
        return "none" if math.isnan(value) else "inf"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def table(figures: Sequence[Figure]) -> str:
    """The figures as a text table."""
    rows = [
        (
            f"{figure.part}: {figure.what}",
            f"{shown(figure.value)} {figure.unit}".strip(),
            f"{shown(min(figure.rounds))} .. {shown(max(figure.rounds))}" if figure.rounds else "",
            figure.bar,
            {True: "pass", False: "FAIL", None: ""}[figure.clears],
        )
        for figure in figures
    ]
    rows.insert(0, ("figure", "median", "rounds", "bar", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def as_json(figures: Iterable[Figure]) -> list[dict[str, Any]]:
    """The figures as JSON; NaN and infinity are null."""
    return [
        {**asdict(figure), "value": figure.value if math.isfinite(figure.value) else None, "clears": figure.clears}
        for figure in figures
    ]
