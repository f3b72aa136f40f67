"""A bell: rung by the scheduler or by a neighbour, heard by one loop."""

import asyncio
import contextlib


class Bell:
    """Ringing twice before anybody listens is heard once."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def heard(self, within: float) -> None:
        """Return when it rings, or after `within` seconds at the latest.

        The limit runs on the monotonic clock: the scheduler rings by the clock on the wall, and falls silent
        when that is put back.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._rung.wait()
        self._rung.clear()
