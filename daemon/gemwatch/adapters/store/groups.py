"""Groups of jobs: which are open, and which are done. Used within a transaction."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

import sqlalchemy as sa

from gemwatch.adapters.store.tables import details, groups, watches
from gemwatch.core.events import Event
from gemwatch.core.job import ENDS, is_end
from gemwatch.core.lists.groups import USUAL, GroupCheck, GroupTerms, Member, Opening, facts_of, standing

_HAS_ENDED = watches.c.status.in_(ENDS)
_MAY_END = sa.and_(watches.c.watched, ~watches.c.reported_missing, sa.or_(watches.c.status.is_(None), ~_HAS_ENDED))
_OPEN = (
    sa.select(
        groups.c.name,
        groups.c.member_added_at,
        groups.c.idle_since,
        sa.func.count().label("members"),
        sa.func.sum(sa.case((_HAS_ENDED, 1), else_=0)).label("ended"),
        sa.func.sum(sa.case((_MAY_END, 1), else_=0)).label("running"),
    )
    .join(watches, watches.c.group_name == groups.c.name)
    .where(groups.c.done_at.is_(None))
    .group_by(groups.c.name, groups.c.member_added_at, groups.c.idle_since)
    .order_by(groups.c.name)
)
_MEMBERS = (
    sa.select(
        watches.c.job_id,
        watches.c.status,
        watches.c.status_since,
        watches.c.needs_review,
        details.c.requested_at,
    )
    .outerjoin(details, details.c.job_id == watches.c.job_id)
    .where(watches.c.group_name == sa.bindparam("group"))
)


def join_groups(connection: sa.Connection, names: Iterable[str | None], now: datetime) -> None:
    """Open the groups that members were added to."""
    wanted = {name for name in names if name is not None}
    if not wanted:
        return
    known = set(connection.execute(sa.select(groups.c.name).where(groups.c.name.in_(wanted))).scalars())
    opened = {"member_added_at": now, "idle_since": None, "done_at": None}
    if known:
        connection.execute(sa.update(groups).where(groups.c.name.in_(known)).values(opened))
    if new := [{"name": name, **opened} for name in sorted(wanted - known)]:
        connection.execute(sa.insert(groups), new)


def open_among(connection: sa.Connection, names: Collection[str]) -> set[str]:
    """Those of these groups that are open."""
    query = sa.select(groups.c.name).where(groups.c.name.in_(names), groups.c.done_at.is_(None))
    return set(connection.execute(query).scalars()) if names else set()


def receivers(connection: sa.Connection, group: str) -> list[str] | None:
    """The targets that receive messages about any member. None: all."""
    found = connection.execute(sa.select(watches.c.notify).where(watches.c.group_name == group)).scalars().all()
    return None if None in found else sorted({name for names in found for name in names})


def changing(connection: sa.Connection, terms: Mapping[str, GroupTerms], now: datetime) -> dict[str, GroupCheck]:
    """The open groups that are done or have become idle or busy, by name."""
    found = {}
    for row in connection.execute(_OPEN).all():
        own = terms.get(row.name, USUAL)
        opening = Opening(name=row.name, member_added_at=row.member_added_at, idle_since=row.idle_since)
        now_is = standing(opening, members=row.members, ended=row.ended, running=row.running, terms=own, now=now)
        if now_is.done or now_is.idle_since != row.idle_since:
            found[row.name] = now_is
    return found


def close_groups(connection: sa.Connection, terms: Mapping[str, GroupTerms], now: datetime) -> list[Event]:
    """Close the groups that are done. Returns an event for each, to be recorded in the same transaction."""
    happened = []
    for name, found in changing(connection, terms, now).items():
        values = {"idle_since": found.idle_since, "done_at": now if found.done else None}
        connection.execute(sa.update(groups).where(groups.c.name == name).values(values))
        if found.done:
            facts = facts_of(name, _members(connection, name), terms.get(name, USUAL), incomplete=found.incomplete)
            happened.append(Event(at=now, facts=facts))
    return happened


def _members(connection: sa.Connection, group: str) -> list[Member]:
    return [
        Member(
            job_id=row.job_id,
            status=row.status,
            needs_review=row.needs_review is not None,
            requested_at=row.requested_at,
            ended_at=row.status_since if is_end(row.status) else None,
        )
        for row in connection.execute(_MEMBERS, {"group": group})
    ]
