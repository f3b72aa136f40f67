"""The ASGI application: everything that is served, behind the access checks."""

from collections.abc import Awaitable, Callable
from typing import cast

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemwatch.adapters.store.reads.views import Views
from gemwatch.core.clock import Clock
from gemwatch.core.text.context import NOWHERE, Context
from gemwatch.web.api import routes as api
from gemwatch.web.http import health
from gemwatch.web.http.access import Access
from gemwatch.web.http.answers import problem
from gemwatch.web.http.health import ProgramState
from gemwatch.web.http.shared import SharedAnswers
from gemwatch.web.http.streams import Streams
from gemwatch.web.pages import live_updates as live
from gemwatch.web.pages.live_updates import Live
from gemwatch.web.pages.rendering import Renderer
from gemwatch.web.pages.views import Pages

# Nothing is loaded from elsewhere, nothing stands inside the pages, and no other site may show or send to them.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), clipboard-write=(self)",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def site(
    *, state: ProgramState, views: Views, access: Access, streams: Streams, clock: Clock, context: Context = NOWHERE
) -> ASGIApp:
    """Every page, behind the checks of `access`. `context`: for the commands that pages show."""
    renderer = Renderer(access.place)

    async def refusal(request: Request, error: Exception) -> Response:
        refused = cast("HTTPException", error)
        return problem(renderer, request, refused.status_code, refused.detail, refused.headers)

    async def fault(request: Request, _: Exception) -> Response:
        # Starlette raises the error again once this is sent, so that it reaches the log; the client sees no more.
        return problem(renderer, request, 500, "Internal Server Error")

    handlers: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
        HTTPException: refusal,
        Exception: fault,
    }
    app = Starlette(
        routes=_routes(
            state=state,
            views=views,
            access=access,
            streams=streams,
            renderer=renderer,
            clock=clock,
            context=context,
        ),
        exception_handlers=handlers,
    )
    app.router.redirect_slashes = False
    return access.place.stripping(_WithHeaders(access.guarding(app)))


def _routes(
    *,
    state: ProgramState,
    views: Views,
    access: Access,
    streams: Streams,
    renderer: Renderer,
    clock: Clock,
    context: Context,
) -> list[BaseRoute]:
    """The routes. Add new pages here."""
    shared = SharedAnswers(clock)
    pages = Pages(
        state=state,
        views=views,
        renderer=renderer,
        clock=clock,
        context=context,
        log_out=access.needs_login,
        badge=access.badge,
    )
    return [
        *health.routes(state, shared),
        *api.routes(views, shared, base=access.place.base),
        *access.routes(),
        *pages.routes(shared),
        *live.routes(Live(views.changed, on_change=shared.clear), streams),
    ]


class _WithHeaders:
    """Gives every answer, errors included, the strict headers that its page did not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message["headers"]))  # a copy: an answer may be a shared one
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                message = {**message, "headers": headers.raw}
            await send(message)

        await self._app(scope, receive, strict)
