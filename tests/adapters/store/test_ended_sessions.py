"""Logouts on a real store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from gemwatch.adapters.store.database import DatabaseThread, open_to_write
from gemwatch.adapters.store.ended_sessions import EndedSessions
from gemwatch.adapters.store.reads.views import Views
from gemwatch.core.settings import Place
from support.clock import START, FakeClock

DAY = timedelta(days=1)


@asynccontextmanager
async def opened(place: Place, clock: FakeClock) -> AsyncIterator[EndedSessions]:
    """As in one life of the daemon."""
    engine, database, views = open_to_write(place), DatabaseThread(), Views(place, clock)
    yield EndedSessions(engine=engine, database=database, views=views, clock=clock)
    views.close()
    database.close()
    engine.dispose()


async def test_logout_survives_a_restart(place: Place) -> None:
    clock = FakeClock()
    async with opened(place, clock) as sessions:
        assert await sessions.ended() == frozenset()
        await sessions.end("digest-1", START + DAY)
        await sessions.end("digest-1", START + DAY)
    async with opened(place, clock) as sessions:
        assert await sessions.ended() == {"digest-1"}


async def test_logout_is_forgotten_once_the_session_has_expired(place: Place) -> None:
    clock = FakeClock()
    async with opened(place, clock) as sessions:
        await sessions.end("digest-1", START + DAY)
        clock.advance(2 * DAY.total_seconds())
        await sessions.end("digest-2", START + 4 * DAY)
    async with opened(place, clock) as sessions:
        assert await sessions.ended() == {"digest-2"}
