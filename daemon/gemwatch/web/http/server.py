"""The server itself: where it listens, and what one connection may cost."""

import asyncio
import contextlib
import errno
import functools
import logging
import socket
from collections.abc import Iterator
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from gemwatch.web.http.streams import Streams, is_streaming

_AT_ONCE = 64  # connections beside the streams; further ones are told to come again
_log = logging.getLogger("uvicorn.error.connection")
_log.setLevel(logging.ERROR)  # uvicorn warns of each request that it refuses: anybody could fill the disk


class WebError(Exception):
    """The server cannot listen where it should. Show the text: it says what to change."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Whoever connects before `serve` waits in its queue.

    Bound here and not by uvicorn, which ends the process from within a task when an address is taken.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise WebError(_why(error, host, port)) from error
    failures = []
    for family, _, _, _, address in found:
        try:
            return _listening(family, address)
        except OSError as error:
            failures.append(error)
    raise WebError(_why(failures[0], host, port)) from failures[0]


def _listening(family: int, address: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # "::" is to mean every address
        sock.bind(address)
        sock.listen()  # here already: with SO_REUSEADDR, only this tells that another program listens
    except OSError:
        sock.close()
        raise
    return sock


def _why(error: OSError, host: str, port: int) -> str:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    match error.errno:
        case errno.EADDRINUSE:
            what = "is in use by another program"
        case errno.EADDRNOTAVAIL | socket.EAI_NONAME:
            what = "is no address of this machine"
        case errno.EACCES:
            what = "needs a permission that this user lacks (ports below 1024 do)"
        case _:
            what = f"cannot be listened on ({error.strerror})"
    return f"web: {where} {what}. Set web.listen to a free address and port, or to off."


class Web:
    """Serves until it is stopped. The socket is closed with it.

    `patience`: seconds that a connection lives before it is asked to end, and then before it is cut. One that is
    answered by a stream is left alone: `streams` bounds those.
    """

    def __init__(
        self, app: ASGIApp, sock: socket.socket, streams: Streams | None = None, *, patience: float = 30.0
    ) -> None:
        self._sock = sock
        self._streams = Streams() if streams is None else streams
        connection = functools.partial(_Connection, life=patience)
        self._server = _Server(
            uvicorn.Config(
                app,
                http=cast("type[asyncio.Protocol]", connection),
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=_AT_ONCE + self._streams.most,
                h11_max_incomplete_event_size=16 * 1024,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=3,
            )
        )

    async def serve(self) -> None:
        try:
            await self._server.serve(sockets=[self._sock])
        finally:
            self._server.cut()
            self._sock.close()

    def stop(self) -> None:
        """Let `serve` return: at once when idle, within a few seconds when an answer is still being read."""
        self._streams.end()
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """Leaves the signals to the program: uvicorn would replace its handlers and raise each signal again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def cut(self) -> None:
        """Close what is left: after a cancellation, or of clients that did not read their answer in time."""
        for server in getattr(self, "servers", ()):  # not there before the start
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()


class _Connection(H11Protocol):
    """A connection with an end. uvicorn gives a client that says nothing, drips or never reads all the time
    it likes, and a few dozen of those would keep a supervisor from seeing the health page."""

    def __init__(self, *args: Any, life: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _log
        self._life = life
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._end = self.loop.call_later(self._life, self._retire)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(exc)

    def _retire(self) -> None:
        if self.cycle is not None and is_streaming(self.cycle.scope) and not self.transport.is_closing():
            self._end = self.loop.call_later(self._life, self._retire)
            return
        if self.transport.is_closing():
            self.transport.abort()
            return
        self.shutdown()
        self._end = self.loop.call_later(self._life, self.transport.abort)
