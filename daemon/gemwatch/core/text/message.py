"""An event in words: what is sent to people when one thing happened."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from gemwatch.core.events import Event, EventKind, Scope, Tone, UnknownKind
from gemwatch.core.job import JobDetails, Statistics, Status
from gemwatch.core.text import formatting, job_text, service_text
from gemwatch.core.text.formatting import Facts
from gemwatch.core.text.sanitize import sanitize, shorten


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Plain text, ready to be sent: a title of one line and a body of several."""

    title: str
    body: str
    tone: Tone = Tone.PLAIN


LONGEST_TITLE = 140

_LAST_SEEN: Mapping[str, str] = {Status.REQUESTED: "waiting", Status.IN_PROGRESS: "running"}


def compose(event_id: int | None, event: Event, *, now: datetime, most: int | None = None) -> Message:
    """The message about one event, with at most `most` characters of body.

    Lines stand in the order of their weight, so what does not fit is left out from below. The foot with the
    event's id always stays: by it a repeated message is known. None: the event is told without being kept.
    """
    facts = Facts(event.facts)
    return Message(
        title=title(event),
        body=_fitted([*late_line(event, now), *_lines(event, facts)], foot(event_id), most),
        tone=tone(event),
    )


def title(event: Event) -> str:
    facts = Facts(event.facts)
    if event.kind.traits.scope is not Scope.JOB:
        return service_text.title(event, facts)
    name = facts.text("name", formatting.LONGEST_NAME)
    return f"{event.kind.traits.outcome}: {formatting.job(event.job_id, name)}"


def foot(event_id: int | None) -> str:
    return "sent directly, since it could not be kept" if event_id is None else f"gw-{event_id}"


def late_line(event: Event, now: datetime) -> Iterator[str]:
    if now - event.at > formatting.LATE:
        yield f"Delayed: observed {formatting.point(event.at)}, sent {formatting.span(now - event.at)} later"


def tone(event: Event) -> Tone:
    """The tone of the event's kind; a recovery of the service is good news."""
    recovered = event.kind.traits.scope is Scope.SERVICE and event.facts.get("over") is True
    return Tone.GOOD if recovered else event.kind.traits.tone


def _fitted(lines: Sequence[str], foot: str, most: int | None) -> str:
    body = "\n".join([*lines, "", foot])
    if most is None or len(body) <= most:
        return body
    room = most - len(foot) - 2
    kept = list(lines)
    while len(kept) > 1 and len("\n".join(kept)) > room:
        kept.pop()
    text = shorten("\n".join(kept), room)
    return f"{text}\n\n{foot}" if text else foot


def _lines(event: Event, facts: Facts) -> Iterator[str]:
    match event.kind:
        case EventKind.STARTED | EventKind.SUCCESS | EventKind.FAILED | EventKind.NEEDS_REVIEW:
            yield from _run_lines(event, facts)
        case EventKind.QUEUED_TOO_LONG | EventKind.RUNNING_TOO_LONG | EventKind.FINISHED_TOO_FAST:
            yield from _observed(event, facts, job_text.passed_limit(event, facts))
        case EventKind.UNKNOWN_STATUS:
            yield from _observed(event, facts, job_text.unknown_status(facts))
        case EventKind.NOT_FOUND:
            yield from _not_found_lines(event, facts)
        case EventKind.GROUP_DONE:
            yield from service_text.group_done(event, facts)
        case EventKind.LOGIN | EventKind.API | EventKind.CONFIG | EventKind.STORE | EventKind.TARGET:
            yield from service_text.lines(event, facts)
        case UnknownKind():
            yield from service_text.unknown_kind(event)
        case _:
            assert_never(event.kind)


def _run_lines(event: Event, facts: Facts) -> Iterator[str]:
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


def _observed(event: Event, facts: Facts, what: Iterator[str]) -> Iterator[str]:
    """What was observed of a job that has not changed its status, and which job it is."""
    details = facts.details()
    yield from what
    yield from _files(details)
    yield f"Observed: {formatting.point(event.at)}"
    yield from _request(details)


def _files(details: JobDetails | None) -> Iterator[str]:
    if details is None:
        return
    for label, value in (
        ("Result", details.result_filename),
        ("Input", details.input_filename),
        ("Storage", details.storage_id),
    ):
        if value:
            yield f"{label}: {sanitize(value)}"


def _matching(statistics: Statistics, facts: Facts) -> Iterator[str]:
    parts = [
        f"{formatting.share(ratio)} {word}"
        for word, ratio in (("fully", statistics.fully_matched), ("partially", statistics.partially_matched))
        if ratio is not None
    ]
    if statistics.matched is not None:
        kinds = f" ({', '.join(parts)})" if parts else ""
        yield f"Matched: {formatting.share(statistics.matched)}{kinds}{job_text.before_matched(facts)}"
    elif parts:
        yield f"Matched: {', '.join(parts)}"
    if statistics.unmatched is not None:
        yield f"Unmatched: {formatting.share(statistics.unmatched)}"
    length = None if statistics.kilometres is None else formatting.kilometres(statistics.kilometres)
    if statistics.roads is not None:
        yield f"Roads: {statistics.roads:,}" + (f" ({length})" if length else "") + job_text.before_roads(facts)
    elif length:
        yield f"Length: {length}"
    if statistics.confidence_threshold is not None:
        yield f"Confidence threshold: {statistics.confidence_threshold}"


def _times(event: Event, facts: Facts, details: JobDetails | None) -> Iterator[str]:
    started = event.kind is EventKind.STARTED
    yield f"Seen {'running' if started else 'finished'}: {formatting.point(event.at)}{_uncertainty(event, facts)}"
    running_since = facts.time("running_since")
    if details and details.statistics and details.statistics.execution_time is not None:
        yield f"Execution time: {formatting.span(details.statistics.execution_time)}{job_text.before_time(facts)}"
    elif not started and running_since and running_since < event.at:
        yield f"Seen running for: {formatting.span(event.at - running_since)}{job_text.before_time(facts)}"


def _uncertainty(event: Event, facts: Facts) -> str:
    """The API does not say when a job ended, so both sides of the gap are told."""
    if facts.flag("first_sight"):
        return " (had already ended when gemwatch first looked)"
    seen, before = facts.time("last_seen_before"), facts.text("before", 40)
    if seen is None or before is None:
        return ""
    how = _LAST_SEEN.get(before, before)
    return f" (last seen {how} {formatting.near(seen, event.at)})"


def _request(details: JobDetails | None) -> Iterator[str]:
    """When the job was requested, and what for."""
    if details is None:
        return
    if details.requested_at:
        yield f"Requested: {formatting.point(details.requested_at)}"
    parts = [sanitize(details.job_type)] if details.job_type else []
    parts += [f"Overture release {sanitize(details.overture_release)}"] if details.overture_release else []
    parts += [f"Orbis version {sanitize(details.orbis_version)}"] if details.orbis_version else []
    if parts:
        yield f"Type: {', '.join(parts)}"


def _not_found_lines(event: Event, facts: Facts) -> Iterator[str]:
    times = formatting.counted(misses, "time", "times") if (misses := facts.count("misses")) else "several times"
    yield f"The GEM API has answered {times} in a row that it knows no such job."
    status, seen = facts.text("status", 64), facts.time("last_seen_before")
    if status:
        yield f"Last seen: {status}" + (f", {formatting.point(seen)}" if seen else "")
    else:
        yield "It has never been seen: the id may be mistyped."
    yield "Meaning: its end cannot be told while this lasts. gemwatch goes on asking, a few times an hour."
    number = event.job_id if event.job_id is not None else "JOB_ID"
    yield f"To do: check the id and the account. If the job was deleted: gemwatch unwatch {number}"
    yield f"Observed: {formatting.point(event.at)}"
