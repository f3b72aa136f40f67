"""Who may read what: everybody on a loopback address; elsewhere, and if `web.token` is set,
clients that send the token or logged in with it."""

import asyncio
import contextlib
import hmac
import math
from urllib.parse import parse_qs, quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gemwatch.adapters.store.files import StoreError
from gemwatch.core.clock import Clock
from gemwatch.core.settings import WebSettings
from gemwatch.web.http.addresses import NOT_OURS, Hosts
from gemwatch.web.http.answers import PlainPages, problem, wants_page
from gemwatch.web.http.guesses import Guesses, OnWrong
from gemwatch.web.http.place import Mount
from gemwatch.web.http.requests import PROBES
from gemwatch.web.http.sessions import LASTS, EndedSessions, Sessions

_LOGIN = ("/login", "/logout")
_STATIC = (
    "/static/"  # the login page and the error pages need their style; nothing in there is about this installation
)
_FOR_PROGRAMS = ("/api/", "/metrics")
_LONGEST_FORM = 4096  # bytes
_LONGEST_TOKEN = 1024
_ENDED_FOR = 1.0  # seconds for which the list of ended sessions is not read again
_PATIENCE = 3.0  # seconds that a logout waits for the store
_OTHER_SITE = "this form was sent from another site"


class Access:
    def __init__(
        self,
        web: WebSettings,
        clock: Clock,
        pages: PlainPages,
        ended: EndedSessions,
        *,
        on_wrong_token: OnWrong = lambda _address, _report: None,
    ) -> None:
        """`on_wrong_token` gets the address, and whether to log it: once a minute for each."""
        self.place = Mount.of(web.public_url)
        self.badge = web.badge
        self._hosts = Hosts(web)
        self._token = web.token
        self._clock = clock
        self._pages = pages
        open_paths = [
            path for path, opens in (("/metrics", web.metrics), ("/badge.svg", web.badge)) if opens == "open"
        ]
        self._open = frozenset((*_LOGIN, *open_paths))
        self._sessions = None if web.token is None else Sessions(token=web.token, clock=clock)
        self._guesses = Guesses(clock, on_wrong_token)
        self._ended_sessions = ended
        self._ended: frozenset[str] = frozenset()
        self._ended_here: set[str] = set()
        self._ended_at: float | None = None
        self._writing: set[asyncio.Task[None]] = set()

    @property
    def needs_login(self) -> bool:
        """Whether pages should offer to log out."""
        return self._token is not None

    def guarding(self, app: ASGIApp) -> ASGIApp:
        """The application behind these checks."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            refusal = await self._refusal(Request(scope)) if scope["type"] == "http" else None
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

    async def _refusal(self, request: Request) -> Response | None:
        """Why a request is refused; None if it is not."""
        path: str = request.scope["path"]  # not request.url: what that is made of is the client's Host header
        if path in PROBES or path.startswith(_STATIC):
            return None
        if not self._hosts.include(request.headers.get("host")):
            return problem(self._pages, request, 421, NOT_OURS)
        if self._token is None or path in self._open:
            return None
        return await self._without_login(request)

    async def _without_login(self, request: Request) -> Response | None:
        if await self._logged_in(request.headers):
            return None
        token = _bearer(request.headers)
        if token is not None:
            return self._judge(request, token)
        path: str = request.scope["path"]
        for_a_person = wants_page(request) or not path.startswith(_FOR_PROGRAMS)
        stream = "text/event-stream" in request.headers.get("accept", "")
        if for_a_person and not stream and request.method in ("GET", "HEAD"):
            return RedirectResponse(f"{self.place.base}/login?next={quote(_asked(request.scope), safe='')}", 303)
        return self._unauthorised(
            request, "log in: send Authorization: Bearer TOKEN, where TOKEN is web.token of the configuration"
        )

    async def _logged_in(self, headers: Headers) -> bool:
        digest = None if self._sessions is None else self._sessions.digest_of(_cookie(headers, self.place.cookie))
        return digest is not None and digest not in self._ended_here and digest not in await self._all_ended()

    async def _all_ended(self) -> frozenset[str]:
        """From the store, at most a second old. While the store does not answer, the last known ones count."""
        now = self._clock.monotonic()
        if self._ended_at is None or now - self._ended_at >= _ENDED_FOR:
            self._ended_at = now
            with contextlib.suppress(StoreError):
                self._ended = await self._ended_sessions.ended()
        return self._ended

    def _judge(self, request: Request, token: str) -> Response | None:
        """None for the right token. A wrong one is counted; after many of them, checks pause for some time."""
        address = request.client.host if request.client is not None else ""
        right = self._token is not None and hmac.compare_digest(token.encode(), self._token.encode())
        wait = self._guesses.wait(address)
        if wait > 0 and not (right and self._guesses.knows(address)):
            self._guesses.refused(address)
            again = {"Retry-After": str(math.ceil(wait))}
            return problem(
                self._pages, request, 429, "too many wrong tokens came from your address: try again later", again
            )
        if right:
            self._guesses.right(address)
            return None
        self._guesses.wrong(address)
        return self._unauthorised(request, "this is not the token that web.token of the configuration holds")

    def _unauthorised(self, request: Request, why: str) -> Response:
        return problem(self._pages, request, 401, why, {"WWW-Authenticate": 'Bearer realm="gemwatch"'})

    async def _show_login(self, request: Request) -> Response:
        return self._login_page(safe_next(request.query_params.get("next")), None, 200)

    def _login_page(self, then: str, what: str | None, status: int) -> Response:
        return HTMLResponse(self._pages.login(then, what), status)

    async def _log_in(self, request: Request) -> Response:
        if not _from_our_own_page(request.headers):
            return problem(self._pages, request, 403, _OTHER_SITE)
        fields = await _fields(request)
        if fields is None:
            return problem(self._pages, request, 400, "send token=TOKEN as application/x-www-form-urlencoded")
        then = safe_next(fields.get("next"))
        refusal = self._judge(request, fields.get("token", "")[:_LONGEST_TOKEN].strip())
        if refusal is not None:
            late = refusal.status_code == 429  # noqa: PLR2004
            page = self._login_page(
                then,
                "Too many wrong tokens. Wait a minute, then try again." if late else "This is not the token.",
                429 if late else 403,
            )
            if late:
                page.headers["Retry-After"] = refusal.headers["Retry-After"]
            return page
        assert self._sessions is not None  # noqa: S101 (for mypy: without a token, this route does not exist)
        answer = RedirectResponse(f"{self.place.base}{then}", 303)
        answer.set_cookie(
            self.place.cookie,
            self._sessions.begin(),
            max_age=int(LASTS.total_seconds()),
            path=self.place.cookie_path,
            secure=self.place.secure,
            httponly=True,
            samesite="strict",
        )
        return answer

    async def _log_out(self, request: Request) -> Response:
        if not _from_our_own_page(request.headers):
            return problem(self._pages, request, 403, _OTHER_SITE)
        await self._end_session(_cookie(request.headers, self.place.cookie))
        answer = RedirectResponse(f"{self.place.base}/login", 303)
        answer.delete_cookie(
            self.place.cookie,
            path=self.place.cookie_path,
            secure=self.place.secure,
            httponly=True,
            samesite="strict",
        )
        return answer

    async def _end_session(self, cookie: str) -> None:
        """It ends at once in this process, and in other processes as soon as the store has recorded it."""
        digest = None if self._sessions is None else self._sessions.digest_of(cookie)
        if digest is None:
            return
        self._ended_here.add(digest)
        writing = asyncio.ensure_future(self._write_end(digest))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        await asyncio.wait({writing}, timeout=_PATIENCE)

    async def _write_end(self, digest: str) -> None:
        await self._ended_sessions.end(digest, self._clock.now() + LASTS)
        self._ended_at = None  # the next request reads it
        await self._all_ended()
        self._ended_here -= self._ended


def _bearer(headers: Headers) -> str | None:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip()[:_LONGEST_TOKEN] if kind.lower() == "bearer" else None


def _cookie(headers: Headers, wanted: str) -> str:
    for pair in headers.get("cookie", "").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == wanted:
            return value
    return ""


async def _fields(request: Request) -> dict[str, str] | None:
    """The fields of a short form; None if the body is not a form."""
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
    """A page on this server, whatever the request names: a login must not redirect to another site."""
    if path is None or not path.isascii() or not path.isprintable() or "\\" in path:
        return "/"
    return path if path.startswith("/") and not path.startswith("//") else "/"


def _from_our_own_page(headers: Headers) -> bool:
    """Whether a form came from one of our pages. Browsers send its origin; programs have no cookies to steal."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2].lower() == headers.get("host", "").lower()
