"""An event loop and a clock whose time passes at once: hours of waiting in seconds, the same every time."""

import asyncio
import selectors
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_TURN = 1e-6  # seconds that a turn of the loop takes: without it, a rest of 1e-13 s would be waited for without end


class _Impatient(selectors.DefaultSelector):
    """Waits for nothing: where a loop would sleep, its time is moved on instead."""

    def __init__(self, pass_time: Callable[[float], None]) -> None:
        super().__init__()
        self._pass_time = pass_time

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        assert ready or timeout is not None, "nothing will ever happen again"
        self._pass_time(0.0 if ready or timeout is None else timeout + _TURN)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """No threads, no executor: everything that runs in it is coroutines, so time may jump to the next timer."""

    def __init__(self) -> None:
        self._virtual = 1000.0
        super().__init__(_Impatient(self._pass))

    def time(self) -> float:
        return self._virtual

    def _pass(self, seconds: float) -> None:
        self._virtual += seconds


class VirtualClock:
    """The loop's time, and a time of day that can be set."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._set = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self._loop.time() + self._set)

    def monotonic(self) -> float:
        return self._loop.time()

    def jump(self, seconds: float) -> None:
        self._set += seconds

    def undisturbed(self) -> datetime:
        """The time of day without the jumps, as at the API."""
        return START + timedelta(seconds=self._loop.time())
