"""Many events in one message, for the moment when many deliveries wait for one target."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from gemwatch.core.events import IN_SUMMARY, Event, EventKind, Kind, Scope, Tone
from gemwatch.core.text import formatting, job_text
from gemwatch.core.text.formatting import Facts
from gemwatch.core.text.message import Message, foot, title, tone
from gemwatch.core.text.sanitize import sanitize, shorten

_ENDS = {EventKind.SUCCESS: "SUCCESS", EventKind.NEEDS_REVIEW: "SUCCESS to look at", EventKind.FAILED: "FAILED"}
_CLOSING = "These waited at the same moment, so they come as one message."


def summarise(letters: Sequence[tuple[int, Event]], *, now: datetime, most: int | None = None) -> Message:
    """One message about several events, with at most `most` characters of body.

    Each event has its line with its own id. Where `fitting` was not asked before and they do not fit, lines
    get shorter, and at last the rest is only counted.
    """
    ordered = sorted(letters, key=lambda letter: _place(letter[1].kind))
    full = [_line(event_id, event, now) for event_id, event in ordered]
    room = sys.maxsize if most is None else most
    bodies = ("\n".join(lines) for lines in ([*full, "", _CLOSING], full))
    body = next((body for body in bodies if len(body) <= room), None) or _shortest(ordered, room)
    events = [event for _, event in letters]
    return Message(title=_title(events), body=body, tone=_tone(events))


def _place(kind: Kind) -> int:
    """Events stay in the order in which they happened within a kind; kinds of a newer version come last."""
    return IN_SUMMARY.index(kind) if isinstance(kind, EventKind) else len(IN_SUMMARY)


def fitting(letters: Sequence[tuple[int, Event]], most: int) -> int:
    """How many of the letters, from the first on, fit into one summary of `most` characters: one at least."""
    room = most
    for number, (event_id, event) in enumerate(letters):
        room -= len(_line(event_id, event, None)) + 1
        if room < -1:  # the last line has no line break
            return max(1, number)
    return len(letters)


def _title(events: Sequence[Event]) -> str:
    counts = Counter(event.kind for event in events)
    ends = ", ".join(f"{counts[kind]} {word}" for kind, word in _ENDS.items() if counts[kind])
    others = sum(counts[kind] for kind in counts if kind not in _ENDS)
    jobs = {event.job_id for event in events}
    if not others and len(jobs) == len(events):
        return f"{formatting.counted(len(jobs), 'job', 'jobs')} ended: {ends}"
    parts = [ends, f"{formatting.counted(others, 'other', 'others')}"] if others else [ends]
    told = formatting.counted(len(events), "message", "messages")
    return f"{told}: {', '.join(parts)}" if ends else told


def _tone(events: Sequence[Event]) -> Tone:
    tones = {tone(event) for event in events}
    if Tone.BAD in tones:
        return Tone.BAD
    return Tone.GOOD if tones == {Tone.GOOD} else Tone.WARNING


def _line(event_id: int, event: Event, now: datetime | None) -> str:
    """`SUCCESS: Netherlands weekly (job 7) · nl.results.parquet · matched 84.7 % · gw-12`. `now` None: as if late."""
    parts = [title(event)]
    if event.kind.traits.scope is Scope.JOB:
        parts += _details(Facts(event.facts))
    if now is None or now - event.at > formatting.LATE:
        parts.append(f"observed {formatting.point(event.at)}")
    return " · ".join([*parts, foot(event_id)])


def _details(facts: Facts) -> Iterator[str]:
    details = facts.details()
    if details and details.result_filename:
        yield sanitize(details.result_filename, 120)
    if reasons := facts.texts("reasons"):
        yield from reasons
    elif details and details.statistics and details.statistics.matched is not None:
        yield f"matched {formatting.share(details.statistics.matched)}{job_text.before_matched(facts)}"


def _short_line(event_id: int, event: Event) -> str:
    if event.kind.traits.scope is not Scope.JOB:
        return f"{title(event)} · {foot(event_id)}"
    return f"{event.kind.traits.outcome}: {formatting.job(event.job_id, None)} · {foot(event_id)}"


def _shortest(ordered: Sequence[tuple[int, Event]], most: int) -> str:
    """Short lines; where even these do not fit, the rest is only counted."""
    lines = [_short_line(event_id, event) for event_id, event in ordered]
    body = "\n".join(lines)
    if len(body) <= most:
        return body
    for kept in range(len(lines) - 1, 0, -1):
        body = "\n".join([*lines[:kept], f"and {len(lines) - kept} more"])
        if len(body) <= most:
            return body
    return shorten(lines[0], most) if lines else ""
