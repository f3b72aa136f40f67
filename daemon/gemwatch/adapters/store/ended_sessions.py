"""Web sessions that ended with a logout. The store's thread writes them, the connection for pages reads them."""

from datetime import datetime

import sqlalchemy as sa

from gemwatch.adapters.store.database import DatabaseThread
from gemwatch.adapters.store.reads.views import Views
from gemwatch.adapters.store.tables import ended_sessions
from gemwatch.core.clock import Clock


class EndedSessions:
    def __init__(self, *, engine: sa.Engine, database: DatabaseThread, views: Views, clock: Clock) -> None:
        self._engine = engine
        self._database = database
        self._views = views
        self._clock = clock

    async def end(self, digest: str, expires_at: datetime) -> None:
        """Remember this session until it would have expired. Returns after the commit."""
        await self._database(self._insert, digest, expires_at, self._clock.now())

    async def ended(self) -> frozenset[str]:
        """The digests of all ended sessions. Raises StoreError."""
        return await self._views.ended_sessions()

    def _insert(self, digest: str, expires_at: datetime, now: datetime) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.delete(ended_sessions).where(ended_sessions.c.expires_at < now))
            known = sa.select(ended_sessions.c.digest).where(ended_sessions.c.digest == digest)
            if connection.execute(known).first() is None:
                connection.execute(sa.insert(ended_sessions).values(digest=digest, expires_at=expires_at))
