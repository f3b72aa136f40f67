"""The parts of messages about jobs: files, numbers, times, comparison with earlier runs, and what to do."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from gemwatch.core.estimates.estimate import Basis, Estimate
from gemwatch.core.events import Event
from gemwatch.core.facts import (
    FailedFacts,
    FinishedTooFastFacts,
    NeedsReviewFacts,
    NotFoundFacts,
    PreviousRun,
    QueuedTooLongFacts,
    RunningTooLongFacts,
    UnknownStatusFacts,
)
from gemwatch.core.job import JobDetails
from gemwatch.core.limits import Bound
from gemwatch.core.text import formatting
from gemwatch.core.text.context import Context
from gemwatch.core.text.message import Block, Command, Fact, Item, Line, Paragraph, foreign, joined

QUICKLY = timedelta(minutes=10)  # a job that fails this soon after its start has failed TomTom's checks of the input
_ALIKE = {
    Basis.INPUT: "of the same input",
    Basis.RELEASE: "of the same job type and release",
    Basis.TYPE: "of the same job type",
}
# TomTom's page on input data. The checks run when a job starts.
_INPUT_RULES = {
    "ROAD_MATCHING": (
        "It is a Parquet file.",
        "`id` is an integer or a string, and unique.",
        "`geometry` is a WKT LINESTRING in WGS84, longitude first.",
    ),
    "LANE_LEVEL_MATCHING": ("It holds Parquet traces, or is one CSV file.",),
}
_ASK = "ask TomTom and give the job id"


def job(job_id: int | None, name: str | None) -> Line:
    """`Netherlands weekly (job 7)`, or `job 7` without a name."""
    number = "a job" if job_id is None else f"job {job_id}"
    shown = foreign(name, formatting.LONGEST_NAME) if name else None
    return (shown, f" ({number})") if shown and shown.text.strip() else (number,)


def expected_end(estimate: Estimate | None, context: Context) -> Iterator[Block]:
    """`18 Feb 2026, 16:05 CET (8 in 10 end between 15:50 and 17:10; 12 runs of the same input)`."""
    if estimate is None:
        return
    ends, width = estimate.ends_at, estimate.latest - estimate.earliest
    end, earliest, latest = (
        _rough(time, ends, width, context) for time in (ends, estimate.earliest, estimate.latest)
    )
    day, zone = formatting.day(ends, context.zone), formatting.zone_name(ends, context.zone)
    utc = "" if zone == "UTC" else f" ({_rough(ends, ends, width, Context())} UTC)"
    runs = judged_by(estimate.runs, estimate.basis)
    range_ = f"8 in 10 end between {earliest} and {latest} {zone}; from {runs}"
    yield Fact(label="Expected end", line=(f"{day}, {end} {zone}{utc}; {range_}",))


def judged_by(runs: int, basis: Basis) -> str:
    """`12 runs of the same input`: the runs behind an estimate or a limit."""
    return f"{formatting.counted(runs, 'run', 'runs')} {_ALIKE[basis]}"


def why_review(facts: NeedsReviewFacts) -> Iterator[Block]:
    """The first blocks if a SUCCESS needs review."""
    for reason in facts.reasons:
        yield Fact(label="Why", line=(foreign(reason).text,))
    changed = facts.previous is not None and facts.previous.changed
    hint = " The previous run was requested differently, which may be the reason." if changed else ""
    yield _meaning(f"GEM reports SUCCESS, but the numbers do not pass the quality gate of the configuration.{hint}")
    yield _to_do("Look at the result before you use it.")


def compared_with(previous: PreviousRun | None, context: Context) -> Iterator[Block]:
    """The previous run on the same input, and the differences between the requests."""
    if previous is None:
        return
    ended = formatting.point(previous.ended_at, context.zone)
    yield Fact(label="Previous", line=(f"job {previous.job_id} on the same input, seen finished {ended}",))
    for change in previous.changed:
        before, now = foreign(change.before, 60), foreign(change.now, 60)
        yield Fact(label="Changed since", line=(f"{change.what} ", now, " (previous: ", before, ")"))


def failure(details: JobDetails) -> Iterator[Block]:
    """GEM's own reason."""
    for reason in details.failure:
        yield Fact(label="GEM", line=(foreign(reason, 300),))


def why_failed(facts: FailedFacts, at: datetime, context: Context) -> Iterator[Block]:
    """GEM's reason, the meaning of a FAILED, what to do, and how far the job got."""
    yield from failure(facts.job)
    reason = "" if facts.job.failure else " GEM gives no reason."
    yield _meaning(f"TomTom ended the job. There is no result.{reason}")
    ran = None if facts.running_since is None else at - facts.running_since
    quickly = ran is not None and ran <= QUICKLY
    soon = (
        f"It failed {formatting.span(ran)} after its start, when TomTom checks the input. " if quickly and ran else ""
    )
    rules = _INPUT_RULES.get(facts.job.job_type or "", ())
    if facts.job.failure:
        yield _to_do(f"{soon}Fix what GEM names, then request the job again. If it is unclear, {_ASK}.")
    elif rules:
        yield _to_do(f"{soon}Check the input file. If it follows TomTom's rules, {_ASK}.")
    else:
        yield _to_do(f"{soon}Check the input file. If it is like those of earlier jobs, {_ASK}.")
    if quickly or not facts.job.failure:
        yield from (Item(line=(rule.replace("`", ""),)) for rule in rules)
    if facts.first_sight:
        yield Fact(label="Got as far as", line=("unknown: it had already ended when gemwatch first saw it",))
    elif ran is None:
        yield Fact(label="Got as far as", line=("never seen running",))
    else:
        since = formatting.point(at - ran, context.zone)
        yield Fact(label="Got as far as", line=(f"running for {formatting.span(ran)}, since {since}",))
    if (last := facts.last_success) is not None:
        when = formatting.point(last.ended_at, context.zone)
        matched = "" if last.matched is None else f", matched {formatting.share(last.matched)}"
        yield Fact(
            label="Last success", line=(f"job {last.job_id} on the same input, seen finished {when}{matched}",)
        )


def before_matched(previous: PreviousRun | None) -> str:
    matched = None if previous is None else previous.matched
    return "" if matched is None else f"; previous: {formatting.share(matched)}"


def before_roads(previous: PreviousRun | None) -> str:
    if previous is None or previous.roads is None:
        return ""
    length = "" if previous.kilometres is None else f" ({formatting.kilometres(previous.kilometres)})"
    return f"; previous: {previous.roads:,}{length}"


def before_time(previous: PreviousRun | None) -> str:
    return "" if previous is None or previous.ran is None else f"; previous: {formatting.span(previous.ran)}"


def queued_too_long(facts: QueuedTooLongFacts, at: datetime, context: Context) -> Iterator[Block]:
    yield _lasted("waiting", facts.since, facts.limit, at, context)
    yield _meaning("GEM has not started it yet. gemwatch keeps watching it and reports how it ends.")
    yield _to_do(f"If other jobs start in the meantime, {_ASK}. Otherwise wait: the queue may be long.")


def running_too_long(facts: RunningTooLongFacts, at: datetime, context: Context) -> Iterator[Block]:
    yield _lasted("running", facts.since, facts.limit, at, context)
    yield _meaning(
        "It may hang, or has more to match than usual. gemwatch keeps watching it and reports how it ends."
    )
    yield _to_do(f"Compare the input with earlier ones. If the job does not end, {_ASK}.")


def finished_too_fast(facts: FinishedTooFastFacts) -> Iterator[Block]:
    took = formatting.span(facts.ran)
    yield Paragraph(line=(f"GEM reports SUCCESS after only {took}; the minimum is {_limit(facts.limit)}.",))
    yield _meaning("The input may have been empty, incomplete or the wrong file.")
    yield _to_do("Check the input, and look at the result before you use it.")


def unknown_status(facts: UnknownStatusFacts) -> Iterator[Block]:
    """A status that TomTom does not document."""
    status = foreign(facts.job.status, 64)
    yield Paragraph(line=("The GEM API reports a status that gemwatch does not know: ", status))
    yield from failure(facts.job)
    yield _meaning("gemwatch cannot tell whether the job has finished. It keeps polling, less often after 24 hours.")
    yield _to_do("Look the job up at TomTom. If it has finished, remove it from the watch list.")


def not_found(facts: NotFoundFacts, event: Event, context: Context) -> Iterator[Block]:
    times = formatting.counted(facts.misses, "time", "times in a row")
    yield Paragraph(line=(f"The GEM API has answered {times} that there is no such job.",))
    if facts.status:
        seen = "" if facts.last_seen_before is None else f", {formatting.point(facts.last_seen_before, context.zone)}"
        yield Fact(label="Last seen", line=(foreign(facts.status, 64), seen))
    else:
        yield Paragraph(line=("gemwatch has never seen this job: the id may be mistyped.",))
    yield _meaning(
        "gemwatch cannot see how the job ends. It polls every 15 minutes, and reports the job if it turns up."
    )
    yield _to_do("Check the job id and the account. If the job was deleted, stop watching it:")
    number = "JOB_ID" if event.job_id is None else event.job_id
    yield Command(text=context.command(f"{{gemwatch}} unwatch {number}"))


def request(details: JobDetails, context: Context) -> Iterator[Block]:
    """When the job was requested, and its parameters."""
    if details.requested_at:
        yield Fact(label="Requested", line=(formatting.point(details.requested_at, context.zone),))
    parts: list[Line] = [(foreign(details.job_type),)] if details.job_type else []
    parts += [("Overture release ", foreign(details.overture_release))] if details.overture_release else []
    parts += [("Orbis version ", foreign(details.orbis_version))] if details.orbis_version else []
    if parts:
        yield Fact(label="Type", line=joined(parts))


def _meaning(text: str) -> Paragraph:
    return Paragraph(label="Meaning", line=(text,))


def _to_do(text: str) -> Paragraph:
    return Paragraph(label="To do", line=(text,))


def _lasted(what: str, since: datetime, limit: Bound, at: datetime, context: Context) -> Block:
    length, start = formatting.span(at - since), formatting.point(since, context.zone)
    return Paragraph(line=(f"The job has been {what} for {length}, since {start}; the limit is {_limit(limit)}.",))


def _limit(limit: Bound) -> str:
    length = formatting.span(limit.length)
    if limit.runs is None or limit.basis is None:
        return length
    return f"{length}, from {judged_by(limit.runs, limit.basis)}"


def _rough(time: datetime, other: datetime, width: timedelta, context: Context) -> str:
    """A time as exact as its range. With the day if that differs from the day of `other`."""
    clock = formatting.clock(time, context.zone)
    clock = clock if width < formatting.NARROW else clock[: -len(":00")]
    day = formatting.day(time, context.zone)
    return clock if day == formatting.day(other, context.zone) else f"{day}, {clock}"
