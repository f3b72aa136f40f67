"""Tells pages that something has changed, as server-sent events: one task looks for all who listen."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gemwatch.adapters.store.database import StoreError
from gemwatch.web.http.streams import Streams

LOOKS_EVERY = 1.0  # seconds
SAYS_SOMETHING_EVERY = 15.0  # seconds: proxies cut a connection that is silent for long
_HELLO = b"retry: 2000\nevent: hello\ndata:\n\n"  # a stream that ended is asked for again after 2 s
_CHANGED = b"event: changed\ndata:\n\n"
_STILL_HERE = b": still here\n\n"


class Marks(Protocol):
    """Where a change shows."""

    async def changed(self) -> str:
        """A text that differs from an earlier one if anything that a page shows may have changed since."""


class Live:
    """The looking goes on only while somebody listens."""

    def __init__(self, marks: Marks, *, every: float = LOOKS_EVERY, heartbeat: float = SAYS_SOMETHING_EVERY) -> None:
        self._marks = marks
        self._every = every
        self._heartbeat = heartbeat
        self._listeners: set[asyncio.Event] = set()
        self._looking: asyncio.Task[None] | None = None

    async def events(self) -> AsyncGenerator[bytes, None]:
        """What one listener is sent, for as long as it listens.

        It is first told of a change at once: something may have happened since its page was made.
        """
        news = asyncio.Event()
        self._listeners.add(news)
        if self._looking is None:
            self._looking = asyncio.create_task(self._poll(), name="events")
        try:
            yield _HELLO + _CHANGED
            while True:
                try:
                    async with asyncio.timeout(self._heartbeat):
                        await news.wait()
                except TimeoutError:
                    yield _STILL_HERE
                else:
                    news.clear()
                    yield _CHANGED
        finally:
            self._listeners.discard(news)
            if not self._listeners and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _poll(self) -> None:
        before = await self._mark()
        while True:
            await asyncio.sleep(self._every)
            now = await self._mark()
            if now != before:
                for news in self._listeners:
                    news.set()
            before = now

    async def _mark(self) -> str | None:
        with suppress(StoreError):
            return await self._marks.changed()
        return None  # that the store does not answer is a change, too: the page says so


def routes(live: Live, streams: Streams) -> list[Route]:
    async def events(_: Request) -> Response:
        return streams.answer(live.events())

    return [Route("/events", events)]
