"""The quality gate for a SUCCESS that `wait` polled itself. Compares it with runs from a store if there is one."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from gemwatch.adapters.store.database import open_to_read
from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.runs import PAST, SUCCESSES, place_of, run_of
from gemwatch.adapters.store.schema import check
from gemwatch.core.gate import Gate, reasons
from gemwatch.core.job import JobDetails
from gemwatch.core.runs import Run, finished
from gemwatch.core.settings import Place


class StoreGate:
    """`own`: the gates of single jobs, which override the general one. `store` None: there is none."""

    def __init__(self, store: Place | None, general: Gate | None, own: Mapping[int, Gate]) -> None:
        self._store, self._general, self._own = store, general or Gate(), own

    def needs_review(self, job: JobDetails, seen_at: datetime) -> tuple[str, ...]:
        """The reasons to review this SUCCESS. Without a readable store, only its own numbers count."""
        gate = self._own.get(job.job_id, Gate()).over(self._general)
        if gate.as_json() is None:
            return ()
        try:
            earlier = self._earlier(job)
        except (StoreError, sa.exc.DatabaseError, OSError):
            earlier = None
        return tuple(reasons(finished(job, ended_at=seen_at, running_since=None), earlier, gate))

    def _earlier(self, job: JobDetails) -> Run | None:
        """The previous SUCCESS on the same input, excluding this job, whose end a daemon may have recorded."""
        place = place_of(job)
        if place is None or self._store is None:
            return None
        query = SUCCESSES.where(PAST.c.job_id != job.job_id).limit(1)
        engine = open_to_read(self._store)
        try:
            check(engine)
            with engine.begin() as connection:
                row = connection.execute(query, place).first()
                return None if row is None else run_of(row)
        finally:
            engine.dispose()
