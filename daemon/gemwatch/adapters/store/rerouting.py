"""Targets that are down: their health, and rerouting to the fallback and back. Used within a transaction."""

from dataclasses import fields
from datetime import datetime, timedelta

import sqlalchemy as sa

from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.tables import deliveries, events, messages, shifted, target_health
from gemwatch.core.events import Missed
from gemwatch.core.kinds import EventKind
from gemwatch.core.target_health import SentText, TargetHealth
from gemwatch.core.work import KEEP_TRYING, DeliveryState

KEEP_TEXTS = timedelta(days=30)
_STATE = tuple(field.name for field in fields(TargetHealth))


def read_health(connection: sa.Connection) -> dict[str, TargetHealth]:
    """The health by target name. Does not include targets that never failed."""
    rows = connection.execute(sa.select(target_health))
    return {row.target: TargetHealth(**{name: getattr(row, name) for name in _STATE}) for row in rows}


def write_health(connection: sa.Connection, target: str, health: TargetHealth) -> None:
    """Record the health of a target, which more than one replica may do."""
    values = {name: getattr(health, name) for name in _STATE}
    dialects.put(connection, target_health, {"target": target}, values)


def reroute(connection: sa.Connection, target: str, fallback: str, now: datetime) -> None:
    """Move the waiting deliveries of `target` to `fallback`, unless that already has the event.

    Does not move deliveries that were rerouted to `target` itself, nor events about targets. If the delivery of an
    event to the fallback has failed, the event keeps waiting for `target`.
    """
    other = deliveries.alias()
    there = sa.select(other.c.id).where(other.c.event_id == deliveries.c.event_id, other.c.target == fallback)
    about_targets = sa.select(events.c.id).where(
        events.c.id == deliveries.c.event_id, events.c.kind == EventKind.TARGET.value
    )
    waiting = sa.and_(
        deliveries.c.target == target,
        deliveries.c.due_at.is_not(None),
        deliveries.c.claim.is_(None),
        deliveries.c.rerouted_from.is_(None),
        ~about_targets.exists(),
    )
    constants = {
        "target": sa.literal(fallback),
        "state": sa.literal(DeliveryState.PENDING.value),
        "expires_at": sa.literal(now + KEEP_TRYING, deliveries.c.expires_at.type),
        "due_at": sa.literal(now, deliveries.c.due_at.type),
        "rerouted_from": sa.literal(target),
    }
    copies = sa.select(deliveries.c.event_id, *constants.values()).where(waiting, ~there.exists())
    connection.execute(sa.insert(deliveries).from_select(["event_id", *constants], copies))
    taken_over = there.where(other.c.state.in_([DeliveryState.PENDING.value, DeliveryState.SENT.value]))
    done = {"state": DeliveryState.REROUTED.value, "due_at": None, "rerouted_at": now, "missed": None}
    connection.execute(sa.update(deliveries).where(waiting, taken_over.exists()).values(done))


def give_back(connection: sa.Connection, target: str, missed: Missed, since: datetime, now: datetime) -> None:
    """The target has recovered: make deliveries that were rerouted `since` then due for it, according to `missed`."""
    if missed is Missed.NONE:
        return
    rerouted = sa.and_(
        deliveries.c.target == target,
        deliveries.c.state == DeliveryState.REROUTED.value,
        deliveries.c.rerouted_at >= since,
    )
    due = {"due_at": now, "expires_at": now + KEEP_TRYING, "missed": missed.value}
    connection.execute(sa.update(deliveries).where(rerouted).values(state=DeliveryState.PENDING.value, **due))


def move_rerouted(connection: sa.Connection, target: str, since: datetime, by: timedelta) -> None:
    """After a jump of the clock: what was rerouted since the target went down stays so for `give_back`."""
    mine = sa.and_(
        deliveries.c.target == target,
        deliveries.c.state == DeliveryState.REROUTED.value,
        deliveries.c.rerouted_at >= since,
    )
    later = shifted(deliveries.c.rerouted_at, by)
    connection.execute(sa.update(deliveries).where(mine).values(rerouted_at=later))


def keep_text(connection: sa.Connection, text: SentText, now: datetime) -> None:
    values = {"at": now, "title": text.title, "body": text.body, "format": text.format}
    number = connection.execute(sa.insert(messages).values(values)).inserted_primary_key
    assert number is not None  # noqa: S101 (for mypy: a single row)
    connection.execute(sa.update(deliveries).where(deliveries.c.id.in_(text.carried)).values(message_id=number[0]))


def text_of(connection: sa.Connection, delivery: int) -> SentText | None:
    """The text of the message with this delivery, while it is kept."""
    query = sa.select(messages).join(deliveries, deliveries.c.message_id == messages.c.id)
    row = connection.execute(query.where(deliveries.c.id == delivery)).first()
    if row is None:
        return None
    carried = connection.execute(sa.select(deliveries.c.id).where(deliveries.c.message_id == row.id)).scalars()
    return SentText(carried=tuple(carried), title=row.title, body=row.body, format=row.format)


def prune_texts(connection: sa.Connection, now: datetime) -> None:
    """Delete texts after their retention. Their deliveries stay."""
    connection.execute(sa.delete(messages).where(messages.c.at < now - KEEP_TEXTS))
