"""The life of a job as a strip: its statuses, and the times between two polls in which it changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from gemwatch.adapters.store.reads.rows import TransitionRow
from gemwatch.core.job import is_end
from gemwatch.core.text import formatting
from gemwatch.web.pages import words
from gemwatch.web.pages.words import Badge, percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stretch of the strip, in per cent; `kind` is its class in the style sheet."""

    kind: str
    x: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineStep:
    """A change as it was seen: at, and not before, `after` where an earlier poll saw something else."""

    badge: Badge
    at: datetime
    words: str
    after: datetime | None = None
    gap: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The strip from `start` to `end`, and the steps below it; without steps the job has not been polled."""

    start: datetime
    end: datetime
    start_word: str = ""
    end_word: str = ""
    parts: tuple[Part, ...] = ()
    gaps: tuple[Part, ...] = ()
    steps: tuple[TimelineStep, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    start: datetime
    end: datetime

    def part(self, kind: str, begin: datetime, until: datetime, *, least: float = 0) -> Part:
        """`least`: the smallest visible width; shorter parts are drawn with it."""
        whole = (self.end - self.start).total_seconds()
        x = percent((begin - self.start).total_seconds(), whole)
        width = max(least, round(percent((until - self.start).total_seconds(), whole) - x, 2))
        return Part(kind=kind, x=min(x, 100 - width), width=width)


def timeline(transitions: Sequence[TransitionRow], requested_at: datetime | None, now: datetime) -> Timeline:
    """From the request, where that is known, to the end, or to now while the job is running."""
    if not transitions:
        return Timeline(start=now, end=now)
    first, last = transitions[0].observed_at, transitions[-1].observed_at
    start = first if requested_at is None else min(first, requested_at)
    over = is_end(transitions[-1].after)
    axis = _Axis(start=start, end=last if over else max(now, last))
    return Timeline(
        start=axis.start,
        end=axis.end,
        start_word="requested" if start == requested_at else "first seen",
        end_word="seen finished" if over else "now",
        parts=tuple(_parts(transitions, axis)),
        gaps=tuple(_gaps(transitions, axis)),
        steps=tuple(_step(move) for move in transitions),
    )


def _parts(transitions: Sequence[TransitionRow], axis: _Axis) -> Iterator[Part]:
    """What was seen: each status from the poll that found it to the last one that still did."""
    yield axis.part("before", axis.start, transitions[0].observed_at)
    for move, following in zip(transitions, [*transitions[1:], None], strict=True):
        until = axis.end if following is None else following.last_seen_before or following.observed_at
        yield axis.part(words.of_status(move.after).tone, move.observed_at, max(until, move.observed_at))


def _gaps(transitions: Sequence[TransitionRow], axis: _Axis) -> Iterator[Part]:
    for move in transitions:
        seen = move.last_seen_before
        if seen is not None:
            yield axis.part("gap", seen, move.observed_at, least=0.5)


def _step(move: TransitionRow) -> TimelineStep:
    badge, at, seen = words.of_status(move.after), move.observed_at, move.last_seen_before
    if move.before is None:
        over = is_end(move.after)
        return TimelineStep(badge=badge, at=at, words="first poll; it had already finished" if over else "first poll")
    before = words.of_status(move.before).word.lower()
    if seen is None:
        return TimelineStep(badge=badge, at=at, words=f"before that: {before}")
    return TimelineStep(badge=badge, at=at, words=f"last seen {before}", after=seen, gap=formatting.span(at - seen))
