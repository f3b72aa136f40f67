"""Who may look: everybody on this machine's own loopback address; elsewhere, and where `web.token` is set, who
shows the token or logged in with it."""

import hmac
import math
from collections.abc import Callable
from urllib.parse import parse_qs, quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gemwatch.core.clock import Clock
from gemwatch.core.settings import WebSettings
from gemwatch.web.http.hosts import NOT_OURS, Hosts
from gemwatch.web.http.sessions import LASTS, Guesses, Sessions

COOKIE = "gemwatch"
HOME = "/"
_PROBES = ("/healthz", "/readyz")  # probes ask by a pod's address and know no token
_TO_LOG_IN = ("/login", "/logout")
_LOOKS = "/static/"  # the login page needs its style; nothing in there is about this installation
_FOR_PROGRAMS = ("/api/", "/metrics")
_LONGEST_FORM = 4096  # bytes
_LONGEST_TOKEN = 1024

Form = Callable[[str, str | None], str]
"""The login page as HTML, from where to go then, and what was wrong with the last try."""


class Access:
    def __init__(self, web: WebSettings, clock: Clock, form: Form) -> None:
        self._hosts = Hosts(web)
        self._token = web.token
        self._open_metrics = web.metrics == "open"
        self._sessions = Sessions(web.token, clock) if web.token is not None else None
        self._guesses = Guesses(clock)
        self._form = form

    @property
    def needs_login(self) -> bool:
        """Whether pages should offer to log out."""
        return self._token is not None

    def guarding(self, app: ASGIApp) -> ASGIApp:
        """The application behind these checks."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            refusal = self._refusal(Request(scope)) if scope["type"] == "http" else None
            await (app if refusal is None else refusal)(scope, receive, send)

        return guarded

    def routes(self) -> list[Route]:
        if self._token is None:
            return []
        return [
            Route("/login", self._show_login, methods=["GET"]),
            Route("/login", self._log_in, methods=["POST"]),
            Route("/logout", self._log_out, methods=["POST"]),
        ]

    def _refusal(self, request: Request) -> Response | None:
        """Why a request is not answered; None where it is."""
        path: str = request.scope["path"]  # not request.url: what that is made of is the client's Host header
        if path in _PROBES:
            return None
        if not self._hosts.include(request.headers.get("host")):
            return JSONResponse({"error": NOT_OURS}, 421)
        free = path in _TO_LOG_IN or path.startswith(_LOOKS) or (path == "/metrics" and self._open_metrics)
        if self._token is None or free:
            return None
        return self._without_login(request)

    def _without_login(self, request: Request) -> Response | None:
        if self._sessions is not None and self._sessions.holds(_cookie(request.headers)):
            return None
        shown = _bearer(request.headers)
        if shown is not None:
            return self._judge(request, shown)
        for_a_person = request.method in ("GET", "HEAD") and not request.scope["path"].startswith(_FOR_PROGRAMS)
        if for_a_person and "text/event-stream" not in request.headers.get("accept", ""):
            return RedirectResponse(f"/login?next={quote(_asked(request.scope), safe='')}", 303)
        return _unauthorised(
            "log in: send Authorization: Bearer TOKEN, where TOKEN is web.token of the configuration"
        )

    def _judge(self, request: Request, shown: str) -> Response | None:
        """None for the right token; a wrong one is counted, and after many of them none is looked at for a while."""
        address = request.client.host if request.client is not None else ""
        wait = self._guesses.wait(address)
        if wait > 0:
            again = str(math.ceil(wait))
            why = "too many wrong tokens came from your address; try again later"
            return JSONResponse({"error": why}, 429, headers={"Retry-After": again})
        if self._token is not None and hmac.compare_digest(shown.encode(), self._token.encode()):
            return None
        self._guesses.wrong(address)
        return _unauthorised("this is not the token that web.token of the configuration holds")

    async def _show_login(self, request: Request) -> Response:
        return self._login_page(safe_next(request.query_params.get("next")), None, 200)

    def _login_page(self, then: str, problem: str | None, status: int) -> Response:
        return Response(self._form(then, problem), status, media_type="text/html")

    async def _log_in(self, request: Request) -> Response:
        if not _from_our_own_page(request.headers):
            return JSONResponse({"error": "this form was sent from another site"}, 403)
        fields = await _fields(request)
        if fields is None:
            return JSONResponse({"error": "send token=TOKEN as application/x-www-form-urlencoded"}, 400)
        then = safe_next(fields.get("next"))
        refusal = self._judge(request, fields.get("token", "")[:_LONGEST_TOKEN].strip())
        if refusal is not None:
            late = refusal.status_code == 429  # noqa: PLR2004
            problem = "Too many wrong tokens. Wait a minute." if late else "This is not the token."
            page = self._login_page(then, problem, 429 if late else 403)
            if late:
                page.headers["Retry-After"] = refusal.headers["Retry-After"]
            return page
        assert self._sessions is not None  # noqa: S101 (for mypy: where there is no token there is no such route)
        answer = RedirectResponse(then, 303)
        answer.set_cookie(
            COOKIE,
            self._sessions.begin(),
            max_age=int(LASTS.total_seconds()),
            httponly=True,
            samesite="strict",
        )
        return answer

    async def _log_out(self, request: Request) -> Response:
        if not _from_our_own_page(request.headers):
            return JSONResponse({"error": "this form was sent from another site"}, 403)
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer


def _unauthorised(why: str) -> Response:
    return JSONResponse({"error": why}, 401, headers={"WWW-Authenticate": 'Bearer realm="gemwatch"'})


def _bearer(headers: Headers) -> str | None:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip()[:_LONGEST_TOKEN] if kind.lower() == "bearer" else None


def _cookie(headers: Headers) -> str:
    for pair in headers.get("cookie", "").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


async def _fields(request: Request) -> dict[str, str] | None:
    """The fields of a short form; None where the body is no such thing."""
    if (
        request.headers.get("content-type", "").partition(";")[0].strip().lower()
        != "application/x-www-form-urlencoded"
    ):
        return None
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM:
            return None
    try:
        return {name: values[-1] for name, values in parse_qs(body.decode("ascii"), max_num_fields=8).items()}
    except ValueError:
        return None


def _asked(scope: Scope) -> str:
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return (path + (b"?" + query if query else b"")).decode("latin-1")


def safe_next(path: str | None) -> str:
    """A place on this server, whatever was asked for: a login must not lead elsewhere."""
    if path is None or not path.isascii() or not path.isprintable() or "\\" in path:
        return HOME
    return path if path.startswith("/") and not path.startswith("//") else HOME


def _from_our_own_page(headers: Headers) -> bool:
    """Whether a form came from a page of ours. Browsers say where it came from; programs have no cookies to steal."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2].lower() == headers.get("host", "").lower()
