"""Reports the state of the program to the health pages, to Prometheus and to systemd."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from gemwatch.adapters.store.database import DatabaseThread
from gemwatch.adapters.store.reads.records import Records, Snapshot
from gemwatch.app.metrics import Gauges, Metrics
from gemwatch.app.progress import Progress
from gemwatch.app.systemd import NotifySocket
from gemwatch.core.clock import Clock
from gemwatch.core.health import ApiState, Health, Login
from gemwatch.core.job import Status, is_end
from gemwatch.core.text.failures import FAILING, Failure
from gemwatch.core.text.formatting import counted
from gemwatch.core.text.replicas import part_of
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.health_monitor import HealthMonitor
from gemwatch.engine.membership import Membership
from gemwatch.engine.wake_up import WakeUp

EVERY = 10.0  # seconds between two status lines
PATIENCE = 3.0  # seconds that a scrape waits for the store
STARTING, STOPPING = "the first configuration is not applied yet", "gemwatch is stopping"
_STOPPING_STATUS = "Stopping: running polls and sends may finish"


class Reporter:
    """Reports the program as healthy only while polls and deliveries make progress."""

    def __init__(
        self,
        *,
        notify: NotifySocket,
        records: Records,
        database: DatabaseThread,
        reads: DatabaseThread,
        health_monitor: HealthMonitor,
        membership: Membership,
        active: ActiveConfig,
        progress: Progress,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._notify = notify
        self._records = records
        self._database = database
        self._reads = reads
        self._health_monitor = health_monitor
        self._membership = membership
        self._active = active
        self._progress = progress
        self._metrics = metrics
        self._clock = clock
        self._unready: str | None = STARTING
        self._news = WakeUp()
        self._snapshot = Snapshot()

    def started(self) -> None:
        self._unready = None
        self._notify.status("The first configuration is applied")
        self._notify.ready()
        self._news.set()

    def stopping(self) -> None:
        self._unready = STOPPING
        self._notify.stopping()
        self._notify.status(_STOPPING_STATUS)

    @contextmanager
    def reload(self) -> Iterator[None]:
        """Report to systemd that the configuration is being read, for as long as this lasts."""
        if self._unready is None:
            self._notify.reloading()
        yield
        if self._unready is None:
            self._notify.ready()
            self._news.set()

    def ready(self) -> str | None:
        """Why the program is not ready; None when it is."""
        return self._unready

    def alive(self) -> bool:
        """Whether the program makes progress, or only its store prevents that: then a restart would not help."""
        return self._database.failure is not None or self._progress.stalled() is None

    def stalled(self) -> str | None:
        """Why the program is stuck; None while it makes progress."""
        failure = self._database.failure
        return self._progress.stalled() if failure is None else f"the store does not work: {failure}"

    async def metrics(self) -> bytes:
        """The Prometheus text."""
        with suppress(TimeoutError):  # a failing store: the last counts, with what the process itself knows
            async with asyncio.timeout(PATIENCE):
                self._snapshot = await self._reads(self._records.snapshot, upkeep=True)
        snapshot, oldest = self._snapshot, self._snapshot.oldest_pending
        gauges = Gauges(
            jobs=snapshot.jobs,
            groups=snapshot.groups,
            deliveries_pending=snapshot.pending,
            oldest_pending_seconds=0 if oldest is None else max(0.0, (self._clock.now() - oldest).total_seconds()),
            last_good_at=self._health_monitor.last_good_at,
            token_expires_at=self._active.credentials.expires_at,
            targets_down=snapshot.targets_down,
            upkeep=snapshot.upkeep,
            replicas=max(1, len(self._membership.replicas)),
            leads=self._membership.leads,
        )
        return self._metrics.render(gauges)

    async def run(self) -> None:
        """Under systemd, feed its watchdog, if there is one, while there is progress, and update its status line."""
        async with asyncio.TaskGroup() as group:
            if (interval := self._notify.watchdog_interval) is not None:
                group.create_task(self._feed(interval))
            if self._notify.present:
                group.create_task(self._describe())

    async def _feed(self, interval: float) -> None:
        while True:
            if self.alive():
                self._notify.watchdog()
            await asyncio.sleep(interval)

    async def _describe(self) -> None:
        while True:
            self._notify.status(await self._line())
            await self._news.wait(within=EVERY)

    async def _line(self) -> str:
        if self._unready is not None:
            return _STOPPING_STATUS if self._unready == STOPPING else f"Starting: {self._unready}"
        stuck = self.stalled()
        if stuck is not None:  # the store may be what is stuck, so it is not read
            return f"STALLED: {stuck}"
        try:
            async with asyncio.timeout(EVERY):
                snapshot = await self._reads(self._records.snapshot)
        except TimeoutError:
            return f"STALLED: {self.stalled() or 'the store does not answer'}"
        sharing = self._membership
        part = None if sharing.id is None else part_of(sharing.replicas, sharing.id)
        return describe(snapshot, self._health_monitor.health, self._clock.now(), part)


def describe(snapshot: Snapshot, health: Health, now: datetime, part: str | None = None) -> str:
    """One line for `systemctl status`, failures first. `part`: of this daemon among several replicas."""
    words = [*_failures(snapshot, health), _jobs(snapshot, health, now), _deliveries(snapshot)]
    if health.login is Login.OK:
        words.append("login ok")
    if part is not None:
        words.append(part)
    return "; ".join(words)


def _failures(snapshot: Snapshot, health: Health) -> Iterator[str]:
    if health.login is Login.REFUSED:
        yield f"{FAILING[Failure.LOGIN].short}{_since(health.login_since)}, polling is paused"
    elif snapshot.many_refused_since is not None:
        yield f"{FAILING[Failure.LOGIN_FOR_SOME].short}{_since(snapshot.many_refused_since)}"
    if health.api is ApiState.DOWN:
        yield f"{FAILING[Failure.API].short}{_since(health.api_since)}"
    if snapshot.config_refused:
        yield f"{FAILING[Failure.CONFIG].short}{_since(snapshot.config_since)}"
    for target, since in snapshot.targets_down.items():
        yield f"{FAILING[Failure.TARGET].short.format(target=target)}{_since(since)}"


def _jobs(snapshot: Snapshot, health: Health, now: datetime) -> str:
    total = sum(snapshot.jobs.values())
    running = snapshot.jobs.get(Status.IN_PROGRESS, 0)
    ended = sum(count for status, count in snapshot.jobs.items() if is_end(status))
    words = [f"{counted(total, 'job', 'jobs')} watched"]
    words += [
        f"{n:,} {of}" for n, of in ((running, "running"), (total - running - ended, "waiting"), (ended, "ended")) if n
    ]
    at = snapshot.next_poll_at
    if at is not None and health.login is not Login.REFUSED:
        words.append(f"next poll {at:%H:%M:%S} UTC" if at > now else "polling now")
    return ", ".join(words)


def _deliveries(snapshot: Snapshot) -> str:
    words = f"{counted(snapshot.pending, 'delivery', 'deliveries')} pending"
    return f"{words}, {snapshot.failed} FAILED" if snapshot.failed else words


def _since(time: datetime | None) -> str:
    return f" since {time:%F %H:%M} UTC" if time is not None else ""
