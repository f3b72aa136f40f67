"""The two hot paths: due watches are claimed and reported, due deliveries claimed and settled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.tables import deliveries, events, service, transitions, watches
from gemwatch.core.decide import Memory, Tracked
from gemwatch.core.events import Event, EventKind, Target, audience
from gemwatch.core.work import (
    KEEP_TRYING,
    MANY,
    MOST_IN_SUMMARY,
    Bundle,
    Delivery,
    DeliveryState,
    Recorded,
    Report,
    Settled,
    Told,
    WatchClaim,
)

_MEMORY = tuple(field.name for field in fields(Memory))
_bind = sa.bindparam

_DUE_WATCHES = (
    sa.select(
        watches.c.job_id,
        watches.c.every,
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

_PULL_FORWARD = (
    sa.update(deliveries)
    .where(deliveries.c.target == _bind("name"), deliveries.c.due_at > _bind("now"), deliveries.c.claim.is_(None))
    .values(due_at=_bind("now"))
)
_CALLED = sa.select(watches.c.name, watches.c.notify).where(watches.c.job_id == _bind("job_id"))
_WITNESS = (
    sa.select(watches.c.job_id, watches.c.claim, watches.c.due_at)
    .where(
        watches.c.due_at.is_not(None),
        watches.c.refused_at.is_(None),
        watches.c.job_id != _bind("job_id"),
    )
    .order_by(watches.c.claim.is_not(None), watches.c.seen_at.desc())
    .limit(1)
)


class Store:
    """The one writer. Every method is one transaction, and safe to call again when it failed."""

    def __init__(self, engine: sa.Engine, targets: Sequence[Target] = ()) -> None:
        self._engine = engine
        self._targets = tuple(targets)

    def address(self, targets: Sequence[Target]) -> None:
        """From now on these hear of what is recorded. To be called with the watch list that goes with them."""
        self._targets = tuple(targets)

    def claim_watches(self, now: datetime, most: int, lease: timedelta) -> list[WatchClaim]:
        """Up to `most` due watches, the longest due first. Nobody else gets them until the lease ends."""
        with self._engine.begin() as connection:
            rows = connection.execute(_DUE_WATCHES, {"now": now, "most": most}).all()
            if rows:
                ids = [row.job_id for row in rows]
                connection.execute(_CLAIM_WATCHES, {"ids": ids, "ticket": now, "until": now + lease})
        return [WatchClaim(tracked=_tracked(row), claim=now, due_at=row.due_at) for row in rows]

    def call_witness(self, now: datetime, job_id: int) -> bool:
        """Whether there is another job that has not been refused; one that is not being looked at is made due.

        Its answer shows whether a refusal of this job is about the login or about this job. One that is under
        way already was perhaps asked for before the refusal, and would show nothing.
        """
        with self._engine.begin() as connection:
            row = connection.execute(_WITNESS, {"job_id": job_id}).first()
            if row is not None and row.claim is None and row.due_at > now:
                connection.execute(sa.update(watches).where(watches.c.job_id == row.job_id).values(due_at=now))
        return row is not None

    def record(
        self, reports: Sequence[Report], happened: Sequence[Event] = (), notes: Mapping[str, Any] | None = None
    ) -> Recorded:
        """Record looks with their transitions, events and deliveries, and what concerns the service itself.

        A report whose claim no longer stands (the job was unwatched meanwhile) leaves no trace. Who hears of an
        event, and what the job is called, is decided here, by the watch list and the targets of this moment.
        """
        news = [report for report in reports if report.verdict.transition or report.verdict.events]
        plain = [report for report in reports if not (report.verdict.transition or report.verdict.events)]
        recorded, told = [], []
        with self._engine.begin() as connection:
            told += [self._tell(connection, event) for event in happened]
            write_notes(connection, notes or {})
            if plain:
                connection.execute(_REPORT, [_row(report) for report in plain])
            for report in news:
                if connection.execute(_REPORT, _row(report)).rowcount == 1:
                    _add_transition(connection, report)
                    told += [self._tell(connection, event) for event in report.verdict.events]
                    recorded.append(report)
        return Recorded(reports=tuple(recorded), told=tuple(told))

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
        with self._engine.begin() as connection:
            connection.execute(_SETTLE, rows)
            if pull_forward is not None:
                connection.execute(_PULL_FORWARD, {"name": pull_forward, "now": now})

    def pull_forward(self, target: str, now: datetime) -> None:
        """What waits for a target is due now, since there is reason to think that it works again."""
        with self._engine.begin() as connection:
            connection.execute(_PULL_FORWARD, {"name": target, "now": now})

    def _tell(self, connection: sa.Connection, event: Event) -> Told:
        """Record an event, with a delivery for each target that hears of it."""
        facts, narrowed = dict(event.facts), None
        if event.job_id is not None:
            row = connection.execute(_CALLED, {"job_id": event.job_id}).one()
            facts["name"], narrowed = row.name, row.notify
        values = {"kind": event.kind.value, "at": event.at, "job_id": event.job_id, "facts": facts}
        key = connection.execute(sa.insert(events), values).inserted_primary_key
        event_id = key[0]  # type: ignore[index]  # one row in, one key out
        targets = audience(event, self._targets, narrowed)
        rows = [
            {
                "event_id": event_id,
                "target": target,
                "state": DeliveryState.PENDING.value,
                "due_at": event.at,
                "expires_at": event.at + KEEP_TRYING,
            }
            for target in targets
        ]
        if rows:
            connection.execute(sa.insert(deliveries), rows)
        return Told(event_id=event_id, event=event, targets=targets)


def _tracked(row: Any) -> Tracked:
    return Tracked(
        job_id=row.job_id,
        every=row.every,
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


def write_notes(connection: sa.Connection, notes: Mapping[str, Any]) -> None:
    """Write down what the service says of itself, for the commands and for the next start."""
    for name, value in notes.items():
        changed = connection.execute(sa.update(service).where(service.c.name == name).values(value=value)).rowcount
        if not changed:
            connection.execute(sa.insert(service), {"name": name, "value": value})
