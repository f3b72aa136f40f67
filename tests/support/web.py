"""The real HTTP server on a free port of this machine, as the daemon puts it together."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from gemwatch.adapters.store.schema import upgrade
from gemwatch.adapters.store.views import Views
from gemwatch.core.clock import Clock
from gemwatch.core.settings import WebSettings
from gemwatch.web.http.access import Access
from gemwatch.web.http.server import Web, bind
from gemwatch.web.http.streams import Streams
from gemwatch.web.pages.rendering import login_form
from gemwatch.web.site import site
from support.clock import FakeClock


class Program:
    """What the health pages show, set by the test."""

    def __init__(self) -> None:
        self.trouble: str | None = None
        self.not_ready: str | None = None
        self.text = b"gemwatch_jobs 1\n"
        self.scrapes = 0

    def stalled(self) -> str | None:
        return self.trouble

    def ready(self) -> str | None:
        return self.not_ready

    async def metrics(self) -> bytes:
        self.scrapes += 1
        if not self.text:
            raise RuntimeError("the store is at secret://place")
        return self.text


def store_in(folder: Path) -> str:
    """The URL of a store there, made by the migrations."""
    url = f"sqlite:///{folder / 'gemwatch.db'}"
    upgrade(url)
    return url


class Site:
    """What a server shows, and to whom."""

    def __init__(self, store: str, web: WebSettings | None = None, clock: Clock | None = None) -> None:
        self.program, self.streams = Program(), Streams()
        self.web, self.clock = web or WebSettings(), clock or FakeClock()
        self.views = Views(store, self.clock)

    @contextlib.asynccontextmanager
    async def served(self, host: str = "127.0.0.1", patience: float = 30.0) -> AsyncIterator[int]:
        """The port of a running server, which ends cleanly."""
        sock = bind(host, 0)
        web = self.server(sock=sock, patience=patience)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(web.serve())
            yield sock.getsockname()[1]
            web.stop()

    def server(self, sock: socket.socket, patience: float = 30.0) -> Web:
        access = Access(self.web, self.clock, login_form)
        app = site(self.program, self.views, access, self.streams, self.clock)
        return Web(app, sock, self.streams, patience=patience)
