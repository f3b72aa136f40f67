"""Serves the demo's simulations on a free port of 127.0.0.1."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator, Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from gemwatch.web.http.server import WebError, bind

LOOPBACK = "127.0.0.1"


@contextlib.asynccontextmanager
async def serving(routes: Sequence[Route]) -> AsyncIterator[int]:
    """The port under which the routes are served, for the length of an `async with`."""
    with bind(LOOPBACK, 0) as sock:
        server = _Server(
            uvicorn.Config(
                Starlette(routes=routes),
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=1,
            )
        )
        task = asyncio.create_task(server.serve(sockets=[sock]))
        try:
            yield sock.getsockname()[1]
        finally:
            server.should_exit = True
            await task


class _Server(uvicorn.Server):
    """Leaves the signals to the program: uvicorn would replace its handlers and raise each signal again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def free_port() -> int:
    """A port that is free at this moment, below those (from 32768 on) that the system gives to connections.

    Raises WebError if none of the last hundred that were tried is free.
    """
    first, *others = random.SystemRandom().sample(range(20_000, 32_000), 100)
    for port in others:
        with contextlib.suppress(WebError), bind(LOOPBACK, port):
            return port
    with bind(LOOPBACK, first):
        return first
