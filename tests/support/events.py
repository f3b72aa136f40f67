"""A sample event of every kind, and answers about jobs as the API's client hands them over."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from gemwatch.adapters.gem.wire import read_details
from gemwatch.core.events import Event
from gemwatch.core.job import JobDetails, Seen
from gemwatch.core.kinds import (
    ApiFacts,
    ConfigFacts,
    EventKind,
    Facts,
    FailedFacts,
    FinishedTooFastFacts,
    GroupDoneFacts,
    Kind,
    LoginFacts,
    NeedsReviewFacts,
    NotFoundFacts,
    QueuedTooLongFacts,
    RunningTooLongFacts,
    StartedFacts,
    StoreFacts,
    SuccessFacts,
    TargetFacts,
    UnknownFacts,
    UnknownKind,
    UnknownStatusFacts,
)
from gemwatch.core.limits import Bound
from gemwatch.core.traits import Scope

AT = datetime(2026, 2, 18, 13, 21, 7, tzinfo=UTC)
_LIMIT = Bound(length=timedelta(hours=2))


def details(raw: dict[str, Any]) -> JobDetails:
    """What is read of an answer."""
    return read_details(json.dumps(raw))


def seen(at: datetime, raw: dict[str, Any]) -> Seen:
    """An answer as the API's client hands it over."""
    return Seen(at=at, job=details(raw), raw=json.dumps(raw))


def facts_of(kind: Kind, job_id: int = 7) -> Facts:
    """As few facts as an event of this kind can have."""
    job = JobDetails(job_id=job_id, status="SUCCESS")
    facts: dict[Kind, Facts] = {
        EventKind.STARTED: StartedFacts(job=replace(job, status="IN_PROGRESS"), before="REQUESTED"),
        EventKind.SUCCESS: SuccessFacts(job=job, before="IN_PROGRESS"),
        EventKind.FAILED: FailedFacts(job=replace(job, status="FAILED"), before="IN_PROGRESS"),
        EventKind.NEEDS_REVIEW: NeedsReviewFacts(job=job, before="IN_PROGRESS", reasons=("matched 1.0 %",)),
        EventKind.NOT_FOUND: NotFoundFacts(misses=3),
        EventKind.QUEUED_TOO_LONG: QueuedTooLongFacts(job=job, since=AT - timedelta(hours=3), limit=_LIMIT),
        EventKind.RUNNING_TOO_LONG: RunningTooLongFacts(job=job, since=AT - timedelta(hours=3), limit=_LIMIT),
        EventKind.FINISHED_TOO_FAST: FinishedTooFastFacts(job=job, ran=timedelta(seconds=42), limit=_LIMIT),
        EventKind.UNKNOWN_STATUS: UnknownStatusFacts(job=replace(job, status="PAUSED")),
        EventKind.GROUP_DONE: GroupDoneFacts(group="release", members=1, succeeded=1),
        EventKind.LOGIN: LoginFacts(over=False, reason="no"),
        EventKind.API: ApiFacts(over=False, reason="no answer"),
        EventKind.CONFIG: ConfigFacts(over=False, refused=True, problems=("config.yaml:1:1: api: is missing",)),
        EventKind.STORE: StoreFacts(over=False, reason="database is locked"),
        EventKind.TARGET: TargetFacts(over=False, target="team", reason="HTTP 404"),
    }
    return UnknownFacts(word=kind.value) if isinstance(kind, UnknownKind) else facts[kind]


def event_of(kind: Kind, *, at: datetime = AT, job_id: int = 7, name: str | None = None) -> Event:
    """An event of this kind with as few facts as it can have."""
    of_job = kind.traits.scope is Scope.JOB
    return Event(at=at, facts=facts_of(kind, job_id), job_id=job_id if of_job else None, name=name)
