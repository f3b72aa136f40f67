"""A simulated GEM API: its answers, its errors and its login, on whatever address it is served.

Its tokens live for seconds; real ones live for an hour.
"""

import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from gemwatch.core.clock import Clock
from gemwatch.demo.lives import Life

TOKEN_LIFE = 12.0  # seconds: short, so that several renewals fall into one run


class Logins:
    """Issues tokens, and knows which of them are valid."""

    def __init__(self, clock: Clock, life: float = TOKEN_LIFE) -> None:
        self.given = 0
        self.life = life  # seconds
        self._clock = clock
        self._ends: dict[str, float] = {}

    def give(self) -> dict[str, str | int]:
        """A new token, in the form of `az account get-access-token`."""
        token = secrets.token_urlsafe(24)
        self._ends[token] = self._clock.monotonic() + self.life
        self.given += 1
        end = self._clock.now() + timedelta(seconds=self.life)
        return {
            "accessToken": token,
            "expiresOn": f"{end.astimezone():%F %T.%f}",  # local time, without saying so
            "expires_on": int(end.timestamp()),
            "tenant": "00000000-0000-0000-0000-000000000000",
            "tokenType": "Bearer",
        }

    def accepts(self, token: str) -> bool:
        return self._clock.monotonic() < self._ends.get(token, 0.0)

    def revoke_all(self) -> None:
        """Refuse every token issued so far, whatever its expiry."""
        self._ends.clear()


BASE_PATH = "/maps/orbis/platform/gem"
TOKEN_PATH = "/demo/token"  # noqa: S105 (a path)
KEY = "demo-key"
FAULTS = 0.03  # the share of requests that is answered with a 500
SEED = 20

_FAULT_PAGE = "<html><body><h1>500 Internal Server Error</h1></body></html>"


@dataclass(frozen=True, slots=True)
class _Moment:
    time: datetime
    monotonic: float


class Gem:
    """Jobs that follow their scripts. `report` receives a sentence about what a client cannot see.

    `past`: the answers about earlier jobs, for the lists.
    """

    def __init__(
        self,
        lives: Iterable[Life],
        clock: Clock,
        report: Callable[[str], None] = lambda _: None,
        *,
        past: Sequence[dict[str, Any]] = (),
        seed: int = SEED,
        faults: float = FAULTS,
    ) -> None:
        self.logins = Logins(clock)
        self.answered: Counter[int] = Counter()  # by HTTP status
        self._lives = {str(life.job_id): life for life in lives}
        self._clock = clock
        self._report = report
        self._chance = random.Random(seed)  # noqa: S311 (no secret: the same faults in every run)
        self._faults = faults
        self._past = past
        self._first: dict[int, _Moment] = {}  # when each job was first asked for
        self._begun: _Moment | None = None  # the first list: rules are in force by then
        self._refused: set[str] = set()

    def routes(self) -> list[Route]:
        return [
            Route(f"{BASE_PATH}/jobs/{{job_id}}", self._job),
            Route(f"{BASE_PATH}/jobs", self._jobs),
            Route(TOKEN_PATH, self._token, methods=["POST"]),
        ]

    async def _job(self, request: Request) -> Response:
        return self._counted(self._barred(request) or self._about(request.path_params["job_id"]))

    async def _jobs(self, request: Request) -> Response:
        return self._counted(self._barred(request) or self._list(request.query_params.get("job_type")))

    async def _token(self, _: Request) -> Response:
        given = self.logins.give()
        if self.logins.given > 1:
            self._report(f"login: issued a new token, valid for {self.logins.life:g} s")
        return JSONResponse(given)

    def _barred(self, request: Request) -> Response | None:
        """401 without both headers, and now and then a 500."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if request.headers.get("tomtom-api-key") != KEY or not self.logins.accepts(token):
            if token not in self._refused:
                self._refused.add(token)
                self._report("GEM API: a token was refused with HTTP 401, because it is no longer valid")
            return _error(HTTPStatus.UNAUTHORIZED, "invalid credentials")
        if self._chance.random() < self._faults:
            return HTMLResponse(_FAULT_PAGE, HTTPStatus.INTERNAL_SERVER_ERROR)
        return None

    def _about(self, job_id: str) -> Response:
        life = self._lives.get(job_id)
        if life is not None:
            self._first.setdefault(life.job_id, self._now())
        document = life and self._document(life)
        return JSONResponse(document) if document else _error(HTTPStatus.NOT_FOUND, "job not found")

    def _list(self, job_type: str | None) -> Response:
        if job_type is None:
            return _error(HTTPStatus.BAD_REQUEST, "job_type is required")
        self._begun = self._begun or self._now()
        documents = (*self._past, *filter(None, map(self._document, self._lives.values())))
        # TomTom's own example of a list of ROAD_MATCHING jobs has a lane-level job too.
        types = ("ROAD_MATCHING", "LANE_LEVEL_MATCHING") if job_type == "ROAD_MATCHING" else (job_type,)
        return JSONResponse({"jobs": [document for document in documents if document["job_type"] in types]})

    def _document(self, life: Life) -> dict[str, Any] | None:
        now = self._now()
        first = self._first.get(life.job_id, now)
        if life.submitted is not None:
            if self._begun is None:
                return None
            since = self._begun.monotonic + life.submitted
            first = _Moment(self._begun.time + timedelta(seconds=life.submitted), since)
        if now.monotonic < first.monotonic:
            return None
        status = life.status(now.monotonic - first.monotonic)
        return None if status is None else life.document(status, first.time)

    def _now(self) -> _Moment:
        return _Moment(self._clock.now(), self._clock.monotonic())

    def _counted(self, answer: Response) -> Response:
        self.answered[answer.status_code] += 1
        return answer


def _error(status: HTTPStatus, detail: str) -> Response:
    return JSONResponse({"detail": detail}, status)
