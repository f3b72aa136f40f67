"""What earlier runs say about a job, in words: its expected end, the run before, a limit that has passed."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from gemwatch.core.events import Event, EventKind
from gemwatch.core.text import formatting
from gemwatch.core.text.formatting import Facts
from gemwatch.core.text.message import Block, Fact, Line, Paragraph, foreign

_ALIKE = {
    "input": "of the same input",
    "release": "of the same job type and release",
    "type": "of the same job type",
}


def job(job_id: int | None, name: str | None) -> Line:
    """`Netherlands weekly (job 7)`, or `job 7` where it has no name."""
    number = "a job" if job_id is None else f"job {job_id}"
    shown = foreign(name, formatting.LONGEST_NAME) if name else None
    return (shown, f" ({number})") if shown and shown.text.strip() else (number,)


def judged_by(runs: int | None, basis: str | None) -> str | None:
    """`12 runs of the same input`: what an estimate or a limit was made from."""
    return None if runs is None else f"{formatting.counted(runs, 'run', 'runs')} {_ALIKE.get(basis or '', 'like it')}"


def expected_end(facts: Facts) -> Iterator[Block]:
    """`Expected end: 18 Feb 2026, 13:21 UTC (8 in 10 end between 12:50 and 14:10; 12 runs of the same input)`."""
    estimate = facts.part("estimate")
    ends, first, last = estimate.time("ends_at"), estimate.time("earliest"), estimate.time("latest")
    if ends is None or first is None or last is None:
        return
    end, earliest, latest = (_rough(time, ends, last - first) for time in (ends, first, last))
    words = f"8 in 10 end between {earliest} and {latest}"
    judged = judged_by(estimate.count("runs"), estimate.text("basis", 20))
    told = f"{formatting.day(ends)}, {end} UTC ({'; '.join(filter(None, (words, judged)))})"
    yield Fact(label="Expected end", line=(told,))


def why_review(facts: Facts) -> Iterator[Block]:
    """What stands first when a SUCCESS needs review."""
    for reason in facts.texts("reasons"):
        yield Fact(label="Why", line=(reason,))
    changed = facts.part("previous").raw.get("changed")
    hint = " The run before was asked for differently: that may be why." if changed else ""
    yield Paragraph(
        label="Meaning",
        line=(f"GEM says SUCCESS, but the numbers are not what the gate in the configuration wants.{hint}",),
    )
    yield Paragraph(label="To do", line=("look at the result before it is used.",))


def compared_with(facts: Facts) -> Iterator[Block]:
    """Which run stands next to this one, and what was requested differently."""
    previous = facts.part("previous")
    job_id, ended_at = previous.job_id("job_id"), previous.time("ended_at")
    if ended_at is None:
        return
    number = "a job" if job_id is None else f"job {job_id}"
    yield Fact(label="Before", line=(f"{number} on the same input, seen finished {formatting.point(ended_at)}",))
    changes = previous.raw.get("changed")
    for change in changes if isinstance(changes, list) else ():
        if isinstance(change, list) and len(change) == 3 and all(isinstance(word, str) for word in change):  # noqa: PLR2004 (name, before, now)
            name, before, now = (foreign(word, 60) for word in change)
            yield Fact(label="Changed since", line=(name.text, " ", now, " (before: ", before, ")"))


def before_matched(facts: Facts) -> str:
    matched = facts.part("previous").number("matched")
    return "" if matched is None else f"; before: {formatting.share(matched)}"


def before_roads(facts: Facts) -> str:
    roads, length = facts.part("previous").number("roads"), facts.part("previous").number("kilometres")
    if roads is None:
        return ""
    return f"; before: {roads:,.0f}" + ("" if length is None else f" ({formatting.kilometres(length)})")


def before_time(facts: Facts) -> str:
    seconds = facts.part("previous").number("running_seconds")
    return "" if seconds is None else f"; before: {formatting.span(timedelta(seconds=seconds))}"


def passed_limit(event: Event, facts: Facts) -> Iterator[Block]:
    """A limit that a job has passed: what happened, what it means, what to do."""
    match event.kind:
        case EventKind.QUEUED_TOO_LONG:
            yield Paragraph(line=(_lasted("Waiting", event, facts),))
            yield _meaning("GEM has not started it yet. It is still watched, and its end is told.")
            yield _to_do("if others start meanwhile, ask TomTom with the job's id; else wait, the queue may be long.")
        case EventKind.RUNNING_TOO_LONG:
            yield Paragraph(line=(_lasted("Running", event, facts),))
            yield _meaning("it may hang, or has more to match than usual. It is still watched, and its end is told.")
            yield _to_do("compare the input with earlier ones; if it does not end, ask TomTom with the job's id.")
        case _:
            ran = facts.number("ran_seconds")
            took = "less than expected" if ran is None else formatting.span(timedelta(seconds=ran))
            yield Paragraph(line=(f"GEM says SUCCESS after only {took}; {_limit(facts, 'least')}.",))
            yield _meaning("the input may have been empty, cut short or the wrong file.")
            yield _to_do("look at the input and the result before it is used.")


def unknown_status(facts: Facts) -> Iterator[Block]:
    """A status that TomTom does not document."""
    status = facts.raw_text("status")
    yield Paragraph(
        line=(
            "The GEM API reports a status that gemwatch does not know: ",
            foreign(status, 64) if status else "without a name",
        )
    )
    yield _meaning("gemwatch cannot tell whether the job has finished. It keeps polling it, less often after a day.")
    yield _to_do("look the job up at TomTom. If it has finished, remove it from the watch list.")


def _meaning(text: str) -> Paragraph:
    return Paragraph(label="Meaning", line=(text,))


def _to_do(text: str) -> Paragraph:
    return Paragraph(label="To do", line=(text,))


def _lasted(what: str, event: Event, facts: Facts) -> str:
    since = facts.time("since")
    if since is None:
        return f"{what} for longer than the limit; {_limit(facts, 'limit')}."
    return (
        f"{what} for {formatting.span(event.at - since)}, since {formatting.point(since)}; {_limit(facts, 'limit')}."
    )


def _limit(facts: Facts, word: str) -> str:
    seconds = facts.number("limit_seconds")
    length = "in the configuration" if seconds is None else formatting.span(timedelta(seconds=min(seconds, 1e9)))
    judged = judged_by(facts.count("limit_runs"), facts.text("limit_basis", 20))
    return f"the {word} is {length}" + (f", judging by {judged}" if judged else "")


def _rough(time: datetime, other: datetime, width: timedelta) -> str:
    """As exact as a range this wide is. The day stands where it is another one than that of `other`."""
    clock = formatting.clock(time) if width < formatting.NARROW else formatting.clock(time)[:5]
    return clock if formatting.day(time) == formatting.day(other) else f"{formatting.day(time)}, {clock}"
