"""The HTTP server: where it listens, and how it passes connections to uvicorn.

uvicorn parses HTTP and calls the application; accepting is done here, since uvicorn and asyncio accept whatever
comes, keep it for as long as a client likes, and log each failed accept thousands of times when the process runs out
of files. Each accepted socket gets a protocol of our own (`Connection`) around the one that uvicorn's configuration
names (`Config.http_protocol_class`, made as uvicorn's server makes it). uvicorn's server runs without a socket: it
keeps the date of the answers and shuts down. No class of uvicorn but its public `Config` and `Server` is used.
"""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Collection, Iterator
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from gemwatch.engine.wake_up import WakeUp
from gemwatch.web.http.addresses import Network
from gemwatch.web.http.connections import STATE, Caps, Connections
from gemwatch.web.http.requests import Requests
from gemwatch.web.http.streams import Streams

BACKLOG = 1024  # connections that the kernel keeps until they are accepted
_AT_A_TIME = 16  # accepted before other work has its turn
_RETRY = 1.0  # seconds until the next accept after one that failed, as it does while no file can be opened
_REPORT_EVERY = 60.0  # seconds between two reports of a failed accept
_SWEEP = 0.5  # seconds between two searches for connections that took too long
_REASONS = {
    errno.EADDRINUSE: "is in use by another program",
    errno.EADDRNOTAVAIL: "is not an address of this machine",
    socket.EAI_NONAME: "is not an address of this machine",
    errno.EACCES: "needs a permission that this user lacks (ports below 1024 do)",
}
logging.getLogger("uvicorn.error").setLevel(
    logging.ERROR
)  # it warns of each bad request: anybody could fill the disk


class WebError(Exception):
    """The server cannot listen on its address. The text shows what to change."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Clients that connect before `serve` wait in its queue.

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
        sock.listen(BACKLOG)  # here already: with SO_REUSEADDR, only this shows that another program listens
    except OSError:
        sock.close()
        raise
    return sock


def _why(error: OSError, host: str, port: int) -> str:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    what = _REASONS.get(error.errno or 0, f"cannot be listened on ({error.strerror})")
    return f"web: {where} {what}. Set web.listen to a free address and port, or to off."


class Web:
    """Serves until it is stopped. The socket is closed with it.

    `on_accept_error` gets the reason of a failed accept, once a minute at most.
    """

    def __init__(
        self,
        app: ASGIApp,
        sock: socket.socket,
        streams: Streams | None = None,
        *,
        caps: Caps | None = None,
        proxies: Collection[Network] = (),
        on_accept_error: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._sock = sock
        self._streams = Streams() if streams is None else streams
        caps = caps or Caps.of_this_process()
        self.connections = Connections(caps, proxies)
        self._on_accept_error = on_accept_error
        self._reported_at: float | None = None
        self._joining: set[asyncio.Task[Any]] = set()
        self._config = uvicorn.Config(
            cast("Any", Requests(app, proxies=proxies)),
            http="h11",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # `Requests` reads them, for `web.proxies` only
            h11_max_incomplete_event_size=16 * 1024,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=3,
        )
        self._config.load()
        sweep = min(_SWEEP, caps.head / 2, caps.request / 2)
        self._server = _Server(self._config, self.connections, sweep=sweep)

    async def serve(self) -> None:
        if self._server.should_exit:
            return
        loop = asyncio.get_running_loop()
        self._sock.setblocking(False)
        try:
            loop.add_reader(self._sock, self._accept)
            await self._server.serve(sockets=[])
        finally:
            self._close()
            self.connections.cut_all()

    def stop(self) -> None:
        """Let `serve` return: at once when idle, within a few seconds when an answer is still being read."""
        self._close()
        self._streams.end()
        self._server.should_exit = True
        self._server.wake_up.set()

    def _close(self) -> None:
        """Accept no more."""
        with contextlib.suppress(RuntimeError, ValueError):  # no loop runs yet, or it is closed already
            asyncio.get_running_loop().remove_reader(self._sock)
        self._sock.close()

    def _accept(self) -> None:
        for _ in range(_AT_A_TIME):
            try:
                accepted, peer = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(error)
                return
            connection = self.connections.admit(str(peer[0]))
            if connection is None:
                accepted.close()
                continue
            if len(self.connections) == 1:
                self._server.wake_up.set()
            accepted.setblocking(False)
            connection.serve(
                cast("Any", self._config.http_protocol_class)(
                    config=self._config, server_state=self._server.server_state, app_state={STATE: connection}
                )
            )
            loop = asyncio.get_running_loop()
            joining = loop.create_task(loop.connect_accepted_socket(lambda it=connection: it, accepted))  # type: ignore[misc]
            self._joining.add(joining)
            joining.add_done_callback(self._joining.discard)

    def _pause(self, error: OSError) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._sock)
        loop.call_later(_RETRY, self._resume)
        if self._reported_at is None or loop.time() - self._reported_at >= _REPORT_EVERY:
            self._reported_at = loop.time()
            self._on_accept_error(error.strerror or str(error))

    def _resume(self) -> None:
        if self._sock.fileno() >= 0:
            asyncio.get_running_loop().add_reader(self._sock, self._accept)


class _Server(uvicorn.Server):
    """Leaves the signals to the program: uvicorn would replace its handlers and raise each signal again.

    It sleeps while there is no connection, where uvicorn would wake up ten times a second.
    """

    def __init__(self, config: uvicorn.Config, connections: Connections, *, sweep: float) -> None:
        super().__init__(config)
        self._connections = connections
        self._sweep = sweep
        self.wake_up = WakeUp()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        while not await self.on_tick(0):  # sets the date of the answers
            self._connections.cut_overdue()
            await self.wake_up.wait(within=self._sweep if len(self._connections) else None)
