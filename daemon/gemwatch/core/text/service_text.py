"""Composes messages about the service itself and about groups: what happened, its meaning, and what to do."""

from collections.abc import Iterator
from dataclasses import replace

from gemwatch.core.events import Event
from gemwatch.core.facts import (
    ApiFacts,
    ConfigFacts,
    GroupDoneFacts,
    LoginFacts,
    ServiceFacts,
    StoreFacts,
    TargetFacts,
)
from gemwatch.core.text import formatting, job_text
from gemwatch.core.text.context import Context
from gemwatch.core.text.failures import FAILING, RECOVERED, Failure, Words, likely_cause
from gemwatch.core.text.message import Block, Code, Command, Fact, Item, Line, Paragraph, foreign
from gemwatch.core.text.sanitize import single_line

_MOST_PROBLEMS = 10
_LONGEST_REMEDY = 1000
Failing = LoginFacts | ApiFacts | ConfigFacts | StoreFacts | TargetFacts


def title(event: Event) -> Line:
    match event.facts:
        case GroupDoneFacts(group=group, incomplete=incomplete):
            word = "GROUP INCOMPLETE" if incomplete else event.kind.traits.outcome
            return (f"{word}: ", foreign(group, formatting.LONGEST_NAME))
        case TargetFacts() as facts:
            words = _words(event, facts)
            return ("gemwatch: target ", foreign(facts.target, formatting.LONGEST_NAME), f" {words.title}")
        case LoginFacts() | ApiFacts() | ConfigFacts() | StoreFacts() as facts:
            about = () if event.job_id is None else (" for ", *job_text.job(event.job_id, event.name))
            return (f"gemwatch: {_words(event, facts).title}", *about)
        case _:
            job = () if event.job_id is None else (f" (job {event.job_id})",)
            return ("gemwatch: ", foreign(event.kind.traits.label, 40), *job)


def blocks(event: Event, facts: Failing, context: Context) -> Iterator[Block]:
    words = _words(event, facts)
    yield Paragraph(line=(words.happened,))
    if isinstance(facts, ConfigFacts):
        yield from _problems(facts, context)
    if facts.reason and (reason := foreign(single_line(facts.reason, 300), 300)).text:
        yield Fact(label="Reason", line=(reason,))
    if isinstance(facts, LoginFacts) and not facts.over and not facts.some_jobs and event.job_id is None:
        yield Fact(label="Likely cause", line=(likely_cause(facts.culprit, facts.http_status),))
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


def _failure(event: Event, facts: Failing) -> Failure:
    match facts:
        case LoginFacts(some_jobs=True):
            return Failure.LOGIN_FOR_SOME
        case LoginFacts():
            return Failure.LOGIN if event.job_id is None else Failure.LOGIN_FOR_JOB
        case ApiFacts(bad_answer=bad):
            return Failure.API_FORM if bad else Failure.API
        case StoreFacts():
            return Failure.STORE
        case TargetFacts(fallback=fallback):
            return Failure.TARGET if fallback is None else Failure.TARGET_WITH_FALLBACK
        case ConfigFacts(refused=refused, over=over):
            return Failure.CONFIG if refused or over else Failure.CONFIG_ENTRIES


def _words(event: Event, facts: Failing) -> Words:
    failure = _failure(event, facts)
    if facts.over:
        return RECOVERED[failure]
    words = FAILING[failure]
    if isinstance(facts, ConfigFacts) and failure is Failure.CONFIG_ENTRIES and facts.problems:
        number = formatting.counted(len(facts.problems), "watch entry", "watch entries")
        return replace(words, title=f"{number} skipped")
    if isinstance(facts, ApiFacts) and facts.since and facts.since < event.at:
        length = formatting.span(event.at - facts.since)
        return replace(words, happened=f"The GEM API has given no usable answer for {length}.")
    return words


def _problems(facts: ConfigFacts, context: Context) -> Iterator[Block]:
    for problem in facts.problems[:_MOST_PROBLEMS]:
        yield Item(line=(foreign(problem, 300),))
    if len(facts.problems) > _MOST_PROBLEMS:
        more = len(facts.problems) - _MOST_PROBLEMS
        yield Paragraph(line=(f"and {more} more, see ", Code(context.command("{gemwatch} check"))))


def _to_do(event: Event, facts: Failing, words: Words, context: Context) -> Iterator[Block]:
    remedy = single_line(facts.remedy, _LONGEST_REMEDY) if facts.remedy else ""
    yield Paragraph(
        label="To do", line=(f"{remedy} Then check it:" if remedy and words.commands else remedy or words.to_do,)
    )
    for command in context.commands(words.commands[-1:] if remedy else words.commands):
        yield Command(text=command.replace("JOB_ID", str(event.job_id)))


def _when(event: Event, facts: ServiceFacts, context: Context) -> Block:
    if not facts.over:
        return Fact(label="Since", line=(formatting.point(facts.since or event.at, context.zone),))
    if facts.since is None or facts.since >= event.at:
        return Fact(label="Observed", line=(formatting.point(event.at, context.zone),))
    length = formatting.span(event.at - facts.since)
    start, end = formatting.point(facts.since, context.zone), formatting.near(event.at, facts.since, context.zone)
    return Fact(label="Lasted", line=(f"{length}, from {start} to {end}",))
