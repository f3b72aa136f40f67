"""An event in words: what is sent to people when one thing happened."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import assert_never

from gemwatch.core.events import Event
from gemwatch.core.facts import (
    ApiFacts,
    ConfigFacts,
    FailedFacts,
    FinishedTooFastFacts,
    GroupDoneFacts,
    LoginFacts,
    NeedsReviewFacts,
    NotFoundFacts,
    PreviousRun,
    QueuedTooLongFacts,
    RunFacts,
    RunningTooLongFacts,
    ServiceFacts,
    StartedFacts,
    StoreFacts,
    SuccessFacts,
    TargetFacts,
    UnknownFacts,
    UnknownStatusFacts,
)
from gemwatch.core.job import JobDetails, Statistics, Status
from gemwatch.core.kinds import EventKind, Scope, Tone
from gemwatch.core.text import formatting, job_text, service_text
from gemwatch.core.text.context import NOWHERE, Context
from gemwatch.core.text.message import Block, Command, Fact, Line, Link, Message, Paragraph, foreign

_LAST_SEEN: Mapping[str, str] = {Status.REQUESTED: "waiting", Status.IN_PROGRESS: "running"}
_LONGEST_FILE_NAME = 1024  # what the storage allows


def compose(event_id: int | None, event: Event, *, now: datetime, context: Context = NOWHERE) -> Message:
    """The message about one event. `event_id` None: the event could not be stored and is sent all the same."""
    return Message(
        title=title(event),
        blocks=(*late(event, now), *_blocks(event, context), *sender(context, event.job_id)),
        tone=tone(event),
        last=last_line(event_id),
    )


def title(event: Event) -> Line:
    if event.kind.traits.scope is not Scope.JOB:
        return service_text.title(event)
    return (f"{event.kind.traits.outcome}: ", *job_text.job(event.job_id, event.name))


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
    recovered = isinstance(event.facts, ServiceFacts) and event.facts.over
    return Tone.GOOD if recovered else event.kind.traits.tone


def _blocks(event: Event, context: Context) -> Iterator[Block]:
    match event.facts:
        case StartedFacts() | SuccessFacts() | FailedFacts() | NeedsReviewFacts() as facts:
            yield from _run(event, facts)
        case QueuedTooLongFacts() | RunningTooLongFacts() | FinishedTooFastFacts() as facts:
            yield from _observed(event, facts.job, job_text.passed_limit(facts, event.at))
        case UnknownStatusFacts() as facts:
            yield from _observed(event, facts.job, job_text.unknown_status(facts))
        case NotFoundFacts() as facts:
            yield from _not_found(event, facts)
        case GroupDoneFacts() as facts:
            yield from service_text.group_done(event, facts)
        case LoginFacts() | ApiFacts() | ConfigFacts() | StoreFacts() | TargetFacts() as facts:
            yield from service_text.blocks(event, facts, context)
        case UnknownFacts():
            yield from service_text.unknown_kind(event)
        case _:
            assert_never(event.facts)


def _run(event: Event, facts: StartedFacts | SuccessFacts | FailedFacts | NeedsReviewFacts) -> Iterator[Block]:
    previous = facts.previous if isinstance(facts, SuccessFacts | NeedsReviewFacts) else None
    yield from job_text.failure(facts.job)
    if isinstance(facts, NeedsReviewFacts):
        yield from job_text.why_review(facts)
    yield from job_text.expected_end(facts.estimate if isinstance(facts, StartedFacts) else None)
    yield from _files(facts.job)
    if facts.job.statistics:
        yield from _matching(facts.job.statistics, previous)
    yield from job_text.compared_with(previous)
    yield from _times(event, facts, previous)
    yield from _request(facts.job)


def _observed(event: Event, job: JobDetails, what: Iterable[Block]) -> Iterator[Block]:
    """What was observed of a job that has not changed its status, and which job it is."""
    yield from what
    yield from _files(job)
    yield Fact(label="Observed", line=(formatting.point(event.at),))
    yield from _request(job)


def _files(details: JobDetails) -> Iterator[Block]:
    for label, value in (
        ("Result", details.result_filename),
        ("Input", details.input_filename),
        ("Storage", details.storage_id),
    ):
        if value and (name := foreign(value, _LONGEST_FILE_NAME)).text:
            yield Fact(label=label, line=(name,))


def _matching(statistics: Statistics, previous: PreviousRun | None) -> Iterator[Block]:
    parts = [
        f"{formatting.share(ratio)} {word}"
        for word, ratio in (("fully", statistics.fully_matched), ("partially", statistics.partially_matched))
        if ratio is not None
    ]
    if statistics.matched is not None:
        kinds = f" ({', '.join(parts)})" if parts else ""
        matched = f"{formatting.share(statistics.matched)}{kinds}{job_text.before_matched(previous)}"
        yield Fact(label="Matched", line=(matched,))
    elif parts:
        yield Fact(label="Matched", line=(", ".join(parts),))
    if statistics.unmatched is not None:
        yield Fact(label="Unmatched", line=(formatting.share(statistics.unmatched),))
    length = None if statistics.kilometres is None else formatting.kilometres(statistics.kilometres)
    if statistics.roads is not None:
        roads = f"{statistics.roads:,}" + (f" ({length})" if length else "") + job_text.before_roads(previous)
        yield Fact(label="Roads", line=(roads,))
    elif length:
        yield Fact(label="Length", line=(length,))
    if statistics.confidence_threshold is not None:
        yield Fact(label="Confidence threshold", line=(str(statistics.confidence_threshold),))


def _times(event: Event, facts: RunFacts, previous: PreviousRun | None) -> Iterator[Block]:
    started = event.kind is EventKind.STARTED
    yield Fact(
        label=f"Seen {'running' if started else 'finished'}",
        line=(formatting.point(event.at), *_uncertainty(event, facts)),
    )
    statistics, running_since = facts.job.statistics, facts.running_since
    if statistics and statistics.execution_time is not None:
        took = f"{formatting.span(statistics.execution_time)}{job_text.before_time(previous)}"
        yield Fact(label="Execution time", line=(took,))
    elif not started and running_since and running_since < event.at:
        ran = f"{formatting.span(event.at - running_since)}{job_text.before_time(previous)}"
        yield Fact(label="Seen running for", line=(ran,))


def _uncertainty(event: Event, facts: RunFacts) -> Line:
    """The API does not say when a job ended, so the message has both sides of the gap."""
    if facts.before is None:
        return (" (had already ended when gemwatch first looked)",)
    if facts.last_seen_before is None:
        return ()
    how = _LAST_SEEN.get(facts.before) or foreign(facts.before, 40)
    return (" (last seen ", how, f" {formatting.near(facts.last_seen_before, event.at)})")


def _request(details: JobDetails) -> Iterator[Block]:
    """When the job was requested, and what for."""
    if details.requested_at:
        yield Fact(label="Requested", line=(formatting.point(details.requested_at),))
    parts: list[Line] = [(foreign(details.job_type),)] if details.job_type else []
    parts += [("Overture release ", foreign(details.overture_release))] if details.overture_release else []
    parts += [("Orbis version ", foreign(details.orbis_version))] if details.orbis_version else []
    if parts:
        yield Fact(label="Type", line=formatting.joined(parts))


def _not_found(event: Event, facts: NotFoundFacts) -> Iterator[Block]:
    times = formatting.counted(facts.misses, "time", "times")
    yield Paragraph(line=(f"The GEM API has answered {times} in a row that it knows no such job.",))
    if facts.status:
        when = f", {formatting.point(facts.last_seen_before)}" if facts.last_seen_before else ""
        yield Fact(label="Last seen", line=(foreign(facts.status, 64), when))
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
