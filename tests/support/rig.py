"""The real engine on a real store, API and inbox, with a clock that the test moves."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from gemwatch.adapters.gem.client import GemApi
from gemwatch.adapters.login.credentials import Credentials
from gemwatch.adapters.notify.targets import Targets
from gemwatch.adapters.store.database import DatabaseThread, open_to_write
from gemwatch.adapters.store.housekeeping import Housekeeping
from gemwatch.adapters.store.listings import Listings
from gemwatch.adapters.store.recording import Store
from gemwatch.adapters.store.records import Records
from gemwatch.adapters.store.runs import load_experience
from gemwatch.adapters.store.schema import upgrade
from gemwatch.adapters.store.watch_list import WatchList
from gemwatch.app.configuration import Configuration
from gemwatch.app.factory import ComponentFactory
from gemwatch.app.metrics import Metrics
from gemwatch.core.events import Target
from gemwatch.core.secrets import Secrets
from gemwatch.core.settings import ApiSettings, PollSettings, Settings, StoreSettings, TokenSource, Watch
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.dispatcher import Delivering, Dispatcher
from gemwatch.engine.health_monitor import HealthMonitor
from gemwatch.engine.lister import Lister, Sweeping
from gemwatch.engine.pace import Pace
from gemwatch.engine.poller import Poller, Polling
from gemwatch.engine.reloader import Reloader, Reloading
from support.clock import FakeClock
from support.gem import KEY, TOKEN, ScriptedGem
from support.waiting import until

EVERY = timedelta(minutes=1)


def settings_for(
    gem: ScriptedGem,
    folder: Path,
    targets: Sequence[Target] = (),
    watches: Sequence[int | Watch] = (),
    token: TokenSource | None = None,
) -> Settings:
    return Settings(
        api=ApiSettings(
            key=KEY,
            base_url=gem.url,
            token=token or TokenSource(value=TOKEN),
            timeout=timedelta(seconds=5),
            max_rate=0,
        ),
        store=StoreSettings(path=folder / "gemwatch.db"),
        poll=PollSettings(every=EVERY),
        targets=tuple(targets),
        watches=tuple(Watch(job_id=one) if isinstance(one, int) else one for one in watches),
    )


class Rig:
    """`await rig.poll()` takes every look that is due after another interval; `await rig.deliver()` sends."""

    def __init__(self, settings: Settings, clock: FakeClock, roll: Callable[[], float] = lambda: 0.5) -> None:
        upgrade(settings.store.url)
        self.settings, self.clock = settings, clock
        self.engine = open_to_write(settings.store.url)
        self.database = DatabaseThread()
        self.records, self.housekeeping = Records(self.engine), Housekeeping(self.engine)
        self.watch_list = WatchList(self.engine)
        self.store, self.metrics, secrets = Store(self.engine, settings.targets), Metrics("test"), Secrets()
        self.beats: Counter[str] = Counter()
        self.active = ActiveConfig(
            settings=settings,
            api=GemApi(settings.api, clock),
            credentials=Credentials(settings.api.token, clock, secrets),
            targets=Targets(settings.targets, secrets),
            pace=Pace(clock, at_once=settings.api.max_in_flight, rate=settings.api.max_rate),
        )
        self.dispatcher = Dispatcher(
            Delivering(
                active=self.active,
                store=self.store,
                database=self.database,
                clock=clock,
                metrics=self.metrics,
                progress=lambda: self.beats.update(["deliveries"]),
            )
        )
        self.health_monitor = HealthMonitor(self.active, clock, self.housekeeping.notes())
        self.poller = Poller(
            Polling(
                active=self.active,
                store=self.store,
                database=self.database,
                clock=clock,
                health_monitor=self.health_monitor,
                metrics=self.metrics,
                recorded=lambda: None,
                progress=lambda name: self.beats.update([name]),
                experience=load_experience(self.engine),
                roll=roll,
            )
        )

        self.lister = Lister(
            Sweeping(
                active=self.active,
                listings=Listings(self.engine),
                database=self.database,
                clock=clock,
                health_monitor=self.health_monitor,
                metrics=self.metrics,
                take=self.poller.take,
                found=self.poller.wake_up.set,
            )
        )

    def watch(self, *watches: int | Watch) -> None:
        wanted = [Watch(job_id=one) if isinstance(one, int) else one for one in watches]
        self.watch_list.apply(wanted, self.settings.poll.every, self.clock.now())

    async def poll(self, times: int = 1, *, after: timedelta = EVERY * 1.2) -> None:
        """Let this much time pass, so many times, and each time everything that is due be looked at."""
        for _ in range(times):
            self.clock.advance(after.total_seconds())
            await self._round("polls")

    async def sweep(self) -> None:
        """Let a list be asked for, if one is due, and what it finds be looked at."""
        await self.lister.sweep_if_due()
        await self._round("polls")

    async def deliver(self, times: int = 1, *, after: float = 0.0) -> None:
        """Let `after` seconds pass, so many times, and each time everything that is due be sent."""
        for _ in range(times):
            self.clock.advance(after)
            await self._round("deliveries")

    async def _round(self, loop: str) -> None:
        part = self.poller if loop == "polls" else self.dispatcher
        quiet = 0
        while quiet < 3:  # a round that began before the clock moved, one that claims, one that finds nothing
            before = self.beats[loop]
            part.wake_up.set()
            await until(lambda: self.beats[loop] > before and part.idle, f"a round of {loop}")  # noqa: B023
            quiet += 1


@asynccontextmanager
async def running(
    settings: Settings, clock: FakeClock, *, roll: Callable[[], float] = lambda: 0.5
) -> AsyncIterator[Rig]:
    """A rig whose loops run. Leaving stops them the way the program does."""
    rig = Rig(settings, clock, roll)
    rig.housekeeping.release_claims()
    rig.watch(*settings.watches)
    tasks = [asyncio.create_task(rig.poller.run()), asyncio.create_task(rig.dispatcher.run())]
    try:
        yield rig
    finally:
        await asyncio.gather(rig.poller.stop(5), rig.dispatcher.stop(5))
        await asyncio.gather(*tasks)
        rig.active.targets.close()
        await rig.active.api.close()
        rig.database.close()
        rig.engine.dispose()


def reloader(rig: Rig, configuration: Configuration, read: Callable[..., Any] | None = None) -> Reloader:
    """What brings edits of a configuration into the rig's engine; `read` in place of the configuration's own."""
    factory = ComponentFactory(rig.clock, Secrets(), Metrics("test"))
    return Reloader(
        Reloading(
            active=rig.active,
            store=rig.store,
            watch_list=rig.watch_list,
            database=rig.database,
            clock=rig.clock,
            metrics=Metrics("test"),
            edited=configuration.edited,
            read=read or configuration.read,
            prepare=factory.rebuild,
            retire=factory.retire,
            applied=lambda: None,
        ),
        rig.housekeeping.notes(),
    )
