"""Claims of watches for polls: takes them, checks them, and releases those of dead replicas. Used in a transaction.

A claim has a time and a replica. What is recorded without the same claim in the row is void. Outbox does the same for
deliveries.
"""

import json
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.tables import deliveries, microseconds, replicas, watches
from gemwatch.core.gate import Gate
from gemwatch.core.limits import Limits
from gemwatch.core.polls.tracked import Memory, Tracked
from gemwatch.core.sharing.polls import FOR_ANY_AFTER
from gemwatch.core.sharing.rate import Share
from gemwatch.core.work import Report, WatchClaim

NOT_ON_DISK = 10.0  # seconds: PostgreSQL writes a relaxed commit within three times its wal_writer_delay of 0.2 s

MEMORY = tuple(field.name for field in fields(Memory))
_bind, _INT = sa.bindparam, sa.BigInteger()
_PARTS = 1 << 16
# 40503 is 2^16 divided by the golden ratio: ids that follow each other, in steps of any size, get different places.
_SCATTERED = watches.c.job_id % _PARTS * 40503 % _PARTS
# A CASE, because PostgreSQL would expect one row in two hundred for `=`, and prefer to sort them.
_IS_MINE = sa.case((_SCATTERED * _bind("parts") // _PARTS == _bind("place"), sa.true()), else_=sa.false())
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
_SHARE_OF_DUE = _DUE_WATCHES.where(sa.or_(_IS_MINE, watches.c.due_at <= _bind("late")))
_CLAIM_WATCHES = (
    sa.update(watches)
    .where(watches.c.job_id.in_(_bind("ids", expanding=True)))
    .values(claim=_bind("ticket"), claimed_by=_bind("me"), due_at=_bind("until"))
)
_FIRST = sa.select(sa.func.min(watches.c.due_at)).where(watches.c.due_at.is_not(None))
_MY_FIRST = (
    sa.select(watches.c.due_at).where(watches.c.due_at.is_not(None), _IS_MINE).order_by(watches.c.due_at).limit(1)
)
_FIRSTS = sa.select(_FIRST.scalar_subquery(), _MY_FIRST.scalar_subquery())
_POLLS = dialects.rows("polls", job_id=_INT, claim=_INT, polled_at=_INT, seen_at=_INT, due_at=_INT)
_REPORT_QUIET = (
    sa.update(watches)
    .where(
        watches.c.job_id == _POLLS.c.job_id,
        sa.type_coerce(watches.c.claim, _INT) == _POLLS.c.claim,
        watches.c.claimed_by == _bind("me"),
    )
    .values(polled_at=_POLLS.c.polled_at, seen_at=_POLLS.c.seen_at, due_at=_POLLS.c.due_at, claim=None)
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


def next_due(connection: sa.Connection, share: Share | None) -> datetime | None:
    """When the next watch is due, or may be claimed with this share of them."""
    if share is None:
        return connection.execute(_FIRST).scalar()
    first, mine = connection.execute(_FIRSTS, {"parts": share.parts, "place": share.place}).one()
    return None if first is None else min(mine or datetime.max.replace(tzinfo=UTC), first + FOR_ANY_AFTER)


def claim_watches(
    connection: sa.Connection, me: str, now: datetime, most: int, lease: timedelta, *, share: Share | None
) -> list[WatchClaim]:
    """Claim up to `most` due watches, the longest due first. `share`: leave those of others to them at first."""
    given = {"now": now, "most": most}
    if share is None:
        rows = connection.execute(_DUE_WATCHES, given).all()
    else:
        given |= {"late": now - FOR_ANY_AFTER, "parts": share.parts, "place": share.place}
        rows = connection.execute(_SHARE_OF_DUE, given).all()
    if rows:
        ids = [row[0] for row in rows]
        connection.execute(_CLAIM_WATCHES, {"ids": ids, "ticket": now, "me": me, "until": now + lease})
    return [_claimed(row, now) for row in rows]


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


def report_quiet(connection: sa.Connection, me: str, reports: Sequence[Report]) -> None:
    """Record polls that found nothing new; ignores those without a valid claim."""
    polls = json.dumps([_quiet_row(report) for report in reports])
    connection.execute(_REPORT_QUIET, {"polls": polls, "me": me})


def _quiet_row(report: Report) -> list[int | None]:
    verdict = report.verdict
    times = (report.claim, report.at, verdict.memory.seen_at, verdict.due_at)
    return [verdict.job_id, *(None if time is None else microseconds(time) for time in times)]


def release(connection: sa.Connection, holders: Collection[str]) -> None:
    """Make due what these replicas had claimed."""
    if holders:
        for table in (watches, deliveries):
            _release(connection, table, table.c.claimed_by.in_(holders))


def release_orphans(connection: sa.Connection) -> None:
    """Make due what is claimed by no replica that has a row. On SQLite that is every claim."""
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
    # A jump of the clock moves the end of the lease, but not the claim, which the holder has to find unchanged.
    due_at = sa.case((table.c.claim < table.c.due_at, table.c.claim), else_=table.c.due_at)
    connection.execute(sa.update(table).where(key.in_(ids)).values(due_at=due_at, claim=None))


def _claimed(row: Sequence[Any], now: datetime) -> WatchClaim:
    """The claim of a due watch. By place, because a row's columns are slow to find by name."""
    job_id, every, due_at, fingerprint, limits, gate, *memory = row
    tracked = Tracked(
        job_id=job_id,
        every=every,
        memory=Memory(**dict(zip(MEMORY, memory, strict=True))),
        limits=limits and Limits.from_json(limits),
        gate=gate and Gate.from_json(gate),
    )
    return WatchClaim(tracked=tracked, claim=now, due_at=due_at, fingerprint=fingerprint)
