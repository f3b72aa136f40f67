"""The real HTTP server on a free port of this machine, as the daemon puts it together."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path

from gemwatch.adapters.store.reads.views import Views
from gemwatch.adapters.store.schema import upgrade
from gemwatch.core.clock import Clock
from gemwatch.core.settings import WebSettings
from gemwatch.core.text.context import Context
from gemwatch.web.http.access import Access
from gemwatch.web.http.connections import Caps
from gemwatch.web.http.place import Mount
from gemwatch.web.http.server import Web, bind
from gemwatch.web.http.streams import Streams
from gemwatch.web.pages.rendering import Renderer
from gemwatch.web.site import site
from support.clock import FakeClock


class Program:
    """What the health pages show, set by the test."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.not_ready: str | None = None
        self.text = b"gemwatch_jobs 1\n"
        self.scrapes = 0
        self.gate: asyncio.Event | None = None  # what a scrape waits for
        self.waiting = False

    def alive(self) -> bool:
        return self.reason is None

    def stalled(self) -> str | None:
        return self.reason

    def ready(self) -> str | None:
        return self.not_ready

    async def metrics(self) -> bytes:
        self.scrapes += 1
        if self.gate is not None:
            self.waiting = True
            await self.gate.wait()
        if not self.text:
            raise RuntimeError("the store is at secret://place")
        return self.text


def store_in(folder: Path) -> Path:
    """A store there, made by the migrations."""
    place = folder / "gemwatch.db"
    upgrade(place)
    return place


class EndedSessions:
    """Where logouts are kept, as the store does."""

    def __init__(self) -> None:
        self.digests: set[str] = set()

    async def end(self, digest: str, expires_at: datetime) -> None:
        self.digests.add(digest)

    async def ended(self) -> frozenset[str]:
        return frozenset(self.digests)


class Site:
    """What a server shows, and to whom."""

    context = Context(config_path="/etc/gemwatch/config.yaml")

    def __init__(self, store: Path, web: WebSettings | None = None, clock: Clock | None = None) -> None:
        self.program, self.streams = Program(), Streams()
        self.web, self.clock = web or WebSettings(), clock or FakeClock()
        self.views, self.ended = Views(store, self.clock), EndedSessions()
        self.wrong_tokens: list[tuple[str, bool]] = []
        self.accept_errors: list[str] = []

    @contextlib.asynccontextmanager
    async def served(self, host: str = "127.0.0.1", caps: Caps | None = None) -> AsyncIterator[int]:
        """The port of a running server, which ends cleanly."""
        sock = bind(host, 0)
        web = self.web_server = self.server(sock=sock, caps=caps)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(web.serve())
            yield sock.getsockname()[1]
            web.stop()

    def server(self, sock: socket.socket, caps: Caps | None = None) -> Web:
        renderer = Renderer(Mount.of(self.web.public_url))
        access = Access(
            self.web,
            self.clock,
            renderer,
            self.ended,
            on_wrong_token=lambda address, report: self.wrong_tokens.append((address, report)),
        )
        app = site(
            state=self.program,
            views=self.views,
            access=access,
            streams=self.streams,
            clock=self.clock,
            context=self.context,
        )
        return Web(
            app,
            sock,
            self.streams,
            caps=caps,
            proxies=self.web.proxies,
            on_accept_error=self.accept_errors.append,
        )


@contextlib.contextmanager
def served_in_a_thread(store: str, web: WebSettings | None = None) -> Iterator[str]:
    """The URL of a server over this store, for clients that are not asynchronous."""
    shown, ports, begun, stopped = Site(store, web), list[int](), threading.Event(), threading.Event()

    async def serve() -> None:
        async with shown.served() as port:
            ports.append(port)
            begun.set()
            while not stopped.is_set():  # noqa: ASYNC110 (the event is another thread's)
                await asyncio.sleep(0.01)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    begun.wait()
    yield f"http://127.0.0.1:{ports[0]}"
    stopped.set()
    thread.join()
    shown.views.close()
