"""Builds the collaborators of a wait, each with its clean-up, and runs the wait until it ends or a signal comes."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from signal import Signals
from threading import Thread
from typing import TypeVar

from gemwatch.adapters.gem.client import GemApi
from gemwatch.adapters.gem.server_clock import ServerTime, server_time
from gemwatch.adapters.login.credentials import Credentials
from gemwatch.adapters.store.daemon_status import DaemonStatus
from gemwatch.adapters.store.gate import StoreGate
from gemwatch.app.system_clock import SystemClock
from gemwatch.cli.wait.output import Failures, Shown
from gemwatch.core.clock import Clock
from gemwatch.core.job import JobDetails
from gemwatch.core.outcome import Outcome, WaitTerms
from gemwatch.core.secrets import Secrets
from gemwatch.core.settings import Place, Settings
from gemwatch.core.waiting import DaemonJobStatus, JobStanding
from gemwatch.engine.pace import Pace
from gemwatch.engine.waiting import Asking, Waiting

T = TypeVar("T")

_PATIENCE = 2.0  # seconds for one read of the store


async def waited(
    settings: Settings,
    store: Place | None,
    jobs: Mapping[int, str | None],
    terms: WaitTerms,
    limit: timedelta | None,
    *,
    shown: Shown,
    signals: Mapping[Signals, Outcome],
) -> tuple[Sequence[JobStanding], Outcome]:
    """How the jobs stand at the end, and the outcome: for a signal, what `signals` says.

    `store` None: there is no store.
    """
    loop, stopped_by = asyncio.get_running_loop(), list[Outcome]()
    async with AsyncExitStack() as stack:
        waiting = _build(stack, settings, store, shown, jobs=jobs, terms=terms, limit=limit)
        running = asyncio.create_task(waiting.run())

        def stop(outcome: Outcome) -> None:
            stopped_by.append(outcome)
            running.cancel()

        for number, outcome in signals.items():
            loop.add_signal_handler(number, stop, outcome)
        await asyncio.wait([running])
        return waiting.standings, stopped_by[0] if running.cancelled() else running.result()


def _build(
    stack: AsyncExitStack,
    settings: Settings,
    store: Place | None,
    shown: Shown,
    *,
    jobs: Mapping[int, str | None],
    terms: WaitTerms,
    limit: timedelta | None,
) -> Waiting:
    clock, failures = SystemClock(), Failures(shown)
    api = GemApi(settings.api, clock)
    stack.push_async_callback(api.close)
    credentials = Credentials(settings.api.token, clock, Secrets.of(settings))
    stack.push_async_callback(credentials.close)
    reads = _Store(settings, store, clock)

    async def unreachable() -> str | None:
        answer = await server_time(settings.api, clock)
        return None if isinstance(answer, ServerTime) else answer

    def show(standings: Sequence[JobStanding]) -> None:
        shown.show(standings)
        failures.show(standings)

    pace = Pace(clock, at_once=settings.api.max_in_flight, rate=settings.api.max_rate)
    return Waiting(
        jobs=jobs,
        terms=terms,
        limit=limit,
        asking=Asking(api=api, credentials=credentials, pace=pace),
        poll=settings.poll,
        clock=clock,
        daemon=reads.daemon,
        needs_review=reads.needs_review,
        unreachable=unreachable,
        show=show,
    )


class _Store:
    """Reads the store in threads of their own: one that is locked or hangs must not hold up a signal or the end.

    Threads of a pool would be waited for when the program ends, and a file system that hangs never returns.
    """

    def __init__(self, settings: Settings, store: Place | None, clock: Clock) -> None:
        own = {watch.job_id: watch.gate for watch in settings.watches if watch.gate is not None}
        self._gate = StoreGate(store, settings.gate, own)
        self._gate_alone = StoreGate(None, settings.gate, own)
        self._status = None if store is None else DaemonStatus(store)
        self._clock = clock
        self._hanging: Future[object] | None = None

    async def daemon(self, job_ids: Collection[int]) -> Mapping[int, DaemonJobStatus]:
        """What a running daemon knows. Nothing where the store does not answer: then the API is polled."""
        if self._status is None:
            return {}
        status, now = self._status, self._clock.now()
        return await self._in_time(lambda: status.about(job_ids, now), dict[int, DaemonJobStatus])

    async def needs_review(self, job: JobDetails, seen_at: datetime) -> tuple[str, ...]:
        return await self._in_time(
            lambda: self._gate.needs_review(job, seen_at), lambda: self._gate_alone.needs_review(job, seen_at)
        )

    async def _in_time(self, read: Callable[[], T], otherwise: Callable[[], T]) -> T:
        if self._hanging is not None and not self._hanging.done():
            return otherwise()
        future: Future[T] = Future()
        Thread(target=_run, args=(read, future), name="store", daemon=True).start()
        done, _ = await asyncio.wait([asyncio.wrap_future(future)], timeout=_PATIENCE)
        if done:
            return future.result()
        self._hanging = future  # type: ignore[assignment]  # only its end is of interest
        return otherwise()


def _run(read: Callable[[], T], future: "Future[T]") -> None:
    try:
        future.set_result(read())
    except Exception as error:  # raised again where it is waited for
        future.set_exception(error)
