"""Answers that go on, over real sockets."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, AsyncIterator

import httpx
from sse_starlette.event import ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gemwatch.web.http.connections import Caps
from gemwatch.web.http.server import Web, bind
from gemwatch.web.http.streams import Streams
from support.waiting import until

QUICK = Caps(head=0.05, request=0.05)


class Source:
    """What is streamed: events for ever, and how many streams were closed."""

    def __init__(self, text: str = "x", pause: float = 0.01) -> None:
        self.text, self.pause, self.closed = text, pause, 0
        self.chunk = f"data: {text}\r\n\r\n".encode()

    async def events(self) -> AsyncGenerator[ServerSentEvent]:
        try:
            while True:
                yield ServerSentEvent(data=self.text)
                await asyncio.sleep(self.pause)
        finally:
            self.closed += 1


@contextlib.asynccontextmanager
async def served(source: Source, streams: Streams, caps: Caps | None = None) -> AsyncIterator[int]:
    async def events(request: Request) -> Response:
        return streams.answer(request, source.events())

    async def page(_: Request) -> Response:
        return PlainTextResponse("page")

    sock = bind("127.0.0.1", 0)
    web = Web(Starlette(routes=[Route("/events", events), Route("/", page)]), sock, streams, caps=caps)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(web.serve())
        yield sock.getsockname()[1]
        web.stop()


def client(port: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False)


async def test_stream_outlives_other_connections() -> None:
    async with contextlib.AsyncExitStack() as stack:
        port = await stack.enter_async_context(served(Source(), Streams(), QUICK))
        web = await stack.enter_async_context(client(port))
        answer = await stack.enter_async_context(web.stream("GET", "/events"))
        assert answer.headers["content-type"].startswith("text/event-stream")
        silent, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionError):
            assert await silent.read() == b""  # cut, and so would the stream be
        writer.close()
        received = 0
        async for chunk in answer.aiter_bytes():
            received += len(chunk)
            if received > 200:
                break


async def test_streams_are_limited_and_places_are_reused() -> None:
    source, streams = Source(), Streams(most=1)
    async with served(source, streams) as port, client(port) as web:
        async with web.stream("GET", "/events") as first:
            assert first.status_code == 200
            refused = await web.get("/events")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
            assert (await web.get("/")).text == "page"
        await until(lambda: source.closed and not streams.open, "the end of the stream")
        async with web.stream("GET", "/events") as second:
            assert second.status_code == 200


async def test_streams_end_cleanly_at_a_stop() -> None:
    source = Source(pause=3600)
    streams = Streams()
    async with contextlib.AsyncExitStack() as stack:
        async with served(source, streams) as port:
            web = await stack.enter_async_context(client(port))
            answer = await stack.enter_async_context(web.stream("GET", "/events"))
            chunks = answer.aiter_bytes()
            assert await anext(chunks) == source.chunk
        assert [chunk async for chunk in chunks] == []  # ended, not cut: that would be an error here
    assert source.closed == 1


async def test_stream_ends_after_its_life() -> None:
    source = Source()
    async with served(source, Streams(life=0.05)) as port, client(port) as web:
        assert (await web.get("/events")).content.startswith(source.chunk)
        assert source.closed == 1


async def test_unread_stream_ends() -> None:
    source, streams = Source("#" * 1_000_000, pause=0), Streams(most=1, patience=0.05)
    with socket.socket() as deaf:
        deaf.setblocking(False)
        async with served(source, streams, QUICK) as port:
            await asyncio.get_running_loop().sock_connect(deaf, ("127.0.0.1", port))
            await asyncio.get_running_loop().sock_sendall(deaf, b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(lambda: source.closed and not streams.open, "the end of the stream")


async def test_stream_answers_head_at_once() -> None:
    async with served(Source(), Streams()) as port, client(port) as web:
        assert (await web.head("/events")).status_code == 200


async def test_streams_of_one_address_leave_room_for_others() -> None:
    streams = Streams(most=2, per_address=1)
    elsewhere = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
    async with (
        served(Source(), streams) as port,
        client(port) as web,
        client(port) as again,
        httpx.AsyncClient(transport=elsewhere, base_url=str(web.base_url), trust_env=False) as other,
        web.stream("GET", "/events"),
    ):
        assert (await again.get("/events")).status_code == 503
        async with other.stream("GET", "/events") as third:
            assert third.status_code == 200
