"""The configuration of a running program: where it is, what it was, and reading it again."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gemwatch.adapters.config.file import LoadedFile, load
from gemwatch.adapters.config.sources import FileWatch
from gemwatch.adapters.notify.urls import url_problem


class Configuration:
    """Reads and checks files in its own thread: many watch files or a slow disk must not delay polls.

    Only the first read, before anything runs, is made in the caller's thread.
    """

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.path = path
        self._environ = environ
        self._good: Mapping[Path, str] | None = None  # to notice a file that was saved halfway
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="configuration")
        self.first = self._read()
        self._watch = FileWatch(self.first.sources)

    async def edited(self) -> bool:
        """Whether the files have changed since they were read, and are no longer being written."""
        return await asyncio.wrap_future(self._thread.submit(self._watch.changed))

    async def read(self) -> LoadedFile:
        """Read and check everything again."""
        return await asyncio.wrap_future(self._thread.submit(self._read_again))

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _read_again(self) -> LoadedFile:
        loaded = self._read()
        self._watch.watch(loaded.sources)
        return loaded

    def _read(self) -> LoadedFile:
        loaded = load(self.path, self._environ, url_problem=url_problem, previous=self._good)
        if loaded.settings is not None:
            self._good = loaded.texts
        return loaded
