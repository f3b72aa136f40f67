"""Answers that go on: server-sent events. They may outlive other connections, so they are few and end on demand."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, MutableMapping
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

_MARK = "gemwatch.streaming"


def is_streaming(scope: Mapping[str, Any]) -> bool:
    """Whether the request of this scope is being answered by a stream."""
    return bool(scope.get("state", {}).get(_MARK))


class Streams:
    """At most `most` at a time. Each ends after `life` seconds, by when a login may have ended: browsers ask again.

    `patience`: seconds that a client may take to read what it was sent.
    """

    def __init__(self, *, most: int = 32, life: float = 900.0, patience: float = 30.0) -> None:
        self.most, self.life, self.patience = most, life, patience
        self.open = 0
        self.ended = asyncio.Event()

    def answer(self, chunks: AsyncGenerator[bytes]) -> Response:
        """The answer that sends these chunks (`text/event-stream`); 503 where there are too many already."""
        if self.open >= self.most or self.ended.is_set():
            reason = "too many pages follow the events already" if not self.ended.is_set() else "gemwatch is stopping"
            return JSONResponse({"error": reason}, 503, headers={"Retry-After": "10"})
        return _Stream(self, chunks)

    def end(self) -> None:
        """End them all, now, and begin no more: the program stops."""
        self.ended.set()


class _Stream(Response):
    media_type = "text/event-stream"

    def __init__(self, streams: Streams, chunks: AsyncGenerator[bytes]) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})  # else some proxies hold events back
        del self.headers["content-length"]
        self._streams = streams
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if scope["method"] != "HEAD":
            await self._follow(scope.setdefault("state", {}), receive, send)
        # To a client that reads nothing this waits until its connection is cut, as every connection is in the end.
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _follow(self, state: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Send what comes until it is over, the client is gone, or it has lasted long enough."""
        streams = self._streams
        writing = asyncio.create_task(self._write(send))
        others = [asyncio.create_task(_gone(receive)), asyncio.create_task(_set(streams.ended))]
        streams.open += 1
        state[_MARK] = True
        try:
            await asyncio.wait((writing, *others), timeout=streams.life, return_when=asyncio.FIRST_COMPLETED)
        finally:
            state[_MARK] = False
            streams.open -= 1
            for task in (writing, *others):
                task.cancel()
            outcomes = await asyncio.gather(writing, *others, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def _write(self, send: Send) -> None:
        async with contextlib.aclosing(self._chunks) as chunks:
            async for chunk in chunks:
                try:
                    async with asyncio.timeout(self._streams.patience):
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                except TimeoutError:
                    return  # it does not read


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _set(event: asyncio.Event) -> None:
    await event.wait()
