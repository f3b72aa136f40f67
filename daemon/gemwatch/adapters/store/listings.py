"""Applies a list of jobs to the watches: which jobs are unchanged, and which are due for a poll."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.database import leading, relaxed
from gemwatch.adapters.store.tables import MICROSECOND, microseconds, watches
from gemwatch.core.job import ENDS
from gemwatch.core.limits import GRACE
from gemwatch.core.listing import Listing, Swept

FEWEST = 20  # jobs of one type: for fewer jobs, reading a list with thousands of others does not pay off
_INT = sa.BigInteger()
_bind = sa.bindparam
_AT, _SENT_AT, _EVERY = (_bind(name, type_=_INT) for name in ("_at", "_sent_at", "_every"))
_21 = sa.literal(21, _INT)
_NEVER = sa.literal(2**63 - 1, _INT)
_RECENT = timedelta(hours=1)  # a job that ended earlier may have been started again
_FEW_BEHIND = 1  # a single recently ended job may have been started again too


def _number(column: sa.Column[Any]) -> sa.ColumnElement[int]:
    """A time or span as the whole microseconds that are stored."""
    return sa.type_coerce(column, _INT)


# Jobs that a list can cover: seen before, not finished, answered normally, and with an interval no shorter than the
# one between lists.
_LISTABLE = sa.and_(
    watches.c.due_at.is_not(None),
    watches.c.status.is_not(None),
    watches.c.status.not_in(ENDS),
    watches.c.misses == 0,
    watches.c.refused_at.is_(None),
    watches.c.every >= sa.bindparam("every"),
)
_JOB_TYPES = (
    sa.select(watches.c.job_type, sa.func.count().label("jobs"))
    .where(_LISTABLE, watches.c.job_type.is_not(None))
    .group_by(watches.c.job_type)
    .having(sa.func.count() >= FEWEST)
)
_IN_TURN = (
    sa.select(watches.c.job_id)
    .where(_LISTABLE, watches.c.job_type == sa.bindparam("job_type"), watches.c.job_id > sa.bindparam("after"))
    .order_by(watches.c.job_id)
    .limit(sa.bindparam("many"))
)

# A list that was requested before a job's last poll has no news about it, and a claimed job is being polled. The next
# poll is postponed until after the next list, by up to a third of the interval between lists. Not beyond the time at
# which a limit passes, not for a job whose turn it is, and not for a finished job that is to be polled once more.
_LISTED = dialects.rows("listed", job_id=_INT, status=sa.Text())
_TURN = dialects.rows("turn", job_id=_INT)
_COVERED = sa.and_(
    watches.c.job_id == _LISTED.c.job_id,
    watches.c.job_type == _bind("_job_type"),
    watches.c.claim.is_(None),
    watches.c.due_at.is_not(None),
    watches.c.misses == 0,
    watches.c.refused_at.is_(None),
    _number(watches.c.polled_at) <= _SENT_AT,
    _number(watches.c.every) >= _EVERY,
)
_AFTER_NEXT = sa.func.greatest(_number(watches.c.due_at), _AT + _EVERY * (115 + dialects.random_below(_21)) // 100)
_BEFORE_LIMIT = sa.case(
    (watches.c.clock_at.is_(None), _NEVER),
    else_=sa.func.greatest(_number(watches.c.clock_at) + _bind("grace", type_=_INT), _AT),
)
_UNCHANGED = (
    sa.update(watches)
    .where(_COVERED, watches.c.status == _LISTED.c.status, watches.c.status.not_in(ENDS))
    .values(
        seen_at=_AT,
        polled_at=_AT,
        failures=0,
        last_error=None,
        due_at=sa.case(
            (watches.c.job_id.in_(sa.select(_TURN.c.job_id)), _number(watches.c.due_at)),
            else_=sa.func.least(_AFTER_NEXT, _BEFORE_LIMIT),
        ),
    )
)
_CHANGED = (
    sa.update(watches)
    .where(_COVERED, watches.c.status != _LISTED.c.status, _number(watches.c.due_at) > _AT)
    .values(due_at=_AT)
)
# A list is outdated if it shows a job as unfinished that was seen finished well before the request.
_BEHIND = (
    sa.select(sa.func.count())
    .select_from(_LISTED.join(watches, watches.c.job_id == _LISTED.c.job_id))
    .where(
        watches.c.job_type == _bind("_job_type"),
        watches.c.due_at.is_(None),
        watches.c.status.in_(ENDS),
        _LISTED.c.status.not_in(ENDS),
        _number(watches.c.seen_at) > _SENT_AT - _bind("recent", type_=_INT),
        _number(watches.c.seen_at) < _SENT_AT - _EVERY,
    )
)


class Listings:
    """Every method is one transaction, and safe to call again when it failed."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = leading(relaxed(engine))

    def job_types(self, every: timedelta) -> Mapping[str, int]:
        """The job types with enough watched jobs that are polled at this interval or less often, and their number."""
        with self._engine.begin() as connection:
            rows = connection.execute(_JOB_TYPES, {"every": every})
            return {row.job_type: row.jobs for row in rows}

    def record(self, listing: Listing, every: timedelta, sent_at: datetime, *, after: int, many: int) -> Swept:
        """Record a list that was requested at `sent_at`; the next one follows after `every`. Jobs with an unchanged
        status count as seen. The others become due for a poll, which gets their details.

        Some jobs have their turn for a poll regardless of the list: `turn` of them, after the id `after`. Nothing
        from an outdated list is recorded.
        """
        values: dict[str, Any] = {
            "listed": json.dumps(list(listing.statuses().items())),
            "_job_type": listing.job_type,
            "_sent_at": microseconds(sent_at),
            "_every": every // MICROSECOND,
        }
        polls = {**values, "_at": microseconds(listing.at)}
        recent = max(_RECENT, 3 * every)  # the next list after an end may still lack it
        with self._engine.begin() as connection:
            behind = connection.execute(_BEHIND, {**values, "recent": recent // MICROSECOND}).scalar_one()
            if behind > _FEW_BEHIND:
                return Swept(behind=behind, last=after)
            chosen = {"job_type": listing.job_type, "every": every}
            turn = list(connection.execute(_IN_TURN, {**chosen, "after": after, "many": many}).scalars())
            turn += connection.execute(_IN_TURN, {**chosen, "after": 0, "many": many - len(turn)}).scalars()
            connection.execute(
                _UNCHANGED, {**polls, "grace": GRACE // MICROSECOND, "turn": json.dumps([[one] for one in turn])}
            )
            due = connection.execute(_CHANGED, polls).rowcount
        return Swept(due=due, last=turn[-1] if turn else 0)
