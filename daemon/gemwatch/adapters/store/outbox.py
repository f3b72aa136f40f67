"""Events and their deliveries: records them, claims them and settles attempts. Used within a transaction."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.facts_codec import from_json, to_json
from gemwatch.adapters.store.groups import open_among, receivers
from gemwatch.adapters.store.tables import deliveries, events, watches
from gemwatch.core.events import Event, Missed, Target, audience
from gemwatch.core.kinds import EventKind, GroupDoneFacts
from gemwatch.core.work import (
    KEEP_TRYING,
    MANY,
    MOST_IN_SUMMARY,
    Bundle,
    Delivery,
    DeliveryState,
    RecordedEvent,
    Settled,
)

MOST_MISSED = 500  # deliveries in the single message about what a target missed

_bind = sa.bindparam

_CALLED = sa.select(watches.c.job_id, watches.c.name, watches.c.notify, watches.c.group_name).where(
    watches.c.job_id.in_(_bind("ids", expanding=True))
)
_LAST_EVENT = sa.select(sa.func.max(events.c.id))
_EVENTS_AFTER = sa.select(events.c.id, events.c.kind, events.c.at, events.c.job_id).where(
    events.c.id > _bind("after")
)
_TARGETS_OF = sa.select(deliveries.c.target).where(deliveries.c.event_id == _bind("event_id"))
_HAPPENED = sa.insert(events).returning(events.c.id, sort_by_parameter_order=True)
_DUE = (
    sa.select(
        deliveries.c.id,
        deliveries.c.event_id,
        deliveries.c.attempts,
        deliveries.c.expires_at,
        deliveries.c.missed,
        events.c.kind,
        events.c.at,
        events.c.job_id,
        events.c.name,
        events.c.facts,
    )
    .join(events, events.c.id == deliveries.c.event_id)
    .where(deliveries.c.target == _bind("target"), deliveries.c.due_at <= _bind("now"))
    .order_by(deliveries.c.due_at, deliveries.c.id)
    .with_for_update(skip_locked=True, of=deliveries)
)
_IS_DUE = (
    sa.select(deliveries.c.id)
    .where(deliveries.c.target == _bind("target"), deliveries.c.due_at <= _bind("now"))
    .limit(1)
)
_NEXT = sa.select(sa.func.min(deliveries.c.due_at)).where(
    deliveries.c.target == _bind("target"), deliveries.c.due_at.is_not(None)
)
_DUE_FIRST = _DUE.limit(MOST_IN_SUMMARY)
_DUE_MISSED = _DUE.where(deliveries.c.missed == Missed.SUMMARY.value).limit(MOST_MISSED)
_CLAIM = (
    sa.update(deliveries)
    .where(deliveries.c.id.in_(_bind("ids", expanding=True)))
    .values(claim=_bind("ticket"), claimed_by=_bind("me"), due_at=_bind("until"))
)
_SETTLE = (
    sa.update(deliveries)
    .where(
        deliveries.c.id == _bind("_id"),
        sa.or_(
            sa.and_(deliveries.c.claim == _bind("_claim"), deliveries.c.claimed_by == _bind("_me")),
            # A crash of PostgreSQL may take a claim back. What was sent is sent, unless somebody sends it again.
            sa.and_(
                _bind("_sent", type_=sa.Boolean),
                deliveries.c.state == DeliveryState.PENDING.value,
                deliveries.c.claim.is_(None),
            ),
        ),
    )
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


def add_events(
    connection: sa.Connection, happened: Sequence[Event], targets: Sequence[Target], quiet: Collection[str] = ()
) -> list[RecordedEvent]:
    """Record events, each with a delivery for every target that receives it.

    `quiet`: in these groups, while they are open, a success is only for targets that do not receive `group-done`.
    """
    if not happened:
        return []
    ids = {event.job_id for event in happened if event.job_id is not None}
    called = {row.job_id: row for row in connection.execute(_CALLED, {"ids": list(ids)})} if ids else {}
    happened = [_named(event, called) for event in happened]
    rows = [
        {
            "kind": event.kind.value,
            "at": event.at,
            "job_id": event.job_id,
            "name": event.name,
            "facts": to_json(event.facts),
        }
        for event in happened
    ]
    held = _held_back(connection, happened, called, quiet) if quiet else frozenset[str]()
    loud = [target for target in targets if not target.accepts(EventKind.GROUP_DONE)]
    recorded = []
    for event, event_id in zip(happened, connection.execute(_HAPPENED, rows).scalars().all(), strict=True):
        row = called.get(event.job_id) if event.job_id is not None else None
        narrowed = row.notify if row is not None else None
        if isinstance(event.facts, GroupDoneFacts):
            narrowed = receivers(connection, event.facts.group)
        hold = event.kind is EventKind.SUCCESS and row is not None and row.group_name in held
        names = audience(event, loud if hold else targets, narrowed)
        recorded.append(RecordedEvent(event_id=event_id, event=event, targets=names))
    waiting = [_waiting(one, target) for one in recorded for target in one.targets]
    if waiting:
        connection.execute(sa.insert(deliveries), waiting)
    return recorded


class Unanswered:
    """The events whose commit was not answered. They may stand, and are not recorded again by the next try."""

    def __init__(self) -> None:
        self._keys: Collection[tuple[Any, ...]] = ()
        self._after = 0  # the id of the last event before the first try

    def standing(self, connection: sa.Connection, happened: Sequence[Event]) -> list[RecordedEvent]:
        """Those of these events that stand. Without an answer to this commit, the next call looks for all of them."""
        by_key = {_key(event): event for event in happened}
        if not by_key.keys() & self._keys:
            self._after = connection.execute(_LAST_EVENT).scalar() or 0
            self._keys = by_key.keys()
            return []
        self._keys = by_key.keys()
        found = []
        for row in connection.execute(_EVENTS_AFTER, {"after": self._after}).all():
            if (event := by_key.get((row.kind, row.at, row.job_id))) is not None:
                names = connection.execute(_TARGETS_OF, {"event_id": row.id}).scalars().all()
                found.append(RecordedEvent(event_id=row.id, event=event, targets=tuple(names)))
        return found

    def answered(self) -> None:
        self._keys = ()


def _key(event: Event) -> tuple[Any, ...]:
    return event.kind.value, event.at, event.job_id


def with_due(connection: sa.Connection, targets: Iterable[str], now: datetime) -> list[str]:
    """Those of these targets that have due deliveries."""
    return [name for name in targets if connection.execute(_IS_DUE, {"target": name, "now": now}).first() is not None]


def next_due(connection: sa.Connection, targets: Iterable[str]) -> datetime | None:
    """When the next delivery to any of these targets is due, including the end of leases; None if nothing waits."""
    times = (connection.execute(_NEXT, {"target": name}).scalar() for name in targets)
    return min((time for time in times if time is not None), default=None)


def claim(connection: sa.Connection, target: str, me: str, now: datetime, lease: timedelta) -> Bundle | None:
    """The next deliveries for a target: one, or a bundle if more than MANY wait or it missed some."""
    rows = connection.execute(_DUE_FIRST, {"target": target, "now": now}).all()
    if not rows:
        return None
    missed = any(row.missed == Missed.SUMMARY for row in rows)
    taken = connection.execute(_DUE_MISSED, {"target": target, "now": now}).all() if missed else _next(rows)
    connection.execute(_CLAIM, {"ids": [row.id for row in taken], "ticket": now, "me": me, "until": now + lease})
    return Bundle(target=target, deliveries=tuple(_delivery(row, now) for row in taken), missed=missed)


def _next(rows: Sequence[Any]) -> Sequence[Any]:
    usual = [row for row in rows if row.missed is None]
    return usual if rows[0].missed is None and len(usual) > MANY else rows[:1]


def settle(connection: sa.Connection, me: str, settled: Sequence[Settled]) -> int:
    """Record the results of attempts whose claims are still valid, and successes that nobody repeats.

    Returns their number.
    """
    rows = [
        {
            "_id": one.id,
            "_claim": one.claim,
            "_me": me,
            "_sent": one.state is DeliveryState.SENT,
            "_error": one.last_error,
            "state": one.state.value,
            "attempts": one.attempts,
            "due_at": one.due_at,
            "sent_at": one.sent_at,
        }
        for one in settled
    ]
    dialects.lock(connection, deliveries.c.id, [one.id for one in settled])
    return connection.execute(_SETTLE, rows).rowcount


def pull_forward(connection: sa.Connection, target: str, now: datetime) -> None:
    """Make a target's waiting deliveries due now, except those that are being sent."""
    connection.execute(_PULL_FORWARD, {"name": target, "now": now})


def _held_back(
    connection: sa.Connection, happened: Sequence[Event], called: dict[int, Any], quiet: Collection[str]
) -> Collection[str]:
    """Those of the quiet groups that are open and have a success among these events."""
    jobs = (event.job_id for event in happened if event.kind is EventKind.SUCCESS and event.job_id is not None)
    return open_among(connection, {called[job_id].group_name for job_id in jobs} & set(quiet))


def _named(event: Event, called: dict[int, Any]) -> Event:
    return event if event.job_id is None else replace(event, name=called[event.job_id].name)


def _waiting(recorded: RecordedEvent, target: str) -> dict[str, Any]:
    return {
        "event_id": recorded.event_id,
        "target": target,
        "state": DeliveryState.PENDING.value,
        "due_at": recorded.event.at,
        "expires_at": recorded.event.at + KEEP_TRYING,
    }


def _delivery(row: Any, claim: datetime) -> Delivery:
    return Delivery(
        id=row.id,
        event_id=row.event_id,
        event=Event(at=row.at, job_id=row.job_id, name=row.name, facts=from_json(row.kind, row.facts)),
        attempts=row.attempts,
        expires_at=row.expires_at,
        claim=claim,
    )
