"""What the store holds, in the shapes that the commands print and the metrics count."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.tables import deliveries, events, service, transitions, watches
from gemwatch.core.job import is_end
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

    def status(self) -> dict[str, Any]:
        """Every job in the store, watched ones first, and how the service is."""
        query = sa.select(watches).order_by(watches.c.watched.desc(), watches.c.job_id)
        with self._engine.begin() as connection:
            jobs = [_job(row) for row in connection.execute(query)]
            notes = {row.name: row.value for row in connection.execute(sa.select(service))}
        return {
            "jobs": jobs,
            "service": {
                "login": notes.get("login", "unknown"),
                "api": notes.get("api", "unknown"),
                "token_expires_at": notes.get("token_expires_at"),
            },
        }

    def history(self, job_id: int | None = None) -> list[dict[str, Any]]:
        """Transitions, oldest first."""
        query = sa.select(transitions).order_by(transitions.c.id)
        if job_id is not None:
            query = query.where(transitions.c.job_id == job_id)
        with self._engine.begin() as connection:
            return [
                {
                    "job_id": row.job_id,
                    "from": row.before,
                    "to": row.after,
                    "last_seen_before": as_text(row.last_seen_before),
                    "observed_at": as_text(row.observed_at),
                }
                for row in connection.execute(query)
            ]

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
            return [_delivery(row) for row in connection.execute(query)]

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


def _job(row: Any) -> dict[str, Any]:
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
        "details": None if row.document is None else _details(row.document),
    }


def _details(document: str) -> Any:
    # NaN and infinities, which Python reads and JSON does not know, would spoil what is printed.
    return json.loads(document, parse_constant=lambda _: None)


def _delivery(row: Any) -> dict[str, Any]:
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
