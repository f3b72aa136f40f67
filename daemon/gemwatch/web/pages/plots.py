"""Plots of a few runs, oldest on the left: geometry only, in per cent across and pixels down."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

HEIGHT, TOP, BOTTOM = 130, 18, 122  # pixels: of the drawing, of its highest and its lowest value
_LEAST_SPAN = 0.02  # of a share: less than two per cent is not blown up to the whole height


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A run in a plot. `this`: the one that the page is about."""

    value: float
    text: str
    this: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    x: float
    y: float
    text: str
    this: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    text: str
    this: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A line across, with its value."""

    y: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    heading: str
    alternative: str
    grid: tuple[Mark, ...]
    dots: tuple[Dot, ...] = ()
    lines: tuple[Line, ...] = ()
    columns: tuple[Bar, ...] = ()


def path(heading: str, points: Sequence[Point], label: Callable[[float], str]) -> Plot:
    """Dots joined by lines, between the lowest and the highest value: small differences matter."""
    values = [point.value for point in points]
    low, high = min(values), max(values)
    if high - low < _LEAST_SPAN:
        middle = (low + high) / 2
        low, high = middle - _LEAST_SPAN / 2, middle + _LEAST_SPAN / 2

    def y(value: float) -> float:
        return round(BOTTOM - 8 - (value - low) / (high - low) * (BOTTOM - 8 - TOP - 8), 1)

    dots = tuple(
        Dot(x=_middle(place, len(points)), y=y(point.value), text=point.text, this=point.this)
        for place, point in enumerate(points)
    )
    lines = tuple(Line(x1=one.x, y1=one.y, x2=other.x, y2=other.y) for one, other in pairwise(dots))
    marks = tuple(Mark(y=y(value), text=label(value)) for value in sorted({low, high}))
    return Plot(heading=heading, alternative=_alternative(heading, points), grid=marks, dots=dots, lines=lines)


def columns(heading: str, points: Sequence[Point], label: Callable[[float], str]) -> Plot:
    """Columns from nothing up to the highest value."""
    high = max((point.value for point in points), default=0) or 1
    slot = 92 / len(points)
    width = min(8.0, slot * 0.62)

    def column(place: int, point: Point) -> Bar:
        height = round(max(1.0, point.value / high * (BOTTOM - TOP)), 1)
        middle = _middle(place, len(points))
        return Bar(
            x=round(middle - width / 2, 2),
            y=round(BOTTOM - height, 1),
            width=round(width, 2),
            height=height,
            text=point.text,
            this=point.this,
        )

    return Plot(
        heading=heading,
        alternative=_alternative(heading, points),
        grid=(Mark(y=TOP, text=label(high)), Mark(y=BOTTOM, text="")),
        columns=tuple(column(place, point) for place, point in enumerate(points)),
    )


def _middle(place: int, count: int) -> float:
    """Left of the dots there is room for the words at the lines."""
    return round(8 + (place + 0.5) * 92 / count, 2)


def _alternative(heading: str, points: Sequence[Point]) -> str:
    return f"{heading}, oldest first: {'; '.join(point.text for point in points)}. The table below has the numbers."
