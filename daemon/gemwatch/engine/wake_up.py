"""Wakes a loop before its next round is due."""

import asyncio
import contextlib


class WakeUp:
    """The scheduler or another loop sets it, one loop waits for it. Setting it twice wakes the loop once."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._entered = False

    @property
    def waiting(self) -> bool:
        """Whether the loop waits and has not been woken up: it is not in the middle of a round."""
        return self._entered and not self._event.is_set()

    def set(self) -> None:
        self._event.set()

    async def wait(self, within: float | None) -> None:
        """Return when it is set, or after `within` seconds at the latest.

        The limit uses the monotonic clock: the scheduler uses the wall clock and does nothing after that is set back.
        """
        self._entered = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._event.wait()
        self._entered = False
        self._event.clear()
