"""The program in a process of its own, started from one that has imported it already: imports are most of a start.

Everything after the imports is the same as in `gemwatch run`: a fresh process, its own files, its own end.
"""

import functools
import multiprocessing
import os
import signal
import sys
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import TypeAlias

from support.daemon import Daemon, Installation, environment

# Only modules that are found without the tests' own path: the server does not have it.
_BEFORE = [
    "gemwatch.app.service",
    "gemwatch.cli.run",
    "gemwatch.adapters.store.schema",
    "alembic.command",
    "logging.config",
    "psycopg",
]


Dooming: TypeAlias = tuple[str, str, int] | Path | None  # or the file that may name it later


class WarmProcess:
    """`gemwatch run --config FILE` with a doom or without one; the part of `Popen` that the harness uses."""

    def __init__(self, config: Path, log: Path, doom: Dooming = None) -> None:
        self._process = _context().Process(target=_run, args=(str(config), str(log), doom), daemon=True)
        self._process.start()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def send_signal(self, one: signal.Signals) -> None:
        os.kill(self.pid, one)

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self._process.exitcode


class WarmDaemon(Daemon):
    """The same `with` as `Daemon`, with a quick start."""

    def __init__(self, installation: Installation, doom: Dooming = None) -> None:
        super().__init__(installation, {})
        self._doom, self._may_be_dead = doom, doom is not None

    def start(self) -> None:
        self.process = WarmProcess(self._installation.config, self.log_file, self._doom)  # type: ignore[assignment]


@functools.cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_BEFORE)
    return context


def _run(config: str, log: str, doom: Dooming) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    fresh = environment()
    os.environ.clear()
    os.environ.update(fresh)
    from gemwatch.cli import main  # noqa: PLC0415 (in the new process)
    from support.doomed import Doom  # noqa: PLC0415

    if doom is not None:
        (Doom(order=doom) if isinstance(doom, Path) else Doom(*doom)).install()
    sys.argv = ["gemwatch", "run", "--config", config]
    main()
