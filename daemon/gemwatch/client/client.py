"""The requests to a daemon, and the meaning of what comes back."""

import json
import os
import ssl
import time
from collections.abc import Collection, Generator, Iterator, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from gemwatch import __version__
from gemwatch.client.address import address_of, is_loopback
from gemwatch.client.answers import Group, Groups, Job, JobPage, JobWithHistory, Service
from gemwatch.client.errors import (
    AddressError,
    ClientError,
    IncompatibleError,
    NotFinishedError,
    TokenError,
    UnavailableError,
    UnknownJobError,
)

T = TypeVar("T")

PAUSE = 2.0  # seconds between two requests of a wait: the daemon itself polls a job every minute or so
_AT_ONCE = 100  # ids in one request
_SERVICE = "/api/service"
_PAGE = 500  # jobs in one answer
_MOST_BYTES = 256 << 20  # of one answer: each job's details have 1 MiB at most


class _Bearer(httpx.Auth):
    """Sends the token, and keeps httpx from sending a password of ~/.netrc in its place."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


class Client:
    """A connection to one daemon. Not safe for use by several threads at a time."""

    def __init__(self, url: str, *, token: str | None = None, timeout: timedelta = timedelta(seconds=30)) -> None:
        """`url` as people open it: https, or http on this machine. `timeout`: for each step of a request.

        Raises AddressError if the URL cannot be used.
        """
        address = address_of(url)
        self.url = str(address)
        self._version: str | None = None  # of the daemon
        self._has_token = token is not None
        self._http = httpx.Client(
            auth=_Bearer(token),
            headers={"Accept": "application/json", "User-Agent": f"gemwatch/{__version__}"},
            follow_redirects=False,  # a redirect would take the token elsewhere
            timeout=timeout.total_seconds(),
            trust_env=not is_loopback(address),  # no proxy can reach this machine's loopback addresses
            verify=ssl.create_default_context(),  # the system's CAs, or those of SSL_CERT_FILE
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def service(self) -> Service:
        """The state of the daemon, with its version."""
        return self._get(Service, _SERVICE)

    def job(self, job_id: int) -> JobWithHistory:
        """One job with its history. Raises UnknownJobError if the daemon does not know it."""
        return self._get(JobWithHistory, f"/api/jobs/{job_id}")

    def jobs(self, job_ids: Collection[int] | None = None, **filters: str | bool | list[str]) -> dict[int, Job]:
        """The jobs that the daemon knows, by id: all, or those of these ids.

        `filters` are parameters of /api/jobs, such as `finished=False`, `group="release"` or `status=["FAILED"]`.
        """
        if job_ids is None:
            return {job.job_id: job for job in self._pages(filters)}
        ids = list(dict.fromkeys(job_ids))
        parts = [ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)]
        return {job.job_id: job for part in parts for job in self._pages({**filters, "job_id": part})}

    def groups(self) -> dict[str, Group]:
        """The groups of jobs that the daemon knows, by name."""
        return {group.name: group for group in self._get(Groups, "/api/groups").groups}

    def wait(
        self, job_ids: Collection[int], *, any_one: bool = False, timeout: timedelta | None = None
    ) -> dict[int, Job]:
        """The jobs once all, or `any_one`, have ended. Waits out restarts and outages of the daemon.

        Raises UnknownJobError for a job that the daemon does not watch, unless it has ended, and NotFinishedError
        after `timeout`.
        """
        deadline = None if timeout is None else time.monotonic() + timeout.total_seconds()
        while True:
            try:
                jobs = self.jobs(job_ids)
            except UnavailableError as error:
                jobs, failure = {}, f": {error}"
            else:
                failure = ""
                self._require_watched(job_ids, jobs)
                ended = [job.finished for job in jobs.values()]
                if all(ended) or (any_one and any(ended)):
                    return jobs
            left = PAUSE if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise NotFinishedError(f"{self.url}: the jobs have not ended in time{failure}")
            time.sleep(min(left, PAUSE))

    def _require_watched(self, job_ids: Collection[int], jobs: Mapping[int, Job]) -> None:
        for job_id in job_ids:
            job = jobs.get(job_id)
            if job is None or not (job.finished or job.watched):
                raise UnknownJobError(f"{self.url}: gemwatch does not watch job {job_id} there")

    def _pages(self, parameters: Mapping[str, Any]) -> Iterator[Job]:
        offset = 0
        while True:
            page = self._get(JobPage, "/api/jobs", {**parameters, "limit": _PAGE, "offset": offset})
            yield from page.jobs
            offset += len(page.jobs)
            if not page.jobs or offset >= page.total:
                return

    def _get(self, shape: type[T], path: str, parameters: Mapping[str, Any] | None = None) -> T:
        body = self._answer(path, parameters)
        if path == _SERVICE:
            if not isinstance(version := body.get("version"), str):
                raise AddressError(f"{self.url}: the answer is not from gemwatch: check the host, port and path")
            self._version = version[:40]
        try:
            return TypeAdapter(shape).validate_python(body)
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise self._incompatible(f"{path}: {where}") from None

    def _answer(self, path: str, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
        """The JSON object that the daemon sends with status 200."""
        try:
            with self._http.stream("GET", self.url + path, params=parameters) as response:
                return self._read(response)
        except httpx.HTTPError as error:
            raise UnavailableError(f"{self.url} cannot be reached: {_reason(error)}") from None

    def _read(self, response: httpx.Response) -> dict[str, Any]:
        text = b""
        for part in response.iter_bytes():
            text += part
            if len(text) > _MOST_BYTES:
                raise UnavailableError(f"{self.url} sends more than {_MOST_BYTES >> 20} MiB")
        try:
            body = json.loads(text)
        except ValueError:
            body = None
        if response.status_code != httpx.codes.OK or not isinstance(body, dict):
            said = body.get("error") if isinstance(body, dict) else None
            raise self._refusal(response, said if isinstance(said, str) else None)
        return body

    def _refusal(self, response: httpx.Response, said: str | None) -> ClientError:
        """What an answer without a result means. `said`: the daemon's own sentence."""
        status, url = response.status_code, self.url
        if said and "does not know job" in said:
            return UnknownJobError(f"{url}: {said}")
        if said and status == httpx.codes.BAD_REQUEST:
            return self._incompatible(said)
        if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            return UnavailableError(f"{url} cannot answer now: HTTP {status}{f', {said[:200]}' if said else ''}")
        match status:
            case 401:
                return TokenError(f"{url} {'refuses the token' if self._has_token else 'asks for a token'}")
            case 403:
                return TokenError(f"{url} refuses the request with HTTP 403; a proxy may ask for another login")
            case 421:
                why = "gemwatch does not accept this host name: add it to web.hosts there"
            case _ if response.is_redirect:
                why = "it redirects to another URL, which gemwatch does not follow: use that URL"
            case _:
                why = f"the answer is not from gemwatch (HTTP {status}): check the host, port and path"
        return AddressError(f"{url}: {why}")

    def _incompatible(self, what: str) -> ClientError:
        theirs = f"gemwatch {self._version}" if self._version else "another version of gemwatch"
        return IncompatibleError(
            f"{self.url} is {theirs}, which this version, {__version__}, does not understand ({what[:200]}): "
            "use the same version on both sides"
        )


def _reason(error: BaseException) -> str:
    """The system's words for what broke the connection: httpx's own hold addresses and source lines."""
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"certificate verify failed: {cause.verify_message.rstrip('.')}"
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno).lower() if cause.errno > 0 else (cause.strerror or "").lower()
        cause = cause.__cause__ or cause.__context__
    return "the connection broke" if isinstance(error, httpx.TransportError) else "the answer is not HTTP"
