"""Notifies open pages that something has changed, as server-sent events: one task checks for all of them."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress

from sse_starlette.event import ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gemwatch.adapters.store.files import StoreError
from gemwatch.web.http.streams import Streams

CHECK_EVERY = 1.0  # seconds
RECONNECT_AFTER = 2000  # milliseconds until a browser connects again after a stream has ended


class Live:
    """Checks only while at least one page is open."""

    def __init__(
        self,
        marker: Callable[[], Awaitable[str]],
        *,
        every: float = CHECK_EVERY,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """`marker` gives another text than before if anything that a page shows may have changed since.

        `on_change` is called before the pages are notified: they reload at once.
        """
        self._marker = marker
        self._every = every
        self._on_change = on_change
        self._listeners: set[asyncio.Event] = set()
        self._checking: asyncio.Task[None] | None = None

    async def events(self) -> AsyncGenerator[ServerSentEvent]:
        """What one listener is sent, for as long as it listens.

        The first change is reported at once: something may have happened since its page was made.
        """
        news = asyncio.Event()
        self._listeners.add(news)
        if self._checking is None:
            self._on_change()  # the first check
            self._checking = asyncio.create_task(self._check(), name="events")
        try:
            yield ServerSentEvent(event="hello", data="", retry=RECONNECT_AFTER)
            yield ServerSentEvent(event="changed", data="")
            while True:
                await news.wait()
                news.clear()
                yield ServerSentEvent(event="changed", data="")
        finally:
            self._listeners.discard(news)
            if not self._listeners and self._checking is not None:
                self._checking.cancel()
                self._checking = None

    async def _check(self) -> None:
        before = await self._mark()
        while True:
            await asyncio.sleep(self._every)
            now = await self._mark()
            if now != before:
                self._on_change()
                for news in self._listeners:
                    news.set()
            before = now

    async def _mark(self) -> str | None:
        with suppress(StoreError):
            return await self._marker()
        return None  # that the store does not answer is a change, too: the page shows it


def routes(live: Live, streams: Streams) -> list[Route]:
    async def events(request: Request) -> Response:
        return streams.answer(request, live.events())

    return [Route("/events", events)]
