"""Whether the loops make progress: fed by them, read by the health page and the watchdog."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class _Loop:
    within: float
    beat_at: float


class Progress:
    """Remembers when each loop last got something done, on a clock that only runs forward."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._loops: dict[str, _Loop] = {}

    def expect(self, name: str, *, within: float) -> None:
        """Expect progress of this loop at least every `within` seconds. A repeated call counts as progress."""
        self._loops[name] = _Loop(within=within, beat_at=self._clock())

    def beat(self, name: str) -> None:
        """This loop has made progress."""
        self._loops[name].beat_at = self._clock()

    def stalled(self) -> str | None:
        """The loops without progress and for how long; None while all of them move."""
        now = self._clock()
        silent = {name: now - loop.beat_at for name, loop in self._loops.items() if now - loop.beat_at > loop.within}
        return "; ".join(f"{name}: no progress for {age:.0f} s" for name, age in silent.items()) or None
