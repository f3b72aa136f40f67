"""Wakes the loops. APScheduler's jobs do nothing else, because its shutdown cancels what they do."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler


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
