"""Copies the configured watch list into the store, without touching unchanged entries."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.tables import microseconds, watches
from gemwatch.core.settings import Applied, Watch

_SLICE = 1000  # rows at a time: the process would keep the memory for a whole list
_bind = sa.bindparam

_KNOWN = sa.select(
    watches.c.job_id,
    watches.c.watched,
    watches.c.name,
    watches.c.notify,
    watches.c.every,
    watches.c.limits,
    watches.c.gate,
    watches.c.polled_at,
    watches.c.due_at,
    watches.c.claim,
)
_CONFIGURE = (
    sa.update(watches)
    .where(watches.c.job_id == _bind("_job_id"))
    .values(
        watched=True,
        unwatched_at=None,
        name=_bind("name"),
        notify=_bind("notify"),
        every=_bind("every"),
        limits=_bind("limits"),
        gate=_bind("gate"),
        due_at=_bind("due_at"),
        claim=_bind("claim"),
    )
)
# Spread over five intervals, because all watches may be affected and must not delay other polls. `clock_at` counts as
# passed until it is set again, so that no list postpones the poll.
_NOW = _bind("now", type_=sa.BigInteger())
_SOON = _NOW + dialects.random_below(sa.type_coerce(watches.c.every, sa.BigInteger()) * 5)
_POLL_SOON = (
    sa.update(watches)
    .where(
        sa.type_coerce(watches.c.due_at, sa.BigInteger()) > _NOW,
        watches.c.claim.is_(None),
        watches.c.misses == 0,
        watches.c.refused_at.is_(None),
    )
    .values(clock_at=_NOW, due_at=sa.func.least(sa.type_coerce(watches.c.due_at, sa.BigInteger()), _SOON))
)
_UNWATCH = (
    sa.update(watches)
    .where(watches.c.job_id == _bind("_job_id"))
    .values(watched=False, unwatched_at=_bind("_now"), due_at=None, claim=None)
)


class WatchList:
    """The configured part of the watches."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def apply(self, wanted: Sequence[Watch], every: timedelta, now: datetime) -> Applied:
        """Make the watch list equal to the configuration. `every`: the interval of watches without their own.

        Does not touch unchanged watches, so that their polls do not move. A job that is watched again keeps its
        history and memory, and is polled once more even if it has ended.
        """
        with self._engine.begin() as connection:
            known = {row.job_id: row for row in connection.execute(_KNOWN)}
            added, again, changed = list[Watch](), [], []
            for watch in wanted:
                row = known.pop(watch.job_id, None)
                if row is None:
                    added.append(watch)
                    continue
                values = _configured(watch, every)
                if not row.watched:
                    again.append({"_job_id": watch.job_id, "due_at": now, "claim": None, **values})
                elif any(getattr(row, name) != value for name, value in values.items()):
                    changed.append({"_job_id": watch.job_id, **_schedule(row, values, now), **values})
            removed = [{"_job_id": job_id, "_now": now} for job_id, row in known.items() if row.watched]
            for start in range(0, len(added), _SLICE):
                part = added[start : start + _SLICE]
                new = [
                    {"job_id": watch.job_id, "due_at": now, "watched": True, **_configured(watch, every)}
                    for watch in part
                ]
                connection.execute(sa.insert(watches), new)
            if again or changed:
                connection.execute(_CONFIGURE, again + changed)
            if removed:
                connection.execute(_UNWATCH, removed)
        return Applied(added=len(added) + len(again), changed=len(changed), removed=len(removed))

    def poll_soon(self, now: datetime) -> None:
        """After an edit of the general limits: poll each job to find when its next limit passes."""
        with self._engine.begin() as connection:
            connection.execute(_POLL_SOON, {"now": microseconds(now)})


def _configured(watch: Watch, every: timedelta) -> dict[str, Any]:
    notify = None if watch.notify is None else list(watch.notify)
    return {
        "name": watch.name,
        "notify": notify,
        "every": watch.every or every,
        "limits": watch.limits and watch.limits.as_json(),
        "gate": watch.gate and watch.gate.as_json(),
    }


def _schedule(row: Any, values: Mapping[str, Any], now: datetime) -> dict[str, datetime | None]:
    """A shorter interval and changed limits apply at once, a longer interval from the next poll on.

    A running poll would still record the old ones, so its claim is revoked and the job is due again.
    """
    every, limited = values["every"], values["limits"] != row.limits
    if row.due_at is None or (every >= row.every and not limited):
        return {"due_at": row.due_at, "claim": row.claim}
    if row.claim is not None or row.polled_at is None or limited:
        return {"due_at": now, "claim": None}
    return {"due_at": min(row.due_at, row.polled_at + every), "claim": None}
