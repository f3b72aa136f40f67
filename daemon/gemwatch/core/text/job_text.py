"""What earlier runs say about a job, in words: its expected end, the run before, a limit that has passed."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import assert_never

from gemwatch.core.estimate import Basis, Estimate
from gemwatch.core.facts import (
    FinishedTooFastFacts,
    NeedsReviewFacts,
    PreviousRun,
    QueuedTooLongFacts,
    RunningTooLongFacts,
    UnknownStatusFacts,
)
from gemwatch.core.job import JobDetails
from gemwatch.core.limits import Bound
from gemwatch.core.text import formatting
from gemwatch.core.text.message import Block, Fact, Line, Paragraph, foreign
from gemwatch.core.text.sanitize import single_line

_ALIKE = {
    Basis.INPUT: "of the same input",
    Basis.RELEASE: "of the same job type and release",
    Basis.TYPE: "of the same job type",
}


def job(job_id: int | None, name: str | None) -> Line:
    """`Netherlands weekly (job 7)`, or `job 7` where it has no name."""
    number = "a job" if job_id is None else f"job {job_id}"
    shown = foreign(name, formatting.LONGEST_NAME) if name else None
    return (shown, f" ({number})") if shown and shown.text.strip() else (number,)


def judged_by(runs: int | None, basis: Basis | None) -> str | None:
    """`12 runs of the same input`: what an estimate or a limit was made from."""
    if runs is None or basis is None:
        return None
    return f"{formatting.counted(runs, 'run', 'runs')} {_ALIKE[basis]}"


def expected_end(estimate: Estimate | None) -> Iterator[Block]:
    """`Expected end: 18 Feb 2026, 13:21 UTC (8 in 10 end between 12:50 and 14:10; 12 runs of the same input)`."""
    if estimate is None:
        return
    ends, first, last = estimate.ends_at, estimate.earliest, estimate.latest
    end, earliest, latest = (_rough(time, ends, last - first) for time in (ends, first, last))
    words = f"8 in 10 end between {earliest} and {latest}"
    judged = judged_by(estimate.runs, estimate.basis)
    told = f"{formatting.day(ends)}, {end} UTC ({'; '.join(filter(None, (words, judged)))})"
    yield Fact(label="Expected end", line=(told,))


def why_review(facts: NeedsReviewFacts) -> Iterator[Block]:
    """What stands first when a SUCCESS needs review."""
    for reason in facts.reasons:
        yield Fact(label="Why", line=(single_line(reason),))
    changed = facts.previous is not None and facts.previous.changed
    hint = " The run before was asked for differently: that may be why." if changed else ""
    yield Paragraph(
        label="Meaning",
        line=(f"GEM says SUCCESS, but the numbers are not what the gate in the configuration wants.{hint}",),
    )
    yield Paragraph(label="To do", line=("look at the result before it is used.",))


def compared_with(previous: PreviousRun | None) -> Iterator[Block]:
    """Which run stands next to this one, and what was requested differently."""
    if previous is None:
        return
    ended = formatting.point(previous.ended_at)
    yield Fact(label="Before", line=(f"job {previous.job_id} on the same input, seen finished {ended}",))
    for change in previous.changed:
        before, now = foreign(change.before, 60), foreign(change.now, 60)
        yield Fact(label="Changed since", line=(f"{change.what} ", now, " (before: ", before, ")"))


def before_matched(previous: PreviousRun | None) -> str:
    matched = None if previous is None else previous.matched
    return "" if matched is None else f"; before: {formatting.share(matched)}"


def before_roads(previous: PreviousRun | None) -> str:
    if previous is None or previous.roads is None:
        return ""
    length = "" if previous.kilometres is None else f" ({formatting.kilometres(previous.kilometres)})"
    return f"; before: {previous.roads:,}{length}"


def before_time(previous: PreviousRun | None) -> str:
    return "" if previous is None or previous.ran is None else f"; before: {formatting.span(previous.ran)}"


def passed_limit(
    facts: QueuedTooLongFacts | RunningTooLongFacts | FinishedTooFastFacts, at: datetime
) -> Iterator[Block]:
    """A limit that a job has passed: what happened, what it means, what to do."""
    match facts:
        case QueuedTooLongFacts():
            yield Paragraph(line=(_lasted("Waiting", facts.since, facts.limit, at),))
            yield _meaning("GEM has not started it yet. It is still watched, and its end is told.")
            yield _to_do("if others start meanwhile, ask TomTom with the job's id; else wait, the queue may be long.")
        case RunningTooLongFacts():
            yield Paragraph(line=(_lasted("Running", facts.since, facts.limit, at),))
            yield _meaning("it may hang, or has more to match than usual. It is still watched, and its end is told.")
            yield _to_do("compare the input with earlier ones; if it does not end, ask TomTom with the job's id.")
        case FinishedTooFastFacts():
            took = f"GEM says SUCCESS after only {formatting.span(facts.ran)}; {_limit(facts.limit, 'least')}."
            yield Paragraph(line=(took,))
            yield _meaning("the input may have been empty, cut short or the wrong file.")
            yield _to_do("look at the input and the result before it is used.")
        case _:
            assert_never(facts)


def unknown_status(facts: UnknownStatusFacts) -> Iterator[Block]:
    """A status that TomTom does not document."""
    status = foreign(facts.job.status, 64)
    yield Paragraph(line=("The GEM API reports a status that gemwatch does not know: ", status))
    yield from failure(facts.job)
    yield _meaning("gemwatch cannot tell whether the job has finished. It keeps polling it, less often after a day.")
    yield _to_do("look the job up at TomTom. If it has finished, remove it from the watch list.")


def failure(job: JobDetails) -> Iterator[Block]:
    """GEM's own reason."""
    for text in job.failure:
        yield Fact(label="GEM", line=(foreign(text, 300),))


def _meaning(text: str) -> Paragraph:
    return Paragraph(label="Meaning", line=(text,))


def _to_do(text: str) -> Paragraph:
    return Paragraph(label="To do", line=(text,))


def _lasted(what: str, since: datetime, limit: Bound, at: datetime) -> str:
    return f"{what} for {formatting.span(at - since)}, since {formatting.point(since)}; {_limit(limit, 'limit')}."


def _limit(limit: Bound, word: str) -> str:
    judged = judged_by(limit.runs, limit.basis)
    return f"the {word} is {formatting.span(limit.length)}" + (f", judging by {judged}" if judged else "")


def _rough(time: datetime, other: datetime, width: timedelta) -> str:
    """As exact as a range this wide is. The day stands where it is another one than that of `other`."""
    clock = formatting.clock(time) if width < formatting.NARROW else formatting.clock(time)[:5]
    return clock if formatting.day(time) == formatting.day(other) else f"{formatting.day(time)}, {clock}"
