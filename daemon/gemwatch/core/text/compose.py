"""Composes the message about a single event."""

from collections.abc import Iterator, Mapping
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
from gemwatch.core.kinds import Scope, Tone
from gemwatch.core.text import formatting, job_text, service_text
from gemwatch.core.text.context import NOWHERE, Context
from gemwatch.core.text.message import Block, Fact, Line, Link, Message, foreign

_LAST_SEEN: Mapping[str, str] = {Status.REQUESTED: "waiting", Status.IN_PROGRESS: "running"}
_LONGEST_FILE_NAME = 1024  # the limit of the storage


def compose(event_id: int | None, event: Event, *, now: datetime, context: Context = NOWHERE) -> Message:
    """The message about one event. `event_id` None: the event could not be stored but is sent anyway."""
    return Message(
        title=title(event),
        blocks=(*late(event, now, context), *_blocks(event, context), *sender(context, event.job_id)),
        tone=tone(event),
        last=last_line(event_id),
    )


def title(event: Event) -> Line:
    if event.kind.traits.scope is not Scope.JOB:
        return service_text.title(event)
    return (f"{event.kind.traits.outcome}: ", *job_text.job(event.job_id, event.name))


def last_line(event_id: int | None) -> str:
    return "Sent directly, because it could not be stored" if event_id is None else f"gw-{event_id}"


def late(event: Event, now: datetime, context: Context) -> Iterator[Block]:
    if now - event.at > formatting.LATE:
        observed, later = formatting.point(event.at, context.zone), formatting.span(now - event.at)
        yield Fact(label="Delayed", line=(f"observed {observed}, sent {later} later",))


def sender(context: Context, job_id: int | None) -> Iterator[Block]:
    """Where to read more, and the instance that sends the message."""
    if context.name is not None:
        yield Fact(label="Instance", line=(context.name,))
    if context.public_url is not None:
        page = "" if job_id is None else f"jobs/{job_id}"
        yield Link(label="All jobs" if job_id is None else "Job page", url=f"{context.public_url}/{page}")


def tone(event: Event) -> Tone:
    """The tone of the event's kind. Recoveries of the service are GOOD."""
    recovered = isinstance(event.facts, ServiceFacts) and event.facts.over
    return Tone.GOOD if recovered else event.kind.traits.tone


def _blocks(event: Event, context: Context) -> Iterator[Block]:  # noqa: C901, PLR0912 (a case for each kind)
    match event.facts:
        case StartedFacts() as facts:
            yield from job_text.expected_end(facts.estimate, context)
            yield from _run(event, facts, None, context)
        case SuccessFacts() as facts:
            yield from _run(event, facts, facts.previous, context, facts.unjudged)
        case NeedsReviewFacts() as facts:
            yield from job_text.why_review(facts)
            yield from _run(event, facts, facts.previous, context, facts.unjudged)
        case FailedFacts() as facts:
            yield from job_text.why_failed(facts, event.at, context)
            yield from _run(event, facts, None, context)
        case NotFoundFacts() as facts:
            yield from job_text.not_found(facts, event, context)
            yield _observed(event, context)
        case UnknownStatusFacts() as facts:
            yield from _watched(event, facts.job, job_text.unknown_status(facts), context)
        case QueuedTooLongFacts() as facts:
            yield from _watched(event, facts.job, job_text.queued_too_long(facts, event.at, context), context)
        case RunningTooLongFacts() as facts:
            yield from _watched(event, facts.job, job_text.running_too_long(facts, event.at, context), context)
        case FinishedTooFastFacts() as facts:
            yield from _watched(event, facts.job, job_text.finished_too_fast(facts), context)
        case GroupDoneFacts() as facts:
            yield from service_text.group_done(event, facts, context)
        case LoginFacts() | ApiFacts() | ConfigFacts() | StoreFacts() | TargetFacts() as facts:
            yield from service_text.blocks(event, facts, context)
        case UnknownFacts():
            yield from service_text.unknown(event)
            yield _observed(event, context)
        case _:
            assert_never(event.facts)


def _run(
    event: Event, facts: RunFacts, previous: PreviousRun | None, context: Context, unjudged: tuple[str, ...] = ()
) -> Iterator[Block]:
    """The job and its numbers, next to those of the previous run."""
    yield from _files(facts.job)
    if facts.job.statistics:
        yield from _matching(facts.job.statistics, previous)
    for reason in unjudged:
        yield Fact(label="Not checked by the gate", line=(foreign(reason),))
    yield from job_text.compared_with(previous, context)
    yield from _times(event, facts, previous, context)
    yield from job_text.request(facts.job, context)


def _watched(event: Event, details: JobDetails, what: Iterator[Block], context: Context) -> Iterator[Block]:
    """A message about a job that has not ended."""
    yield from what
    yield from _files(details)
    yield _observed(event, context)
    yield from job_text.request(details, context)


def _observed(event: Event, context: Context) -> Block:
    return Fact(label="Observed", line=(formatting.point(event.at, context.zone),))


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


def _times(event: Event, facts: RunFacts, previous: PreviousRun | None, context: Context) -> Iterator[Block]:
    started = isinstance(facts, StartedFacts)
    seen = formatting.point(event.at, context.zone)
    yield Fact(
        label=f"Seen {'running' if started else 'finished'}", line=(seen, *_uncertainty(event, facts, context))
    )
    statistics = facts.job.statistics
    if statistics and statistics.execution_time is not None:
        took = f"{formatting.span(statistics.execution_time)}{job_text.before_time(previous)}"
        yield Fact(label="Execution time", line=(took,))
    elif (
        isinstance(facts, SuccessFacts | NeedsReviewFacts) and facts.running_since and facts.running_since < event.at
    ):
        ran = f"{formatting.span(event.at - facts.running_since)}{job_text.before_time(previous)}"
        yield Fact(label="Seen running for", line=(ran,))


def _uncertainty(event: Event, facts: RunFacts, context: Context) -> Line:
    """When the job was last seen before. The API does not state when a job ended, so messages give both times."""
    if facts.first_sight:
        return ("; it had already ended when gemwatch first saw it",)
    if facts.last_seen_before is None or facts.before is None:
        return ()
    how = _LAST_SEEN.get(facts.before) or foreign(facts.before, 40)
    return ("; last seen ", how, f" {formatting.near(facts.last_seen_before, event.at, context.zone)}")
