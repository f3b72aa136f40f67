"""What Prometheus sees of the program, with a fixed set of labels: never a job id."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest

from gemwatch.adapters.store.databases.postgresql import Upkeep
from gemwatch.core.job import Status
from gemwatch.core.kinds import JOB_EVENTS, EventKind, Kind

POLL_OUTCOMES = ("seen", "not_found", "refused", "throttled", "failed", "bad")
SWEEP_OUTCOMES = ("listed", "not_listed")
DELIVERY_OUTCOMES = ("sent", "retried", "failed")
NO_STATUS, OTHER = "unseen", "other"
_POLL_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)
_LATENESS_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """The state at a scrape.

    `jobs` counts the watched jobs by status, `groups` those of open groups; None: not observed yet. `leads`: also
    show what describes the whole store, so that sums over all replicas are right.
    """

    jobs: Mapping[str | None, int] = field(default_factory=dict)
    groups: Mapping[tuple[str, str | None], int] = field(default_factory=dict)
    deliveries_pending: int = 0
    oldest_pending_seconds: float = 0.0
    last_good_at: datetime | None = None
    token_expires_at: datetime | None = None
    targets_down: Collection[str] = ()
    upkeep: Upkeep | None = None
    replicas: int = 1
    leads: bool = True


class Metrics:
    """Counts as things happen and renders on request. An outcome that is not in the lists above is a KeyError.

    Every label's child is made in advance: rates work from the start, and counting needs no lookup.
    """

    def __init__(self, version: str) -> None:
        # Otherwise each counter has a second series, with the time at which it was made.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)  # memory and open files: what grows when something leaks
        Info("gemwatch_build", "The running version.", registry=registry).info({"version": version})

        polls = Counter("gemwatch_polls_total", "Polls of jobs, by outcome.", ["outcome"], registry=registry)
        self._polls = {outcome: polls.labels(outcome) for outcome in POLL_OUTCOMES}
        self._poll_seconds = Histogram(
            "gemwatch_poll_seconds", "How long a poll took.", buckets=_POLL_BUCKETS, registry=registry
        )
        self._lateness = Histogram(
            "gemwatch_poll_lateness_seconds",
            "From the moment a poll was due to its request.",
            buckets=_LATENESS_BUCKETS,
            registry=registry,
        )
        listings = Counter(
            "gemwatch_sweeps_total", "Requests for lists of jobs, by outcome.", ["outcome"], registry=registry
        )
        self._sweeps = {outcome: listings.labels(outcome) for outcome in SWEEP_OUTCOMES}
        transitions = Counter(
            "gemwatch_transitions_total", "Changes of a job's status, by new status.", ["to"], registry=registry
        )
        self._transitions = {to: transitions.labels(to) for to in (*Status, OTHER)}
        events = Counter("gemwatch_job_events_total", "Job events, by kind.", ["kind"], registry=registry)
        self._events = {kind: events.labels(kind) for kind in sorted(JOB_EVENTS)}
        self._deliveries = Counter(
            "gemwatch_deliveries_total",
            "Attempts to deliver: sent, retried later, or failed for good.",
            ["target", "outcome"],
            registry=registry,
        )
        self._delivery: dict[str, dict[str, Counter]] = {}
        self._shown: set[str] = set()  # targets of the configuration
        self._reload_ok = Gauge(
            "gemwatch_config_last_reload_successful", "1: the last configuration was applied.", registry=registry
        )
        self._reload_at = Gauge(
            "gemwatch_config_last_reload_success_timestamp_seconds",
            "When a configuration was last applied.",
            registry=registry,
        )
        self._login_failures = Counter(
            "gemwatch_web_login_failures_total",
            "Wrong web tokens, in headers and in the login form.",
            registry=registry,
        )
        self._store_repeats = Counter(
            "gemwatch_store_repeats_total",
            "Transactions that were repeated because another one was in their way; on PostgreSQL only.",
            registry=registry,
        )
        self._replicas = Gauge(
            "gemwatch_replicas", "Daemons that share the store, as this one sees them.", registry=registry
        )
        self._last_good = Gauge(
            "gemwatch_last_good_answer_timestamp_seconds",
            "Time of the last good answer of the API; 0 before the first.",
            registry=registry,
        )
        self._token_expiry = Gauge(
            "gemwatch_token_expiry_timestamp_seconds",
            "When the API token expires; NaN if that is unknown.",
            registry=registry,
        )
        self._store = _StoreGauges()

    def login_failure(self) -> None:
        self._login_failures.inc()

    def store_repeat(self) -> None:
        self._store_repeats.inc()

    def poll(self, outcome: str, seconds: float) -> None:
        self._polls[outcome].inc()
        self._poll_seconds.observe(seconds)

    def lateness(self, seconds: float) -> None:
        self._lateness.observe(max(0.0, seconds))  # below zero only when the clock was set back

    def sweep(self, outcome: str) -> None:
        """Outcomes: listed, or not_listed: then the jobs are polled one by one."""
        self._sweeps[outcome].inc()

    def transition(self, to: str) -> None:
        self._transitions.get(to, self._transitions[OTHER]).inc()

    def event(self, kind: Kind) -> None:
        if isinstance(kind, EventKind) and kind in self._events:
            self._events[kind].inc()

    def targets(self, names: Iterable[str]) -> None:
        """Show these targets from now on, even before the first delivery, and no longer whether others are up."""
        self._shown = set(names)
        for name in self._shown:
            self._outcomes(name)

    def delivery(self, target: str, outcome: str) -> None:
        self._outcomes(target)[outcome].inc()

    def reload(self, ok: bool, at: datetime) -> None:  # noqa: FBT001 (called once, with a named result)
        self._reload_ok.set(ok)
        if ok:
            self._reload_at.set(at.timestamp())

    def render(self, gauges: Gauges) -> bytes:
        """The Prometheus text (format 0.0.4)."""
        self._replicas.set(gauges.replicas)
        self._last_good.set(_seconds(gauges.last_good_at, unknown=0.0))
        self._token_expiry.set(_seconds(gauges.token_expires_at, unknown=math.nan))
        own = generate_latest(self._registry)
        return own + self._store.render(gauges, self._shown) if gauges.leads else own

    def _outcomes(self, target: str) -> dict[str, Counter]:
        known = self._delivery.get(target)
        if known is None:
            known = {outcome: self._deliveries.labels(target, outcome) for outcome in DELIVERY_OUTCOMES}
            self._delivery[target] = known
        return known


class _StoreGauges:
    """What describes the whole store at a scrape, apart from what describes the process."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        jobs = Gauge("gemwatch_jobs", "Watched jobs, by last seen status.", ["status"], registry=registry)
        self._jobs = {status: jobs.labels(status) for status in (*Status, NO_STATUS, OTHER)}
        self._groups = Gauge(
            "gemwatch_group_jobs", "Jobs of open groups, by last seen status.", ["group", "status"], registry=registry
        )
        self._pending = Gauge("gemwatch_deliveries_pending", "Pending deliveries.", registry=registry)
        self._oldest = Gauge(
            "gemwatch_delivery_oldest_pending_seconds",
            "Age of the oldest pending delivery; 0 if there is none.",
            registry=registry,
        )
        self._target_up = Gauge(
            "gemwatch_target_up", "1: the target accepts messages. 0: it is down.", ["target"], registry=registry
        )

        self._postgresql = CollectorRegistry()
        self._transaction = Gauge(
            "gemwatch_store_oldest_transaction_seconds",
            "Age of the oldest open transaction in the database, of any program; on PostgreSQL only.",
            registry=self._postgresql,
        )
        self._dead_rows = Gauge(
            "gemwatch_store_dead_rows",
            "Rows that PostgreSQL has not cleaned up yet; on PostgreSQL only.",
            registry=self._postgresql,
        )

    def render(self, gauges: Gauges, targets: Collection[str]) -> bytes:
        counts = dict.fromkeys(self._jobs, 0)
        for status, count in gauges.jobs.items():
            counts[_label(status)] += count
        for label, count in counts.items():
            self._jobs[label].set(count)
        self._groups.clear()
        for group in {name for name, _ in gauges.groups}:
            for label in self._jobs:
                self._groups.labels(group, label).set(0)
        for (group, status), count in gauges.groups.items():
            self._groups.labels(group, _label(status)).inc(count)
        self._pending.set(gauges.deliveries_pending)
        self._oldest.set(gauges.oldest_pending_seconds)
        self._target_up.clear()
        for name in sorted(targets):
            self._target_up.labels(name).set(name not in gauges.targets_down)
        if gauges.upkeep is None:
            return generate_latest(self._registry)
        self._transaction.set(gauges.upkeep.oldest_transaction)
        self._dead_rows.set(gauges.upkeep.dead_rows)
        return generate_latest(self._registry) + generate_latest(self._postgresql)


def _label(status: str | None) -> str:
    """The API may send any status, so only those that TomTom documents become a label of their own."""
    if status is None:
        return NO_STATUS
    return status if status in tuple(Status) else OTHER


def _seconds(at: datetime | None, *, unknown: float) -> float:
    return unknown if at is None else at.timestamp()
