"""The two hot paths: due watches are claimed and reported, due deliveries claimed and settled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.tables import deliveries, events, service, transitions, watches
from gemwatch.core.decide import Memory, Tracked
from gemwatch.core.events import Event, EventKind
from gemwatch.core.work import (
    KEEP_TRYING,
    MANY,
    MOST_IN_SUMMARY,
    Addressed,
    Bundle,
    Delivery,
    DeliveryState,
    Report,
    Settled,
    WatchClaim,
)

_MEMORY = tuple(field.name for field in fields(Memory))
_bind = sa.bindparam

_DUE_WATCHES = (
    sa.select(
        watches.c.job_id,
        watches.c.every,
        watches.c.name,
        watches.c.notify,
        watches.c.due_at,
        *(watches.c[name] for name in _MEMORY),
    )
    .where(watches.c.due_at <= _bind("now"))
    .order_by(watches.c.due_at)
    .limit(_bind("most"))
)
_CLAIM_WATCHES = (
    sa.update(watches)
    .where(watches.c.job_id.in_(_bind("ids", expanding=True)))
    .values(claim=_bind("ticket"), due_at=_bind("until"))
)
_REPORT = (
    sa.update(watches)
    .where(watches.c.job_id == _bind("_job_id"), watches.c.claim == _bind("_claim"))
    .values(
        {
            **{name: _bind(name) for name in _MEMORY},
            "document": sa.func.coalesce(_bind("_document"), watches.c.document),
            "polled_at": _bind("polled_at"),
            "due_at": _bind("due_at"),
            "claim": None,
        }
    )
)
_DUE_DELIVERIES = (
    sa.select(
        deliveries.c.id,
        deliveries.c.event_id,
        deliveries.c.attempts,
        deliveries.c.expires_at,
        events.c.kind,
        events.c.at,
        events.c.job_id,
        events.c.facts,
    )
    .join(events, events.c.id == deliveries.c.event_id)
    .where(deliveries.c.target == _bind("target"), deliveries.c.due_at <= _bind("now"))
    .order_by(deliveries.c.due_at, deliveries.c.id)
    .limit(MOST_IN_SUMMARY)
)
_CLAIM_DELIVERIES = (
    sa.update(deliveries)
    .where(deliveries.c.id.in_(_bind("ids", expanding=True)))
    .values(claim=_bind("ticket"), due_at=_bind("until"))
)
_SETTLE = (
    sa.update(deliveries)
    .where(deliveries.c.id == _bind("_id"), deliveries.c.claim == _bind("_claim"))
    .values(
        state=_bind("state"),
        attempts=_bind("attempts"),
        due_at=_bind("due_at"),
        sent_at=_bind("sent_at"),
        last_error=sa.func.coalesce(_bind("_error"), deliveries.c.last_error),
        claim=None,
    )
)


class Store:
    """The one writer. Every method is one transaction, and safe to call again when it failed."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def claim_watches(self, now: datetime, most: int, lease: timedelta) -> list[WatchClaim]:
        """Up to `most` due watches, the longest due first. Nobody else gets them until the lease ends."""
        with self._engine.begin() as connection:
            rows = connection.execute(_DUE_WATCHES, {"now": now, "most": most}).all()
            if rows:
                ids = [row.job_id for row in rows]
                connection.execute(_CLAIM_WATCHES, {"ids": ids, "ticket": now, "until": now + lease})
        return [WatchClaim(tracked=_tracked(row), claim=now, due_at=row.due_at) for row in rows]

    def record(
        self,
        reports: Sequence[Report],
        messages: Sequence[Addressed] = (),
        notes: Mapping[str, Any] | None = None,
    ) -> list[Report]:
        """Record looks with their transitions, events and deliveries, and what concerns the service itself.

        A report whose claim no longer stands (the job was unwatched meanwhile) leaves no trace. Returns the
        reports with a transition or messages that were recorded.
        """
        plain = [report for report in reports if not (report.verdict.transition or report.messages)]
        recorded = []
        with self._engine.begin() as connection:
            _add_messages(connection, messages)
            write_notes(connection, notes or {})
            if plain:
                connection.execute(_REPORT, [_row(report) for report in plain])
            for report in reports:
                if not (report.verdict.transition or report.messages):
                    continue
                if connection.execute(_REPORT, _row(report)).rowcount != 1:
                    continue
                _add_transition(connection, report)
                _add_messages(connection, report.messages)
                recorded.append(report)
        return recorded

    def claim_deliveries(self, now: datetime, targets: Iterable[str], lease: timedelta) -> list[Bundle]:
        """For each of these targets what goes out next: one delivery, or a bundle where more than MANY wait."""
        bundles = []
        with self._engine.begin() as connection:
            for target in targets:
                rows = connection.execute(_DUE_DELIVERIES, {"target": target, "now": now}).all()
                if not rows:
                    continue
                taken = rows if len(rows) > MANY else rows[:1]
                ids = [row.id for row in taken]
                connection.execute(_CLAIM_DELIVERIES, {"ids": ids, "ticket": now, "until": now + lease})
                bundles.append(Bundle(target=target, deliveries=tuple(_delivery(row, now) for row in taken)))
        return bundles

    def settle(self, settled: Sequence[Settled], *, pull_forward: str | None = None, now: datetime) -> None:
        """Record how attempts ended. `pull_forward` names a target that works again: what waits for it is due."""
        rows = [
            {
                "_id": one.id,
                "_claim": one.claim,
                "_error": one.last_error,
                "state": one.state.value,
                "attempts": one.attempts,
                "due_at": one.due_at,
                "sent_at": one.sent_at,
            }
            for one in settled
        ]
        waiting = sa.and_(
            deliveries.c.target == pull_forward, deliveries.c.due_at > now, deliveries.c.claim.is_(None)
        )
        with self._engine.begin() as connection:
            connection.execute(_SETTLE, rows)
            if pull_forward is not None:
                connection.execute(sa.update(deliveries).where(waiting).values(due_at=now))


def _tracked(row: Any) -> Tracked:
    return Tracked(
        job_id=row.job_id,
        every=row.every,
        name=row.name,
        notify=None if row.notify is None else tuple(row.notify),
        memory=Memory(**{name: getattr(row, name) for name in _MEMORY}),
    )


def _delivery(row: Any, claim: datetime) -> Delivery:
    return Delivery(
        id=row.id,
        event_id=row.event_id,
        event=Event(kind=EventKind(row.kind), at=row.at, job_id=row.job_id, facts=row.facts),
        attempts=row.attempts,
        expires_at=row.expires_at,
        claim=claim,
    )


def _row(report: Report) -> dict[str, Any]:
    verdict = report.verdict
    return {
        **{name: getattr(verdict.memory, name) for name in _MEMORY},
        "_job_id": verdict.job_id,
        "_claim": report.claim,
        "_document": verdict.document,
        "polled_at": report.at,
        "due_at": verdict.due_at,
    }


def _add_transition(connection: sa.Connection, report: Report) -> None:
    move = report.verdict.transition
    if move is None:
        return
    values = {
        "job_id": report.verdict.job_id,
        "before": move.before,
        "after": move.job.status,
        "last_seen_before": move.last_seen_before,
        "observed_at": move.observed_at,
        "document": move.job.document,
    }
    connection.execute(sa.insert(transitions), values)


def _add_messages(connection: sa.Connection, messages: Sequence[Addressed]) -> None:
    for message in messages:
        event = message.event
        values = {"kind": event.kind.value, "at": event.at, "job_id": event.job_id, "facts": dict(event.facts)}
        event_id = connection.execute(sa.insert(events), values).inserted_primary_key[0]  # type: ignore[index]  # one row in, one key out
        rows = [
            {
                "event_id": event_id,
                "target": target,
                "state": DeliveryState.PENDING.value,
                "due_at": event.at,
                "expires_at": event.at + KEEP_TRYING,
            }
            for target in message.targets
        ]
        if rows:
            connection.execute(sa.insert(deliveries), rows)


def write_notes(connection: sa.Connection, notes: Mapping[str, Any]) -> None:
    """Write down what the service says of itself, for the commands and for the next start."""
    for name, value in notes.items():
        changed = connection.execute(sa.update(service).where(service.c.name == name).values(value=value)).rowcount
        if not changed:
            connection.execute(sa.insert(service), {"name": name, "value": value})
