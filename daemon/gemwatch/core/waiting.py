"""The standing of a job during a wait: updated by own polls and by the daemon's status."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from gemwatch.core.backoff import poll_pause
from gemwatch.core.estimates.estimate import Estimate
from gemwatch.core.job import Failed, JobDetails, NotFound, Observation, Refused, Seen, Status, Throttled, is_end
from gemwatch.core.outcome import Outcome
from gemwatch.core.polls.decide import SECOND_POLL, next_poll

POLL_FIRST = timedelta(seconds=5)  # between the first own polls
REFUSALS = 2  # consecutive polls, each with a renewed token, after which the login counts as refused
SILENT = timedelta(minutes=5)  # a daemon whose poll is overdue by this much counts as unreliable


class Source(StrEnum):
    """The source of the latest information about a job."""

    DAEMON = "daemon"
    API = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastKnown:
    """What was last seen of a job, and what has failed since. `last_error`: why the last poll showed nothing."""

    job_id: int
    name: str | None = None
    status: str | None = None
    status_since: datetime | None = None  # first seen with this status
    seen_at: datetime | None = None
    job: JobDetails | None = None
    answer: str | None = None  # the JSON text that `job` was read from
    misses: int = 0  # 404s in a row
    failures: int = 0  # polls in a row without a usable answer
    last_error: str | None = None
    needs_review: tuple[str, ...] = ()
    estimate: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonJobStatus(LastKnown):
    """What a running daemon's store shows of a job that it watches. `next_poll_at` None: no longer polled."""

    refused: bool = False  # this job, or the login as a whole
    next_poll_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStanding(LastKnown):
    """How a job stands. `outcome` None: it is still waited for."""

    source: Source | None = None
    refusals: int = 0  # consecutive
    remedy: str | None = None  # if a login is refused
    outcome: Outcome | None = None


def reliable(reported: DaemonJobStatus, now: datetime) -> bool:
    """Whether the daemon's information about this job is reliable.

    If it cannot see the job, or has missed a poll, an own poll shows the reason within seconds: the daemon rarely
    polls a job that is not found or refused.
    """
    late = reported.next_poll_at is not None and now - reported.next_poll_at > SILENT
    return not (reported.refused or reported.misses or late)


def after_daemon_status(
    standing: JobStanding, reported: DaemonJobStatus, *, unknown_ends: bool = False
) -> JobStanding:
    """The standing after a status from the daemon. A later observation by `wait` itself stays."""
    wait = replace(
        standing,
        name=reported.name or standing.name,
        source=Source.DAEMON,
        misses=0,
        refusals=0,
        failures=reported.failures,
        last_error=reported.last_error if reported.failures else None,
        estimate=reported.estimate,
    )
    if reported.seen_at is None or (standing.seen_at is not None and standing.seen_at > reported.seen_at):
        return wait
    if is_end(reported.status) and reported.next_poll_at is not None:  # the job is watched again and may run again
        return wait
    return replace(
        wait,
        status=reported.status,
        status_since=reported.status_since,
        seen_at=reported.seen_at,
        job=reported.job,
        answer=reported.answer,
        needs_review=reported.needs_review,
        outcome=_outcome(reported.status, reported.needs_review, unknown_ends=unknown_ends),
    )


def after_poll(
    standing: JobStanding,
    seen: Observation,
    *,
    not_found_after: int,
    needs_review: tuple[str, ...] = (),
    unknown_ends: bool = False,
) -> JobStanding:
    """The standing after a poll by `wait` itself. `needs_review`: why the SUCCESS that it saw needs review."""
    asked = replace(standing, source=Source.API)
    match seen:
        case Seen(job=job, raw=raw):
            # Without the daemon there are no runs to make an estimate from, and the daemon's estimate is out of date.
            since = standing.status_since if job.status == standing.status else seen.at
            return replace(
                asked,
                status=job.status,
                status_since=since,
                seen_at=seen.at,
                job=job,
                answer=raw,
                misses=0,
                refusals=0,
                failures=0,
                last_error=None,
                outcome=_outcome(job.status, needs_review, unknown_ends=unknown_ends),
                needs_review=needs_review,
                estimate=None,
            )
        case NotFound():
            misses, last_error = standing.misses + 1, "HTTP 404: the API knows no such job"
            lost = Outcome.NOT_FOUND if misses >= not_found_after else None
            return replace(asked, misses=misses, refusals=0, failures=0, last_error=last_error, outcome=lost)
        case Refused(reason=reason):
            refusals = standing.refusals + 1
            # Without a token a request is impossible, and temporary failures were already retried.
            refused = Outcome.LOGIN_REFUSED if refusals >= REFUSALS or seen.certain else None
            return replace(
                asked, refusals=refusals, failures=0, last_error=reason, remedy=seen.remedy, outcome=refused
            )
        case Throttled() | Failed():
            return replace(asked, failures=standing.failures + 1, last_error=seen.reason)


def next_pause(
    standing: JobStanding, seen: Observation, *, waited: timedelta, every: timedelta, roll: float
) -> timedelta:
    """The pause before the next own poll.

    A tenth of the time waited so far, at least 5 s and at most `every`: a new wait gets a result quickly, and a long
    one polls no more often than the daemon would.
    """
    match seen:
        case Seen():
            return next_poll(min(every, max(POLL_FIRST, waited / 10)), roll)
        case NotFound() | Refused():
            return min(every, SECOND_POLL)
        case _:
            return poll_pause(standing.failures, roll)


def _outcome(status: str | None, needs_review: tuple[str, ...], *, unknown_ends: bool) -> Outcome | None:
    match status:
        case Status.SUCCESS:
            return Outcome.NEEDS_REVIEW if needs_review else Outcome.SUCCESS
        case Status.FAILED:
            return Outcome.FAILED
        case None | Status.REQUESTED | Status.IN_PROGRESS:
            return None
        case _:
            return Outcome.UNKNOWN_STATUS if unknown_ends else None
