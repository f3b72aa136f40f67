"""How the program is: health for a supervisor, readiness for an orchestrator, metrics for Prometheus."""

from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class State(Protocol):
    """All that these pages know of the program."""

    def stalled(self) -> str | None:
        """Why the program is stuck; None while it makes progress."""

    def ready(self) -> str | None:
        """Why the program is not ready; None when it is."""

    async def metrics(self) -> bytes:
        """The Prometheus text."""


def routes(state: State) -> list[Route]:
    """Handlers are coroutines throughout: Starlette runs plain functions in a thread pool."""

    async def healthz(_: Request) -> Response:
        reason = state.stalled()
        if reason is not None:
            return JSONResponse({"status": "stalled", "reason": reason}, 503)
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        reason = state.ready()
        if reason is not None:
            return JSONResponse({"status": "not ready", "reason": reason}, 503)
        return JSONResponse({"status": "ready"})

    async def metrics(_: Request) -> Response:
        return Response(await state.metrics(), media_type=_PROMETHEUS_TEXT)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
