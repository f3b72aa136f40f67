"""Reads from the store what a running daemon knows about some jobs, from another process."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store.database import open_to_read
from gemwatch.adapters.store.details import WITH_DETAILS
from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.info import writer_of
from gemwatch.adapters.store.notes import paused_until
from gemwatch.adapters.store.reads.past import ExperienceReader, Past
from gemwatch.adapters.store.reads.rows import job_row
from gemwatch.adapters.store.schema import check
from gemwatch.adapters.store.tables import service, watches
from gemwatch.core.health import Login
from gemwatch.core.job import Status
from gemwatch.core.settings import Place
from gemwatch.core.waiting import DaemonJobStatus, reliable

_AT_ONCE = 500  # ids in one statement; SQLite's limit is a few thousand


class DaemonStatus:
    """Reads repeatedly, while a daemon may start, stop, and be replaced by one with another schema."""

    def __init__(self, store: Place) -> None:
        self._store = store
        self._reader = ExperienceReader()

    def about(self, job_ids: Collection[int], now: datetime) -> Mapping[int, DaemonJobStatus]:
        """What the daemon's store shows of these jobs, where the daemon watches them and its information is reliable.

        Empty if no daemon runs or its store cannot be read: then the caller polls the API itself.
        """
        try:
            reported = self._read(job_ids, now)
        except (StoreError, sa.exc.DatabaseError, OSError):
            return {}
        found = {one.job_id: one for one in reported if reliable(one, now)}
        # Last, because this check takes the daemon's lock for a moment, which could disturb a starting daemon.
        return found if found and writer_of(self._store) is not None else {}

    def _read(self, job_ids: Collection[int], now: datetime) -> list[DaemonJobStatus]:
        wanted, engine = list(job_ids), open_to_read(self._store)
        try:
            check(engine)
            with engine.begin() as connection:
                login = sa.select(service.c.value).where(service.c.name == "login")
                refused = connection.execute(login).scalar() == Login.REFUSED
                rows: list[Any] = []
                for start in range(0, len(wanted), _AT_ONCE):
                    some = watches.c.job_id.in_(wanted[start : start + _AT_ONCE])
                    rows += connection.execute(WITH_DETAILS.where(watches.c.watched, some)).all()
                if not rows:
                    return []
                past = Past(
                    now=now,
                    experience=self._reader.experience(connection),
                    previous={},
                    paused_until=paused_until(connection),
                )
                return [_job_status(row, past, refused=refused) for row in rows]
        finally:
            engine.dispose()


def _job_status(row: Any, past: Past, *, refused: bool) -> DaemonJobStatus:
    found = job_row(row, past)
    return DaemonJobStatus(
        job_id=found.job_id,
        name=found.name,
        status=found.status,
        status_since=found.status_since,
        seen_at=found.seen_at,
        job=found.job,
        answer=found.answer,
        misses=found.misses,
        failures=found.failures,
        refused=refused or found.refused,
        last_error=found.last_error,
        next_poll_at=found.next_poll_at,
        needs_review=found.needs_review if found.status == Status.SUCCESS else (),
        estimate=found.estimate,
    )
