"""Groups of jobs: how far each is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from gemwatch.adapters.store.details import WITH_DETAILS
from gemwatch.adapters.store.notes import read_note
from gemwatch.adapters.store.reads.past import ExperienceReader
from gemwatch.adapters.store.reads.rows import job_row
from gemwatch.adapters.store.reads.view_queries import has_ended, job_state
from gemwatch.adapters.store.tables import details, groups, watches


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """A group with members. `jobs` counts them as the page does. `ends_at`: the expected end of the last one.

    `incomplete`: it was given up, because jobs that were expected did not come or did not end. `expect`: how many are
    expected, if the configuration says so.
    """

    name: str
    member_added_at: datetime
    done_at: datetime | None
    incomplete: bool = False
    finished: int
    jobs: Mapping[str, int]
    ends_at: datetime | None = None
    expect: int | None = None


EXPECTED_NOTE = "expected_members"  # by group, written with the configuration
_COUNTS = (
    sa.select(
        groups.c.name,
        groups.c.member_added_at,
        groups.c.done_at,
        groups.c.idle_since,
        job_state.label("state"),
        sa.func.count().label("jobs"),
        sa.func.sum(sa.case((has_ended, 1), else_=0)).label("finished"),
    )
    .join(watches, watches.c.group_name == groups.c.name)
    .outerjoin(details, details.c.job_id == watches.c.job_id)
    .group_by(groups.c.name, groups.c.member_added_at, groups.c.done_at, groups.c.idle_since, job_state)
    .order_by(groups.c.done_at.is_not(None), groups.c.member_added_at.desc(), groups.c.name, job_state)
)
_UNFINISHED = WITH_DETAILS.where(watches.c.watched, ~has_ended)


def all_groups(
    connection: sa.Connection, name: str | None = None, *, learner: ExperienceReader, now: datetime
) -> tuple[GroupRow, ...]:
    """Every group that has members, or the one with this name: open ones first, then the latest."""
    if name is not None and "\0" in name:
        return ()  # no text in the store has one, and PostgreSQL refuses it
    counts = connection.execute(_COUNTS if name is None else _COUNTS.where(groups.c.name == name)).all()
    still_open = [row.name for row in counts if row.done_at is None]
    ends = _expected_ends(connection, still_open, learner, now) if still_open else {}
    expected = read_note(connection, EXPECTED_NOTE) or {}
    found: dict[str, GroupRow] = {}
    for row in counts:
        before = found.get(row.name)
        found[row.name] = GroupRow(
            name=row.name,
            member_added_at=row.member_added_at,
            done_at=row.done_at,
            incomplete=row.done_at is not None and row.idle_since is not None,
            finished=row.finished + (before.finished if before else 0),
            jobs={**(before.jobs if before else {}), row.state: row.jobs},
            ends_at=ends.get(row.name),
            expect=expected.get(row.name),
        )
    return tuple(found.values())


def members_of(connection: sa.Connection, group: str) -> list[int]:
    """The jobs of a group, in the order of their ids."""
    query = sa.select(watches.c.job_id).where(watches.c.group_name == group).order_by(watches.c.job_id)
    return list(connection.execute(query).scalars())


def open_counts(connection: sa.Connection) -> dict[tuple[str, str | None], int]:
    """How many members of each open group have each status."""
    query = (
        sa.select(groups.c.name, watches.c.status, sa.func.count())
        .join(watches, watches.c.group_name == groups.c.name)
        .where(groups.c.done_at.is_(None))
        .group_by(groups.c.name, watches.c.status)
    )
    return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def _expected_ends(
    connection: sa.Connection, names: Collection[str], learner: ExperienceReader, now: datetime
) -> dict[str, datetime]:
    """When the last member of a group is expected to end, if each unfinished one has an estimate."""
    rows = connection.execute(_UNFINISHED.where(watches.c.group_name.in_(names))).all()
    past = learner.past(connection, now, [row.job_id for row in rows])
    ends: dict[str, list[datetime | None]] = {}
    for row in rows:
        job = job_row(row, past)
        ends.setdefault(row.group_name, []).append(job.estimate.ends_at if job.estimate else None)
    return {name: max(filter(None, times)) for name, times in ends.items() if None not in times}
