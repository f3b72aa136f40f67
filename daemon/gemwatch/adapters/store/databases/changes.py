"""Whether anybody may have written to the store, found out without a transaction: an idle daemon asks each second."""

import time
from collections.abc import Callable, Hashable
from pathlib import Path

from gemwatch.core.settings import Place, Postgresql

_RECENT = 3.0  # seconds: some file systems count time in steps of two


class Changes:
    """Watches the files of a SQLite store, to which each commit of any process writes."""

    def __init__(self, place: Place, clock: Callable[[], float] = time.time) -> None:
        """`clock`: the one of the files' times."""
        self._files = () if isinstance(place, Postgresql) else (place, Path(f"{place}-wal"))
        self._clock = clock

    def mark(self) -> Hashable | None:
        """Two equal marks: nothing was written between them. None: it cannot be known, as right after a write."""
        found = []
        for file in self._files:
            try:
                state = file.stat()
            except OSError:
                return None
            if abs(self._clock() - state.st_mtime) < _RECENT:
                return None
            found.append((state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns))
        return tuple(found) or None
