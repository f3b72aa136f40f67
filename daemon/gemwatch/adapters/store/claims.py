"""Claims of watches for polls: takes them, checks them, and releases those of dead replicas. Used in a transaction.

A claim has a time and a replica. What is recorded without the same claim in the row is void. Outbox does the same for
deliveries.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store.tables import deliveries, replicas, watches
from gemwatch.core.gate import Gate
from gemwatch.core.limits import Limits
from gemwatch.core.polls.tracked import Memory, Tracked
from gemwatch.core.work import Report, WatchClaim

NOT_ON_DISK = 10.0  # seconds: PostgreSQL writes a relaxed commit within three times its wal_writer_delay of 0.2 s

MEMORY = tuple(field.name for field in fields(Memory))
_bind = sa.bindparam
_DUE_WATCHES = (
    sa.select(
        watches.c.job_id,
        watches.c.every,
        watches.c.due_at,
        watches.c.fingerprint,
        watches.c.limits,
        watches.c.gate,
        *(watches.c[name] for name in MEMORY),
    )
    .where(watches.c.due_at <= _bind("now"))
    .order_by(watches.c.due_at)
    .limit(_bind("most"))
    .with_for_update(skip_locked=True)
)
_CLAIM_WATCHES = (
    sa.update(watches)
    .where(watches.c.job_id.in_(_bind("ids", expanding=True)))
    .values(claim=_bind("ticket"), claimed_by=_bind("me"), due_at=_bind("until"))
)
_CLAIMS = sa.select(watches.c.job_id, watches.c.claim).where(
    watches.c.job_id.in_(_bind("ids", expanding=True)), watches.c.claimed_by == _bind("me")
)

_WITNESS = (
    sa.select(watches.c.job_id, watches.c.claim, watches.c.due_at)
    .where(
        watches.c.due_at.is_not(None),
        watches.c.refused_at.is_(None),
        watches.c.job_id != _bind("job_id"),
    )
    .order_by(watches.c.claim.is_not(None), watches.c.seen_at.desc().nulls_last())
    .limit(1)
)


def claim_watches(connection: sa.Connection, me: str, now: datetime, most: int, lease: timedelta) -> list[WatchClaim]:
    """Claim up to `most` due watches, the longest due first."""
    rows = connection.execute(_DUE_WATCHES, {"now": now, "most": most}).all()
    if rows:
        ids = [row.job_id for row in rows]
        connection.execute(_CLAIM_WATCHES, {"ids": ids, "ticket": now, "me": me, "until": now + lease})
    return [
        WatchClaim(tracked=_tracked(row), claim=now, due_at=row.due_at, fingerprint=row.fingerprint) for row in rows
    ]


def call_witness(connection: sa.Connection, job_id: int, now: datetime) -> bool:
    """Make another job due that has not been refused and is not being polled. Returns whether there is one."""
    row = connection.execute(_WITNESS, {"job_id": job_id}).first()
    if row is not None and row.claim is None and row.due_at > now:
        connection.execute(sa.update(watches).where(watches.c.job_id == row.job_id).values(due_at=now))
    return row is not None


def standing(connection: sa.Connection, me: str, reports: Sequence[Report]) -> list[Report]:
    """The reports with valid claims; of two with the same claim, the first."""
    ids = [report.verdict.job_id for report in reports]
    claims = {row.job_id: row.claim for row in connection.execute(_CLAIMS, {"ids": ids, "me": me})}
    valid = []
    for report in reports:
        if claims.get(report.verdict.job_id) == report.claim:
            del claims[report.verdict.job_id]
            valid.append(report)
    return valid


def release(connection: sa.Connection, holders: Collection[str]) -> None:
    """Make due what these replicas had claimed."""
    if holders:
        for table in (watches, deliveries):
            _release(connection, table, table.c.claimed_by.in_(holders))


def release_orphans(connection: sa.Connection) -> None:
    """Make due what was claimed by nobody who has a row. On SQLite that is every claim."""
    live = sa.select(replicas.c.id)
    for table in (watches, deliveries):
        _release(connection, table, sa.or_(table.c.claimed_by.is_(None), table.c.claimed_by.not_in(live)))


class Tickets:
    """The times of this replica's claims that may stand although nobody works on them.

    Their commit was not answered; or their polls were recorded by a relaxed commit, which a crash of PostgreSQL takes
    back. Of a claim of several watches, others may still be polled: their reports are void, and they are due again.
    """

    def __init__(self, engine: sa.Engine, me: str) -> None:
        self._engine = engine
        self._me = me
        self._unanswered: set[datetime] = set()
        self._recorded: dict[datetime, float] = {}  # when, by the monotonic clock
        self._taken_back: set[datetime] = set()
        self._outlives_the_store = engine.dialect.name == "postgresql"  # a crash that ends SQLite ends this process
        if self._outlives_the_store:
            sa.event.listen(engine, "handle_error", self._on_error)

    @contextmanager
    def claiming(self, engine: sa.Engine, ticket: datetime) -> Iterator[sa.Connection]:
        """A transaction that claims."""
        self._unanswered.add(ticket)
        with engine.begin() as connection:
            yield connection
        self._unanswered.discard(ticket)

    def recorded(self, tickets: Iterable[datetime]) -> None:
        """Polls of these claims were recorded by a relaxed commit."""
        if not self._outlives_the_store:
            return
        now = time.monotonic()
        recent = {ticket: at for ticket, at in self._recorded.items() if at > now - NOT_ON_DISK}
        self._recorded = recent | dict.fromkeys(tickets, now)

    def release_unanswered(self) -> None:
        """Make due what may still be claimed since the connection was lost. Costs nothing where it was not."""
        if self._unanswered or self._taken_back:
            with self._engine.begin() as connection:
                for table, tickets in (
                    (watches, self._unanswered | self._taken_back),
                    (deliveries, self._unanswered),
                ):
                    _release(connection, table, sa.and_(table.c.claimed_by == self._me, table.c.claim.in_(tickets)))
            self._unanswered.clear()
            self._taken_back.clear()

    def _on_error(self, context: sa.engine.ExceptionContext) -> None:
        if context.is_disconnect:
            self._taken_back.update(self._recorded)
            self._recorded = {}


def _release(connection: sa.Connection, table: sa.Table, whose: sa.ColumnElement[bool]) -> None:
    held, (key,) = sa.and_(table.c.claim.is_not(None), whose), table.primary_key
    ids = sa.select(key).where(held).order_by(key).with_for_update()
    connection.execute(sa.update(table).where(key.in_(ids)).values(due_at=table.c.claim, claim=None))


def _tracked(row: Any) -> Tracked:
    return Tracked(
        job_id=row.job_id,
        every=row.every,
        memory=Memory(**{name: getattr(row, name) for name in MEMORY}),
        limits=row.limits and Limits.from_json(row.limits),
        gate=row.gate and Gate.from_json(row.gate),
    )
