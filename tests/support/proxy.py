"""A TCP proxy in front of a database, which can cut its connections at the worst moments, and let them stall."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

_COMMIT = b"COMMIT"


class Proxy:
    """Forwards to `upstream`, a path of a socket or an address.

    `cut()` ends all connections, and while `refuses` is set every new one at once. `before_commit()` and
    `after_commit()` cut the connection that commits next, or that after `passed` others: before the server gets the
    commit, or before the client gets the answer. While `stalled` is set, nothing is forwarded, and all connections
    stay open.
    """

    def __init__(self, upstream: str | tuple[str, int]) -> None:
        self._upstream = upstream
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._cuts_commit: str | None = None
        self._passed = 0
        self._flowing = threading.Event()
        self._flowing.set()
        self.refuses = False
        self.cuts = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuses = True
        self._listening.close()
        self.stalled = False
        self.cut()

    @property
    def stalled(self) -> bool:
        return not self._flowing.is_set()

    @stalled.setter
    def stalled(self, value: bool) -> None:
        (self._flowing.clear if value else self._flowing.set)()

    def cut(self) -> None:
        for pair in list(self._pairs):
            self._end(pair)

    def before_commit(self, *, passed: int = 0) -> None:
        self._passed, self._cuts_commit = passed, "before"

    def after_commit(self, *, passed: int = 0) -> None:
        self._passed, self._cuts_commit = passed, "after"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listening.accept()
                if self.refuses:
                    client.close()
                    continue
                try:
                    server = self._connected()
                except OSError:
                    client.close()
                    continue
                pair = client, server
                self._pairs.add(pair)
                threading.Thread(target=self._forward, args=(pair, client, server), daemon=True).start()
                threading.Thread(target=self._forward, args=(pair, server, client), daemon=True).start()

    def _connected(self) -> socket.socket:
        if not isinstance(self._upstream, str):
            return socket.create_connection(self._upstream)
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self._upstream)
        except OSError:
            server.close()
            raise
        return server

    def _forward(
        self, pair: tuple[socket.socket, socket.socket], source: socket.socket, drain: socket.socket
    ) -> None:
        with contextlib.suppress(OSError):
            while some := source.recv(65_536):
                self._flowing.wait()
                commits = source is pair[0] and _COMMIT in some
                if commits and self._cuts_commit and self._passed:
                    self._passed -= 1
                elif commits and (moment := self._cuts_commit):
                    self._cuts_commit = None
                    if moment == "after":
                        # The other thread would pass the answer on: the client must not get it.
                        pair[0].shutdown(socket.SHUT_RDWR)
                        drain.sendall(some)
                    self.cuts += 1
                    break
                drain.sendall(some)
        self._end(pair)

    def _end(self, pair: tuple[socket.socket, socket.socket]) -> None:
        self._pairs.discard(pair)
        for one in pair:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
