"""Composes messages about the service itself and about groups: what happened, its meaning, and what to do."""

from collections.abc import Iterator

from gemwatch.core.events import Event
from gemwatch.core.kinds import ConfigFacts, FailureFacts, GroupDoneFacts, LoginFacts, ServiceFacts, TargetFacts
from gemwatch.core.text import formatting, job_parts
from gemwatch.core.text.context import Context
from gemwatch.core.text.failures import Words, likely_cause, words_for
from gemwatch.core.text.message import Block, Code, CopyableCommand, Fact, Item, Line, Paragraph, foreign
from gemwatch.core.text.sanitize import single_line

_MOST_PROBLEMS = 10
_LONGEST_STEP = 1000


def title(event: Event) -> Line:
    facts = event.facts
    if isinstance(facts, GroupDoneFacts):
        word = "GROUP INCOMPLETE" if facts.incomplete else event.kind.traits.outcome
        return (f"{word}: ", foreign(facts.group, formatting.LONGEST_NAME))
    if isinstance(facts, TargetFacts):
        name = foreign(facts.target, formatting.LONGEST_NAME)
        return ("gemwatch: target ", name, f" {words_for(event, facts).title}")
    if isinstance(facts, FailureFacts):
        about = () if event.job_id is None else (" for ", *job_parts.job(event.job_id, event.name))
        return (f"gemwatch: {words_for(event, facts).title}", *about)
    job = () if event.job_id is None else (f" (job {event.job_id})",)
    return ("gemwatch: ", foreign(event.kind.traits.label, 40), *job)


def blocks(event: Event, facts: FailureFacts, context: Context) -> Iterator[Block]:
    words = words_for(event, facts)
    yield Paragraph(line=(words.happened,))
    if isinstance(facts, ConfigFacts):
        yield from _problems(facts, context)
    if facts.reason and (reason := foreign(single_line(facts.reason, 300), 300)).text:
        yield Fact(label="Reason", line=(reason,))
    if isinstance(facts, LoginFacts) and not facts.over and not facts.some_jobs and event.job_id is None:
        yield Fact(label="Likely cause", line=(likely_cause(facts.culprit, facts.http_status),))
    if isinstance(facts, LoginFacts) and facts.replica is not None:
        yield Fact(label="Replica", line=(foreign(facts.replica, formatting.LONGEST_NAME),))
    if isinstance(facts, TargetFacts) and not facts.over and facts.fallback:
        yield Fact(label="Fallback", line=(foreign(facts.fallback, formatting.LONGEST_NAME),))
    yield Paragraph(label="Meaning", line=(words.meaning,))
    yield from _to_do(event, facts, words, context)
    yield _when(event, facts, context)


def group_done(event: Event, facts: GroupDoneFacts, context: Context) -> Iterator[Block]:
    """How the jobs of a group ended."""
    wanted = "" if facts.expect is None else f" of {facts.expect} expected"
    counts = (
        (facts.succeeded, "SUCCESS"),
        (len(facts.failed), "FAILED"),
        (len(facts.needs_review), "SUCCESS to review"),
        (len(facts.unfinished), "not finished"),
    )
    outcomes = ", ".join(f"{number} {word}" for number, word in counts if number)
    yield Fact(label="Jobs", line=(f"{facts.members}{wanted}" + (f": {outcomes}" if outcomes else ""),))
    for label, ids in (
        ("Failed", facts.failed),
        ("Needs review", facts.needs_review),
        ("Not finished", facts.unfinished),
    ):
        if ids:
            yield Fact(label=label, line=(formatting.listed(map(str, ids)),))
    if facts.first_requested_at:
        yield Fact(label="First request", line=(formatting.point(facts.first_requested_at, context.zone),))
    yield Fact(label="Last end", line=(formatting.point(facts.last_ended_at or event.at, context.zone),))


def unknown(event: Event) -> Iterator[Block]:
    """An event from a newer gemwatch, whose facts are unknown."""
    word = foreign(event.kind.value, 40)
    yield Paragraph(
        line=("A newer version of gemwatch recorded this event (", word, "). This version cannot show more.")
    )


def _problems(facts: ConfigFacts, context: Context) -> Iterator[Block]:
    for rule in facts.full_rules[:_MOST_PROBLEMS]:
        yield Item(line=(foreign(rule, 300),))
    if facts.hosts:
        yield Fact(label="Hosts", line=(foreign(formatting.listed(facts.hosts), 300),))
    for problem in facts.problems[:_MOST_PROBLEMS]:
        yield Item(line=(foreign(problem, 300),))
    if len(facts.problems) > _MOST_PROBLEMS:
        more = len(facts.problems) - _MOST_PROBLEMS
        yield Paragraph(line=(f"and {more} more, see ", Code(context.command("{gemwatch} check"))))


def _to_do(event: Event, facts: FailureFacts, words: Words, context: Context) -> Iterator[Block]:
    target = facts.target if isinstance(facts, TargetFacts) else None
    for number, step in enumerate(words.steps(context, facts.remedy, target)):
        text = single_line(step.text.replace("JOB_ID", str(event.job_id)), _LONGEST_STEP)
        yield CopyableCommand(text=text) if step.command else Paragraph(label="" if number else "To do", line=(text,))


def _when(event: Event, facts: ServiceFacts, context: Context) -> Block:
    if not facts.over:
        return Fact(label="Since", line=(formatting.point(facts.since or event.at, context.zone),))
    if facts.since is None or facts.since >= event.at:
        return Fact(label="Observed", line=(formatting.point(event.at, context.zone),))
    length = formatting.span(event.at - facts.since)
    start, end = formatting.point(facts.since, context.zone), formatting.near(event.at, facts.since, context.zone)
    return Fact(label="Lasted", line=(f"{length}, from {start} to {end}",))
