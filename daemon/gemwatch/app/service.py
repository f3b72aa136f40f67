"""Runs the program, and stops it in reverse order."""

import asyncio
import gc
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from datetime import UTC
from typing import Any, TypeVar

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from gemwatch.adapters.store.database import Lock
from gemwatch.app.assembly import Program, build
from gemwatch.app.configuration import Configuration
from gemwatch.core.secrets import Secrets
from gemwatch.core.settings import Settings
from gemwatch.web.http.server import bind

log = structlog.get_logger()

T = TypeVar("T")

POLLS_GET, SENDS_GET, ALL_GET = 4.0, 6.0, 7.0  # seconds at a stop, so that everything is over within 10


async def run(configuration: Configuration, settings: Settings, secrets: Secrets, lock: Lock | None) -> None:
    """Watch until SIGTERM or SIGINT. `lock` holds a file; the store's schema is current.

    Raises WebError if the server cannot listen, and an ExceptionGroup when a loop dies: then the program ends with
    an error and its supervisor starts it again.
    """
    stopping = asyncio.Event()
    _stop_on_signals(stopping)  # before a thread starts: an exception in the middle of that would leave it behind
    async with AsyncExitStack() as stack:
        stack.callback(configuration.close)
        socket = bind(settings.web.host, settings.web.port) if settings.web.host else None
        if socket is not None:
            stack.callback(socket.close)
        building = build(stack, configuration, settings, secrets, lock=lock, listening=socket)
        if (built := await _unless_stopped(building, stopping)) is None:
            return
        program = built.result()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, program.loops.reloader.force)
        scheduler = wake_schedule(_wake_ups(program))
        stack.callback(scheduler.shutdown, wait=False)
        gc.collect()
        gc.freeze()  # these objects live as long as the program: the collector need not visit them
        # At full speed Python's own numbers cost 6 % of the CPU, because hundreds of polls are under way, and these
        # nothing. With fewer collections of old objects, closed connections waited for many minutes.
        gc.set_threshold(20_000, 5, 2)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work, name=name) for name, work in _first(program).items()]
            scheduler.start()
            if await _unless_stopped(program.loops.reloader.start(configuration.first, settings), stopping):
                tasks += [group.create_task(work, name=name) for name, work in _then(program).items()]
                program.reporter.started()
                _log_start(settings)
                await stopping.wait()
            await _stop(program)
            for task in tasks:
                task.cancel()
    log.info("stopped")


def _first(program: Program) -> dict[str, Coroutine[Any, Any, None]]:
    """What reports the program's state, from the start on."""
    work = {
        "reports": program.reporter.run(),
        "store monitor": program.loops.store_monitor.run(),
        "membership": program.membership.run(),
    }
    return work if program.web is None else {**work, "web": program.web.serve()}


def _then(program: Program) -> dict[str, Coroutine[Any, Any, None]]:
    """What follows the configuration, after it was applied: a job removed since the last run is not polled again."""
    return {
        "polls": program.loops.poller.run(),
        "sweeps": program.loops.lister.run(),
        "deliveries": program.loops.dispatcher.run(),
        "configuration": program.loops.reloader.run(),
        "housekeeping": program.loops.maintenance.run(),
        "tokens": program.loops.maintenance.renew_tokens(),
        "heartbeat": program.loops.heartbeat.run(),
    }


async def _unless_stopped(work: Coroutine[Any, Any, T], stopping: asyncio.Event) -> asyncio.Task[T] | None:
    """Run this to its end, or until the program is stopped (a failing store may delay it): then None."""
    task, stop = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
    done = task.done()
    for one in (task, stop):
        one.cancel()
    await asyncio.wait({task, stop})
    if not done:
        return None
    await task
    return task


def _wake_ups(program: Program) -> dict[str, tuple[float, Callable[[], None]]]:
    """One job wakes all loops that check every second: each job of the scheduler costs more than the loops do.

    The poller is not among them: it sleeps until the next poll is due.
    """
    loops = program.loops
    every_second = (loops.lister, loops.dispatcher, loops.reloader, loops.maintenance, loops.store_monitor)

    def wake_all() -> None:
        for loop in every_second:
            loop.wake_up.set()

    return {"loops": (1, wake_all), "tokens": (10, loops.maintenance.token_wake_up.set)}


def _stop_on_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def stop(name: str) -> None:
        if stopping.is_set():
            os._exit(1)  # the second signal ends it at once; the next start releases what is claimed
        log.info("stopping", signal=name)
        stopping.set()

    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop, one.name)


async def _stop(program: Program) -> None:
    """Stop claiming, give running polls and sends a few seconds, and record their results."""
    program.reporter.stopping()
    if program.web is not None:
        program.web.stop()
    try:
        async with asyncio.timeout(ALL_GET):
            await asyncio.gather(program.loops.poller.stop(POLLS_GET), program.loops.dispatcher.stop(SENDS_GET))
    except TimeoutError:
        log.warning(
            "stop_incomplete",
            detail="Some results were not recorded. They are observed or sent again after the next start.",
        )


def _log_start(settings: Settings) -> None:
    if not settings.targets:
        log.warning(
            "no_targets", detail="No notification can be sent. Name a target under notify in the configuration."
        )
    if settings.web.host not in (None, "127.0.0.1", "::1", "localhost"):
        log.warning("web_not_local", listen=settings.web.host, detail="Other machines can reach the HTTP server.")
    log.info("started", jobs=len(settings.watches), targets=[target.name for target in settings.targets])


def wake_schedule(wakes: Mapping[str, tuple[float, Callable[[], None]]]) -> Any:
    """A scheduler, not yet started, that calls each function at its interval (seconds) on the running loop."""
    scheduler = AsyncIOScheduler(
        timezone=UTC, job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
    )
    for name, (seconds, wake) in wakes.items():
        scheduler.add_job(_in_the_loop(wake), "interval", seconds=seconds, id=name, name=name)
    return scheduler


def _in_the_loop(wake: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    # As a coroutine: APScheduler runs plain functions in asyncio's shared thread pool.
    async def run() -> None:
        wake()

    return run
