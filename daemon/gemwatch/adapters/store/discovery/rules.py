"""The rules in force, and what is remembered about the jobs that they found. Used within a transaction."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa

from gemwatch.adapters.store.tables import discovered, rules, shifted, watches
from gemwatch.core.job import JobDetails
from gemwatch.core.lists.rules import key_of
from gemwatch.core.settings import Rule


def apply_rules(connection: sa.Connection, in_force: Iterable[Rule], now: datetime) -> None:
    """Note when each rule was first applied, and that it is in force."""
    known = set(connection.execute(sa.select(rules.c.key)).scalars())
    keys = {key_of(rule) for rule in in_force}
    if new := [{"key": key, "applied_at": now, "seen_at": now} for key in sorted(keys - known)]:
        connection.execute(sa.insert(rules), new)
    if old := keys & known:
        connection.execute(sa.update(rules).where(rules.c.key.in_(old)).values(seen_at=now))


def found_jobs(connection: sa.Connection) -> dict[int, tuple[str, JobDetails]]:
    """The jobs that rules added, each with its rule's key and what its name is derived from."""
    query = sa.select(discovered).where(sa.not_(discovered.c.excluded))
    return {
        row.job_id: (
            row.rule,
            JobDetails(
                job_id=row.job_id,
                status="",
                storage_id=row.storage_id,
                input_filename=row.input_filename,
                overture_release=row.release,
                job_type=row.job_type,
                requested_at=row.requested_at,
            ),
        )
        for row in connection.execute(query)
    }


def rules_in_force(connection: sa.Connection, in_force: Iterable[Rule], now: datetime, after: timedelta) -> None:
    """Note that these rules are still in force, at most once in that time."""
    keys = [key_of(rule) for rule in in_force]
    stale = sa.and_(rules.c.key.in_(keys), rules.c.seen_at < now - after)
    connection.execute(sa.update(rules).where(stale).values(seen_at=now))


def follow_clock_back(connection: sa.Connection, by: timedelta) -> None:
    """After the clock was set back: no rule was first applied in the future, which would hide the ends of new jobs.

    Rules do not follow a clock that was set forward: it may only have slept, and the jobs that were requested in the
    meantime are not past. When in doubt, a job is reported rather than lost.
    """
    if by < timedelta():
        connection.execute(sa.update(rules).values({rules.c.applied_at: shifted(rules.c.applied_at, by)}))


def prune_found(connection: sa.Connection, before: datetime) -> None:
    """Forget jobs that no list has had since then, and rules that have not been in force since then."""
    watched = sa.select(watches.c.job_id).where(watches.c.watched)
    gone = sa.and_(discovered.c.listed_at < before, discovered.c.job_id.not_in(watched))
    connection.execute(sa.delete(discovered).where(gone))
    connection.execute(sa.delete(rules).where(rules.c.seen_at < before))
