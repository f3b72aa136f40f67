"""What the store holds, in the shapes that the commands print and the metrics count."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store.runs import Learner, Past
from gemwatch.adapters.store.tables import deliveries, events, service, transitions, watches
from gemwatch.core.estimate import Estimate, Range
from gemwatch.core.job import Status, is_end, read_details
from gemwatch.core.runs import Run
from gemwatch.core.work import DeliveryState


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The counts of one moment."""

    jobs: Mapping[str | None, int] = field(default_factory=dict)  # watched ones by status; None: not seen yet
    pending: int = 0
    failed: int = 0
    oldest_pending: datetime | None = None
    next_poll_at: datetime | None = None


class Records:
    """Reads only. Each method is one transaction, so what it returns belongs together."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._learner = Learner()

    def status(self, now: datetime | None = None) -> dict[str, Any]:
        """Every job in the store, watched ones first, and how the service is, as things stand `now`."""
        query = sa.select(watches).order_by(watches.c.watched.desc(), watches.c.job_id)
        with self._engine.begin() as connection:
            past = self._learner.past(connection, now or datetime.now(UTC))
            jobs = [job_of(row, past) for row in connection.execute(query)]
            notes = {row.name: row.value for row in connection.execute(sa.select(service))}
        return {
            "jobs": jobs,
            "service": service_of(notes),
        }

    def history(self, job_id: int | None = None) -> list[dict[str, Any]]:
        """Transitions, oldest first."""
        query = sa.select(transitions).order_by(transitions.c.id)
        if job_id is not None:
            query = query.where(transitions.c.job_id == job_id)
        with self._engine.begin() as connection:
            return [transition_of(row) for row in connection.execute(query)]

    def deliveries(self, state: str | None = None) -> list[dict[str, Any]]:
        """Deliveries, oldest first."""
        query = (
            sa.select(deliveries, events.c.kind, events.c.job_id)
            .join(events, events.c.id == deliveries.c.event_id)
            .order_by(deliveries.c.id)
        )
        if state is not None:
            query = query.where(deliveries.c.state == state)
        with self._engine.begin() as connection:
            return [delivery_of(row) for row in connection.execute(query)]

    def knows(self, job_id: int) -> bool:
        with self._engine.begin() as connection:
            return (
                connection.execute(sa.select(watches.c.job_id).where(watches.c.job_id == job_id)).first() is not None
            )

    def snapshot(self) -> Snapshot:
        """The counts that the metrics and the service's one-line status show."""
        by_status = sa.select(watches.c.status, sa.func.count()).where(watches.c.watched).group_by(watches.c.status)
        waiting = (
            sa.select(sa.func.count(), sa.func.min(events.c.at))
            .select_from(deliveries)
            .join(events, events.c.id == deliveries.c.event_id)
            .where(deliveries.c.due_at.is_not(None))
        )
        failed = sa.select(sa.func.count()).where(deliveries.c.state == DeliveryState.FAILED.value)
        with self._engine.begin() as connection:
            jobs = {row[0]: row[1] for row in connection.execute(by_status)}
            pending, oldest = connection.execute(waiting).one()
            return Snapshot(
                jobs=jobs,
                pending=pending,
                oldest_pending=oldest,
                failed=connection.execute(failed).scalar_one(),
                next_poll_at=connection.execute(sa.select(sa.func.min(watches.c.due_at))).scalar(),
            )


def as_text(time: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the millisecond."""
    return None if time is None else time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def job_of(row: Any, past: Past) -> dict[str, Any]:
    previous = past.previous.get(row.job_id) if row.status == Status.SUCCESS else None
    return {
        "job_id": row.job_id,
        "name": row.name,
        "status": row.status,
        "status_since": as_text(row.status_since),
        "watched": row.watched,
        "finished": is_end(row.status),
        "last_polled_at": as_text(row.polled_at),
        # While a look is under way, `due_at` is the end of its lease and the poll that was due is the claim.
        "next_poll_at": as_text(row.claim or row.due_at),
        "misses": row.misses,
        "last_error": row.last_error,
        "details": None if row.document is None else details_of(row.document),
        "estimate": estimate_of(row, past),
        "needs_review": row.needs_review or [],
        "limits_passed": (row.reported_limits or "").split(),
        "previous": previous_of(previous) if previous else None,
    }


def estimate_of(row: Any, past: Past) -> dict[str, Any] | None:
    """When the job in this row of the watches is expected to end, as a JSON document."""
    if row.document is None or not row.watched or is_end(row.status):
        return None
    expected = past.experience.estimate(read_details(row.document), row.running_since, past.now)
    return None if expected is None else _expected(expected)


def _expected(expected: Estimate) -> dict[str, Any]:
    return {
        "ends_at": as_text(expected.ends_at),
        "earliest": as_text(expected.earliest),
        "latest": as_text(expected.latest),
        "runs": expected.runs,
        "basis": expected.basis.value,
        "overdue": expected.overdue,
        "queue_seconds": _seconds(expected.queue) if expected.queue else None,
        "running_seconds": _seconds(expected.running) if expected.running else None,
    }


def _seconds(spans: Range) -> dict[str, float]:
    low, median, high = (round(span.total_seconds(), 3) for span in (spans.low, spans.median, spans.high))
    return {"low": low, "median": median, "high": high}


def previous_of(run: Run) -> dict[str, Any]:
    return {
        "job_id": run.job_id,
        "ended_at": as_text(run.ended_at),
        "matched": run.matched,
        "roads": run.roads,
        "kilometres": run.kilometres,
        "running_seconds": None if run.ran is None else run.ran.total_seconds(),
    }


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


# NaN and infinities, which Python reads and JSON does not know, would spoil what is printed.
details_of = json.JSONDecoder(parse_constant=lambda _: None, parse_float=_finite).decode


def service_of(notes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "login": notes.get("login", "unknown"),
        "api": notes.get("api", "unknown"),
        "token_expires_at": notes.get("token_expires_at"),
    }


def transition_of(row: Any) -> dict[str, Any]:
    return {
        "job_id": row.job_id,
        "from": row.before,
        "to": row.after,
        "last_seen_before": as_text(row.last_seen_before),
        "observed_at": as_text(row.observed_at),
    }


def delivery_of(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "event": f"gw-{row.event_id}",
        "kind": row.kind,
        "job_id": row.job_id,
        "target": row.target,
        "state": row.state,
        "attempts": row.attempts,
        "next_attempt_at": as_text(row.claim or row.due_at),
        "sent_at": as_text(row.sent_at),
        "last_error": row.last_error,
    }
