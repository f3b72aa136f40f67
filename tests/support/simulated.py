"""The whole engine in a simulated world: real store, real decisions, virtual time. It can be stopped or killed."""

import asyncio
import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.databases.rate_hold import RateHold
from gemwatch.adapters.store.databases.replicas import ReplicaRow
from gemwatch.adapters.store.discovery.found import Discoveries
from gemwatch.adapters.store.discovery.learning import Learning
from gemwatch.adapters.store.housekeeping import Housekeeping
from gemwatch.adapters.store.listings import Listings
from gemwatch.adapters.store.reads.past import load_experience
from gemwatch.adapters.store.recording import Store
from gemwatch.adapters.store.schema import upgrade
from gemwatch.adapters.store.watch_list import WatchList
from gemwatch.app.metrics import Metrics
from gemwatch.core.clock import SteadyClock
from gemwatch.core.events import Target
from gemwatch.core.limits import Limits
from gemwatch.core.polls.decide import LOST_EVERY
from gemwatch.core.settings import (
    ApiSettings,
    Loaded,
    Place,
    PollSettings,
    Postgresql,
    Settings,
    StoreSettings,
    Watch,
)
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.health_monitor import HealthMonitor
from gemwatch.engine.loops import build_loops, build_membership
from gemwatch.engine.pace import Pace
from support.engines import close_for_good
from support.json_records import JsonRecords
from support.virtual import VirtualClock
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


def keep_time(engine: sa.Engine, clock: VirtualClock) -> None:
    """What the database of `virtual_time` returns as its time is this clock's."""

    @sa.event.listens_for(engine, "begin")
    def _set(connection: sa.Connection) -> None:
        now = str(clock.now().timestamp())
        connection.exec_driver_sql("SELECT set_config('gemwatch.now', %s, false)", (now,))


def virtual_time(place: Postgresql) -> None:
    """Give the database a clock that shows what an engine says at the begin of each transaction."""
    engine = open_to_write(place)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE SCHEMA virtual; "
            "CREATE FUNCTION virtual.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS "
            "'SELECT to_timestamp(current_setting(''gemwatch.now'')::float8)'; "
            f"ALTER DATABASE {place.database} SET search_path = virtual, pg_catalog, public"
        )
    engine.dispose()


class Life:
    """One run of the program, from its start to its stop or death."""

    def __init__(self, world: World, settings: Settings, *, shared: bool = False) -> None:
        """`shared`: one of several replicas on a PostgreSQL store, whose time is the world's."""
        self._settings, self._edited = settings, Loaded(settings=settings)
        self.engine = open_to_write(settings.store.place)
        if shared:
            keep_time(self.engine, world.clock)
        self.records, housekeeping = JsonRecords(self.engine), Housekeeping(self.engine)
        housekeeping.release_claims()
        housekeeping.pull_back(world.clock.now())
        self.discoveries = Discoveries(self.engine)
        clock = SteadyClock(world.clock)
        database, metrics, api = Database(world), Metrics("test"), Api(world, clock)
        self._member = ReplicaRow(self.engine, clock.monotonic) if shared else None
        store = Store(self.engine, settings.targets, self._member)
        active = ActiveConfig(
            settings=settings,
            api=api,
            credentials=Credentials(world),
            targets=Targets(world),
            pace=Pace(clock, at_once=settings.api.max_in_flight, rate=settings.api.max_rate),
        )
        notes = housekeeping.notes()
        self.health_monitor = HealthMonitor(active=active, clock=clock, notes={} if shared else notes)
        api.locked_out = lambda: self.health_monitor.locked_out
        self.membership = build_membership(
            active=active,
            health_monitor=self.health_monitor,
            member=self._member,
            holds=None if self._member is None else RateHold(self.engine, self._member.id),
            database=database,
            clock=clock,
        )
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
            membership=self.membership,
            roll=world.chance.random,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        loops = self._loops
        work = [loops.poller.run(), loops.lister.run(), loops.dispatcher.run(), loops.maintenance.run()]
        if self._member is not None:
            work += [self.membership.run(), loops.reloader.run()]
        await self.membership.refresh()
        self._tasks = [asyncio.create_task(one) for one in work]
        await loops.reloader.start(self._edited, self._settings)

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
        if self._member is not None:
            self._member.leave()
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
