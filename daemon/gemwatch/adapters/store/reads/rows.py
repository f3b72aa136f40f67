"""What reads return: one value per row of a list that a command or a page shows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from gemwatch.adapters.store.details import details_of
from gemwatch.adapters.store.notes import not_before
from gemwatch.adapters.store.reads.past import Past
from gemwatch.adapters.store.tables import transitions
from gemwatch.core.estimates.estimate import Estimate
from gemwatch.core.health import ApiState, Login
from gemwatch.core.job import JobDetails, Status, is_end
from gemwatch.core.kinds import Kind, kind_of
from gemwatch.core.runs import Run
from gemwatch.core.sharing.replicas import Replica
from gemwatch.core.target_health import TargetHealth
from gemwatch.core.work import DeliveryState

T = TypeVar("T")

TRANSITION = tuple(column for column in transitions.c if column.name != "answer")  # which history does not show


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job in the store. `answer` is the last answer about it as it came, `job` the same as read.

    `missing`: it was reported as not found. `next_poll_at` None: it is not polled. `needs_review`: why the SUCCESS
    needs review. `limits_passed`: those of the present run. `previous`: of a SUCCESS, the one before on the same
    input. `rule`: the one that added the watch.
    """

    job_id: int
    name: str | None
    status: str | None
    status_since: datetime | None
    watched: bool
    polled_at: datetime | None
    next_poll_at: datetime | None
    misses: int
    failures: int
    last_error: str | None
    seen_at: datetime | None
    refused: bool
    missing: bool
    running_since: datetime | None
    job: JobDetails | None
    answer: str | None
    estimate: Estimate | None
    needs_review: tuple[str, ...]
    limits_passed: tuple[Kind, ...]
    previous: Run | None
    rule: str | None = None
    group: str | None = None

    @property
    def finished(self) -> bool:
        return is_end(self.status)

    @property
    def not_found(self) -> bool:
        """Whether the API says that there is no such job: often enough to be reported, or always so far."""
        return not self.finished and (self.missing or (self.status is None and self.misses > 0))

    @property
    def failure(self) -> tuple[str, ...]:
        """GEM's own reason for a FAILED."""
        return self.job.failure if self.job is not None and self.status == Status.FAILED else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionRow:
    """A change of status that was observed. `before` None: the first sight of the job."""

    job_id: int
    before: str | None
    after: str
    last_seen_before: datetime | None
    observed_at: datetime
    failure: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """One event to one target. `next_attempt_at` None: there is none. `text`: as sent, where kept and read."""

    id: int
    event_id: int
    kind: Kind
    job_id: int | None
    target: str
    state: str
    attempts: int
    next_attempt_at: datetime | None
    sent_at: datetime | None
    last_error: str | None
    text: str | None = None

    @property
    def event(self) -> str:
        """As messages show it."""
        return f"gw-{self.event_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHistory:
    """A job with all that happened to it, oldest first; `runs` are earlier successes on its input, newest first."""

    job: JobRow
    transitions: tuple[TransitionRow, ...]
    deliveries: tuple[DeliveryRow, ...]
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A part of a list that has `total` rows."""

    rows: tuple[T, ...]
    total: int
    limit: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """How the service is, as it noted itself, and how much there is. `jobs`: watched ones by status, None: unseen.

    `targets`: the health of those that have failed before, by name. `store_failure`: what keeps the store from being
    written.
    """

    login: Login = Login.UNKNOWN
    login_since: datetime | None = None
    login_reason: str | None = None
    login_remedy: str | None = None
    many_refused_since: datetime | None = None  # the API refuses many jobs, but answers about others
    api: ApiState = ApiState.UNKNOWN
    api_since: datetime | None = None
    api_reason: str | None = None
    api_form: bool = False  # it answers in a form that gemwatch does not understand
    token_expires_at: datetime | None = None
    config: str = "ok"
    config_since: datetime | None = None  # when it was first refused
    jobs: Mapping[str | None, int] = field(default_factory=dict)
    needs_review: int = 0
    pending: int = 0
    failed: int = 0
    targets: Mapping[str, TargetHealth] = field(default_factory=dict)
    fallbacks: Mapping[str, str] = field(default_factory=dict)  # of the targets that have one
    store_failure: str | None = None
    replicas: tuple[Replica, ...] = ()  # those that live, the oldest first; none on SQLite

    @property
    def targets_down(self) -> tuple[tuple[str, TargetHealth], ...]:
        """Those that do not accept messages, by name."""
        return tuple((name, health) for name, health in sorted(self.targets.items()) if health.down_since is not None)

    @property
    def config_refused(self) -> bool:
        return self.config == "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Every job in the store, and how the service is."""

    jobs: tuple[JobRow, ...]
    service: ServiceState


def job_row(row: Any, past: Past) -> JobRow:
    """From a row of `watches` with the columns of its details."""
    job = details_of(row)
    return JobRow(
        job_id=row.job_id,
        name=row.name,
        status=row.status,
        status_since=row.status_since,
        watched=row.watched,
        rule=row.rule if row.watched else None,
        group=row.group_name,
        polled_at=row.polled_at,
        # During a poll `due_at` is the end of its lease, and the claim is when the poll was due.
        next_poll_at=not_before(row.claim or row.due_at, past.paused_until),
        misses=row.misses,
        failures=row.failures,
        last_error=row.last_error,
        seen_at=row.seen_at,
        refused=row.refused_at is not None,
        missing=row.reported_missing,
        running_since=row.running_since,
        job=job,
        answer=row.details_answer,
        estimate=estimate_of(row, job, past),
        needs_review=tuple(row.needs_review or ()),
        limits_passed=tuple(kind_of(word) for word in (row.reported_limits or "").split()),
        previous=past.previous.get(row.job_id) if row.status == Status.SUCCESS else None,
    )


def estimate_of(row: Any, job: JobDetails | None, past: Past) -> Estimate | None:
    """When the job in this row of `watches` is expected to end."""
    if job is None or not row.watched or is_end(row.status):
        return None
    return past.experience.estimate(job, row.running_since, past.now)


def transition_row(row: Any) -> TransitionRow:
    return TransitionRow(
        job_id=row.job_id,
        before=row.before,
        after=row.after,
        last_seen_before=row.last_seen_before,
        observed_at=row.observed_at,
        failure=tuple(row.failure or ()),
    )


def delivery_row(row: Any) -> DeliveryRow:
    return DeliveryRow(
        id=row.id,
        event_id=row.event_id,
        kind=kind_of(row.kind),
        job_id=row.job_id,
        target=row.target,
        state=row.state,
        attempts=row.attempts,
        next_attempt_at=row.claim or row.due_at,
        sent_at=row.sent_at,
        last_error=row.last_error,
        text=_text_of(row),
    )


def _text_of(row: Any) -> str | None:
    body = getattr(row, "message_body", None)
    return None if body is None else f"{row.message_title}\n\n{body}"


def service_state(
    notes: Mapping[str, Any],
    *,
    jobs: Mapping[str | None, int] | None = None,
    needs_review: int = 0,
    deliveries: Mapping[str, int] | None = None,
    targets: Mapping[str, TargetHealth] | None = None,
    replicas: Iterable[Replica] = (),
) -> ServiceState:
    by_state = deliveries or {}
    return ServiceState(
        login=Login(notes.get("login") or Login.UNKNOWN),
        login_since=_time(notes.get("login_since")),
        login_reason=notes.get("login_reason"),
        login_remedy=notes.get("login_remedy"),
        many_refused_since=_time(notes.get("many_refused_since")),
        api=ApiState(notes.get("api") or ApiState.UNKNOWN),
        api_since=_time(notes.get("api_since")),
        api_reason=notes.get("api_reason"),
        api_form=bool(notes.get("api_form")),
        token_expires_at=_time(notes.get("token_expires_at")),
        config=_config(notes.get("config") or {}),
        config_since=_time((notes.get("config") or {}).get("since")),
        jobs=jobs or {},
        needs_review=needs_review,
        pending=by_state.get(DeliveryState.PENDING.value, 0),
        failed=by_state.get(DeliveryState.FAILED.value, 0),
        targets=targets or {},
        fallbacks=notes.get("fallbacks") or {},
        replicas=tuple(replicas),
    )


def _config(note: Mapping[str, Any]) -> str:
    """What the reloader noted about the last edit: the mistakes that it reported, and whether all was refused.

    The second key for them is the one of earlier versions.
    """
    if note.get("refused"):
        return "refused"
    return "entries-skipped" if note.get("reported") or note.get("told") else "ok"


def _time(note: str | None) -> datetime | None:
    return datetime.fromisoformat(note) if note else None
