"""Composes the message about a single event."""

from collections.abc import Iterator
from datetime import datetime

from gemwatch.core.events import Event
from gemwatch.core.kinds import FailureFacts, GroupDoneFacts, JobFacts, ServiceFacts
from gemwatch.core.text import formatting, job_parts, job_text, service_text
from gemwatch.core.text.context import NOWHERE, Context
from gemwatch.core.text.message import Block, Fact, Line, Link, Message
from gemwatch.core.traits import Scope, Tone


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
    return (f"{event.kind.traits.outcome}: ", *job_parts.job(event.job_id, event.name))


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


def _blocks(event: Event, context: Context) -> Iterator[Block]:
    facts = event.facts
    if isinstance(facts, JobFacts):
        yield from job_text.blocks(event, facts, context)
    elif isinstance(facts, FailureFacts):
        yield from service_text.blocks(event, facts, context)
    elif isinstance(facts, GroupDoneFacts):
        yield from service_text.group_done(event, facts, context)
    else:
        yield from service_text.unknown(event)
        yield job_parts.observed(event, context)
