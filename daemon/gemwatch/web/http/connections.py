"""Connections from accept to close: how many are allowed, how long each may take, and which one is closed first."""

import asyncio
import contextlib
import resource
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import cast

from gemwatch.web.http.addresses import Network, client_of, is_within

STATE = "gemwatch.connection"  # where the scope of a request has its connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What connections may cost. Counts are connections, times are seconds.

    `reserve` are connections beyond `total` and `per_address` that are only served the health pages. `head` is the
    time for a request to arrive, `request` the time for its answer to be made and read.
    """

    total: int = 512
    per_address: int = 256
    reserve: int = 32
    head: float = 8.0
    request: float = 30.0

    @classmethod
    def of_this_process(cls) -> "Caps":
        """At most half of the files that this process may open: polls, deliveries and the store need the others."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        total = 512 if soft == resource.RLIM_INFINITY else max(16, min(512, soft // 2 - 32))
        return cls(total=total, per_address=total // 2)


class Connection(asyncio.Protocol):
    """Forwards everything to the server's protocol, and tracks what its connection is waiting for."""

    def __init__(self, address: str, *, spare: bool, now: float, on_close: Callable[["Connection"], None]) -> None:
        self.address = address
        self.spare = spare  # one of the reserve: it is served the health pages only
        self.streaming = False
        self._since = now  # when it began to wait, or its request began
        self._begun = now
        self._busy = False
        self._stuck = False  # the client does not read what it was sent
        self._on_close = on_close
        self._inner: asyncio.Protocol = asyncio.Protocol()
        self._transport: asyncio.Transport | None = None
        self._is_cut = False

    def serve(self, inner: asyncio.Protocol) -> "Connection":
        self._inner = inner
        return self

    def cut(self) -> None:
        """Close it now, whatever it is doing."""
        self._is_cut = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._inner.connection_made(transport)
        if self._is_cut:  # before it had begun
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_close(self)
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._stuck = True
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._stuck = False
        self._inner.resume_writing()

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        """A request is answered for as long as this lasts."""
        loop = asyncio.get_running_loop()
        self._busy, self._begun = True, loop.time()
        try:
            yield
        finally:
            self._busy, self._since = False, loop.time()

    @property
    def waiting_since(self) -> float | None:
        """Since when gemwatch waits for the client; None while it works on a response."""
        if not self._busy:
            return self._since
        return self._begun if self._stuck else None

    def overdue(self, now: float, caps: Caps) -> bool:
        if self.streaming:
            return False  # streams have limits of their own
        if self._busy or (self._transport is not None and self._transport.get_write_buffer_size()):
            return now - self._begun >= caps.request
        return now - self._since >= caps.head


class Connections:
    """Every open connection. When full, the one that has waited longest for its client is closed."""

    def __init__(self, caps: Caps, proxies: Collection[Network] = ()) -> None:
        self._caps = caps
        self._proxies = proxies
        self._open: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, peer: str) -> Connection | None:
        """A place for a new connection; None where even the reserve is full of requests being answered.

        All that comes through a proxy in `web.proxies` has the proxy's address: such a connection counts in total
        only, and its requests count for the address that the proxy forwards.
        """
        address = client_of(peer)
        own = [] if is_within(peer, self._proxies) else [one for one in self._open if one.address == address]
        room = self._room(own, self._caps.per_address), self._room(list(self._open), self._caps.total)
        if None in room:
            return None
        now = asyncio.get_running_loop().time()
        connection = Connection(address, spare=False in room, now=now, on_close=self._forget)
        self._open[connection] = None
        return connection

    def _room(self, counted: list[Connection], most: int) -> bool | None:
        """True: there is an ordinary place. False: one of the reserve. None: there is none."""
        if len(counted) < most:
            return True
        waiting = [one for one in counted if one in self._open and one.waiting_since is not None]
        if waiting:
            self._cut(min(waiting, key=lambda one: one.waiting_since or 0))
            return True
        return False if len(counted) < most + self._caps.reserve else None

    def cut_overdue(self) -> None:
        now = asyncio.get_running_loop().time()
        for one in [one for one in self._open if one.overdue(now, self._caps)]:
            self._cut(one)

    def cut_all(self) -> None:
        for one in list(self._open):
            self._cut(one)

    def _cut(self, connection: Connection) -> None:
        self._forget(connection)
        connection.cut()

    def _forget(self, connection: Connection) -> None:
        self._open.pop(connection, None)
