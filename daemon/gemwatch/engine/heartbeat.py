"""Pings a dead man's switch for as long as the daemon is healthy."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from gemwatch.core.clock import Clock
from gemwatch.core.settings import HeartbeatSettings
from gemwatch.engine.active_config import ActiveConfig

log = structlog.get_logger()

CHECK_EVERY = 1.0  # seconds until an edit of the configuration takes effect


class Heartbeat:
    """Pings while the daemon is healthy and stays silent otherwise: the switch alerts on silence."""

    def __init__(
        self,
        *,
        active: ActiveConfig,
        clock: Clock,
        leads: Callable[[], bool],
        stalled: Callable[[], str | None],
        call: Callable[[str], Awaitable[str | None]],
    ) -> None:
        """`leads`: whether this daemon pings, of several on one store.

        `stalled` returns why the daemon is unhealthy, `call` why a ping failed. None means success.
        """
        self._active = active
        self._clock = clock
        self._leads = leads
        self._stalled = stalled
        self._call = call
        self._settings: HeartbeatSettings | None = None  # of the last round
        self._due = 0.0
        self._failing = False

    async def run(self) -> None:
        while True:
            await self.round()
            await asyncio.sleep(CHECK_EVERY)

    async def round(self) -> None:
        """Ping if it is due, after an edit, or when the daemon has recovered."""
        settings = self._active.settings.heartbeat
        if settings != self._settings:
            self._settings, self._due, self._failing = settings, 0.0, False
        now = self._clock.monotonic()
        if settings is None or now < self._due or not self._leads() or self._stalled() is not None:
            return
        self._due = now + settings.every.total_seconds()
        self._log_failure(await self._call(settings.url))

    def _log_failure(self, reason: str | None) -> None:
        """Log the start and the end of a failure."""
        if reason is not None and not self._failing:
            log.error("component_failed", component="heartbeat", reason=reason)
        elif reason is None and self._failing:
            log.info("component_recovered", component="heartbeat")
        self._failing = reason is not None
