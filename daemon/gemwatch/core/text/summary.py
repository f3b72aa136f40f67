"""Many events in one message, for the moment when many deliveries wait for one target."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from gemwatch.core.events import Event
from gemwatch.core.facts import Facts, NeedsReviewFacts, SuccessFacts
from gemwatch.core.job import JobDetails
from gemwatch.core.kinds import IN_SUMMARY, EventKind, Kind, Scope, Tone
from gemwatch.core.text import formatting, job_text
from gemwatch.core.text.compose import last_line, sender, title, tone
from gemwatch.core.text.context import NOWHERE, Context
from gemwatch.core.text.message import Line, Message, Paragraph, Row, foreign
from gemwatch.core.text.rendering import Format, render
from gemwatch.core.text.sanitize import single_line

_ENDS = {EventKind.SUCCESS: "SUCCESS", EventKind.NEEDS_REVIEW: "SUCCESS to look at", EventKind.FAILED: "FAILED"}
_CLOSING = "These events were waiting at the same time, so they are sent as one message."


def summarise(letters: Sequence[tuple[int, Event]], *, now: datetime | None, context: Context = NOWHERE) -> Message:
    """One message about several events. Each has a row with its own id. `now` None: as if all were late."""
    ordered = sorted(letters, key=lambda letter: _place(letter[1].kind))
    events = [event for _, event in letters]
    rows = (Row(cells=tuple(_cells(event_id, event, now))) for event_id, event in ordered)
    return Message(
        title=(_title(events),),
        blocks=(*rows, Paragraph(line=(_CLOSING,)), *sender(context, None)),
        tone=_tone(events),
    )


def fitting(
    letters: Sequence[tuple[int, Event]],
    most: int,
    form: Format = Format.TEXT,
    *,
    headed: bool = False,
) -> int:
    """How many of the letters, from the first on, fit into one summary of `most` characters: one at least."""
    low, high = 1, len(letters)
    while low < high:
        middle = (low + high + 1) // 2
        whole = render(summarise(letters[:middle], now=None), form, headed=headed)
        low, high = (middle, high) if len(whole.body) <= most else (low, middle - 1)
    return low


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


def _place(kind: Kind) -> int:
    """Events stay in the order in which they happened within a kind; kinds of a newer version come last."""
    return IN_SUMMARY.index(kind) if isinstance(kind, EventKind) else len(IN_SUMMARY)


def _cells(event_id: int, event: Event, now: datetime | None) -> Iterator[Line]:
    """`SUCCESS: Netherlands weekly (job 7)`, `nl.results.parquet`, `matched 84.7 %`, `gw-12`."""
    yield title(event)
    if event.kind.traits.scope is Scope.JOB:
        yield from _details(event.facts)
    if now is None or now - event.at > formatting.LATE:
        yield (f"observed {formatting.point(event.at)}",)
    yield (last_line(event_id),)


def _details(facts: Facts) -> Iterator[Line]:
    job = getattr(facts, "job", None)
    if not isinstance(job, JobDetails):
        return
    if job.result_filename and (name := foreign(job.result_filename)).text:
        yield (name,)
    yield from (("GEM: ", foreign(text, 120)) for text in job.failure[:1])
    if isinstance(facts, NeedsReviewFacts):
        yield from ((single_line(reason),) for reason in facts.reasons)
    elif job.statistics and job.statistics.matched is not None:
        previous = facts.previous if isinstance(facts, SuccessFacts) else None
        yield (f"matched {formatting.share(job.statistics.matched)}{job_text.before_matched(previous)}",)
