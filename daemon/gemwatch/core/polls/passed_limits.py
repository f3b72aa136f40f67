"""Checks a job's limits after a poll: which ones have passed, and when the next one passes."""

from dataclasses import replace
from datetime import datetime

from gemwatch.core.estimates.estimate import Experience
from gemwatch.core.events import Event
from gemwatch.core.job import Seen, Status, is_end
from gemwatch.core.kinds import EventKind, Facts, FinishedTooFastFacts, QueuedTooLongFacts, RunningTooLongFacts
from gemwatch.core.limits import GRACE, Limits, countdown, too_fast
from gemwatch.core.polls.tracked import Memory, Verdict


def limited(verdict: Verdict, seen: Seen, limits: Limits, experience: Experience | None) -> Verdict:
    """The verdict with events for passed limits. The next poll is due when the next limit passes, or earlier."""
    if is_end(seen.job.status):
        found = None if verdict.transition is None else too_fast(limits, seen.job, experience)
        if found is None:
            return verdict
        return _with(verdict, seen.at, FinishedTooFastFacts(job=seen.job, ran=found[0], limit=found[1]))
    memory = verdict.memory
    facts = QueuedTooLongFacts if seen.job.status == Status.REQUESTED else RunningTooLongFacts
    running = countdown(
        limits,
        seen.job,
        experience,
        waiting_since=memory.status_since,
        running_since=memory.running_since,
        last_end=memory.last_end,
    )
    if running is None or _was_reported(memory, facts.kind):
        return verdict
    if seen.at < running.passes_at:
        latest = running.passes_at + GRACE
        memory = replace(memory, clock_at=running.passes_at)
        return replace(verdict, memory=memory, due_at=min(verdict.due_at or latest, latest))
    return _with(verdict, seen.at, facts(job=seen.job, since=running.since, limit=running.bound))


def _with(verdict: Verdict, at: datetime, facts: Facts) -> Verdict:
    """The verdict with a limit's event. The limit counts as reported for the rest of this run."""
    event = Event(at=at, job_id=verdict.job_id, facts=facts)
    reported = " ".join(filter(None, (verdict.memory.reported_limits, event.kind.value)))
    memory = replace(verdict.memory, reported_limits=reported)
    return replace(verdict, memory=memory, events=(*verdict.events, event))


def _was_reported(memory: Memory, kind: EventKind) -> bool:
    return memory.reported_limits is not None and kind.value in memory.reported_limits.split()
