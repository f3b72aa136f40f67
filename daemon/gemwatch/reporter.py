"""How the program is: for the health pages, for Prometheus, for systemd."""

import asyncio
from dataclasses import dataclass
from typing import Any

from gemwatch.adapters.database import DatabaseThread
from gemwatch.adapters.records import Records, Snapshot
from gemwatch.core.clock import Clock
from gemwatch.core.health import ApiState, Login
from gemwatch.core.job import is_end
from gemwatch.engine.live import Live
from gemwatch.engine.vitals import Vitals
from gemwatch.metrics import Metrics
from gemwatch.metrics import Snapshot as Gauges
from gemwatch.notify_socket import NotifySocket
from gemwatch.progress import Progress

EVERY = 10.0  # seconds between two status lines
STARTING, STOPPING = "the first configuration is not applied yet", "it is being stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """What a reporter looks at."""

    notify: NotifySocket
    records: Records
    database: DatabaseThread
    vitals: Vitals
    live: Live
    progress: Progress
    metrics: Metrics
    clock: Clock


class Reporter:
    """Says that all is well only while polls and deliveries make progress."""

    def __init__(self, parts: Reporting) -> None:
        self._parts = parts
        self._unready: str | None = STARTING

    def started(self) -> None:
        self._unready = None
        self._parts.notify.ready()

    def stopping(self) -> None:
        self._unready = STOPPING
        self._parts.notify.stopping()

    def ready(self) -> str | None:
        """Why the program is not ready; None when it is."""
        return self._unready

    def stalled(self) -> str | None:
        """Why the program is stuck; None while it makes progress."""
        trouble = self._parts.database.trouble
        return self._parts.progress.stalled() if trouble is None else f"the store does not work: {trouble}"

    async def metrics(self) -> bytes:
        """The Prometheus text."""
        parts = self._parts
        snapshot = await parts.database(parts.records.snapshot)
        oldest = snapshot.oldest_pending
        gauges = Gauges(
            jobs=snapshot.jobs,
            deliveries_pending=snapshot.pending,
            oldest_pending_seconds=0 if oldest is None else max(0.0, (parts.clock.now() - oldest).total_seconds()),
            last_good_at=parts.vitals.health.last_good_at,
            token_expires_at=parts.live.credentials.expires_at,
        )
        return parts.metrics.render(gauges)

    async def run(self) -> None:
        """Feed systemd's watchdog while there is progress, and its status line now and then."""
        interval = self._parts.notify.watchdog_interval or EVERY
        async with asyncio.TaskGroup() as group:
            group.create_task(self._feed(interval))
            group.create_task(self._describe())

    async def _feed(self, interval: float) -> None:
        while True:
            # A store in trouble is no reason to be killed: a new process would find the same.
            if self._parts.database.trouble is not None or self._parts.progress.stalled() is None:
                self._parts.notify.watchdog()
            await asyncio.sleep(interval)

    async def _describe(self) -> None:
        while True:
            snapshot = await self._parts.database(self._parts.records.snapshot)
            self._parts.notify.status(describe(snapshot, self._parts.vitals))
            await asyncio.sleep(EVERY)


def describe(snapshot: Snapshot, vitals: Vitals) -> str:
    """One line that a person wants to read in `systemctl status`."""
    jobs: dict[str | None, int] = dict(snapshot.jobs)
    running = sum(count for status, count in jobs.items() if not is_end(status))
    words: list[Any] = [f"{sum(jobs.values())} jobs watched, {running} unfinished"]
    if snapshot.next_poll_at is not None:
        words.append(f"next poll {snapshot.next_poll_at:%H:%M:%S} UTC")
    if vitals.health.login is Login.REFUSED:
        words.append("LOGIN REFUSED")
    if vitals.health.api is ApiState.DOWN:
        words.append("API DOWN")
    words.append(f"{snapshot.pending} deliveries pending")
    if snapshot.failed:
        words.append(f"{snapshot.failed} failed")
    return ", ".join(words)
