"""Messages about the service itself: what happened, what it means, what to do."""

from collections.abc import Iterator
from dataclasses import replace

from gemwatch.core.events import Event, EventKind, UnknownKind
from gemwatch.core.text import formatting, job_text
from gemwatch.core.text.context import Context
from gemwatch.core.text.failures import FAILING, RECOVERED, Failure, Words
from gemwatch.core.text.formatting import Facts
from gemwatch.core.text.message import Block, Code, Command, Fact, Item, Line, Paragraph, foreign
from gemwatch.core.text.sanitize import single_line

_MOST_PROBLEMS = 10


def title(event: Event, facts: Facts) -> Line:
    if event.kind is EventKind.GROUP_DONE:
        return _group_title(facts)
    if isinstance(event.kind, UnknownKind):
        about = () if event.job_id is None else (f" (job {event.job_id})",)
        return ("gemwatch: ", foreign(event.kind.traits.label, 40), *about)
    words = _words(event, facts)
    if event.kind is EventKind.TARGET:
        target = facts.raw_text("target")
        return ("gemwatch: target ", foreign(target, 80) if target else "without a name", f" {words.title}")
    if event.job_id is not None:
        return (f"gemwatch: {words.title} for ", *job_text.job(event.job_id, facts.raw_text("name")))
    return (f"gemwatch: {words.title}",)


def blocks(event: Event, facts: Facts, context: Context) -> Iterator[Block]:
    words = _words(event, facts)
    yield Paragraph(line=(words.happened,))
    yield from _problems(facts)
    yield from _reason(facts)
    if not facts.flag("over") and (fallback := facts.raw_text("fallback")):
        yield Fact(label="Fallback", line=(foreign(fallback, 80),))
    yield Paragraph(label="Meaning", line=(words.meaning,))
    yield from _to_do(event, facts, words, context)
    yield _when(event, facts)


def _failure(event: Event, facts: Facts) -> Failure:
    match event.kind:
        case EventKind.LOGIN:
            return Failure.LOGIN if event.job_id is None else Failure.LOGIN_FOR_JOB
        case EventKind.API:
            return Failure.API_FORM if facts.flag("bad_answer") else Failure.API
        case EventKind.STORE:
            return Failure.STORE
        case EventKind.TARGET:
            return Failure.TARGET if facts.raw_text("fallback") is None else Failure.TARGET_WITH_FALLBACK
        case _:
            return Failure.CONFIG if facts.flag("refused") or facts.flag("over") else Failure.CONFIG_ENTRIES


def _words(event: Event, facts: Facts) -> Words:
    failure = _failure(event, facts)
    if facts.flag("over"):
        return RECOVERED[failure]
    words = FAILING[failure]
    if failure is Failure.CONFIG_ENTRIES and (number := len(facts.places("problems"))):
        return replace(words, title=f"{formatting.counted(number, 'watch entry', 'watch entries')} skipped")
    since = facts.time("since")
    if failure is Failure.API and since and since < event.at:
        length = formatting.span(event.at - since)
        return replace(words, happened=f"The GEM API has given no usable answer for {length}.")
    return words


def _problems(facts: Facts) -> Iterator[Block]:
    problems = facts.places("problems")
    for problem in problems[:_MOST_PROBLEMS]:
        yield Item(line=(foreign(problem, 300),))
    if len(problems) > _MOST_PROBLEMS:
        yield Paragraph(line=(f"and {len(problems) - _MOST_PROBLEMS} more, see ", Code("gemwatch check")))


def _reason(facts: Facts) -> Iterator[Block]:
    if (reason := facts.raw_text("reason")) and (shown := foreign(single_line(reason, 300), 300)).text:
        yield Fact(label="Reason", line=(shown,))


def _to_do(event: Event, facts: Facts, words: Words, context: Context) -> Iterator[Block]:
    if (remedy := facts.raw_text("remedy")) and (text := single_line(remedy, 1000)):
        yield Paragraph(label="To do", line=(text,))
        return
    yield Paragraph(label="To do", line=(words.to_do,))
    for template in words.commands:
        yield Command(text=context.command(template).replace("JOB_ID", str(event.job_id)))


def _when(event: Event, facts: Facts) -> Block:
    since = facts.time("since")
    if not facts.flag("over"):
        return Fact(label="Since", line=(formatting.point(since or event.at),))
    if since is None or since >= event.at:
        return Fact(label="Observed", line=(formatting.point(event.at),))
    length, end = formatting.span(event.at - since), formatting.near(event.at, since)
    return Fact(label="Lasted", line=(f"{length}, from {formatting.point(since)} to {end}",))


def _group_title(facts: Facts) -> Line:
    name = facts.raw_text("group")
    word = "GROUP INCOMPLETE" if facts.flag("incomplete") else EventKind.GROUP_DONE.traits.outcome
    return (f"{word}: ", foreign(name, 80) if name else "without a name")


def group_done(event: Event, facts: Facts) -> Iterator[Block]:
    """How the jobs of a group ended."""
    counts = facts.part("outcomes").raw
    ended = [(foreign(f"{number} {word}", 64),) for word, number in counts.items()]
    yield Fact(label="Jobs", line=formatting.joined(ended) if ended else ("none",))
    for label, key in (("Failed", "failed"), ("Needs review", "needs_review")):
        ids = facts.raw.get(key)
        if isinstance(ids, list) and ids:
            yield Fact(label=label, line=(", ".join(single_line(str(job_id), 20) for job_id in ids),))
    if first := facts.time("first_requested_at"):
        yield Fact(label="First request", line=(formatting.point(first),))
    yield Fact(label="Last end", line=(formatting.point(facts.time("last_ended_at") or event.at),))


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
