"""Server-sent events. They last longer than other connections, so they are limited and end on demand."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator

from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse, SendTimeoutError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from gemwatch.web.http.addresses import client_of
from gemwatch.web.http.connections import STATE, Connection

PING_EVERY = 15  # seconds: proxies cut a connection that is silent for long


class Streams:
    """At most `most` at a time, `per_address` of them for one client. Each ends after `life` seconds, by when a login
    may have ended: browsers ask again.

    `patience`: seconds that a client may take to read what it was sent.
    """

    def __init__(
        self, *, most: int = 256, per_address: int = 128, life: float = 900.0, patience: float = 30.0
    ) -> None:
        self._most, self._per_address = most, per_address
        self._life, self._patience = life, patience
        self._open: Counter[str] = Counter()
        self._ended = asyncio.Event()

    @property
    def open(self) -> int:
        return self._open.total()

    def answer(self, request: Request, events: AsyncGenerator[ServerSentEvent]) -> Response:
        """The response that sends these events; 503 if there are too many streams already."""
        address = client_of(request.client.host) if request.client else ""
        if self._ended.is_set():
            return _refused("gemwatch is stopping")
        if self.open >= self._most or self._open[address] >= self._per_address:
            return _refused("too many pages follow the events already")
        followed = self._followed(request.scope["state"][STATE], address, events)
        return _Events(followed, ping=PING_EVERY, send_timeout=self._patience)

    def end(self) -> None:
        """End all streams now and start none: the program stops."""
        self._ended.set()

    async def _followed(
        self, connection: Connection, address: str, events: AsyncGenerator[ServerSentEvent]
    ) -> AsyncIterator[ServerSentEvent]:
        """The events until the stream has lasted long enough or the program stops."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._life
        self._open[address] += 1
        connection.streaming = True
        stop = loop.create_task(self._ended.wait())
        try:
            async with contextlib.aclosing(events):
                while (event := await self._next(events, stop, ends_at - loop.time())) is not None:
                    yield event
        finally:
            stop.cancel()
            connection.streaming = False
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]

    async def _next(
        self, events: AsyncGenerator[ServerSentEvent], stop: asyncio.Task[bool], patience: float
    ) -> ServerSentEvent | None:
        following = asyncio.ensure_future(anext(events))
        try:
            await asyncio.wait({following, stop}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not following.done():
                following.cancel()
                await asyncio.wait({following})
        return None if stop.done() or following.cancelled() else following.result()


class _Events(EventSourceResponse):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:  # the client reads nothing: no fault of ours, so nothing for the log
            connection: Connection = scope["state"][STATE]
            connection.cut()
            await asyncio.sleep(0)  # until uvicorn knows that the client is gone


def _refused(reason: str) -> Response:
    return JSONResponse({"error": reason}, 503, headers={"Retry-After": "10"})
