"""What the JSON API answers, as values. The API's OpenAPI document is made from these types.

The client ignores fields that a newer daemon adds, and takes words that it does not know.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from gemwatch.core.health import ApiState, Login
from gemwatch.core.job import NEEDS_REVIEW, NOT_FOUND, UNSEEN
from gemwatch.core.job_id import MAX_JOB_ID
from gemwatch.core.kinds import EventKind
from gemwatch.core.work import DeliveryState

JobId = Annotated[int, WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_JOB_ID})]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Time = Annotated[
    datetime,
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": "Z$", "description": "RFC 3339, UTC"}),
]


def _word(words: Any) -> WithJsonSchema:
    return WithJsonSchema({"enum": [str(word) for word in words]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Seconds: one run in ten stays below `low`, nine in ten below `high`."""

    low: Seconds
    median: Seconds
    high: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """When a job is expected to end."""

    ends_at: Time
    earliest: Time
    latest: Time
    runs: Annotated[Count, Field(description="How many earlier runs it uses")]
    basis: Annotated[str, _word(("input", "release", "type")), Field(description="What those have in common with it")]
    overdue: bool
    queue_seconds: Range | None
    running_seconds: Range | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """An earlier SUCCESS."""

    job_id: JobId
    ended_at: Time
    matched: Share | None
    roads: Count | None
    kilometres: Seconds | None
    running_seconds: Seconds | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as the daemon knows it."""

    job_id: JobId
    name: str | None
    status: Annotated[str | None, Field(description="As the API sent it; null: not seen yet")]
    status_since: Time | None
    running_since: Annotated[Time | None, Field(description="null: its start was not seen")]
    watched: bool
    rule: Annotated[str | None, Field(description="The rule under discover that added the watch")]
    group: Annotated[str | None, Field(description="The group that it belongs to")]
    finished: bool
    last_polled_at: Time | None
    next_poll_at: Time | None
    misses: Annotated[Count, Field(description="404s in a row")]
    not_found: Annotated[bool, Field(description="The API does not know this job")]
    last_error: str | None
    failure: Annotated[tuple[str, ...], Field(description="GEM's own reason for a FAILED")]
    details: Annotated[dict[str, Any] | None, Field(description="The API's own answer")]
    estimate: Estimate | None
    needs_review: Annotated[tuple[str, ...], Field(description="Why the result needs review")]
    limits_passed: tuple[Annotated[str, _word(kind for kind in EventKind if kind.traits.limit is not None)], ...]
    previous: Run | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A change of status."""

    before: Annotated[str | None, Field(alias="from", description="null: the first sight")]
    job_id: JobId
    after: Annotated[str, Field(alias="to")]
    last_seen_before: Time | None
    observed_at: Time
    failure: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event to one target."""

    id: Count
    event: Annotated[str, Field(pattern="^gw-[0-9]+$")]
    kind: Annotated[str, _word(EventKind)]
    job_id: Annotated[JobId | None, Field(description="null: about the service")]
    target: str
    state: Annotated[str, _word(DeliveryState)]
    attempts: Count
    next_attempt_at: Time | None
    sent_at: Time | None
    last_error: str | None
    text: Annotated[str | None, Field(description="As sent; kept for 30 days, and not part of commands' lists")]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobWithHistory(Job):
    transitions: Annotated[tuple[Transition, ...], Field(description="Oldest first; the newest 200")]
    deliveries: Annotated[tuple[Delivery, ...], Field(description="Oldest first; the newest 200")]
    runs: Annotated[tuple[Run, ...], Field(description="Earlier runs of the same input, newest first")]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Some of the jobs. `total`: how many there are on all pages."""

    jobs: tuple[Job, ...]
    total: Count
    limit: Count
    offset: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Jobs that belong together."""

    name: str
    done_at: Annotated[Time | None, Field(description="null: the group is open")]
    incomplete: Annotated[bool, Field(description="Done, but jobs that were expected did not come or did not end")]
    member_added_at: Time
    members: Count
    expect: Annotated[Count | None, Field(description="How many jobs the configuration expects")]
    finished: Annotated[Count, Field(description="Members that have ended")]
    jobs: Annotated[
        Mapping[str, Count],
        Field(description=f'Members by status, "{UNSEEN}", "{NOT_FOUND}" and "{NEEDS_REVIEW}" among them'),
    ]
    ends_at: Annotated[Time | None, Field(description="When the last member is expected to end")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    groups: Annotated[tuple[Group, ...], Field(description="Open ones first, then the latest")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPage:
    deliveries: tuple[Delivery, ...]
    total: Count
    limit: Count
    offset: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryCounts:
    pending: Count
    failed: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDown:
    """A target that does not accept messages."""

    target: str
    since: Time
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One of the daemons that share a store in PostgreSQL."""

    id: Annotated[str, Field(description="Random for each start")]
    host: str
    version: str
    seen_at: Annotated[Time, Field(description="When it last showed that it runs")]
    leader: Annotated[bool, Field(description="Whether it applies the watch list")]
    login: Annotated[str, _word(Login)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The state of the daemon."""

    version: str
    config: Annotated[
        str, _word(("ok", "entries-skipped", "refused")), Field(description="Whether the last edit was applied")
    ]
    config_since: Annotated[Time | None, Field(description="Since when the configuration is refused")]
    store_failure: Annotated[str | None, Field(description="What keeps the store from being written")]
    store_trouble: Annotated[str | None, Field(description="The earlier name of store_failure")]
    login: Annotated[str, _word(Login)]
    api: Annotated[str, _word(ApiState)]
    token_expires_at: Time | None
    login_since: Time | None
    many_refused_since: Annotated[Time | None, Field(description="Since when the API refuses many of the jobs")]
    api_since: Time | None
    targets_down: Annotated[tuple[TargetDown, ...], Field(description="Targets that do not accept messages")]
    deliveries: DeliveryCounts
    jobs: Annotated[Mapping[str, Count], Field(description=f'Watched jobs by status, "{UNSEEN}" among them')]
    needs_review: Annotated[Count, Field(description="Watched jobs whose success needs review")]
    replicas: Annotated[tuple[Replica, ...], Field(description="The daemons on this store; empty with SQLite")]
