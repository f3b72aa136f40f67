"""What the JSON API answers, as values. Fields that a newer daemon adds are ignored."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Seconds: one run in ten stays below `low`, nine in ten below `high`."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """When a job is expected to end."""

    ends_at: datetime
    earliest: datetime
    latest: datetime
    runs: int
    basis: str
    overdue: bool
    queue_seconds: Range | None
    running_seconds: Range | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """An earlier SUCCESS."""

    job_id: int
    ended_at: datetime
    matched: float | None
    roads: int | None
    kilometres: float | None
    running_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as the daemon knows it. `status` None: not seen yet. `details`: the GEM API's answer as it came."""

    job_id: int
    name: str | None
    status: str | None
    status_since: datetime | None
    running_since: datetime | None
    watched: bool
    rule: str | None
    finished: bool
    last_polled_at: datetime | None
    next_poll_at: datetime | None
    misses: int
    not_found: bool
    last_error: str | None
    failure: tuple[str, ...]
    details: Mapping[str, Any] | None
    estimate: Estimate | None
    needs_review: tuple[str, ...]
    limits_passed: tuple[str, ...]
    previous: Run | None
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Jobs that belong together. `jobs`: how many have each status. `done_at` None: open. `ends_at`: the expected
    end of the last job. `expect`: how many the configuration expects. `incomplete`: done, but jobs that were expected
    did not come or did not end."""

    name: str
    done_at: datetime | None
    incomplete: bool
    member_added_at: datetime
    members: int
    expect: int | None = None
    finished: int
    jobs: Mapping[str, int]
    ends_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A change of status. `before` None: the first sight."""

    job_id: int
    before: Annotated[str | None, Field(validation_alias="from")]
    after: Annotated[str, Field(validation_alias="to")]
    last_seen_before: datetime | None
    observed_at: datetime
    failure: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event to one target. `job_id` None: about the service."""

    id: int
    event: str
    kind: str
    job_id: int | None
    target: str
    state: str
    attempts: int
    next_attempt_at: datetime | None
    sent_at: datetime | None
    last_error: str | None
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobWithHistory(Job):
    """A job with its transitions and deliveries, oldest first, and earlier runs on its input, newest first."""

    transitions: tuple[Transition, ...]
    deliveries: tuple[Delivery, ...]
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDown:
    """A target that does not accept messages."""

    target: str
    since: datetime
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One of the daemons that share a store in PostgreSQL. `id` is random for each start."""

    id: str
    host: str
    version: str
    seen_at: datetime
    leader: bool
    login: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The state of the daemon. `jobs` and `deliveries` are numbers by status and by state.

    `replicas`: empty with a store in SQLite, and from an older daemon.
    """

    version: str
    config: str
    login: str
    api: str
    token_expires_at: datetime | None
    login_since: datetime | None
    api_since: datetime | None
    config_since: datetime | None
    many_refused_since: datetime | None
    targets_down: tuple[TargetDown, ...]
    deliveries: Mapping[str, int]
    jobs: Mapping[str, int]
    needs_review: int
    replicas: tuple[Replica, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Some of the jobs. `total`: how many there are on all pages."""

    jobs: tuple[Job, ...]
    total: int
