"""Where the demo's messages arrive: a place for each target that Apprise's `json://` posts to."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gemwatch.core.kinds import JOB_EVENTS

_OF_GROUP = re.compile(r"^(GROUP \w+): (\S+)", re.MULTILINE)
_TOLD = re.compile(rf"^({'|'.join(kind.traits.outcome for kind in JOB_EVENTS)}): (?:.*\()?job (\d+)\b", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message as it arrived. `tone` is Apprise's word: success, failure, warning or info."""

    target: str
    title: str
    body: str
    tone: str

    @property
    def outcomes(self) -> list[tuple[str, int | str]]:
        """The outcomes and jobs or groups in it, read from its text: a summary has one per line."""
        text = f"{self.title}\n{self.body}"
        jobs = [(outcome, int(job_id)) for outcome, job_id in _TOLD.findall(text)]
        return [*jobs, *_OF_GROUP.findall(text)]


class Inbox:
    """Passes on what arrives at its paths, one per target. `down_once` turns one message away."""

    def __init__(
        self, places: Mapping[str, str], wait: Callable[[Letter], None], *, down_once: str | None = None
    ) -> None:
        self._places = places
        self._heard = wait
        self._down_once = down_once

    def routes(self) -> list[Route]:
        return [Route("/inbox/{place}", self._receive, methods=["POST"])]

    async def _receive(self, request: Request) -> Response:
        target = self._places[request.path_params["place"]]
        if target == self._down_once:
            self._down_once = None
            return Response("try again later", HTTPStatus.SERVICE_UNAVAILABLE)
        sent = await request.json()
        self._heard(Letter(target=target, title=sent["title"], body=sent["message"], tone=sent["type"]))
        return Response(status_code=HTTPStatus.NO_CONTENT)
