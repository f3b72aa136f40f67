"""What the pages show of groups: pure functions, as in `jobs.py`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from gemwatch.adapters.store.reads.groups import GroupRow
from gemwatch.core.job import NEEDS_REVIEW, NOT_FOUND, UNSEEN, Status
from gemwatch.core.text import formatting
from gemwatch.core.text.sanitize import single_line
from gemwatch.web.pages.query import badge_of, group_url
from gemwatch.web.pages.words import Badge

_ENDS_FIRST = (Status.SUCCESS, NEEDS_REVIEW, Status.FAILED, NOT_FOUND)
_BEGINNINGS_LAST = (Status.IN_PROGRESS, Status.REQUESTED, UNSEEN)
_THINNEST = 1.5  # per cent of the bar: one job of thousands can still be seen


@dataclass(frozen=True, slots=True, kw_only=True)
class StatePart:
    """The members that count as one state. `x` and `width` are per cent of the bar."""

    badge: Badge
    count: int
    x: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownGroup:
    """A group, and how far it is. `ends_at`: the expected end of its last member."""

    name: str
    url: str
    badge: Badge
    words: str
    parts: tuple[StatePart, ...]
    done_at: datetime | None
    ends_at: datetime | None
    note: str | None


def shown_group(group: GroupRow) -> ShownGroup:
    members = sum(group.jobs.values())
    unfinished = members - group.finished
    return ShownGroup(
        name=single_line(group.name, formatting.LONGEST_NAME),
        url=group_url(group.name),
        badge=_badge(group),
        words=_words(group, members),
        parts=tuple(_parts(group.jobs, members)),
        done_at=group.done_at,
        ends_at=group.ends_at,
        note=_note(group, unfinished, members),
    )


def _words(group: GroupRow, members: int) -> str:
    """How far it is, by the jobs that are expected if not all of them are known yet."""
    if group.expect is not None and group.expect > members:
        return f"{group.finished:,} of {group.expect:,} expected jobs finished, {members:,} known"
    return f"{group.finished:,} of {formatting.counted(members, 'job', 'jobs')} finished"


def _badge(group: GroupRow) -> Badge:
    """Whether the group is done, with its worst outcome."""
    if group.done_at is None:
        return Badge(word="Open", tone="run", icon="run")
    failed, review = group.jobs.get(Status.FAILED, 0), group.jobs.get(NEEDS_REVIEW, 0)
    if group.incomplete:
        return Badge(word="Incomplete", tone="bad", icon="warn")
    if failed:
        return Badge(word=f"Done, {failed:,} failed", tone="bad", icon="bad")
    if review:
        verb = "needs" if review == 1 else "need"
        return Badge(word=f"Done, {review:,} {verb} review", tone="warn", icon="warn")
    return Badge(word="Done", tone="good", icon="good")


def _note(group: GroupRow, unfinished: int, members: int) -> str | None:
    """What an open group waits for, where no expected end says so."""
    if group.done_at is not None or group.ends_at is not None:
        return None
    if unfinished:
        return "No expected end: not every unfinished job has an estimate"
    if group.expect is not None and group.expect > members:
        more = formatting.counted(group.expect - members, "more job", "more jobs")
        return f"All its known jobs have finished. It waits for {more}"
    return "All its jobs have finished. It stays open in case more jobs are added"


def _parts(jobs: Mapping[str, int], members: int) -> Iterator[StatePart]:
    known = (*_ENDS_FIRST, *_BEGINNINGS_LAST)
    order = (*_ENDS_FIRST, *sorted(jobs.keys() - {*known}), *_BEGINNINGS_LAST)
    counts = [(state, jobs[state]) for state in order if jobs.get(state)]
    widths = [max(_THINNEST, 100 * count / members) for _, count in counts]
    scale, x = 100 / sum(widths), 0.0
    for (state, count), width in zip(counts, widths, strict=True):
        yield StatePart(badge=badge_of(state), count=count, x=round(x, 2), width=round(width * scale, 2))
        x += width * scale
