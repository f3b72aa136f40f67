"""The shapes of JSON: what `--json` prints and the API answers. The OpenAPI document is made from these types."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, WithJsonSchema, with_config
from typing_extensions import TypedDict

from gemwatch.core.health import ApiState, Login
from gemwatch.core.job import UNSEEN
from gemwatch.core.job_id import MAX_JOB_ID
from gemwatch.core.kinds import EventKind
from gemwatch.core.work import DeliveryState

CONFIG_STATES = ("ok", "entries-skipped", "refused")
NOT_FOUND, NEEDS_REVIEW = "not-found", "needs-review"  # what pages count a job as, in place of its status

_closed = with_config(ConfigDict(extra="forbid"))
_JOB_ID = {"type": "integer", "minimum": 1, "maximum": MAX_JOB_ID}
JobId = Annotated[int, WithJsonSchema(_JOB_ID)]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Time = Annotated[
    str,
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": "Z$", "description": "RFC 3339, UTC"}),
]


def _word(words: Any) -> WithJsonSchema:
    return WithJsonSchema({"enum": [str(word) for word in words]})


@_closed
class Range(TypedDict):
    low: Seconds
    median: Seconds
    high: Seconds


@_closed
class Estimate(TypedDict):
    ends_at: Time
    earliest: Time
    latest: Time
    runs: Annotated[Count, Field(description="How many earlier runs it uses")]
    basis: Annotated[str, _word(("input", "release", "type")), Field(description="What those have in common with it")]
    overdue: bool
    queue_seconds: Range | None
    running_seconds: Range | None


@_closed
class Run(TypedDict):
    job_id: JobId
    ended_at: Time
    matched: Share | None
    roads: Count | None
    kilometres: Seconds | None
    running_seconds: Seconds | None


@_closed
class Job(TypedDict):
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
    failure: Annotated[list[str], Field(description="GEM's own reason for a FAILED")]
    details: Annotated[dict[str, Any] | None, Field(description="The API's own answer")]
    estimate: Estimate | None
    needs_review: Annotated[list[str], Field(description="Why the result needs review")]
    limits_passed: list[Annotated[str, _word(kind for kind in EventKind if kind.traits.limit is not None)]]
    previous: Run | None


@_closed
class Transition(TypedDict("_From", {"from": Annotated[str | None, Field(description="null: the first sight")]})):
    job_id: JobId
    to: str
    last_seen_before: Time | None
    observed_at: Time
    failure: list[str]


@_closed
class Delivery(TypedDict):
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


@_closed
class JobWithHistory(Job):
    transitions: Annotated[list[Transition], Field(description="Oldest first; the newest 200")]
    deliveries: Annotated[list[Delivery], Field(description="Oldest first; the newest 200")]
    runs: Annotated[list[Run], Field(description="Earlier runs of the same input, newest first")]


@_closed
class JobPage(TypedDict):
    jobs: list[Job]
    total: Count
    limit: Count
    offset: Count


@_closed
class Group(TypedDict):
    name: str
    done_at: Annotated[Time | None, Field(description="null: the group is open")]
    incomplete: Annotated[bool, Field(description="Done, but jobs that were expected did not come or did not end")]
    member_added_at: Time
    members: Count
    expect: Annotated[Count | None, Field(description="How many jobs the configuration expects")]
    finished: Annotated[Count, Field(description="Members that have ended")]
    jobs: Annotated[
        dict[str, Count],
        Field(description=f'Members by status, "{UNSEEN}", "{NOT_FOUND}" and "{NEEDS_REVIEW}" among them'),
    ]
    ends_at: Annotated[Time | None, Field(description="When the last member is expected to end")]


@_closed
class Groups(TypedDict):
    groups: Annotated[list[Group], Field(description="Open ones first, then the latest")]


@_closed
class DeliveryPage(TypedDict):
    deliveries: list[Delivery]
    total: Count
    limit: Count
    offset: Count


@_closed
class DeliveryCounts(TypedDict):
    pending: Count
    failed: Count


@_closed
class TargetDown(TypedDict):
    target: str
    since: Time
    reason: str | None


@_closed
class Replica(TypedDict):
    id: Annotated[str, Field(description="Random for each start")]
    host: str
    version: str
    seen_at: Annotated[Time, Field(description="When it last showed that it runs")]
    leader: Annotated[bool, Field(description="Whether it applies the watch list")]
    login: Annotated[str, _word(Login)]


@_closed
class Service(TypedDict):
    version: str
    config: Annotated[str, _word(CONFIG_STATES), Field(description="Whether the last edit was applied")]
    config_since: Annotated[Time | None, Field(description="Since when the configuration is refused")]
    store_failure: Annotated[str | None, Field(description="What keeps the store from being written")]
    store_trouble: Annotated[str | None, Field(description="The earlier name of store_failure")]
    login: Annotated[str, _word(Login)]
    api: Annotated[str, _word(ApiState)]
    token_expires_at: Time | None
    login_since: Time | None
    many_refused_since: Annotated[Time | None, Field(description="Since when the API refuses many of the jobs")]
    api_since: Time | None
    targets_down: Annotated[list[TargetDown], Field(description="Targets that do not accept messages")]
    deliveries: DeliveryCounts
    jobs: Annotated[dict[str, Count], Field(description=f'Watched jobs by status, "{UNSEEN}" among them')]
    needs_review: Annotated[Count, Field(description="Watched jobs whose success needs review")]
    replicas: Annotated[list[Replica], Field(description="The daemons on this store; empty with SQLite")]
