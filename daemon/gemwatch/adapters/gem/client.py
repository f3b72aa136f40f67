"""The GEM API over HTTP: a request for a job returns an observation, a request for all jobs of a type a listing.

It uses httpx's requests and responses with the aiohttp transport, but not httpx's client. The client follows
redirects, which could send the key to another host, keeps cookies and logs each URL. It is also much slower.
"""

import asyncio
import re
from codecs import BOM_UTF8
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from http import HTTPStatus
from typing import TypeVar, cast
from urllib.parse import quote, urlsplit

import aiohttp
import httpx
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from gemwatch import __version__
from gemwatch.adapters.gem.body import Body, body_of, whole_body
from gemwatch.adapters.gem.lists import apart, listing_of
from gemwatch.adapters.gem.wire import read_details
from gemwatch.adapters.http.session import NoAnswerError, fault, open_session, os_reason
from gemwatch.adapters.http.transport import TARGET, Stream, Transport
from gemwatch.core.clock import Clock
from gemwatch.core.job import Failed, NotFound, Observation, Refused, Seen, Throttled
from gemwatch.core.listing import Listed, Listing
from gemwatch.core.login import FIT_FOR_A_HEADER
from gemwatch.core.refusals import Answer, Culprit, api_words, http_status, judge
from gemwatch.core.secrets import MASK
from gemwatch.core.settings import ApiSettings

T = TypeVar("T")
MOST_BYTES = 1 << 20  # of an answer about a job
MOST_LISTED = 64 << 20  # of a list, some 240 000 jobs
# Bytes and seconds to spend on the body of an error: beyond that, a new connection is cheaper. Reading stops this
# long before the request's own time limit, which would discard the status that is already known.
_MOST_DRAINED, _DRAIN_LIMIT, _DRAIN_MARGIN = 64 << 10, 1.0, 0.05
_MOST_JUDGED = 8 << 10  # bytes of an error body to search for the API's message
LONGEST_PAUSE = timedelta(hours=1)  # the longest Retry-After to follow; a longer one would hide that jobs end
LONGEST_PAUSE_503 = timedelta(minutes=15)
_LIFE = 15 * 60.0  # seconds; a busy connection never resolves its host name again
_LIFE_IN_DOUBT = 10.0  # seconds; a new set of connections costs about 20 ms, too much for each request
_HOST = re.compile(r"[A-Za-z0-9.:-]{1,100}")
_TELLING = 6  # characters of a secret that tell something of it

# The exceptions of a failed request: from httpx, from our code, and those that httpx-aiohttp does not wrap.
_FAULTS = (
    httpx.HTTPError,
    httpx.InvalidURL,
    NoAnswerError,
    aiohttp.ClientError,
    HttpProcessingError,
    OSError,
    ValueError,
)


class GemApi:
    """Requests jobs. The caller respects `max_in_flight`: further requests would use up their time limit waiting."""

    def __init__(self, settings: ApiSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._time_limit = settings.timeout.total_seconds()
        self._jobs = f"{settings.base_url.rstrip('/')}/jobs"
        self._connections: _Connections | None = None
        self._token: str | None = None
        # With this token; reused because building one is as slow as reading an answer.
        self._spare: list[httpx.Request] = []

    async def ask(self, job_id: int, token: str) -> Observation:
        """Send one request. Failures of the API or the network never raise.

        Refused means that the API refuses this token or key: the caller renews the token and tries again.
        """
        return await self._ask(lambda: self._url(job_id), token, lambda stream: self._seen(stream, job_id))

    async def list_jobs(self, job_type: str, token: str, page: str | None = None) -> Listed:
        """Request all jobs of a type, or the `page` that a list named. Failures never raise, and the result is never
        Seen."""
        url = page or f"{self._jobs}?job_type={quote(job_type, safe='')}"
        return await self._ask(lambda: url, token, lambda stream: self._listing(stream, job_type, url))

    async def _ask(
        self, url: Callable[[], URL | str], token: str, read: Callable[[Stream], Awaitable[T]]
    ) -> T | Observation:
        if token != self._token and (unfit := self._unfit(token)) is not None:
            return Refused(at=self._clock.now(), reason=unfit)
        sent_at = self._clock.now()
        try:
            async with asyncio.timeout(self._time_limit) as limit:
                return await self._exchange(url(), token, read, drain_until=(limit.when() or 0.0) - _DRAIN_MARGIN)
        except TimeoutError:
            reason, bad = f"no answer within {self._time_limit:g} s", False
        except _FAULTS as error:
            reason, bad = fault(error)
        return Failed(at=self._clock.now(), sent_at=sent_at, reason=reason, bad=bad)

    async def close(self) -> None:
        """Close the connections. Running requests keep theirs until they end."""
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.release()

    async def _exchange(
        self, url: URL | str, token: str, read: Callable[[Stream], Awaitable[T]], *, drain_until: float
    ) -> T | Observation:
        request = self._request(url, token)
        connections, *outworn = self._hold()
        try:
            response = await connections.transport.handle_async_request(request)
            stream = cast("Stream", response.stream)
            try:
                if response.status_code == HTTPStatus.OK:
                    return await read(stream)
                body = await _drain(response, drain_until)
                return self._other(response, body, token)
            finally:
                await stream.aclose()
        except NoAnswerError:
            connections.distrust()
            raise
        finally:
            if token == self._token:
                self._spare.append(request)
            for held in (connections, *outworn):
                await held.release()

    def _unfit(self, token: str) -> str | None:
        """Why a request with this key and token is impossible, or None."""
        for name, value in (("key", self._settings.key), ("token", token)):
            if not FIT_FOR_A_HEADER.fullmatch(value):
                return f"the {name} is empty or has characters that no HTTP header can carry"
        return None

    @cached_property
    def _root(self) -> URL:
        return URL(self._jobs)  # in the first request, which fails if it cannot be parsed

    def _url(self, job_id: int) -> URL:
        """The URL of a job. Only its path is new: to parse the whole of it each time takes a tenth of a request."""
        return self._root.with_path(f"{self._root.raw_path}/{job_id}", encoded=True)

    def _request(self, url: URL | str, token: str) -> httpx.Request:
        """A request for exclusive use. Return it to `_spare` afterwards."""
        if token != self._token:
            self._token, self._spare = token, []
        if self._spare:
            request = self._spare.pop()
            request.extensions[TARGET] = url
            return request
        headers = {
            "tomtom-api-key": self._settings.key,
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"gemwatch/{__version__}",
        }
        return httpx.Request("GET", str(url), headers=headers, extensions={TARGET: url})

    def _hold(self) -> "list[_Connections]":
        """The connections to use, followed by those that they replace. The caller releases all of them."""
        now, old = self._clock.monotonic(), self._connections
        if old is not None and now < old.replace_at:
            return [old.held()]
        self._connections = _Connections(self._settings, opened_at=now)
        return [self._connections.held(), *([old] if old else [])]

    async def _seen(self, stream: Stream, job_id: int) -> Observation:
        raw, job = _read(await whole_body(stream, MOST_BYTES), lambda text: (text, read_details(text)))
        if job.job_id != job_id:
            raise NoAnswerError("the answer is about another job", bad=True)
        return Seen(job=job, raw=raw, at=self._clock.now())

    async def _listing(self, stream: Stream, job_type: str, url: str) -> Listing:
        body = await whole_body(stream, MOST_LISTED)
        at = self._clock.now()
        return await apart(lambda: _read(body, lambda text: listing_of(text, job_type, url, at)), size=len(body))

    def _other(self, response: httpx.Response, body: str, token: str) -> Observation:
        """What an answer with another status than 200 means: see core/refusals.py."""
        status, headers, now = response.status_code, response.headers, self._clock.now()
        if status == HTTPStatus.NOT_FOUND:
            return NotFound(at=now)
        answer = Answer(status=status, headers={name.lower(): value for name, value in headers.items()}, body=body)
        culprit = judge(answer)
        words = api_words(answer, lambda text: _masked(text, self._settings.key, token))
        if culprit is Culprit.RATE:
            return Throttled(at=now, retry_after=_retry_after(status, headers, now), status=status, words=words)
        if culprit is not None:
            said = f'"{words}"' if words else "the API gives no reason"
            reason = f"{http_status(status)}: {said}"
            return Refused(at=now, reason=reason, culprit=culprit, status=status, words=words)
        if response.is_redirect:
            where = _towards(headers, self._settings.key, token)
            raise NoAnswerError(f"{http_status(status)}, a redirect{where}, is not followed", bad=True)
        raise NoAnswerError(http_status(status), bad=not response.is_server_error)


class _Connections:
    """Kept-alive connections of one age, closed when the last of their holders lets go.

    They are replaced now and then, so that a changed address or CA file is noticed, and what is on its way
    ends undisturbed.
    """

    def __init__(self, settings: ApiSettings, *, opened_at: float) -> None:
        try:
            trust = httpx.create_ssl_context()  # SSL_CERT_FILE, else SSL_CERT_DIR, else certifi's list
        except OSError as error:
            raise NoAnswerError(
                f"the CA certificates that SSL_CERT_FILE names cannot be read: {os_reason(error)}"
            ) from None
        session = open_session(settings.base_url, settings.max_in_flight, trust)
        self.transport = Transport(session, trust)
        self.replace_at = opened_at + _LIFE
        self._opened_at = opened_at
        self._holders = 1

    def held(self) -> "_Connections":
        self._holders += 1
        return self

    def distrust(self) -> None:
        """End them soon. An answer that makes no sense may be the rest of an earlier one that was longer than it
        said, and then each answer on its connection would be taken for that of the next request. And 503 may be the
        word of one server among many, to which these connections lead."""
        self.replace_at = min(self.replace_at, self._opened_at + _LIFE_IN_DOUBT)

    async def release(self) -> None:
        self._holders -= 1
        if not self._holders:
            await self.transport.aclose()


def _read(body: bytearray, read: Callable[[str], T]) -> T:
    try:
        return read(body.removeprefix(BOM_UTF8).decode())
    except UnicodeDecodeError:
        raise NoAnswerError("the answer is not UTF-8 text", bad=True) from None
    except ValueError as error:
        raise NoAnswerError(str(error), bad=True) from None


async def _drain(response: httpx.Response, until: float) -> str:
    """Read the body of an answer without a job in it, for its words, and to its end, since an unread one costs the
    connection: an API that is overloaded would have to greet every client again."""
    body = Body(most=_MOST_DRAINED)
    with suppress(TimeoutError, *_FAULTS):
        body = body_of(response.headers, _MOST_DRAINED)
        async with asyncio.timeout_at(min(until, asyncio.get_running_loop().time() + _DRAIN_LIMIT)):
            async for chunk in response.aiter_raw():
                body.add(chunk)
    return body.read[:_MOST_JUDGED].decode(errors="replace")


def _masked(text: str, *secrets: str) -> str:
    """The text without what was sent, should the server repeat it, in whatever case."""
    known = "|".join(re.escape(secret) for secret in secrets if secret)
    return re.sub(known, MASK, text, flags=re.IGNORECASE) if known else text


def _towards(headers: httpx.Headers, *secrets: str) -> str:
    """The host, but for one that says back a piece of what was sent: names of hosts are in lower case, and so
    would not be recognised later."""
    try:
        host = urlsplit(headers.get("Location", "")).hostname or ""
    except ValueError:
        host = ""
    pieces = [piece for piece in host.split(".") if len(piece) >= _TELLING]
    echo = any(piece in secret.lower() or secret.lower() in piece for piece in pieces for secret in secrets if secret)
    return f" to {host}" if _HOST.fullmatch(host) and not echo else ""


def _retry_after(status: int, headers: httpx.Headers, now: datetime) -> timedelta | None:
    """How long to wait: seconds, or a date, which is compared with the server's clock if it sends a Date header."""
    most = LONGEST_PAUSE_503 if status == HTTPStatus.SERVICE_UNAVAILABLE else LONGEST_PAUSE
    value = headers.get("Retry-After", "")
    try:
        pause = timedelta(seconds=min(int(value), most.total_seconds()))
    except (ValueError, OverflowError):
        until = _date(value)
        if until is None:
            return None
        pause = until - (_date(headers.get("Date", "")) or now)
    return min(max(pause, timedelta()), most)


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
