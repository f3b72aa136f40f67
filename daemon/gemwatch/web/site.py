"""All that is served, and who may look at it, as one ASGI application."""

from typing import cast

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemwatch.adapters.store.views import Views
from gemwatch.core.clock import Clock
from gemwatch.web.api import routes as api
from gemwatch.web.http import health
from gemwatch.web.http.access import Access
from gemwatch.web.http.health import State
from gemwatch.web.http.streams import Streams
from gemwatch.web.pages import live_updates as live
from gemwatch.web.pages.live_updates import Live
from gemwatch.web.pages.views import Pages

# Nothing is loaded from elsewhere, nothing stands inside the pages, and no other site may show or send to them.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def site(state: State, views: Views, access: Access, streams: Streams, clock: Clock) -> ASGIApp:
    """Every page, behind the checks of `access`."""
    app = Starlette(
        routes=routes(state, views, access, streams, clock),
        exception_handlers={HTTPException: _refusal, Exception: _fault},
    )
    app.router.redirect_slashes = False
    return _Guarded(access.guarding(app))


def routes(state: State, views: Views, access: Access, streams: Streams, clock: Clock) -> list[BaseRoute]:
    """What answers where. New pages are added here."""
    pages = Pages(state, views, clock, log_out=access.needs_login)
    return [
        *health.routes(state),
        *api.routes(views),
        *access.routes(),
        *pages.routes(),
        *live.routes(Live(views), streams),
    ]


async def _refusal(_: Request, error: Exception) -> Response:
    refused = cast("HTTPException", error)
    return JSONResponse({"error": refused.detail}, refused.status_code, headers=refused.headers)


async def _fault(_: Request, __: Exception) -> Response:
    # Starlette raises the error again once this is sent, so that it reaches the log; the client sees no more.
    return JSONResponse({"error": "Internal Server Error"}, 500)


class _Guarded:
    """Gives every answer, errors included, the strict headers that its page did not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, guarded)
