"""Decides what follows from a poll: the job's new memory, a transition, events (passed limits among them), and the
next poll."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from gemwatch.core.backoff import poll_pause
from gemwatch.core.estimates.cadence import interval
from gemwatch.core.estimates.estimate import Experience
from gemwatch.core.events import Event
from gemwatch.core.gate import Gate
from gemwatch.core.job import (
    Failed,
    NotFound,
    Observation,
    Refused,
    Seen,
    Status,
    Throttled,
    is_end,
    is_known,
)
from gemwatch.core.kinds import (
    EventKind,
    Facts,
    FailedFacts,
    FinishedTooFastFacts,
    LoginFacts,
    NotFoundFacts,
    QueuedTooLongFacts,
    RunningTooLongFacts,
    StartedFacts,
    SuccessFacts,
    UnknownStatusFacts,
)
from gemwatch.core.limits import GRACE, Limits, countdown, too_fast
from gemwatch.core.polls.tracked import Memory, Policy, Tracked, Transition, Verdict
from gemwatch.core.refusals import Culprit

JITTER = 0.1  # share of the interval, in both directions: spreads watches that were added together
LOST_EVERY = timedelta(
    minutes=15
)  # between polls of a job that the API does not know, or whose status is undocumented
MOST_STATUSES = 20  # undocumented statuses to remember for a job
PUZZLED_FOR = timedelta(hours=24)  # how long to poll a job with an undocumented status as usual
SECOND_POLL = timedelta(seconds=2)  # after a refusal; when the login counts as refused, all polling slows down


def decide(tracked: Tracked, seen: Observation, policy: Policy, roll: float) -> Verdict:
    """The verdict on one poll. `roll` from [0, 1) is its only randomness."""
    match seen:
        case Seen():
            return _seen(tracked, seen, policy, roll)
        case NotFound():
            return _not_found(tracked, seen, policy, roll)
        case Refused():
            return _refused(tracked, seen, policy, roll)
        case Throttled():
            return _throttled(tracked, seen)
        case Failed():
            failures = tracked.memory.failures + 1
            due = seen.at + poll_pause(failures, roll)
            return _again(tracked, due, failures=failures, last_error=seen.reason)


def next_poll(every: timedelta, roll: float) -> timedelta:
    """The time to the next poll: the interval, plus or minus up to a tenth."""
    return every * (1 - JITTER + 2 * JITTER * roll)


def _again(tracked: Tracked, due_at: datetime, **changes: Any) -> Verdict:
    return Verdict(job_id=tracked.job_id, memory=replace(tracked.memory, **changes), due_at=due_at)


def _seen(tracked: Tracked, seen: Seen, policy: Policy, roll: float) -> Verdict:
    job, before = seen.job, tracked.memory
    moved = job.status != before.status
    memory = Memory(
        status=job.status,
        status_since=seen.at if moved else before.status_since,
        seen_at=seen.at,
        running_since=_running_since(before, seen) if moved else before.running_since,
        last_end=before.status_since if moved and is_end(before.status) else before.last_end,
        reported_limits=None if moved and is_end(before.status) else before.reported_limits,
        reported_statuses=before.reported_statuses,
    )
    due_at = None if is_end(job.status) else seen.at + next_poll(_every(tracked, seen, memory, policy), roll)
    verdict = Verdict(job_id=tracked.job_id, memory=memory, due_at=due_at, seen=seen)
    events: tuple[Event, ...] = (_answered_again(tracked, seen.at),) if before.reported_refused else ()
    if moved:
        move = Transition(job=job, before=before.status, last_seen_before=before.seen_at, observed_at=seen.at)
        events += _events_of(tracked, move, memory, policy)
        verdict = replace(verdict, transition=move, gate=_gate(tracked, policy))
    if events:
        verdict = replace(verdict, events=events)
    if not is_known(job.status):
        verdict = _unknown(verdict, seen, before)
    limits = _limits(tracked, policy)
    return verdict if limits is None else limited(verdict, seen, limits, policy.experience)


def _unknown(verdict: Verdict, seen: Seen, before: Memory) -> Verdict:
    """The verdict on an undocumented status. Each such status is reported once per job."""
    known = (before.reported_statuses or "").split("\n")
    if seen.job.status in known:
        return verdict
    facts = UnknownStatusFacts(job=seen.job, before=before.status, last_seen_before=before.seen_at)
    event = Event(at=seen.at, job_id=verdict.job_id, facts=facts)
    words = "\n".join([*filter(None, known), seen.job.status][-MOST_STATUSES:])
    memory = replace(verdict.memory, reported_statuses=words)
    return replace(verdict, memory=memory, events=(*verdict.events, event))


def _every(tracked: Tracked, seen: Seen, memory: Memory, policy: Policy) -> timedelta:
    since = memory.status_since
    if not is_known(seen.job.status) and since is not None and seen.at - since >= PUZZLED_FOR:
        return max(tracked.every, LOST_EVERY)
    if not policy.adaptive or policy.experience is None:
        return tracked.every
    return interval(tracked.every, seen.job, memory.running_since, policy.experience, seen.at)


def _gate(tracked: Tracked, policy: Policy) -> Gate | None:
    if tracked.gate is None or policy.gate is None:
        return tracked.gate or policy.gate
    return tracked.gate.over(policy.gate)


def _limits(tracked: Tracked, policy: Policy) -> Limits | None:
    if tracked.limits is None or policy.limits is None:
        return tracked.limits or policy.limits
    return tracked.limits.over(policy.limits)


def _running_since(before: Memory, seen: Seen) -> datetime | None:
    """When this run was first seen running; None if it was not seen running."""
    if seen.job.status == Status.IN_PROGRESS:
        return seen.at
    return None if is_end(before.status) else before.running_since


def _events_of(tracked: Tracked, move: Transition, memory: Memory, policy: Policy) -> tuple[Event, ...]:
    """The events of a transition. The first sight of a job is only reported if the job is finished."""
    facts = _facts_of(move, memory, policy)
    return () if facts is None else (Event(at=move.observed_at, job_id=tracked.job_id, facts=facts),)


def _facts_of(move: Transition, memory: Memory, policy: Policy) -> Facts | None:
    job, before, seen_before, running_since = move.job, move.before, move.last_seen_before, memory.running_since
    match job.status:
        case Status.IN_PROGRESS if before is not None:
            known = policy.experience
            return StartedFacts(
                job=job,
                before=before,
                last_seen_before=seen_before,
                running_since=running_since,
                estimate=None if known is None else known.estimate(job, running_since, move.observed_at),
            )
        case Status.SUCCESS:
            return SuccessFacts(job=job, before=before, last_seen_before=seen_before, running_since=running_since)
        case Status.FAILED:
            return FailedFacts(job=job, before=before, last_seen_before=seen_before, running_since=running_since)
        case _:
            return None


def _not_found(tracked: Tracked, seen: NotFound, policy: Policy, roll: float) -> Verdict:
    misses = tracked.memory.misses + 1
    lost = misses >= policy.not_found_after
    events: tuple[Event, ...] = (_answered_again(tracked, seen.at),) if tracked.memory.reported_refused else ()
    if lost and not tracked.memory.reported_missing:
        facts = NotFoundFacts(misses=misses, status=tracked.memory.status, last_seen_before=tracked.memory.seen_at)
        events += (Event(at=seen.at, job_id=tracked.job_id, facts=facts),)
    memory = replace(
        tracked.memory,
        misses=misses,
        failures=0,
        refused_at=None,
        reported_refused=False,
        reported_missing=tracked.memory.reported_missing or lost,
        last_error="HTTP 404: the API knows no such job",
    )
    every = max(tracked.every, LOST_EVERY) if lost else tracked.every
    # Jitter may only lengthen the pause for a lost job.
    pause = max(every, next_poll(every, roll)) if lost else next_poll(every, roll)
    return Verdict(job_id=tracked.job_id, memory=memory, due_at=seen.at + pause, events=events)


def _throttled(tracked: Tracked, seen: Throttled) -> Verdict:
    """Due at once: engine/pace.py sends nothing during the pause, and then the longest due job comes first.

    A pause of its own would put it behind jobs that were answered: over a quota, some jobs would never be polled.
    """
    if not seen.asked:
        return _again(tracked, seen.at)
    return _again(tracked, seen.at, failures=tracked.memory.failures + 1, last_error=seen.reason)


def _refused(tracked: Tracked, seen: Refused, policy: Policy, roll: float) -> Verdict:
    """A refusal does not change the job. Polls of other jobs show whether it concerns the login or only this job."""
    if seen.certain:
        return _again(tracked, seen.at + SECOND_POLL, last_error=seen.reason)
    first, failures = tracked.memory.refused_at, tracked.memory.failures + 1
    if policy.many_refused or not refused_alone(tracked.memory, policy.last_good_sent_at):
        due = seen.at + max(SECOND_POLL, poll_pause(failures, roll))
        return _again(tracked, due, failures=failures, refused_at=first or seen.at, last_error=seen.reason)
    facts = LoginFacts.of(_about_one_job(seen), since=first)
    event = Event(at=seen.at, job_id=tracked.job_id, facts=facts)
    # With jitter, so that several such jobs are not polled together, which would look like a refused login.
    due = seen.at + max(tracked.every, LOST_EVERY) * (1 + 2 * JITTER * roll)
    verdict = _again(tracked, due, reported_refused=True, last_error=seen.reason)
    return replace(verdict, events=() if tracked.memory.reported_refused else (event,))


def refused_alone(memory: Memory, good_sent_at: datetime | None) -> bool:
    """Whether another refusal of this job comes while requests for others are answered."""
    first = memory.refused_at
    return memory.reported_refused or (first is not None and good_sent_at is not None and good_sent_at > first)


def _about_one_job(seen: Refused) -> Refused:
    """The refusal, attributed to the job: others were answered, so the API accepts key and token."""
    return replace(seen, culprit=Culprit.JOB, remedy=None)


def _answered_again(tracked: Tracked, at: datetime) -> Event:
    return Event(at=at, job_id=tracked.job_id, facts=LoginFacts(over=True, since=tracked.memory.refused_at))


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
