"""Times, spans and numbers as people read them. All times are in UTC and say so."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from gemwatch.core.text.message import Line, Span

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # in any locale
LATE = timedelta(minutes=2)
NARROW = timedelta(minutes=10)  # of a range: its ends are told to the second, those of wider ones to the minute
LONGEST_NAME = 80


def point(time: datetime) -> str:
    """`18 Feb 2026, 13:21:07 UTC`."""
    return f"{day(time)}, {clock(time)} UTC"


def near(time: datetime, other: datetime) -> str:
    """A time beside another one that is already told: its day is left out where it is the same."""
    return clock(time) if time.astimezone(UTC).date() == other.astimezone(UTC).date() else point(time)


def day(time: datetime) -> str:
    utc = time.astimezone(UTC)
    return f"{utc.day} {_MONTHS[utc.month - 1]} {utc.year}"


def clock(time: datetime) -> str:
    return f"{time.astimezone(UTC):%H:%M:%S}"


def span(length: timedelta) -> str:
    """`42 s`, `12 min`, `2 h 42 min` or `3 d 4 h`: two units at most, cut off rather than rounded."""
    seconds = max(0, int(length.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 1:
        return f"{seconds} s"
    if hours < 1:
        return f"{minutes} min"
    if days < 2:  # noqa: PLR2004 (up to two days, hours are easier to compare)
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"


def share(ratio: float) -> str:
    return f"{ratio * 100:.1f} %"


def kilometres(length: float) -> str:
    return f"{length:,.0f} km" if length >= 100 else f"{length:,.1f} km"  # noqa: PLR2004 (a tenth matters below)


def counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def joined(parts: Iterable[Line], between: str = ", ") -> Line:
    """Several lines as one, with something between them."""
    spans: list[Span] = []
    for part in parts:
        spans += [between, *part] if spans else part
    return tuple(spans)
