"""Asking a scripted GEM API, and answers that no well-behaved server would send."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from gemwatch.adapters.gem.client import GemApi
from gemwatch.app.system_clock import SystemClock
from gemwatch.core.clock import Clock
from gemwatch.core.job import Failed, Observation
from gemwatch.core.settings import ApiSettings
from support.gem import KEY, TOKEN, Answer
from support.http import Handler

PATIENT, SHORT = timedelta(seconds=30), timedelta(seconds=0.4)


@asynccontextmanager
async def api_at(url: str, clock: Clock | None = None, **settings: Any) -> AsyncIterator[GemApi]:
    settings = {"key": KEY, "timeout": PATIENT, **settings}
    api = GemApi(ApiSettings(base_url=url, **settings), clock or SystemClock())
    try:
        yield api
    finally:
        await api.close()


def failed(seen: Observation) -> Failed:
    assert isinstance(seen, Failed)
    assert seen.sent_at <= seen.at
    assert seen.reason.isprintable()
    assert len(seen.reason) <= 200
    assert KEY not in seen.reason
    assert TOKEN not in seen.reason
    return seen


def raw(*pieces: bytes) -> Answer:
    """Exactly these bytes, and then the connection is closed."""

    def write(handler: Handler) -> None:
        for piece in pieces:
            handler.wfile.write(piece)

    return Answer(write=write)


def endless(start: bytes, piece: bytes, pause: float = 0.0) -> Answer:
    """A start, then the same chunk until the client disconnects."""

    def write(handler: Handler) -> None:
        handler.wfile.write(start)
        while True:
            handler.wfile.write(piece)
            time.sleep(pause)

    return Answer(write=write)
