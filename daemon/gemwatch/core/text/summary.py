"""Composes one message about many events, for a target with many waiting deliveries."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from gemwatch.core.events import Event
from gemwatch.core.kinds import IN_SUMMARY, EventKind, FailedFacts, Kind, NeedsReviewFacts, RunFacts, SuccessFacts
from gemwatch.core.text import formatting, job_parts
from gemwatch.core.text.compose import last_line, sender, title, tone
from gemwatch.core.text.context import NOWHERE, Context
from gemwatch.core.text.message import Line, Message, Paragraph, Row, foreign
from gemwatch.core.text.rendering import Format, greatest, render
from gemwatch.core.traits import Tone

_ENDS = {EventKind.SUCCESS: "SUCCESS", EventKind.NEEDS_REVIEW: "SUCCESS to review", EventKind.FAILED: "FAILED"}
_CLOSING = "These events were waiting at the same time, so they are sent as one message."
_MISSED = "This target was down. Its messages went to its fallback; this is what it missed."


def summarise(
    letters: Sequence[tuple[int, Event]],
    *,
    now: datetime | None,
    context: Context = NOWHERE,
    missed: bool = False,
) -> Message:
    """One message about several events, with a row and id for each. `now` None: all rows show their time.

    `missed`: they went to the target's fallback while it was down.
    """
    ordered = sorted(letters, key=lambda letter: _place(letter[1].kind))
    events = [event for _, event in letters]
    rows = (Row(cells=tuple(_cells(event_id, event, now, context))) for event_id, event in ordered)
    return Message(
        title=(_title(events),),
        blocks=(*rows, Paragraph(line=(_MISSED if missed else _CLOSING,)), *sender(context, None)),
        tone=_tone(events),
    )


def fitting(
    letters: Sequence[tuple[int, Event]],
    most: int,
    form: Format = Format.TEXT,
    *,
    headed: bool = False,
    context: Context = NOWHERE,
) -> int:
    """How many of the letters, from the first one, fit into one summary of `most` characters; at least one."""

    def fits(number: int) -> bool:
        whole = render(summarise(letters[:number], now=None, context=context), form, headed=headed)
        return len(whole.body) <= most

    # In general all fit, and each try renders the whole message.
    return len(letters) if fits(len(letters)) else max(1, greatest(len(letters) - 1, fits))


def _title(events: Sequence[Event]) -> str:
    counts = Counter(event.kind for event in events)
    ends = ", ".join(f"{counts[kind]} {word}" for kind, word in _ENDS.items() if counts[kind])
    others = sum(counts[kind] for kind in counts if kind not in _ENDS)
    jobs = {event.job_id for event in events}
    if not others and len(jobs) == len(events):
        return f"{formatting.counted(len(jobs), 'job', 'jobs')} finished: {ends}"
    parts = [ends, formatting.counted(others, "other", "others")] if others else [ends]
    number = formatting.counted(len(events), "event", "events")
    return f"{number}: {', '.join(parts)}" if ends else number


def _tone(events: Sequence[Event]) -> Tone:
    tones = {tone(event) for event in events}
    if Tone.BAD in tones:
        return Tone.BAD
    return Tone.GOOD if tones == {Tone.GOOD} else Tone.WARNING


def _place(kind: Kind) -> int:
    """The place of a kind in a summary. Kinds from a newer version come last."""
    return IN_SUMMARY.index(kind) if isinstance(kind, EventKind) else len(IN_SUMMARY)


def _cells(event_id: int, event: Event, now: datetime | None, context: Context) -> Iterator[Line]:
    """`SUCCESS: Netherlands weekly (job 7)`, `nl.results.parquet`, `matched 84.7 %`, `gw-12`."""
    yield title(event)
    if isinstance(event.facts, RunFacts):
        yield from _details(event.facts)
    if now is None or now - event.at > formatting.LATE:
        yield (f"observed {formatting.point(event.at, context.zone)}",)
    yield (last_line(event_id),)


def _details(facts: RunFacts) -> Iterator[Line]:
    if facts.job.result_filename and (name := foreign(facts.job.result_filename)).text:
        yield (name,)
    match facts:
        case NeedsReviewFacts(reasons=reasons):
            yield from ((foreign(reason).text,) for reason in reasons)
        case FailedFacts():
            yield from (("GEM: ", foreign(reason)) for reason in facts.job.failure[:1])
        case SuccessFacts(previous=previous) if facts.job.statistics and facts.job.statistics.matched is not None:
            yield (f"matched {formatting.share(facts.job.statistics.matched)}{job_parts.before_matched(previous)}",)
    if isinstance(facts, SuccessFacts | NeedsReviewFacts):
        yield from ((foreign(reason).text,) for reason in facts.unjudged)
