"""Runs of jobs that were never watched, from lists."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from operator import attrgetter

import sqlalchemy as sa

from gemwatch.adapters.store.database import leading, reading
from gemwatch.adapters.store.reads.past import ExperienceReader, learned_marker
from gemwatch.adapters.store.tables import learned_runs, runs, watches
from gemwatch.core.estimates.estimate import Experience
from gemwatch.core.runs import Run

_FIELDS = tuple(field.name for field in fields(Run))
_values = attrgetter(*_FIELDS)
_SLICE = 1000


def forget_learned(connection: sa.Connection, job_ids: Sequence[int]) -> None:
    """From now on these jobs are polled: what a list showed of them does not count any more."""
    for start in range(0, len(job_ids), _SLICE):
        part = learned_runs.c.job_id.in_(job_ids[start : start + _SLICE])
        connection.execute(sa.delete(learned_runs).where(part))


class Learning:
    """Every method is one transaction and safe to retry."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine, self._reading = leading(engine), reading(engine)

    def is_new(self, began: datetime) -> bool:
        """Whether the store had no runs when this program began: by now, jobs that had ended may have been polled."""
        with self._engine.begin() as connection:
            earlier = sa.exists().select_from(runs).where(runs.c.ended_at < began)
            return not connection.execute(sa.select(earlier)).scalar_one()

    def add(self, found: Sequence[Run]) -> int:
        """Keep these runs, except of jobs that are or were watched. Returns how many are new."""
        with self._engine.begin() as connection:
            known = set(connection.execute(sa.select(watches.c.job_id)).scalars())
            known |= set(connection.execute(sa.select(learned_runs.c.job_id)).scalars())
            new = [dict(zip(_FIELDS, _values(run), strict=True)) for run in found if run.job_id not in known]
            for start in range(0, len(new), _SLICE):
                connection.execute(sa.insert(learned_runs), new[start : start + _SLICE])
        return len(new)

    def marker(self) -> tuple[int, int | None]:
        """A value that changes when runs are learned."""
        with self._engine.begin() as connection:
            return learned_marker(connection)

    def experience(self) -> Experience:
        """The durations of all runs. For every replica."""
        with self._reading.begin() as connection:
            return ExperienceReader().experience(connection)
