"""The whole engine in a simulated world: real store, real decisions, virtual time. It can be stopped or killed."""

import asyncio
import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.discovery.found import Discoveries
from gemwatch.adapters.store.discovery.learning import Learning
from gemwatch.adapters.store.housekeeping import Housekeeping
from gemwatch.adapters.store.listings import Listings
from gemwatch.adapters.store.reads.past import load_experience
from gemwatch.adapters.store.recording import Store
from gemwatch.adapters.store.schema import upgrade
from gemwatch.adapters.store.watch_list import WatchList
from gemwatch.app.metrics import Metrics
from gemwatch.core.events import Target
from gemwatch.core.limits import Limits
from gemwatch.core.polls.decide import LOST_EVERY
from gemwatch.core.settings import ApiSettings, Loaded, Place, PollSettings, Settings, StoreSettings, Watch
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.health_monitor import HealthMonitor
from gemwatch.engine.loops import build_loops
from gemwatch.engine.pace import Pace
from support.engines import close_for_good
from support.json_records import JsonRecords
from support.world import AT_ONCE, RATE, Api, Credentials, Database, Targets, World

EVERY = timedelta(minutes=1)
LIMIT = timedelta(minutes=3)  # of running: some jobs pass it and some do not
HORIZON = LOST_EVERY * 1.2 + timedelta(minutes=1)


def settings_of(store: Place, job_ids: set[int], *, adaptive: bool = False, sweep: bool = False) -> Settings:
    return Settings(
        api=ApiSettings(key="key", max_in_flight=AT_ONCE, max_rate=RATE),
        store=StoreSettings(place=store / "gemwatch.db" if isinstance(store, Path) else store),
        poll=PollSettings(every=EVERY, adaptive=adaptive, sweep=sweep),
        targets=tuple(Target(name=name, url=f"json://{name}") for name in ("team", "mail")),
        watches=tuple(Watch(job_id=job_id) for job_id in sorted(job_ids)),
        limits=Limits(running=LIMIT),
    )


def new_store(folder: Path) -> None:
    """A store with its tables, copied from one that the migrations made once."""
    template = folder.parent / "template.db"
    if not template.exists():
        upgrade(template)
    shutil.copy(template, folder / "gemwatch.db")


class Life:
    """One run of the program, from its start to its stop or death."""

    def __init__(self, world: World, settings: Settings) -> None:
        self._edited = Loaded(settings=settings)
        self.engine = open_to_write(settings.store.place)
        self.records, housekeeping = JsonRecords(self.engine), Housekeeping(self.engine)
        housekeeping.release_claims()
        housekeeping.pull_back(world.clock.now(), world.clock.now() + HORIZON)
        self.discoveries = Discoveries(self.engine)
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
            pace=Pace(clock, at_once=settings.api.max_in_flight, rate=settings.api.max_rate),
        )
        notes = housekeeping.notes()
        self.health_monitor = HealthMonitor(active=active, clock=clock, notes=notes)
        self._loops = build_loops(
            active=active,
            health_monitor=self.health_monitor,
            store=store,
            listings=Listings(self.engine),
            discoveries=self.discoveries,
            learning=Learning(self.engine),
            watch_list=WatchList(self.engine),
            housekeeping=housekeeping,
            database=database,
            clock=clock,
            metrics=metrics,
            notes=notes,
            experience=load_experience(self.engine),
            edited=self._no_edit,
            read=self._read,
            prepare=lambda active, settings: replace(active, settings=settings),
            retire=self._retire,
            stalled=lambda: None,
            store_failure=lambda: None,
            ping=self._ping,
            progress=lambda _: None,
            roll=world.chance.random,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        loops = self._loops
        work = (loops.poller.run(), loops.lister.run(), loops.dispatcher.run(), loops.maintenance.run())
        self._tasks = [asyncio.create_task(one) for one in work]
        await self._loops.reloader.reload()

    async def _no_edit(self) -> bool:
        return False

    async def edit(self, edited: Loaded) -> None:
        self._edited = edited
        await self._loops.reloader.reload()

    async def go_on(self, seconds: float) -> None:
        """Let time pass; a loop that died ends the test."""
        for _ in range(max(1, round(seconds))):
            await asyncio.sleep(min(1.0, seconds))
            for task in self._tasks:
                if task.done():
                    task.result()

    async def stop(self) -> None:
        await asyncio.gather(self._loops.poller.stop(4), self._loops.dispatcher.stop(7))
        await self.die()

    async def die(self) -> None:
        """Cut off all running work, like a kill."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        close_for_good(self.engine)

    async def _read(self) -> Loaded:
        return self._edited

    async def _retire(self, old: ActiveConfig, new: ActiveConfig) -> None:
        pass

    async def _ping(self, url: str) -> str | None:
        return None
