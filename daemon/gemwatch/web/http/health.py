"""The program's state: health for a supervisor, readiness for an orchestrator, metrics for Prometheus."""

from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gemwatch.web.http.shared import SharedAnswers

_PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class ProgramState(Protocol):
    """What these pages need from the program."""

    def alive(self) -> bool:
        """Whether the program makes progress, or only its store prevents that: then a restart would not help."""

    def stalled(self) -> str | None:
        """Why the program makes no progress; None while it does."""

    def ready(self) -> str | None:
        """Why the program is not ready; None when it is."""

    async def metrics(self) -> bytes:
        """The Prometheus text."""


def routes(state: ProgramState, shared: SharedAnswers) -> list[Route]:
    """Handlers are coroutines throughout: Starlette runs plain functions in a thread pool."""

    async def livez(_: Request) -> Response:
        return JSONResponse({"status": "ok"}) if state.alive() else JSONResponse({"status": "stalled"}, 503)

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

    return [
        Route("/livez", livez),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", shared(metrics)),
    ]
