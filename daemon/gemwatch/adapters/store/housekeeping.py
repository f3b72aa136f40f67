"""Maintains the store: at the start, after a clock jump, once a day, and from commands."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.claims import release_orphans
from gemwatch.adapters.store.database import leading
from gemwatch.adapters.store.discovery.rules import follow_clock_back, prune_found
from gemwatch.adapters.store.notes import read_notes, write_notes
from gemwatch.adapters.store.rerouting import move_rerouted, prune_texts, read_health, write_health
from gemwatch.adapters.store.tables import deliveries, events, groups, learned_runs, microseconds, shifted, watches
from gemwatch.core.job import ENDS
from gemwatch.core.polls.decide import LOST_EVERY
from gemwatch.core.work import KEEP_TRYING, DeliveryState

_OTHERS_SOONER = timedelta(seconds=30)  # another replica may notice that the clock was set back this much earlier

_OPEN_GROUP = (
    sa.select(groups.c.name)
    .join(watches, watches.c.group_name == groups.c.name)
    .where(groups.c.done_at.is_(None))
    .limit(1)
)


class Housekeeping:
    """Every method is one transaction and safe to retry."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._leading = leading(engine)

    def expire_deliveries(self, now: datetime, known: Iterable[str]) -> list[str]:
        """Fail expired deliveries for targets that are no longer configured. Returns the targets' names."""
        over = sa.and_(
            deliveries.c.due_at.is_not(None),
            deliveries.c.expires_at <= now,
            deliveries.c.target.not_in(list(known)),
        )
        reason = "the target is no longer in the configuration"
        values = {"state": DeliveryState.FAILED.value, "due_at": None, "claim": None, "last_error": reason}
        with self._leading.begin() as connection:
            query = sa.update(deliveries).where(over).values(values).returning(deliveries.c.target)
            return list(connection.execute(query).scalars())

    def release_claims(self) -> None:
        """At the start: release the claims of processes that have died."""
        with self._engine.begin() as connection:
            release_orphans(connection)

    def shift_schedule(self, by: timedelta, now: datetime) -> None:
        """After a clock jump: move all due times, so that everything keeps its remaining waiting time.

        `now` is by the new clock, which other replicas and commands may have used already: what they wrote stays as
        far as its times differ. After a jump back, due times are moved in any case: it only makes them earlier.
        """
        back = by < timedelta()

        def old(written_at: sa.ColumnElement[datetime], keep: timedelta = timedelta()) -> sa.ColumnElement[bool]:
            if back:
                return sa.not_(written_at.between(now - _OTHERS_SOONER + keep, now + keep))
            return written_at <= now - by / 2 + keep

        put_down_at = sa.func.coalesce(watches.c.claim, watches.c.polled_at, watches.c.due_at)
        moved = (
            (watches.c.due_at, sa.true() if back else old(put_down_at)),
            (deliveries.c.due_at, sa.true() if back else old(deliveries.c.due_at)),
            (deliveries.c.expires_at, old(deliveries.c.expires_at, KEEP_TRYING)),
        )
        since = (groups.c.member_added_at, groups.c.idle_since)
        with self._leading.begin() as connection:
            for column, which in moved:
                waiting = sa.and_(column.table.c.due_at.is_not(None), which)
                connection.execute(sa.update(column.table).where(waiting).values({column: shifted(column, by)}))
            for column in since:
                open_ones = sa.and_(groups.c.done_at.is_(None), old(column))
                connection.execute(sa.update(groups).where(open_ones).values({column: shifted(column, by)}))
            follow_clock_back(connection, by)
            for target, health in read_health(connection).items():
                later = health.moved(by)
                write_health(connection, target, later)
                if health.down_since is not None and later.down_since != health.down_since:
                    move_rerouted(connection, target, health.down_since, by)

    def pull_back(self, now: datetime) -> int:
        """In case the clock was set back: what is due later than any pause could last becomes due."""
        latest = microseconds(now + LOST_EVERY * 1.2 + timedelta(minutes=1))
        every = sa.type_coerce(watches.c.every, sa.BigInteger) * 6 // 5
        lost = (
            (watches, sa.type_coerce(watches.c.due_at, sa.BigInteger) > every + latest),
            (deliveries, sa.type_coerce(deliveries.c.due_at, sa.BigInteger) > latest),
        )
        pulled = 0
        with self._engine.begin() as connection:
            for table, later in lost:
                free = sa.and_(table.c.due_at.is_not(None), table.c.claim.is_(None), later)
                pulled += connection.execute(sa.update(table).where(free).values(due_at=now)).rowcount
        return pulled

    def prune(self, before: datetime, *, lists_known: bool = True) -> int:
        """Delete unwatched jobs that are finished or were never seen before then, with their history.

        Also deletes old events of the service itself. Pending deliveries stay. Returns the number of deleted jobs.
        `lists_known`: the lists of jobs have been read since then. Otherwise no job counts as not listed any more.
        """
        pending = sa.select(events.c.job_id).join(deliveries).where(deliveries.c.due_at.is_not(None))
        old_jobs = sa.and_(
            watches.c.unwatched_at < before,
            sa.or_(watches.c.status.is_(None), watches.c.status.in_(ENDS)),
            watches.c.job_id.not_in(pending.where(events.c.job_id.is_not(None))),
        )
        waiting = sa.select(deliveries.c.event_id).where(deliveries.c.due_at.is_not(None))
        old_events = sa.and_(events.c.job_id.is_(None), events.c.at < before, events.c.id.not_in(waiting))
        members = sa.select(watches.c.group_name).where(watches.c.group_name.is_not(None))
        with self._leading.begin() as connection:
            deleted = connection.execute(sa.delete(watches).where(old_jobs)).rowcount
            connection.execute(sa.delete(events).where(old_events))
            if lists_known:
                prune_found(connection, before)
            connection.execute(sa.delete(learned_runs).where(learned_runs.c.ended_at < before))
            connection.execute(sa.delete(groups).where(groups.c.name.not_in(members)))
        return deleted

    def prune_texts(self, now: datetime) -> None:
        """Delete the texts of messages after 30 days. The deliveries stay."""
        with self._leading.begin() as connection:
            prune_texts(connection, now)

    def retry_failed(self, ids: Sequence[int], now: datetime) -> list[int]:
        """Requeue failed deliveries (all of them without ids) for another 48 h. Returns the requeued ones."""
        failed = deliveries.c.state == DeliveryState.FAILED.value
        chosen = sa.and_(failed, deliveries.c.id.in_(ids)) if ids else failed
        values = {"state": DeliveryState.PENDING.value, "due_at": now, "expires_at": now + KEEP_TRYING}
        with self._engine.begin() as connection:
            query = sa.update(deliveries).where(chosen).values(values).returning(deliveries.c.id)
            return sorted(connection.execute(query).scalars())

    def note(self, notes: Mapping[str, Any]) -> None:
        """Record the service's notes."""
        with self._engine.begin() as connection:
            write_notes(connection, notes)

    def notes(self) -> dict[str, Any]:
        """The service's notes."""
        with self._engine.begin() as connection:
            return read_notes(connection)

    def has_open_groups(self) -> bool:
        """Whether any group may have to be closed some time."""
        with self._engine.begin() as connection:
            return connection.execute(_OPEN_GROUP).first() is not None

    def checkpoint(self) -> None:
        """Write the WAL into the database and truncate it, so that it does not keep its maximum size."""
        dialects.checkpoint(self._engine)
