"""The heartbeat: a call to a dead man's switch for as long as the daemon is healthy."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from gemwatch.core.clock import Clock
from gemwatch.core.settings import HeartbeatSettings
from gemwatch.engine.active_config import ActiveConfig

log = structlog.get_logger()

LOOK_EVERY = 1.0  # seconds: how soon an edit of the configuration is heeded


@dataclass(frozen=True, slots=True, kw_only=True)
class Beating:
    """What a heartbeat is made of. `stalled` says why the daemon is not healthy, `call` why a call was not taken."""

    active: ActiveConfig
    clock: Clock
    stalled: Callable[[], str | None]
    call: Callable[[str], Awaitable[str | None]]


class Heartbeat:
    """Calls while all is well and is silent otherwise: what tells somebody is the silence."""

    def __init__(self, parts: Beating) -> None:
        self._parts = parts
        self._settings: HeartbeatSettings | None = None  # of the last round
        self._due = 0.0
        self._failing = False

    async def run(self) -> None:
        while True:
            await self.round()
            await asyncio.sleep(LOOK_EVERY)

    async def round(self) -> None:
        """Call if it is time to, at once after an edit, and as soon as the daemon is healthy again."""
        parts, settings = self._parts, self._parts.active.settings.heartbeat
        if settings != self._settings:
            self._settings, self._due, self._failing = settings, 0.0, False
        now = parts.clock.monotonic()
        if settings is None or now < self._due or parts.stalled() is not None:
            return
        self._due = now + settings.every.total_seconds()
        self._say(await parts.call(settings.url))

    def _say(self, reason: str | None) -> None:
        """Log a failure once, and that it is over."""
        if reason is not None and not self._failing:
            log.error("in trouble", what="heartbeat", reason=reason)
        elif reason is None and self._failing:
            log.info("works again", what="heartbeat")
        self._failing = reason is not None
