"""Formats times, durations, counts and sizes for messages, pages and commands.

Times are in the reader's zone, with its name, followed by UTC.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # in any locale
LATE = timedelta(minutes=2)
NARROW = timedelta(minutes=10)  # the width of a range; narrower ones show seconds, wider ones minutes
LONGEST_NAME = 80


def point(time: datetime, zone: tzinfo = UTC) -> str:
    """`18 Feb 2026, 14:21:07 CET (13:21:07 UTC)`. The UTC time has a date only if that differs."""
    return f"{day(time, zone)}, {_zoned(time, zone)}"


def near(time: datetime, other: datetime, zone: tzinfo = UTC) -> str:
    """A time next to another one: without the date if it is the same, `14:20:05 CET (13:20:05 UTC)`."""
    return _zoned(time, zone) if day(time, zone) == day(other, zone) else point(time, zone)


def day(time: datetime, zone: tzinfo = UTC) -> str:
    there = time.astimezone(zone)
    return f"{there.day} {MONTHS[there.month - 1]} {there.year}"


def clock(time: datetime, zone: tzinfo = UTC) -> str:
    return f"{time.astimezone(zone):%H:%M:%S}"


def zone_name(time: datetime, zone: tzinfo) -> str:
    """`CET`, `UTC`, or `UTC+05:30` for a zone whose name is only a number."""
    there = time.astimezone(zone)
    if not there.utcoffset():
        return "UTC"
    name, offset = there.tzname() or "", f"{there:%z}"
    return f"UTC{offset[:3]}:{offset[3:5]}" if not name or name[0] in "+-" else name


def moment(time: datetime, now: datetime, zone: tzinfo = UTC) -> str:
    """`13:21:07` today, `18 Feb, 13:21:07` this year. For tables that name their zone once."""
    if day(time, zone) == day(now, zone):
        return clock(time, zone)
    return f"{day(time, zone).removesuffix(f' {now.astimezone(zone).year}')}, {clock(time, zone)}"


def distance(time: datetime, now: datetime) -> str:
    """`5 min ago`, `in 12 s`, `now`."""
    seconds = int((time - now).total_seconds())
    if seconds > 0:
        return f"in {span(timedelta(seconds=seconds))}"
    return f"{span(timedelta(seconds=-seconds))} ago" if seconds else "now"


def span(length: timedelta) -> str:
    """`42 s`, `12 min`, `2 h 42 min` or `3 d 4 h`: at most two units, rounded down."""
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


def size(number: int) -> str:
    """`512 bytes`, `1.5 MiB`."""
    value, units = float(number), iter(("KiB", "MiB", "GiB", "TiB"))
    if number < 1024:  # noqa: PLR2004 (a KiB)
        return counted(number, "byte", "bytes")
    for unit in units:
        value /= 1024
        if value < 1024 or unit == "TiB":  # noqa: PLR2004
            break
    return f"{value:,.1f} {unit}"


def counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def listed(items: Iterable[str], most: int = 20) -> str:
    """`1, 2, 3 and 4 more`."""
    texts = list(items)
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def _zoned(time: datetime, zone: tzinfo) -> str:
    local, name = clock(time, zone), zone_name(time, zone)
    if name == "UTC":
        return f"{local} UTC"
    date = "" if day(time, zone) == day(time) else f"{day(time)}, "
    return f"{local} {name} ({date}{clock(time)} UTC)"
