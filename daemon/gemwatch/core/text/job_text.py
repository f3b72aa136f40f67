"""Composes messages about jobs: for each kind of event what happened, its meaning, and what to do."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import assert_never

from gemwatch.core.events import Event
from gemwatch.core.job import JobDetails
from gemwatch.core.kinds import (
    FailedFacts,
    FinishedTooFastFacts,
    JobFacts,
    NeedsReviewFacts,
    NotFoundFacts,
    QueuedTooLongFacts,
    RunFacts,
    RunningTooLongFacts,
    StartedFacts,
    SuccessFacts,
    UnknownStatusFacts,
)
from gemwatch.core.limits import Bound
from gemwatch.core.runs import PreviousRun
from gemwatch.core.text import formatting, job_parts
from gemwatch.core.text.context import Context
from gemwatch.core.text.message import Block, CopyableCommand, Fact, Item, Paragraph, foreign

QUICKLY = timedelta(minutes=10)  # a job that fails this soon after its start has failed TomTom's checks of the input
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


def blocks(event: Event, facts: JobFacts, context: Context) -> Iterator[Block]:
    """What the message about a job says. Every kind of event has its case."""
    match facts:
        case StartedFacts():
            yield from job_parts.expected_end(facts.estimate, context)
            yield from _run(event, facts, None, context)
        case SuccessFacts():
            yield from _run(event, facts, facts.previous, context, facts.unjudged)
        case NeedsReviewFacts():
            yield from _why_review(facts)
            yield from _run(event, facts, facts.previous, context, facts.unjudged)
        case FailedFacts():
            yield from _why_failed(facts, event.at, context)
            yield from _run(event, facts, None, context)
        case NotFoundFacts():
            yield from _not_found(facts, event, context)
            yield job_parts.observed(event, context)
        case UnknownStatusFacts():
            yield from _watched(event, facts.job, _unknown_status(facts), context)
        case QueuedTooLongFacts():
            yield from _watched(event, facts.job, _queued_too_long(facts, event.at, context), context)
        case RunningTooLongFacts():
            yield from _watched(event, facts.job, _running_too_long(facts, event.at, context), context)
        case FinishedTooFastFacts():
            yield from _watched(event, facts.job, _finished_too_fast(facts), context)
        case _:
            assert_never(facts)


def _run(
    event: Event, facts: RunFacts, previous: PreviousRun | None, context: Context, unjudged: tuple[str, ...] = ()
) -> Iterator[Block]:
    """The job and its numbers, next to those of the previous run."""
    yield from job_parts.files(facts.job)
    if facts.job.statistics:
        yield from job_parts.matching(facts.job.statistics, previous)
    for reason in unjudged:
        yield Fact(label="Not checked by the gate", line=(foreign(reason),))
    yield from job_parts.compared_with(previous, context)
    yield from job_parts.times(event, facts, previous, context)
    yield from job_parts.request(facts.job, context)


def _watched(event: Event, details: JobDetails, what: Iterator[Block], context: Context) -> Iterator[Block]:
    """A message about a job that has not ended."""
    yield from what
    yield from job_parts.files(details)
    yield job_parts.observed(event, context)
    yield from job_parts.request(details, context)


def _why_review(facts: NeedsReviewFacts) -> Iterator[Block]:
    """The first blocks if a SUCCESS needs review."""
    for reason in facts.reasons:
        yield Fact(label="Why", line=(foreign(reason).text,))
    changed = facts.previous is not None and facts.previous.changed
    hint = " The previous run was requested differently, which may be the reason." if changed else ""
    yield _meaning(f"GEM reports SUCCESS, but the numbers do not pass the quality gate of the configuration.{hint}")
    yield _to_do("Look at the result before you use it.")


def _why_failed(facts: FailedFacts, at: datetime, context: Context) -> Iterator[Block]:
    """GEM's reason, the meaning of a FAILED, what to do, and how far the job got."""
    yield from job_parts.failure(facts.job)
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


def _queued_too_long(facts: QueuedTooLongFacts, at: datetime, context: Context) -> Iterator[Block]:
    yield _lasted("waiting", facts.since, facts.limit, at, context)
    yield _meaning("GEM has not started it yet. gemwatch keeps watching it and reports how it ends.")
    yield _to_do(f"If other jobs start in the meantime, {_ASK}. Otherwise wait: the queue may be long.")


def _running_too_long(facts: RunningTooLongFacts, at: datetime, context: Context) -> Iterator[Block]:
    yield _lasted("running", facts.since, facts.limit, at, context)
    yield _meaning(
        "It may hang, or has more to match than usual. gemwatch keeps watching it and reports how it ends."
    )
    yield _to_do(f"Compare the input with earlier ones. If the job does not end, {_ASK}.")


def _finished_too_fast(facts: FinishedTooFastFacts) -> Iterator[Block]:
    took = formatting.span(facts.ran)
    yield Paragraph(line=(f"GEM reports SUCCESS after only {took}; the minimum is {_limit(facts.limit)}.",))
    yield _meaning("The input may have been empty, incomplete or the wrong file.")
    yield _to_do("Check the input, and look at the result before you use it.")


def _unknown_status(facts: UnknownStatusFacts) -> Iterator[Block]:
    """A status that TomTom does not document."""
    status = foreign(facts.job.status, 64)
    yield Paragraph(line=("The GEM API reports a status that gemwatch does not know: ", status))
    yield from job_parts.failure(facts.job)
    yield _meaning("gemwatch cannot tell whether the job has finished. It keeps polling, less often after 24 hours.")
    yield _to_do("Look the job up at TomTom. If it has finished, remove it from the watch list.")


def _not_found(facts: NotFoundFacts, event: Event, context: Context) -> Iterator[Block]:
    times = f" {facts.misses:,} times in a row" if facts.misses > 1 else ""
    yield Paragraph(line=(f"The GEM API has answered{times} that there is no such job.",))
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
    yield CopyableCommand(text=context.command(f"{{gemwatch}} unwatch {number}"))


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
    return f"{length}, from {job_parts.judged_by(limit.runs, limit.basis)}"
