"""Builds everything once, each object together with its clean-up."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from socket import gethostname, socket
from typing import Any

import structlog

from gemwatch import __version__
from gemwatch.adapters.http.heartbeat import call
from gemwatch.adapters.store.database import DatabaseThread, Lock, open_to_read, open_to_write
from gemwatch.adapters.store.databases.changes import Changes
from gemwatch.adapters.store.databases.rate_hold import RateHold
from gemwatch.adapters.store.databases.replicas import ReplicaRow
from gemwatch.adapters.store.discovery.found import Discoveries
from gemwatch.adapters.store.discovery.learning import Learning
from gemwatch.adapters.store.ended_sessions import EndedSessions
from gemwatch.adapters.store.housekeeping import Housekeeping
from gemwatch.adapters.store.listings import Listings
from gemwatch.adapters.store.reads.past import load_experience
from gemwatch.adapters.store.reads.records import Records
from gemwatch.adapters.store.reads.views import Views
from gemwatch.adapters.store.recording import Store
from gemwatch.adapters.store.watch_list import WatchList
from gemwatch.app.configuration import Configuration
from gemwatch.app.factory import ComponentFactory
from gemwatch.app.metrics import Metrics
from gemwatch.app.progress import Progress
from gemwatch.app.reporter import Reporter
from gemwatch.app.system_clock import DatabaseClock, SystemClock
from gemwatch.app.systemd import NotifySocket
from gemwatch.core.clock import Clock, SteadyClock
from gemwatch.core.secrets import Secrets
from gemwatch.core.settings import Postgresql, Settings, WebSettings
from gemwatch.core.sharing.replicas import Refreshed
from gemwatch.core.text.context import Context
from gemwatch.engine.health_monitor import HealthMonitor
from gemwatch.engine.loops import Loops, build_loops, build_membership
from gemwatch.engine.membership import Membership
from gemwatch.web.http.access import Access
from gemwatch.web.http.health import ProgramState
from gemwatch.web.http.place import Mount
from gemwatch.web.http.server import Web
from gemwatch.web.http.streams import Streams
from gemwatch.web.pages.rendering import Renderer
from gemwatch.web.site import site

log = structlog.get_logger()

STALLED_AFTER = 60.0  # seconds without a beat of a loop that beats every second or so


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Everything that runs concurrently."""

    loops: Loops
    membership: Membership
    reporter: Reporter
    web: Web | None


async def build(
    stack: AsyncExitStack,
    configuration: Configuration,
    settings: Settings,
    secrets: Secrets,
    *,
    lock: Lock | None,
    listening: socket | None,
) -> Program:
    """Each object together with its clean-up; what is opened last is closed first. `lock` holds a file."""
    place = settings.store.place
    shared = isinstance(place, Postgresql)
    wall: SystemClock | DatabaseClock = DatabaseClock() if shared else SystemClock()
    clock = SteadyClock(wall)
    metrics, progress = Metrics(__version__), Progress()
    for name in ("polls", "records", "deliveries"):
        progress.expect(name, within=STALLED_AFTER)
    engine = open_to_write(place, lock=lock)
    stack.callback(engine.dispose)
    database = DatabaseThread(on_failure=_log_store, on_repeat=metrics.store_repeat)
    stack.callback(database.close)
    member = ReplicaRow(engine, clock.monotonic) if shared else None
    store, housekeeping = Store(engine, settings.targets, member), Housekeeping(engine)
    factory = ComponentFactory(clock, secrets, metrics, configuration.path, token_clock=SystemClock())
    active = factory.build(settings)
    stack.push_async_callback(factory.close, active)
    health_monitor = HealthMonitor(active=active, clock=clock, notes={})
    membership = build_membership(
        active=active,
        health_monitor=health_monitor,
        member=member,
        holds=None if member is None else RateHold(engine, member.id),
        database=database,
        clock=clock,
        on_time=wall.learn if isinstance(wall, DatabaseClock) else _ignore,
    )
    await membership.refresh()
    clock.follow()  # the time of the database, from now on
    if member is not None:
        stack.push_async_callback(_unless_failing, database, member.leave)
    notes = await _open_store(database, housekeeping, clock)
    stack.push_async_callback(_unless_failing, database, housekeeping.checkpoint)
    readable, reads = open_to_read(place, live=True), DatabaseThread()
    stack.callback(readable.dispose)
    stack.callback(reads.close)
    reporter = Reporter(
        notify=NotifySocket(),
        records=Records(readable),  # scrapes must not wait for writes, nor writes for scrapes
        database=database,
        reads=reads,
        health_monitor=health_monitor,
        membership=membership,
        active=active,
        progress=progress,
        metrics=metrics,
        clock=clock,
    )
    loops = build_loops(
        active=active,
        health_monitor=health_monitor,
        store=store,
        listings=Listings(engine),
        discoveries=Discoveries(engine),
        learning=Learning(engine),
        watch_list=WatchList(engine),
        housekeeping=housekeeping,
        database=database,
        clock=clock,
        metrics=metrics,
        notes=notes,
        experience=await database(load_experience, engine),
        edited=configuration.edited,
        read=configuration.read,
        prepare=factory.rebuild,
        retire=factory.retire,
        stalled=reporter.stalled,
        store_failure=lambda: database.failure,
        ping=call,
        progress=progress.beat,
        membership=membership,
        place=f"{gethostname()}:{configuration.path.absolute()}",
        mark=Changes(place).mark,
        around_reload=reporter.reload,
    )
    web = None
    if listening is not None:
        views = Views(place, clock, lambda: database.failure)
        stack.callback(views.close)
        web = _web(
            settings.web,
            listening,
            state=reporter,
            views=views,
            ended=EndedSessions(engine=engine, database=database, views=views, clock=clock),
            metrics=metrics,
            clock=clock,
            context=Context(config_path=str(configuration.path.absolute())),
        )
    return Program(loops=loops, membership=membership, reporter=reporter, web=web)


def _web(
    settings: WebSettings,
    listening: socket,
    *,
    state: ProgramState,
    views: Views,
    ended: EndedSessions,
    metrics: Metrics,
    clock: Clock,
    context: Context,
) -> Web:
    def on_wrong_token(address: str, report: bool) -> None:  # noqa: FBT001 (the caller names neither)
        metrics.login_failure()
        if report:
            log.warning("web_token_refused", address=address, detail="If these are not yours, restrict web.listen.")

    streams = Streams()
    access = Access(settings, clock, Renderer(Mount.of(settings.public_url)), ended, on_wrong_token=on_wrong_token)
    return Web(
        site(state=state, views=views, access=access, streams=streams, clock=clock, context=context),
        listening,
        streams,
        proxies=settings.proxies,
        on_accept_error=lambda reason: log.warning("web_accept_failed", reason=reason),
    )


async def _open_store(database: DatabaseThread, housekeeping: Housekeeping, clock: Clock) -> dict[str, Any]:
    """Release what a process that died had claimed. Returns the notes that the service keeps about itself."""
    await database(housekeeping.release_claims)
    await database(housekeeping.pull_back, clock.now())
    await database(housekeeping.note, {"version": __version__})  # for `doctor`
    return await database(housekeeping.notes)


async def _unless_failing(database: DatabaseThread, work: Callable[[], None]) -> None:
    """The last writes of a stop, which the next start can do without."""
    if database.failure is not None:
        return
    try:
        async with asyncio.timeout(1):
            await database(work)
    except TimeoutError:
        log.warning("last_write_skipped", detail="The store was busy. The next start makes up for it.")


def _ignore(_: Refreshed) -> None:
    """A SQLite store has no time of its own."""


def _log_store(reason: str | None) -> None:
    if reason is None:
        log.info("component_recovered", component="store")
    else:
        log.error(
            "component_failed",
            component="store",
            reason=reason,
            detail="Polling and sending are paused. gemwatch keeps trying.",
        )
