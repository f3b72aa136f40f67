"""Facts, times, spans and numbers as a person reads them. Everything is UTC and says so."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gemwatch.core.job import JobDetails, read_details
from gemwatch.core.text.message import Line, Span
from gemwatch.core.text.sanitize import single_line

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # in any locale
LATE = timedelta(minutes=2)
NARROW = timedelta(minutes=10)  # of a range: its ends are told to the second, those of wider ones to the minute
LONGEST_NAME = 80
_MOST = 1e15  # beyond, a number means nothing here, and a span of so many seconds could not be told


@dataclass(frozen=True, slots=True)
class Facts:
    """An event's facts, read without trust: what is missing or of a wrong kind is None."""

    raw: Mapping[str, Any]

    def text(self, key: str, most: int = 200) -> str | None:
        value = self.raw.get(key)
        return (single_line(value, most) or None) if isinstance(value, str) else None

    def raw_text(self, key: str) -> str | None:
        value = self.raw.get(key)
        return value if isinstance(value, str) and value else None

    def flag(self, key: str) -> bool:
        return self.raw.get(key) is True

    def count(self, key: str) -> int | None:
        value = self.raw.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**6 else None

    def number(self, key: str) -> float | None:
        """A number that is not negative."""
        value = self.raw.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _MOST:
            return None
        return float(value)

    def part(self, key: str) -> "Facts":
        """Facts within the facts; empty where there are none."""
        value = self.raw.get(key)
        return Facts(value if isinstance(value, Mapping) else {})

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.raw.get(key)
        items = value if isinstance(value, list | tuple) else ()
        return tuple(text for item in items if isinstance(item, str) and (text := single_line(item)))

    def job_id(self, key: str) -> int | None:
        value = self.raw.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None

    def time(self, key: str) -> datetime | None:
        value = self.raw.get(key)
        try:
            time = datetime.fromisoformat(value) if isinstance(value, str) else None
            return time and (time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            return None

    def places(self, key: str, most: int = 300) -> tuple[str, ...]:
        """Mistakes in our own configuration, whose places are full of dots: `notify.team.url`."""
        value = self.raw.get(key)
        items = value if isinstance(value, list | tuple) else ()
        texts = (single_line(item, most) for item in items if isinstance(item, str))
        return tuple(text for text in texts if text)

    def details(self) -> JobDetails | None:
        document = self.raw.get("document")
        try:
            return read_details(document) if isinstance(document, str) else None
        except ValueError:
            return None


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
