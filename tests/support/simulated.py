"""The whole engine in a simulated world: real store, real decisions, virtual time. It can be stopped or killed."""

import asyncio
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.housekeeping import Housekeeping
from gemwatch.adapters.store.listings import Listings
from gemwatch.adapters.store.recording import Store
from gemwatch.adapters.store.records import Records
from gemwatch.adapters.store.runs import load_experience
from gemwatch.adapters.store.schema import upgrade
from gemwatch.adapters.store.watch_list import WatchList
from gemwatch.app.metrics import Metrics
from gemwatch.core.decide import LOST_EVERY
from gemwatch.core.events import Target
from gemwatch.core.limits import Limits
from gemwatch.core.settings import ApiSettings, PollSettings, Problem, Settings, StoreSettings, Watch
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.dispatcher import Delivering, Dispatcher
from gemwatch.engine.health_monitor import HealthMonitor
from gemwatch.engine.lister import Lister, Sweeping
from gemwatch.engine.maintenance import Keeping, Maintenance
from gemwatch.engine.pace import Pace
from gemwatch.engine.poller import Poller, Polling
from gemwatch.engine.reloader import Reloader, Reloading
from support.world import AT_ONCE, RATE, Api, Credentials, Database, Targets, World

EVERY = timedelta(minutes=1)
LIMIT = timedelta(minutes=3)  # of running: some jobs pass it and some do not
HORIZON = LOST_EVERY * 1.2 + timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Edited:
    """A configuration as the reloader gets it."""

    settings: Settings | None
    problems: tuple[Problem, ...] = ()


def settings_of(folder: Path, job_ids: set[int], *, adaptive: bool = False, sweep: bool = False) -> Settings:
    return Settings(
        api=ApiSettings(key="key", max_in_flight=AT_ONCE, max_rate=RATE),
        store=StoreSettings(path=folder / "gemwatch.db"),
        poll=PollSettings(every=EVERY, adaptive=adaptive, sweep=sweep),
        targets=tuple(Target(name=name, url=f"json://{name}") for name in ("team", "mail")),
        watches=tuple(Watch(job_id=job_id) for job_id in sorted(job_ids)),
        limits=Limits(running=LIMIT),
    )


def new_store(folder: Path) -> None:
    """A store with its tables, copied from one that the migrations made once."""
    template = folder.parent / "template.db"
    if not template.exists():
        upgrade(f"sqlite:///{template}")
    shutil.copy(template, folder / "gemwatch.db")


class Life:
    """One run of the program, from its start to its stop or death."""

    def __init__(self, world: World, settings: Settings) -> None:
        self._edited = Edited(settings=settings)
        self.engine = open_to_write(settings.store.url)
        self.records, housekeeping = Records(self.engine), Housekeeping(self.engine)
        housekeeping.release_claims()
        housekeeping.pull_back(world.clock.now(), world.clock.now() + HORIZON)
        store, database, metrics, clock = (
            Store(self.engine, settings.targets),
            Database(world),
            Metrics("test"),
            world.clock,
        )
        active = ActiveConfig(
            settings=settings,
            api=Api(world),
            credentials=Credentials(world),
            targets=Targets(world),
            pace=Pace(clock, at_once=AT_ONCE, rate=RATE),
        )
        self.dispatcher = Dispatcher(
            Delivering(
                active=active, store=store, database=database, clock=clock, metrics=metrics, progress=lambda: None
            )
        )
        notes = housekeeping.notes()
        self.health_monitor = HealthMonitor(active, clock, notes)
        self.poller = Poller(
            Polling(
                active=active,
                store=store,
                database=database,
                clock=clock,
                health_monitor=self.health_monitor,
                metrics=metrics,
                recorded=self.dispatcher.wake_up.set,
                progress=lambda _: None,
                experience=load_experience(self.engine),
                roll=world.chance.random,
            )
        )
        self._sweeper = Lister(
            Sweeping(
                active=active,
                listings=Listings(self.engine),
                database=database,
                clock=clock,
                health_monitor=self.health_monitor,
                metrics=metrics,
                take=self.poller.take,
                found=self.poller.wake_up.set,
            )
        )
        self._keeper = Maintenance(
            Keeping(active=active, housekeeping=housekeeping, database=database, clock=clock, metrics=metrics)
        )
        self._reloader = Reloader(
            Reloading(
                active=active,
                store=store,
                watch_list=WatchList(self.engine),
                database=database,
                clock=clock,
                metrics=metrics,
                edited=lambda: False,
                read=self._read,
                prepare=lambda active, settings: ActiveConfig(
                    settings=settings,
                    api=active.api,
                    credentials=active.credentials,
                    targets=active.targets,
                    pace=active.pace,
                ),
                retire=self._retire,
                applied=self.poller.wake_up.set,
            ),
            notes,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        work = (self.poller.run(), self._sweeper.run(), self.dispatcher.run(), self._keeper.run())
        self._tasks = [asyncio.create_task(one) for one in work]
        await self._reloader.reload()

    async def edit(self, edited: Edited) -> None:
        self._edited = edited
        await self._reloader.reload()

    async def go_on(self, seconds: float) -> None:
        """Let time pass; a loop that died ends the test."""
        for _ in range(max(1, round(seconds))):
            await asyncio.sleep(min(1.0, seconds))
            for task in self._tasks:
                if task.done():
                    task.result()

    async def stop(self) -> None:
        await asyncio.gather(self.poller.stop(4), self.dispatcher.stop(7))
        await self.die()

    async def die(self) -> None:
        """What was under way ends in the middle: of the world it knows nothing more."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        self.engine.dispose()

    async def _read(self) -> Edited:
        return self._edited

    async def _retire(self, old: ActiveConfig, new: ActiveConfig) -> None:
        pass
