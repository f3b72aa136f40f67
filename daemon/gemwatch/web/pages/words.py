"""The small things that every page shows: statuses with color and icon, remarks, times, numbers."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gemwatch.core.job import Status
from gemwatch.core.text import formatting
from gemwatch.core.text.sanitize import single_line

MISSING = "–"  # noqa: RUF001 (a dash stands where a table knows nothing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A state in a word, a colour (`tone`, a class of the style sheet) and an icon: never by colour alone."""

    word: str
    tone: str
    icon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A sentence that a reader should not miss."""

    text: str
    tone: str = "warn"


UNSEEN = Badge(word="Not seen yet", tone="wait", icon="odd")
NOT_FOUND = Badge(word="Not found", tone="bad", icon="odd")
NEEDS_REVIEW = Badge(word="Needs review", tone="warn", icon="warn")
_NUMBER_AND_UNIT = re.compile(r"(?<=\d) (?=(?:s|min|h|d|km|%|points?|roads?|runs?|jobs?|times?)\b|%)")
_STATUSES = {
    Status.REQUESTED: Badge(word="Waiting", tone="wait", icon="wait"),
    Status.IN_PROGRESS: Badge(word="Running", tone="run", icon="run"),
    Status.SUCCESS: Badge(word="Succeeded", tone="good", icon="good"),
    Status.FAILED: Badge(word="Failed", tone="bad", icon="bad"),
}
_STATES = {
    "failed": Badge(word="Failed", tone="bad", icon="bad"),
    "rerouted": Badge(word="Rerouted", tone="warn", icon="warn"),
    "pending": Badge(word="Pending", tone="wait", icon="wait"),
    "sent": Badge(word="Sent", tone="good", icon="good"),
}


def of_status(status: str | None) -> Badge:
    """The badge of a job's status. An undocumented one is shown as the API sent it."""
    if status is None:
        return UNSEEN
    known = _STATUSES.get(status)  # type: ignore[call-overload]  # a StrEnum's member is found by its text
    return known or Badge(word=single_line(status, 40), tone="odd", icon="odd")


def nobreak(text: str) -> str:
    """The same with its numbers kept on one line with their units."""
    return _NUMBER_AND_UNIT.sub("\N{NO-BREAK SPACE}", text)


def of_state(state: str) -> Badge:
    """The badge of a delivery's state."""
    return _STATES.get(state) or Badge(word=single_line(state, 40), tone="odd", icon="odd")


def title(job_id: int, name: str | None) -> str:
    """What a job is called."""
    return (single_line(name, formatting.LONGEST_NAME) if name else "") or f"Job {job_id}"


def iso(point: datetime) -> str:
    return point.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def span(seconds: float) -> str:
    return formatting.span(timedelta(seconds=seconds))


def grouped(number: int) -> str:
    return f"{number:,}"


def percent(part: float, whole: float) -> float:
    """How far along a drawing something lies: 0 to 100, to the hundredth."""
    return round(min(100.0, max(0.0, 100 * part / whole)), 2) if whole > 0 else 0.0
