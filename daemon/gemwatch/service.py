"""Builds the program once, runs it, and takes it down in reverse."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from gemwatch import __version__
from gemwatch.adapters.database import DatabaseThread, open_to_write
from gemwatch.adapters.housekeeping import Housekeeping
from gemwatch.adapters.records import Records
from gemwatch.adapters.store import Store
from gemwatch.adapters.system_clock import SystemClock
from gemwatch.adapters.watch_list import WatchList
from gemwatch.configuration import Configuration
from gemwatch.core.decide import LOST_EVERY
from gemwatch.core.secrets import Secrets
from gemwatch.core.settings import Settings
from gemwatch.engine.courier import Courier, Delivering
from gemwatch.engine.keeper import Keeper, Keeping
from gemwatch.engine.poller import Poller, Polling
from gemwatch.engine.reloader import Reloader, Reloading
from gemwatch.engine.vitals import Vitals
from gemwatch.metrics import Metrics
from gemwatch.notify_socket import NotifySocket
from gemwatch.parts import Workshop
from gemwatch.progress import Progress
from gemwatch.reporter import Reporter, Reporting
from gemwatch.scheduler import ringing
from gemwatch.web import Web, bind

log = structlog.get_logger()

POLLS_GET, SENDS_GET, ALL_GET = 4.0, 7.0, 8.5  # seconds at a stop, so that everything is over within 10
STALLED_AFTER = 60.0  # seconds without a beat of a loop that beats every second or so


@dataclass(frozen=True, slots=True, kw_only=True)
class Loops:
    """What runs side by side."""

    poller: Poller
    courier: Courier
    reloader: Reloader
    keeper: Keeper
    reporter: Reporter
    web: Web | None


async def run(configuration: Configuration, settings: Settings, secrets: Secrets) -> None:
    """Watch until SIGTERM or SIGINT. The store is locked and its schema is current when this is called.

    Raises WebError where the server cannot listen, and an ExceptionGroup when a loop dies: then the program
    ends loudly and its supervisor starts it again.
    """
    async with AsyncExitStack() as stack:
        stack.callback(configuration.close)
        socket = bind(settings.web.host, settings.web.port) if settings.web.host else None
        if socket is not None:
            stack.callback(socket.close)
        loops = await _build(stack, configuration, settings, secrets, socket)
        stopping = asyncio.Event()
        _on_signals(stopping, loops.reloader.force)
        scheduler = ringing(_rings(loops))
        stack.callback(scheduler.shutdown, wait=False)
        gc.collect()
        gc.freeze()  # what stands now stays: the collector need not walk through it for months
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work, name=name) for name, work in _work(loops).items()]
            scheduler.start()
            await loops.reloader.start(configuration.first, settings)
            loops.reporter.started()
            _welcome(settings)
            await stopping.wait()
            await _stop(loops)
            for task in tasks:
                task.cancel()
    log.info("stopped")


async def _build(
    stack: AsyncExitStack, configuration: Configuration, settings: Settings, secrets: Secrets, socket: Any
) -> Loops:
    """Each thing beside its closing; what is opened last is closed first."""
    clock, metrics, progress = SystemClock(), Metrics(__version__), Progress()
    for name in ("polls", "records", "deliveries"):
        progress.expect(name, within=STALLED_AFTER)
    engine = open_to_write(settings.store.url)
    stack.callback(engine.dispose)
    database = DatabaseThread(on_trouble=_say_trouble)
    stack.callback(database.close)
    store, housekeeping = Store(engine), Housekeeping(engine)
    notes = await _open_store(database, housekeeping, settings, clock)
    stack.push_async_callback(_last_write, database, housekeeping)

    workshop = Workshop(clock, secrets, metrics)
    live = workshop.build(settings)
    stack.push_async_callback(workshop.close, live)
    courier = Courier(
        Delivering(
            live=live,
            store=store,
            database=database,
            clock=clock,
            metrics=metrics,
            progress=lambda: progress.beat("deliveries"),
        )
    )
    vitals = Vitals(live, clock, notes)
    poller = Poller(
        Polling(
            live=live,
            store=store,
            database=database,
            clock=clock,
            vitals=vitals,
            metrics=metrics,
            recorded=courier.bell.ring,
            progress=progress.beat,
        )
    )

    def ring_both() -> None:
        poller.bell.ring()
        courier.bell.ring()

    reloader = Reloader(
        Reloading(
            live=live,
            store=store,
            watch_list=WatchList(engine),
            database=database,
            clock=clock,
            metrics=metrics,
            edited=configuration.edited,
            read=configuration.read,
            prepare=workshop.rebuild,
            retire=workshop.retire,
            applied=ring_both,
        ),
        notes,
    )
    reporter = Reporter(
        Reporting(
            notify=NotifySocket(),
            records=Records(engine),
            database=database,
            vitals=vitals,
            live=live,
            progress=progress,
            metrics=metrics,
            clock=clock,
        )
    )
    keeper = Keeper(Keeping(live=live, housekeeping=housekeeping, database=database, clock=clock))
    web = Web(reporter, socket) if socket is not None else None
    return Loops(poller=poller, courier=courier, reloader=reloader, keeper=keeper, reporter=reporter, web=web)


async def _open_store(
    database: DatabaseThread, housekeeping: Housekeeping, settings: Settings, clock: SystemClock
) -> dict[str, Any]:
    """Release what a process that died had claimed. The notes that the service wrote of itself."""
    longest = max([LOST_EVERY, settings.poll.every, *(watch.every for watch in settings.watches if watch.every)])
    await database(housekeeping.release_claims)
    await database(housekeeping.pull_back, clock.now(), clock.now() + longest * 1.2 + timedelta(minutes=1))
    return await database(housekeeping.notes)


def _work(loops: Loops) -> dict[str, Coroutine[Any, Any, None]]:
    work = {
        "polls": loops.poller.run(),
        "deliveries": loops.courier.run(),
        "configuration": loops.reloader.run(),
        "housekeeping": loops.keeper.run(),
        "tokens": loops.keeper.renew_tokens(),
        "reports": loops.reporter.run(),
    }
    return work if loops.web is None else {**work, "web": loops.web.serve()}


def _rings(loops: Loops) -> dict[str, tuple[float, Callable[[], None]]]:
    return {
        "polls": (0.25, loops.poller.bell.ring),
        "deliveries": (1, loops.courier.bell.ring),
        "configuration": (1, loops.reloader.bell.ring),
        "health": (1, loops.poller.check_health),
        "housekeeping": (1, loops.keeper.bell.ring),
        "tokens": (10, loops.keeper.token_bell.ring),
    }


def _on_signals(stopping: asyncio.Event, reload: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()

    def stop(name: str) -> None:
        if stopping.is_set():
            os._exit(1)  # asked twice: at once; what is claimed is released by the next start
        log.info("stopping", signal=name)
        stopping.set()

    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop, one.name)
    loop.add_signal_handler(signal.SIGHUP, reload)


async def _stop(loops: Loops) -> None:
    """Stop claiming, let what is in hand finish for a few seconds, and have it recorded."""
    loops.reporter.stopping()
    if loops.web is not None:
        loops.web.stop()
    try:
        async with asyncio.timeout(ALL_GET):
            await asyncio.gather(loops.poller.stop(POLLS_GET), loops.courier.stop(SENDS_GET))
    except TimeoutError:
        log.warning("stopped before everything was recorded", then="it is observed or sent again after the start")


async def _last_write(database: DatabaseThread, housekeeping: Housekeeping) -> None:
    try:
        async with asyncio.timeout(1):
            await database(housekeeping.checkpoint)
    except TimeoutError:
        log.warning("the store's log was not folded in; the next start does it")


def _say_trouble(trouble: str | None) -> None:
    if trouble is None:
        log.info("the store works again")
    else:
        log.error("the store does not work", reason=trouble, meanwhile="nothing is polled or sent; trying again")


def _welcome(settings: Settings) -> None:
    if not settings.targets:
        log.warning("nobody is told of anything", remedy="name a target under notify in the configuration")
    if settings.web.host not in (None, "127.0.0.1", "::1", "localhost"):
        log.warning("the HTTP server can be reached from other machines", listen=settings.web.host)
    log.info("watching", jobs=len(settings.watches), targets=[target.name for target in settings.targets])
