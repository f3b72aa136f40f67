"""What happens to each request first: the client's address, the limits, and its turn.

Polls and deliveries share one process with the web server. However fast clients send requests, a
limited number is answered per second; the others wait.
"""

import asyncio
from collections import Counter
from collections.abc import Collection
from typing import Any, cast

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from gemwatch.web.http.addresses import Network, client_of
from gemwatch.web.http.connections import STATE, Connection

PROBES = ("/livez", "/healthz", "/readyz")  # served whatever else happens, to any name and without a token
RATE, BURST = 100.0, 50  # requests a second, and how many at once after a pause
PER_ADDRESS = 64  # requests of one forwarded address at a time
_CROWDED = "there are too many connections: try again later"


class SteadyRate:
    """Hands out turns at a steady rate, in the order in which they are asked for."""

    def __init__(self, rate: float, burst: int) -> None:
        self._each = 1 / rate
        self._ahead = burst / rate
        self._next = 0.0

    async def __call__(self) -> None:
        now = asyncio.get_running_loop().time()
        self._next = max(self._next, now - self._ahead) + self._each
        if self._next > now:
            await asyncio.sleep(self._next - now)


class Requests:
    """The ASGI application that the server calls."""

    def __init__(self, app: ASGIApp, *, proxies: Collection[Network] = ()) -> None:
        self._app = app
        self._turns = SteadyRate(RATE, BURST)
        self._forwarded: Counter[str] = Counter()
        inner: ASGIApp = self._serve
        if proxies:
            trusted = [str(network) for network in proxies]
            inner = cast("ASGIApp", ProxyHeadersMiddleware(cast("Any", self._serve), trusted_hosts=trusted))
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection: Connection = scope["state"][STATE]
        with connection.request():
            if scope["path"] in PROBES:
                await self._app(scope, receive, send)
            elif connection.spare:
                await _crowded(scope, receive, send)
            else:
                await self._inner(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection: Connection = scope["state"][STATE]
        address = client_of(scope["client"][0]) if scope["client"] else ""
        if address == connection.address:  # counted when it was accepted
            await self._turns()
            await self._app(scope, receive, send)
        elif self._forwarded[address] >= PER_ADDRESS:
            await _crowded(scope, receive, send)
        else:
            await self._forward(address, scope, receive, send)

    async def _forward(self, address: str, scope: Scope, receive: Receive, send: Send) -> None:
        self._forwarded[address] += 1
        try:
            await self._turns()
            await self._app(scope, receive, send)
        finally:
            self._forwarded[address] -= 1
            if not self._forwarded[address]:
                del self._forwarded[address]


async def _crowded(scope: Scope, receive: Receive, send: Send) -> None:
    headers = {"Connection": "close", "Retry-After": "10"}
    await JSONResponse({"error": _CROWDED}, 503, headers=headers)(scope, receive, send)
