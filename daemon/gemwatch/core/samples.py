"""A sample event of each kind, for trying out targets."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import assert_never

from gemwatch.core import facts
from gemwatch.core.events import Event
from gemwatch.core.job import JobDetails, Statistics, Status
from gemwatch.core.kinds import EventKind, Scope
from gemwatch.core.limits import Bound

_NAME = "a test of gemwatch"
_HOUR = timedelta(hours=1)
# The example from TomTom's documentation.
_JOB = JobDetails(
    job_id=123456789,
    status=Status.SUCCESS,
    storage_id="storage-001",
    input_filename="test_data.parquet",
    result_filename="test_data.results.parquet",
    job_type="ROAD_MATCHING",
    overture_release="2026-01-21.0",
    requested_at=datetime(2026, 2, 18, 10, 38, 59, 31762, tzinfo=UTC),
    statistics=Statistics(
        confidence_threshold=60,
        execution_time=timedelta(seconds=9751),
        kilometres=80208.39,
        roads=397613,
        matched=0.8468,
        fully_matched=0.675,
        partially_matched=0.1718,
        unmatched=0.1531,
    ),
)
_OPEN = replace(_JOB, result_filename=None, statistics=None)
_RUNNING = Status.IN_PROGRESS


def sample_event(kind: EventKind, at: datetime) -> Event:
    """A plausible event of this kind at that time."""
    of_job = kind.traits.scope is Scope.JOB
    return Event(
        at=at, facts=_facts(kind, at), job_id=_JOB.job_id if of_job else None, name=_NAME if of_job else None
    )


def _facts(kind: EventKind, at: datetime) -> facts.Facts:  # noqa: C901, PLR0911, PLR0912 (one case a kind)
    limit = Bound(length=2 * _HOUR)
    match kind:
        case EventKind.STARTED:
            return facts.StartedFacts(job=replace(_OPEN, status=_RUNNING), before=Status.REQUESTED)
        case EventKind.SUCCESS:
            return facts.SuccessFacts(job=_JOB, before=_RUNNING, last_seen_before=at - timedelta(minutes=1))
        case EventKind.FAILED:
            return facts.FailedFacts(job=replace(_OPEN, status=Status.FAILED), before=_RUNNING)
        case EventKind.NOT_FOUND:
            return facts.NotFoundFacts(misses=3)
        case EventKind.NEEDS_REVIEW:
            reasons = ("matched 84.7 %, below the floor of 90.0 %",)
            return facts.NeedsReviewFacts(job=_JOB, before=_RUNNING, reasons=reasons)
        case EventKind.QUEUED_TOO_LONG:
            job = replace(_OPEN, status=Status.REQUESTED)
            return facts.QueuedTooLongFacts(job=job, since=at - 3 * _HOUR, limit=limit)
        case EventKind.RUNNING_TOO_LONG:
            job = replace(_OPEN, status=_RUNNING)
            return facts.RunningTooLongFacts(job=job, since=at - 3 * _HOUR, limit=limit)
        case EventKind.FINISHED_TOO_FAST:
            return facts.FinishedTooFastFacts(job=_JOB, ran=timedelta(seconds=42), limit=limit)
        case EventKind.UNKNOWN_STATUS:
            return facts.UnknownStatusFacts(job=replace(_OPEN, status="PAUSED"), before=_RUNNING)
        case EventKind.GROUP_DONE:
            return facts.GroupDoneFacts(group="a test of gemwatch", members=3, succeeded=2, failed=(_JOB.job_id,))
        case EventKind.LOGIN:
            return facts.LoginFacts(over=False, reason="az exited with 1: \"Please run 'az login'\"", since=at)
        case EventKind.API:
            return facts.ApiFacts(over=False, reason="no answer within 30 s", since=at - _HOUR)
        case EventKind.CONFIG:
            problem = "config.yaml:14:5: watch[2].job: is not a job id"
            return facts.ConfigFacts(over=False, refused=True, problems=(problem,))
        case EventKind.STORE:
            return facts.StoreFacts(over=False, reason="database or disk is full", since=at)
        case EventKind.TARGET:
            reason = "smtp.example.com:587 answered 535: authentication failed"
            return facts.TargetFacts(over=False, target="data-mail", reason=reason, since=at - _HOUR)
    assert_never(kind)
