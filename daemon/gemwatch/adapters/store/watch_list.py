"""The watch list as configured, brought into the store without touching what did not change."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store.tables import microseconds, watches
from gemwatch.core.settings import Applied, Watch

_SLICE = 1000  # rows at a time: what a whole list takes for a moment would stay with the process
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
# Over five intervals, since all watches may be concerned: what else is due must not wait for them. A clock that is
# to be set anew counts as passed, so that no list puts the look off.
_LOOK_SOON = sa.text(
    """
    UPDATE watches SET clock_at = :now, due_at = min(due_at, :now + abs(random()) % (every * 5))
    WHERE due_at > :now AND claim IS NULL AND misses = 0 AND refused_at IS NULL
    """
)
_UNWATCH = (
    sa.update(watches)
    .where(watches.c.job_id == _bind("_job_id"))
    .values(watched=False, unwatched_at=_bind("_now"), due_at=None, claim=None)
)


class WatchList:
    """The configured side of the watches."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def apply(self, wanted: Sequence[Watch], every: timedelta, now: datetime) -> Applied:
        """Make the watch list what the configuration says; `every` is the interval of watches without their own.

        What did not change is not touched, so that no poll of it moves. A job that is watched again keeps its
        history and its memory, and is looked at once more even if it had ended.
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
        """After the limits for all were edited: when the next one passes, only a look at each job can tell."""
        with self._engine.begin() as connection:
            connection.execute(_LOOK_SOON, {"now": microseconds(now)})


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
    """A shorter interval and other limits count at once, a longer interval from the next look on.

    A look in hand would still record the old ones, so its claim is taken back and the job is due again.
    """
    every, limited = values["every"], values["limits"] != row.limits
    if row.due_at is None or (every >= row.every and not limited):
        return {"due_at": row.due_at, "claim": row.claim}
    if row.claim is not None or row.polled_at is None or limited:
        return {"due_at": now, "claim": None}
    return {"due_at": min(row.due_at, row.polled_at + every), "claim": None}
