"""Messages about the service itself: what happened, what it means, what to do."""

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

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
from gemwatch.core.text.failures import FAILING, RECOVERED, Failure, Words
from gemwatch.core.text.message import Block, Code, Command, Fact, Item, Line, Paragraph, foreign
from gemwatch.core.text.sanitize import single_line

_MOST_PROBLEMS = 10


Failing = LoginFacts | ApiFacts | ConfigFacts | StoreFacts | TargetFacts


def title(event: Event) -> Line:
    match event.facts:
        case GroupDoneFacts() as facts:
            word = "GROUP INCOMPLETE" if facts.incomplete else event.kind.traits.outcome
            return (f"{word}: ", foreign(facts.group, 80))
        case TargetFacts() as facts:
            return ("gemwatch: target ", foreign(facts.target, 80), f" {_words(event, facts).title}")
        case LoginFacts() | ApiFacts() | ConfigFacts() | StoreFacts() as facts:
            words = _words(event, facts)
            if event.job_id is not None:
                return (f"gemwatch: {words.title} for ", *job_text.job(event.job_id, event.name))
            return (f"gemwatch: {words.title}",)
        case _:
            about = () if event.job_id is None else (f" (job {event.job_id})",)
            return ("gemwatch: ", foreign(event.kind.traits.label, 40), *about)


def blocks(event: Event, facts: Failing, context: Context) -> Iterator[Block]:
    words = _words(event, facts)
    yield Paragraph(line=(words.happened,))
    if isinstance(facts, ConfigFacts):
        yield from _problems(facts)
    yield from _reason(facts)
    if isinstance(facts, TargetFacts) and facts.fallback and not facts.over:
        yield Fact(label="Fallback", line=(foreign(facts.fallback, 80),))
    yield Paragraph(label="Meaning", line=(words.meaning,))
    yield from _to_do(event, facts, words, context)
    yield _when(event, facts)


def _failure(event: Event, facts: Failing) -> Failure:
    match facts:
        case LoginFacts():
            return Failure.LOGIN if event.job_id is None else Failure.LOGIN_FOR_JOB
        case ApiFacts():
            return Failure.API_FORM if facts.bad_answer else Failure.API
        case StoreFacts():
            return Failure.STORE
        case TargetFacts():
            return Failure.TARGET if facts.fallback is None else Failure.TARGET_WITH_FALLBACK
        case ConfigFacts():
            return Failure.CONFIG if facts.refused or facts.over else Failure.CONFIG_ENTRIES
        case _:
            assert_never(facts)


def _words(event: Event, facts: Failing) -> Words:
    failure = _failure(event, facts)
    if facts.over:
        return RECOVERED[failure]
    words = FAILING[failure]
    if isinstance(facts, ConfigFacts) and failure is Failure.CONFIG_ENTRIES and (number := len(facts.problems)):
        return replace(words, title=f"{formatting.counted(number, 'watch entry', 'watch entries')} skipped")
    since = facts.since
    if failure is Failure.API and since and since < event.at:
        length = formatting.span(event.at - since)
        return replace(words, happened=f"The GEM API has given no usable answer for {length}.")
    return words


def _problems(facts: ConfigFacts) -> Iterator[Block]:
    for problem in facts.problems[:_MOST_PROBLEMS]:
        yield Item(line=(foreign(single_line(problem, 300), 300),))
    if len(facts.problems) > _MOST_PROBLEMS:
        yield Paragraph(line=(f"and {len(facts.problems) - _MOST_PROBLEMS} more, see ", Code("gemwatch check")))


def _reason(facts: ServiceFacts) -> Iterator[Block]:
    if facts.reason and (shown := foreign(single_line(facts.reason, 300), 300)).text:
        yield Fact(label="Reason", line=(shown,))


def _to_do(event: Event, facts: ServiceFacts, words: Words, context: Context) -> Iterator[Block]:
    if facts.remedy and (text := single_line(facts.remedy, 1000)):
        yield Paragraph(label="To do", line=(text,))
        return
    yield Paragraph(label="To do", line=(words.to_do,))
    for template in words.commands:
        yield Command(text=context.command(template).replace("JOB_ID", str(event.job_id)))


def _when(event: Event, facts: ServiceFacts) -> Block:
    since = facts.since
    if not facts.over:
        return Fact(label="Since", line=(formatting.point(since or event.at),))
    if since is None or since >= event.at:
        return Fact(label="Observed", line=(formatting.point(event.at),))
    length, end = formatting.span(event.at - since), formatting.near(event.at, since)
    return Fact(label="Lasted", line=(f"{length}, from {formatting.point(since)} to {end}",))


def group_done(event: Event, facts: GroupDoneFacts) -> Iterator[Block]:
    """How the jobs of a group ended."""
    counts = (
        (facts.succeeded, "SUCCESS"),
        (len(facts.failed), "FAILED"),
        (len(facts.needs_review), "SUCCESS, needs review"),
        (len(facts.unfinished), "not finished"),
    )
    ended = [f"{number} {word}" for number, word in counts if number]
    yield Fact(label="Jobs", line=(", ".join(ended) or "none",))
    for label, ids in (("Failed", facts.failed), ("Needs review", facts.needs_review)):
        if ids:
            yield Fact(label=label, line=(", ".join(map(str, ids)),))
    if facts.first_requested_at:
        yield Fact(label="First request", line=(formatting.point(facts.first_requested_at),))
    yield Fact(label="Last end", line=(formatting.point(facts.last_ended_at or event.at),))


def unknown_kind(event: Event) -> Iterator[Block]:
    """An event that a newer gemwatch has stored: nothing can be assumed about its facts."""
    yield Paragraph(
        line=(
            "A newer version of gemwatch recorded this event (",
            foreign(event.kind.value, 40),
            "). This version cannot show more.",
        )
    )
    yield Fact(label="Observed", line=(formatting.point(event.at),))
