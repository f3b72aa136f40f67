"""Responses shared by all requests for the same URL within a second, so that many clients cost as much as one."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive

from gemwatch.core.clock import Clock
from gemwatch.web.http.answers import wants_page
from gemwatch.web.http.requests import SteadyRate

Handler = Callable[[Request], Coroutine[None, None, Response]]

LASTS = 1.0  # seconds
MOST = 16  # different answers kept
RATE, BURST = 25.0, 25  # different answers made in a second: each reads the store and draws a page


@dataclass(slots=True, kw_only=True)
class _Answer:
    task: asyncio.Task[Response]
    begun: float
    wanted: int = 0  # clients that wait for it


class SharedAnswers:
    """For responses that depend only on the URL of a request."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: OrderedDict[Hashable, _Answer] = OrderedDict()
        self._turns = SteadyRate(RATE, BURST)

    def __call__(self, handler: Handler) -> Handler:
        """The handler, called once for all requests with the same URL, and not for clients that have disconnected."""

        async def shared(request: Request) -> Response:
            key = (request.scope["path"], request.scope["query_string"], wants_page(request))
            return await self._waited_for(self._find(key, handler, request), key, request.receive)

        return shared

    def clear(self) -> None:
        """Something changed: from now on responses are built again, also one that is being built."""
        self._answers.clear()

    def _find(self, key: Hashable, handler: Handler, request: Request) -> _Answer:
        now = self._clock.monotonic()
        found = self._answers.get(key)
        if found is not None and (not found.task.done() or 0 <= now - found.begun < LASTS):
            return found
        fresh = _Answer(task=asyncio.ensure_future(self._make(handler, request)), begun=now)
        self._answers[key] = fresh
        self._answers.move_to_end(key)
        while len(self._answers) > MOST:
            self._answers.popitem(last=False)
        return fresh

    async def _make(self, handler: Handler, request: Request) -> Response:
        await self._turns()
        return await handler(request)

    async def _waited_for(self, answer: _Answer, key: Hashable, receive: Receive) -> Response:
        if answer.task.done():
            return answer.task.result()
        answer.wanted += 1
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({answer.task, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            answer.wanted -= 1
            if not answer.wanted and not answer.task.done():
                self._drop(answer, key)
        return answer.task.result() if answer.task.done() else Response(status_code=499)  # the client is gone

    def _drop(self, answer: _Answer, key: Hashable) -> None:
        """All clients have disconnected."""
        answer.task.cancel()
        if self._answers.get(key) is answer:
            del self._answers[key]


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
