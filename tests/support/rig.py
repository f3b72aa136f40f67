"""The real engine on a real store, API and inbox, with a clock that the test moves."""

import asyncio
import atexit
import contextlib
import functools
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from gemwatch.adapters.gem.client import GemApi
from gemwatch.adapters.http.heartbeat import call
from gemwatch.adapters.login.credentials import Credentials
from gemwatch.adapters.notify.targets import Targets
from gemwatch.adapters.store.database import DatabaseThread, open_to_write
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
from gemwatch.app.configuration import Configuration
from gemwatch.app.factory import ComponentFactory
from gemwatch.app.metrics import Metrics
from gemwatch.core.clock import SteadyClock
from gemwatch.core.events import Target
from gemwatch.core.secrets import Secrets
from gemwatch.core.settings import (
    ApiSettings,
    Loaded,
    Place,
    PollSettings,
    Postgresql,
    Settings,
    StoreSettings,
    TokenSource,
    Watch,
)
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.health_monitor import HealthMonitor
from gemwatch.engine.loops import Loops, build_loops, build_membership
from gemwatch.engine.pace import Pace
from gemwatch.engine.ports import Mark
from gemwatch.engine.reloader import Reloader
from support.clock import FakeClock
from support.engines import close_for_good
from support.gem import KEY, TOKEN, ScriptedGem
from support.json_records import JsonRecords
from support.postgresql import new_database
from support.waiting import PATIENCE, until

EVERY = timedelta(minutes=1)


def settings_for(
    gem: ScriptedGem,
    store: Place,
    targets: Sequence[Target] = (),
    watches: Sequence[int | Watch] = (),
    token: TokenSource | None = None,
) -> Settings:
    """`store`: a place, or the folder for a file."""
    return Settings(
        api=ApiSettings(
            key=KEY,
            base_url=gem.url,
            token=token or TokenSource(value=TOKEN),
            timeout=timedelta(seconds=PATIENCE),  # a busy machine must not look like an API that does not answer
            max_rate=0,
        ),
        store=StoreSettings(place=_place_in(store) if isinstance(store, Path) and store.is_dir() else store),
        poll=PollSettings(every=EVERY),
        targets=tuple(targets),
        watches=tuple(Watch(job_id=one) if isinstance(one, int) else one for one in watches),
    )


def _place_in(folder: Path) -> Place:
    """A file, or with GEMWATCH_TEST_STORE=postgresql a database that belongs to this folder."""
    return folder / "gemwatch.db" if os.environ.get("GEMWATCH_TEST_STORE") != "postgresql" else _database_of(folder)


@functools.cache
def _database_of(_: Path) -> Postgresql:
    stack = contextlib.ExitStack()
    database = stack.enter_context(new_database())
    atexit.register(stack.close)  # before the server's own, which was registered earlier
    return database


class Rig:
    """`await rig.poll()` polls everything that is due after another interval; `await rig.deliver()` sends."""

    def __init__(
        self,
        settings: Settings,
        clock: FakeClock,
        roll: Callable[[], float] = lambda: 0.5,
        *,
        learns: bool = False,
        shared: bool = False,
        mark: Mark = lambda: None,
    ) -> None:
        """`shared`: one of several replicas on a PostgreSQL store."""
        self._mark = mark
        upgrade(settings.store.place)
        self.settings, self.clock, self.steady = settings, clock, SteadyClock(clock)
        self.engine = open_to_write(settings.store.place)
        self.database = DatabaseThread()
        self.records, self.housekeeping = JsonRecords(self.engine), Housekeeping(self.engine)
        self.watch_list, self.discoveries = WatchList(self.engine), Discoveries(self.engine)
        member = ReplicaRow(self.engine, clock.monotonic) if shared else None
        self.store, self.metrics, secrets = Store(self.engine, settings.targets, member), Metrics("test"), Secrets()
        self.beats: Counter[str] = Counter()
        self.active = ActiveConfig(
            settings=settings,
            api=GemApi(settings.api, self.steady),
            credentials=Credentials(settings.api.token, clock, secrets),
            targets=Targets(settings.targets, secrets),
            pace=Pace(clock, at_once=settings.api.max_in_flight, rate=settings.api.max_rate),
        )
        if not learns:
            self.housekeeping.note({"learned": True})
        notes = {} if shared else self.housekeeping.notes()
        self.health_monitor = HealthMonitor(active=self.active, clock=self.steady, notes=notes)
        self.membership = build_membership(
            active=self.active,
            health_monitor=self.health_monitor,
            member=member,
            holds=None if member is None else RateHold(self.engine, member.id),
            database=self.database,
            clock=self.steady,
        )
        self.experience, self._roll = load_experience(self.engine), roll
        loops = self.loops()
        self.poller, self.lister, self.dispatcher = loops.poller, loops.lister, loops.dispatcher
        self.maintenance = loops.maintenance

    def loops(
        self,
        *,
        configuration: Configuration | None = None,
        read: Callable[..., Any] | None = None,
        store_failure: Callable[[], str | None] = lambda: None,
    ) -> Loops:
        """The engine's loops, as the program builds them; further ones share everything with the first."""
        factory = ComponentFactory(self.steady, Secrets(), self.metrics)
        return build_loops(
            active=self.active,
            health_monitor=self.health_monitor,
            store=self.store,
            listings=Listings(self.engine),
            discoveries=self.discoveries,
            learning=Learning(self.engine),
            watch_list=self.watch_list,
            housekeeping=self.housekeeping,
            database=self.database,
            clock=self.steady,
            metrics=self.metrics,
            notes=self.housekeeping.notes(),
            experience=self.experience,
            edited=configuration.edited if configuration is not None else not_edited,
            read=read or (configuration.read if configuration is not None else _no_configuration),
            prepare=factory.rebuild,
            retire=factory.retire,
            stalled=lambda: None,
            store_failure=store_failure,
            ping=call,
            progress=lambda name: self.beats.update([name]),
            membership=self.membership,
            mark=self._mark,
            roll=self._roll,
        )

    def watch(self, *watches: int | Watch) -> None:
        wanted = [Watch(job_id=one) if isinstance(one, int) else one for one in watches]
        self.watch_list.apply(wanted, self.settings.poll.every, self.steady.now())

    async def poll(self, times: int = 1, *, after: timedelta = EVERY * 1.2) -> None:
        """Let time pass `times` times, and poll everything that is due after each."""
        for _ in range(times):
            self.clock.advance(after.total_seconds())
            await self._round("polls")

    async def sweep(self) -> None:
        """Request a list, if one is due, and poll the jobs that it finds."""
        await self.lister.round()
        await self._round("polls")

    async def deliver(self, times: int = 1, *, after: float = 0.0) -> None:
        """Let `after` seconds pass `times` times, and send everything that is due after each."""
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
        # A claim that is still under way would take, at an earlier time, what the test writes next.
        await until(lambda: part.idle and part.wake_up.waiting, f"{loop} to wait")


@asynccontextmanager
async def running(
    settings: Settings,
    clock: FakeClock,
    *,
    roll: Callable[[], float] = lambda: 0.5,
    learns: bool = False,
    shared: bool = False,
    mark: Mark = lambda: None,
) -> AsyncIterator[Rig]:
    """A rig whose loops run. Leaving stops them the way the program does."""
    rig = Rig(settings, clock, roll, learns=learns, shared=shared, mark=mark)
    await rig.membership.refresh()
    rig.housekeeping.release_claims()
    if rig.membership.elected:
        rig.membership.take_office()
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
        close_for_good(rig.engine)


def reloader(rig: Rig, configuration: Configuration, read: Callable[..., Any] | None = None) -> Reloader:
    """What brings edits of a configuration into the rig's engine; `read` in place of the configuration's own."""
    return rig.loops(configuration=configuration, read=read).reloader


async def not_edited() -> bool:
    return False


async def _no_configuration() -> Loaded:
    raise AssertionError("this rig has no configuration to read")
