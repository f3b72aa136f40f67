"""A request of the API to wait, which holds all replicas on a PostgreSQL store: a note with a database time."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from gemwatch.adapters.store.databases.leases import NOW_AS_TIME
from gemwatch.adapters.store.notes import write_notes
from gemwatch.adapters.store.tables import service
from gemwatch.core.sharing.rate import Hold, after_report, wait_for

_NAME = "api_hold"
_READ = sa.select(service.c.value, NOW_AS_TIME).where(service.c.name == _NAME)
_TIME = sa.select(NOW_AS_TIME)


class RateHold:
    """What this replica and the others know of it."""

    def __init__(self, engine: sa.Engine, replica_id: str) -> None:
        self._engine = engine
        self._me = replica_id

    def exchange(self, mine: timedelta | None) -> timedelta:
        """Report for how long the API asked this replica to wait, and return for how long it waits for another one.

        Zero: it does not ask any more. None: nothing to report.
        """
        with self._engine.begin() as connection:
            row = connection.execute(_READ if mine is None else _READ.with_for_update()).first()
            value, now = row if row is not None else (None, connection.execute(_TIME).scalar_one())
            hold = Hold(until=datetime.fromisoformat(value["until"]), replica=value["replica"]) if value else None
            if mine is not None:
                before, hold = hold, after_report(hold, Hold(until=now + mine, replica=self._me), now)
                if hold != before:
                    note = hold and {"until": hold.until.isoformat(), "replica": hold.replica}
                    write_notes(connection, {_NAME: note})
        return wait_for(hold, self._me, now)
