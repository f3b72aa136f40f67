"""The parts of messages about jobs: names, files, numbers, times, and the comparison with earlier runs."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from gemwatch.core.estimates.estimate import Basis, Estimate
from gemwatch.core.events import Event
from gemwatch.core.job import JobDetails, Statistics, Status
from gemwatch.core.kinds import NeedsReviewFacts, RunFacts, StartedFacts, SuccessFacts
from gemwatch.core.runs import PreviousRun
from gemwatch.core.text import formatting
from gemwatch.core.text.context import Context
from gemwatch.core.text.message import Block, Fact, Line, foreign, joined

_LAST_SEEN: Mapping[str, str] = {Status.REQUESTED: "waiting", Status.IN_PROGRESS: "running"}
_LONGEST_FILE_NAME = 1024  # the limit of the storage
_ALIKE = {
    Basis.INPUT: "of the same input",
    Basis.RELEASE: "of the same job type and release",
    Basis.TYPE: "of the same job type",
}


def job(job_id: int | None, name: str | None) -> Line:
    """`Netherlands weekly (job 7)`, or `job 7` without a name."""
    number = "a job" if job_id is None else f"job {job_id}"
    shown = foreign(name, formatting.LONGEST_NAME) if name else None
    return (shown, f" ({number})") if shown and shown.text.strip() else (number,)


def files(details: JobDetails) -> Iterator[Block]:
    for label, value in (
        ("Result", details.result_filename),
        ("Input", details.input_filename),
        ("Storage", details.storage_id),
    ):
        if value and (name := foreign(value, _LONGEST_FILE_NAME)).text:
            yield Fact(label=label, line=(name,))


def matching(statistics: Statistics, previous: PreviousRun | None) -> Iterator[Block]:
    parts = [
        f"{formatting.share(ratio)} {word}"
        for word, ratio in (("fully", statistics.fully_matched), ("partially", statistics.partially_matched))
        if ratio is not None
    ]
    if statistics.matched is not None:
        kinds = f" ({', '.join(parts)})" if parts else ""
        matched = f"{formatting.share(statistics.matched)}{kinds}{before_matched(previous)}"
        yield Fact(label="Matched", line=(matched,))
    elif parts:
        yield Fact(label="Matched", line=(", ".join(parts),))
    if statistics.unmatched is not None:
        yield Fact(label="Unmatched", line=(formatting.share(statistics.unmatched),))
    length = None if statistics.kilometres is None else formatting.kilometres(statistics.kilometres)
    if statistics.roads is not None:
        roads = f"{statistics.roads:,}" + (f" ({length})" if length else "") + before_roads(previous)
        yield Fact(label="Roads", line=(roads,))
    elif length:
        yield Fact(label="Length", line=(length,))
    if statistics.confidence_threshold is not None:
        yield Fact(label="Confidence threshold", line=(str(statistics.confidence_threshold),))


def times(event: Event, facts: RunFacts, previous: PreviousRun | None, context: Context) -> Iterator[Block]:
    started = isinstance(facts, StartedFacts)
    seen = formatting.point(event.at, context.zone)
    yield Fact(
        label=f"Seen {'running' if started else 'finished'}", line=(seen, *_uncertainty(event, facts, context))
    )
    statistics = facts.job.statistics
    if statistics and statistics.execution_time is not None:
        took = f"{formatting.span(statistics.execution_time)}{before_time(previous)}"
        yield Fact(label="Execution time", line=(took,))
    elif (
        isinstance(facts, SuccessFacts | NeedsReviewFacts) and facts.running_since and facts.running_since < event.at
    ):
        ran = f"{formatting.span(event.at - facts.running_since)}{before_time(previous)}"
        yield Fact(label="Seen running for", line=(ran,))


def observed(event: Event, context: Context) -> Block:
    return Fact(label="Observed", line=(formatting.point(event.at, context.zone),))


def request(details: JobDetails, context: Context) -> Iterator[Block]:
    """When the job was requested, and its parameters."""
    if details.requested_at:
        yield Fact(label="Requested", line=(formatting.point(details.requested_at, context.zone),))
    parts: list[Line] = [(foreign(details.job_type),)] if details.job_type else []
    parts += [("Overture release ", foreign(details.overture_release))] if details.overture_release else []
    parts += [("Orbis version ", foreign(details.orbis_version))] if details.orbis_version else []
    if parts:
        yield Fact(label="Type", line=joined(parts))


def failure(details: JobDetails) -> Iterator[Block]:
    """GEM's own reason."""
    for reason in details.failure:
        yield Fact(label="GEM", line=(foreign(reason, 300),))


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


def compared_with(previous: PreviousRun | None, context: Context) -> Iterator[Block]:
    """The previous run on the same input, and the differences between the requests."""
    if previous is None:
        return
    ended = formatting.point(previous.ended_at, context.zone)
    yield Fact(label="Previous", line=(f"job {previous.job_id} on the same input, seen finished {ended}",))
    for change in previous.changed:
        before, now = foreign(change.before, 60), foreign(change.now, 60)
        yield Fact(label="Changed since", line=(f"{change.what} ", now, " (previous: ", before, ")"))


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


def _uncertainty(event: Event, facts: RunFacts, context: Context) -> Line:
    """When the job was last seen before. The API does not state when a job ended, so messages give both times."""
    if facts.first_sight:
        return ("; it had already ended when gemwatch first saw it",)
    if facts.last_seen_before is None or facts.before is None:
        return ()
    how = _LAST_SEEN.get(facts.before) or foreign(facts.before, 40)
    return ("; last seen ", how, f" {formatting.near(facts.last_seen_before, event.at, context.zone)}")


def _rough(time: datetime, other: datetime, width: timedelta, context: Context) -> str:
    """A time as exact as its range. With the day if that differs from the day of `other`."""
    clock = formatting.clock(time, context.zone)
    clock = clock if width < formatting.NARROW else clock[: -len(":00")]
    day = formatting.day(time, context.zone)
    return clock if day == formatting.day(other, context.zone) else f"{day}, {clock}"
