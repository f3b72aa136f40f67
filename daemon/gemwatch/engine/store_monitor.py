"""Reports a failing store directly to the targets, because the outbox is in the same store."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from gemwatch.core.backoff import delivery_pause
from gemwatch.core.clock import Clock
from gemwatch.core.events import Event, audience
from gemwatch.core.kinds import StoreFacts
from gemwatch.core.message_ids import direct_ids
from gemwatch.core.text.compose import compose
from gemwatch.core.work import Sent
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.ports import Database, Store
from gemwatch.engine.wake_up import WakeUp

log = structlog.get_logger()

PATIENCE = 30.0  # seconds: a short lock, for example by a backup, is not reported
FOLLOWERS_PATIENCE = 300.0  # seconds: the leader reports it for all, unless it fails too


class StoreMonitor:
    """Reports a failing store once, and its recovery through the store itself."""

    def __init__(
        self,
        *,
        active: ActiveConfig,
        store: Store,
        database: Database,
        clock: Clock,
        failure: Callable[[], str | None],
        led_last: Callable[[], bool],
        on_recorded: Callable[[], None],
    ) -> None:
        """`failure`: what is wrong with the store, or None. `led_last`: whether this daemon was the last leader."""
        self._active = active
        self._store = store
        self._database = database
        self._clock = clock
        self._failure = failure
        self._led_last = led_last
        self._on_recorded = on_recorded
        self.wake_up = WakeUp()
        self._since: tuple[float, datetime] | None = None  # on the monotonic and on the wall clock
        self._sends: set[asyncio.Task[None]] = set()
        self._reported = False

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                await self.round(group)
                await self.wake_up.wait(within=1)

    async def round(self, group: asyncio.TaskGroup) -> None:
        """Check the store, and report a change."""
        clock, failure = self._clock, self._failure()
        if failure is not None:
            self._since = self._since or (clock.monotonic(), clock.now())
            patience = PATIENCE if self._led_last() else FOLLOWERS_PATIENCE
            if not self._reported and clock.monotonic() - self._since[0] >= patience:
                self._reported = True
                self._start_sending(group, self._event(over=False, since=self._since[1], reason=failure))
            return
        since, self._since = self._since, None
        if self._reported and since is not None:
            self._reported = False
            for task in self._sends:
                task.cancel()
            await self._record(self._event(over=True, since=since[1], reason=None))

    def _event(self, *, over: bool, since: datetime, reason: str | None) -> Event:
        facts = StoreFacts(over=over, since=since, reason=reason)
        return Event(at=self._clock.now(), facts=facts)

    def _start_sending(self, group: asyncio.TaskGroup, event: Event) -> None:
        for name in audience(event, self._active.settings.targets):
            task = group.create_task(self._send(name, event))
            self._sends.add(task)
            task.add_done_callback(self._sends.discard)

    async def _send(self, name: str, event: Event) -> None:
        """Send to one target until it accepts the message, or the store has recovered."""
        clock, attempts = self._clock, 0
        while True:
            targets = self._active.targets
            if name not in targets.names:
                return
            context = self._active.context(name)
            text = targets.render(name, compose(None, event, now=clock.now(), context=context))
            outcome = await targets.send(name, text, direct_ids(name, event, self._active.settings.name))
            attempts += 1
            if isinstance(outcome, Sent):
                log.info("delivery_sent", target=name, kind=event.kind.value, attempts=attempts)
                return
            log.warning("delivery_failed", target=name, kind=event.kind.value, reason=outcome.reason)
            await asyncio.sleep(delivery_pause(attempts).total_seconds())

    async def _record(self, event: Event) -> None:
        await self._database(self._store.record, [], [event])
        self._on_recorded()
