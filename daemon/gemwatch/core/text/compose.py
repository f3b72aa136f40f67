"""An event in words: what is sent to people when one thing happened."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import assert_never

from gemwatch.core.events import Event, EventKind, Scope, Tone, UnknownKind
from gemwatch.core.job import JobDetails, Statistics, Status
from gemwatch.core.text import formatting, job_text, service_text
from gemwatch.core.text.context import NOWHERE, Context
from gemwatch.core.text.formatting import Facts
from gemwatch.core.text.message import Block, Command, Fact, Line, Link, Message, Paragraph, foreign

_LAST_SEEN: Mapping[str, str] = {Status.REQUESTED: "waiting", Status.IN_PROGRESS: "running"}
_LONGEST_FILE_NAME = 1024  # what the storage allows


def compose(event_id: int | None, event: Event, *, now: datetime, context: Context = NOWHERE) -> Message:
    """The message about one event. `event_id` None: the event could not be stored and is sent all the same."""
    facts = Facts(event.facts)
    return Message(
        title=title(event),
        blocks=(*late(event, now), *_blocks(event, facts, context), *sender(context, event.job_id)),
        tone=tone(event),
        last=last_line(event_id),
    )


def title(event: Event) -> Line:
    facts = Facts(event.facts)
    if event.kind.traits.scope is not Scope.JOB:
        return service_text.title(event, facts)
    return (f"{event.kind.traits.outcome}: ", *job_text.job(event.job_id, facts.raw_text("name")))


def last_line(event_id: int | None) -> str:
    return "sent directly, since it could not be kept" if event_id is None else f"gw-{event_id}"


def late(event: Event, now: datetime) -> Iterator[Block]:
    if now - event.at > formatting.LATE:
        observed, later = formatting.point(event.at), formatting.span(now - event.at)
        yield Fact(label="Delayed", line=(f"observed {observed}, sent {later} later",))


def sender(context: Context, job_id: int | None) -> Iterator[Block]:
    """Where to read more, and which instance sends this."""
    if context.public_url is not None:
        page = "" if job_id is None else f"jobs/{job_id}"
        yield Link(label="All jobs" if job_id is None else "Job page", url=f"{context.public_url}/{page}")
    if context.name is not None:
        yield Fact(label="Instance", line=(context.name,))


def tone(event: Event) -> Tone:
    """The tone of the event's kind; a recovery of the service is good news."""
    recovered = event.kind.traits.scope is Scope.SERVICE and event.facts.get("over") is True
    return Tone.GOOD if recovered else event.kind.traits.tone


def _blocks(event: Event, facts: Facts, context: Context) -> Iterator[Block]:
    match event.kind:
        case EventKind.STARTED | EventKind.SUCCESS | EventKind.FAILED | EventKind.NEEDS_REVIEW:
            yield from _run(event, facts)
        case EventKind.QUEUED_TOO_LONG | EventKind.RUNNING_TOO_LONG | EventKind.FINISHED_TOO_FAST:
            yield from _observed(event, facts, job_text.passed_limit(event, facts))
        case EventKind.UNKNOWN_STATUS:
            yield from _observed(event, facts, job_text.unknown_status(facts))
        case EventKind.NOT_FOUND:
            yield from _not_found(event, facts)
        case EventKind.GROUP_DONE:
            yield from service_text.group_done(event, facts)
        case EventKind.LOGIN | EventKind.API | EventKind.CONFIG | EventKind.STORE | EventKind.TARGET:
            yield from service_text.blocks(event, facts, context)
        case UnknownKind():
            yield from service_text.unknown_kind(event)
        case _:
            assert_never(event.kind)


def _run(event: Event, facts: Facts) -> Iterator[Block]:
    details = facts.details()
    if event.kind is EventKind.NEEDS_REVIEW:
        yield from job_text.why_review(facts)
    yield from job_text.expected_end(facts)
    yield from _files(details)
    if details and details.statistics:
        yield from _matching(details.statistics, facts)
    yield from job_text.compared_with(facts)
    yield from _times(event, facts, details)
    yield from _request(details)


def _observed(event: Event, facts: Facts, what: Iterable[Block]) -> Iterator[Block]:
    """What was observed of a job that has not changed its status, and which job it is."""
    details = facts.details()
    yield from what
    yield from _files(details)
    yield Fact(label="Observed", line=(formatting.point(event.at),))
    yield from _request(details)


def _files(details: JobDetails | None) -> Iterator[Block]:
    if details is None:
        return
    for label, value in (
        ("Result", details.result_filename),
        ("Input", details.input_filename),
        ("Storage", details.storage_id),
    ):
        if value and (name := foreign(value, _LONGEST_FILE_NAME)).text:
            yield Fact(label=label, line=(name,))


def _matching(statistics: Statistics, facts: Facts) -> Iterator[Block]:
    parts = [
        f"{formatting.share(ratio)} {word}"
        for word, ratio in (("fully", statistics.fully_matched), ("partially", statistics.partially_matched))
        if ratio is not None
    ]
    if statistics.matched is not None:
        kinds = f" ({', '.join(parts)})" if parts else ""
        matched = f"{formatting.share(statistics.matched)}{kinds}{job_text.before_matched(facts)}"
        yield Fact(label="Matched", line=(matched,))
    elif parts:
        yield Fact(label="Matched", line=(", ".join(parts),))
    if statistics.unmatched is not None:
        yield Fact(label="Unmatched", line=(formatting.share(statistics.unmatched),))
    length = None if statistics.kilometres is None else formatting.kilometres(statistics.kilometres)
    if statistics.roads is not None:
        roads = f"{statistics.roads:,}" + (f" ({length})" if length else "") + job_text.before_roads(facts)
        yield Fact(label="Roads", line=(roads,))
    elif length:
        yield Fact(label="Length", line=(length,))
    if statistics.confidence_threshold is not None:
        yield Fact(label="Confidence threshold", line=(str(statistics.confidence_threshold),))


def _times(event: Event, facts: Facts, details: JobDetails | None) -> Iterator[Block]:
    started = event.kind is EventKind.STARTED
    yield Fact(
        label=f"Seen {'running' if started else 'finished'}",
        line=(formatting.point(event.at), *_uncertainty(event, facts)),
    )
    running_since = facts.time("running_since")
    if details and details.statistics and details.statistics.execution_time is not None:
        took = f"{formatting.span(details.statistics.execution_time)}{job_text.before_time(facts)}"
        yield Fact(label="Execution time", line=(took,))
    elif not started and running_since and running_since < event.at:
        ran = f"{formatting.span(event.at - running_since)}{job_text.before_time(facts)}"
        yield Fact(label="Seen running for", line=(ran,))


def _uncertainty(event: Event, facts: Facts) -> Line:
    """The API does not say when a job ended, so the message has both sides of the gap."""
    if facts.flag("first_sight"):
        return (" (had already ended when gemwatch first looked)",)
    seen, before = facts.time("last_seen_before"), facts.raw_text("before")
    if seen is None or before is None:
        return ()
    how = _LAST_SEEN.get(before) or foreign(before, 40)
    return (" (last seen ", how, f" {formatting.near(seen, event.at)})")


def _request(details: JobDetails | None) -> Iterator[Block]:
    """When the job was requested, and what for."""
    if details is None:
        return
    if details.requested_at:
        yield Fact(label="Requested", line=(formatting.point(details.requested_at),))
    parts: list[Line] = [(foreign(details.job_type),)] if details.job_type else []
    parts += [("Overture release ", foreign(details.overture_release))] if details.overture_release else []
    parts += [("Orbis version ", foreign(details.orbis_version))] if details.orbis_version else []
    if parts:
        yield Fact(label="Type", line=formatting.joined(parts))


def _not_found(event: Event, facts: Facts) -> Iterator[Block]:
    times = formatting.counted(misses, "time", "times") if (misses := facts.count("misses")) else "several times"
    yield Paragraph(line=(f"The GEM API has answered {times} in a row that it knows no such job.",))
    status, seen = facts.raw_text("status"), facts.time("last_seen_before")
    if status:
        when = f", {formatting.point(seen)}" if seen else ""
        yield Fact(label="Last seen", line=(foreign(status, 64), when))
    else:
        yield Paragraph(line=("It has never been seen: the id may be mistyped.",))
    yield Paragraph(
        label="Meaning",
        line=("its end cannot be told while this lasts. gemwatch goes on asking, a few times an hour.",),
    )
    number = event.job_id if event.job_id is not None else "JOB_ID"
    yield Paragraph(label="To do", line=("check the id and the account. If the job was deleted:",))
    yield Command(text=f"gemwatch unwatch {number}")
    yield Fact(label="Observed", line=(formatting.point(event.at),))
