"""Refusals and errors: a page for browsers, JSON for programs."""

from collections.abc import Mapping
from typing import Protocol

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response


class PlainPages(Protocol):
    """The pages that need nothing of this installation."""

    def login(self, then: str, problem: str | None) -> str:
        """The login form: where to go afterwards, and what was wrong with the last try."""

    def problem(self, status: int, detail: str) -> str:
        """What went wrong, for users. `detail` is shown where it helps them."""


def wants_page(request: Request) -> bool:
    """Whether the client is a browser. Other programs do not accept HTML."""
    return "text/html" in request.headers.get("accept", "").lower()


def problem(
    pages: PlainPages, request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    if wants_page(request):
        return HTMLResponse(pages.problem(status, detail), status, headers=headers)
    return JSONResponse({"error": detail}, status, headers=headers)
