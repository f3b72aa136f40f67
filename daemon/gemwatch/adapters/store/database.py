"""The database: opens it, locks a file for a single writer, and runs all writes in one thread."""

import asyncio
import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, Protocol, Self, TypeVar

import sqlalchemy as sa

from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.databases import postgresql, sqlite
from gemwatch.adapters.store.dialects import LEADING, READING, RELAXED
from gemwatch.adapters.store.files import StoreError, cannot_use, open_private
from gemwatch.core.settings import Place, Postgresql

P = ParamSpec("P")
T = TypeVar("T")

_NO_LOCK = "{} was deleted while in use and cannot be made again ({}): let the user that runs gemwatch write there"
_LOOKED_AT = 0.05  # seconds
_AT_ONCE = 3  # repetitions after a deadlock or the like, before it counts as a failure
_RETRY_FIRST, _RETRY_MOST = 0.1, 5.0  # seconds between tries while the store is failing


class AlreadyRunningError(StoreError):
    """Another process writes to this store. A second one would send everything twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """The daemon that uses a store. `pid` 0: unknown. `host` None: this machine."""

    pid: int
    host: str | None = None

    def __str__(self) -> str:
        return f"process {self.pid or 'unknown'}" + (f" on {self.host}" if self.host else "")


class Lock(Protocol):
    """What keeps a second daemon from the store."""

    def keep(self, connection: sa.Connection) -> None:
        """At the beginning of each transaction: raises AlreadyRunningError if another daemon has the store now."""


def open_to_write(place: Place, *, checkpoints: bool = True, lock: Lock | None = None) -> sa.Engine:
    """An engine with one connection. Each transaction first makes sure that the `lock` is still held.

    Without `checkpoints` SQLite's log is only added to: for a command that writes while the daemon runs.
    """
    on_begin = lock.keep if lock is not None else _nothing
    if isinstance(place, Postgresql):
        return postgresql.open_to_write(place, on_begin=on_begin)
    return sqlite.open_to_write(place, checkpoints=checkpoints, on_begin=on_begin)


def open_to_read(place: Place, *, live: bool = False) -> sa.Engine:
    """An engine that cannot write, for commands, whether a daemon runs or not. `live`: in the daemon's process.

    Raises StoreError where there is no file yet.
    """
    if isinstance(place, Postgresql):
        return postgresql.open_to_read(place, pooled=live)
    return sqlite.open_to_read(place, live=live)


def relaxed(engine: sa.Engine) -> sa.Engine:
    """The same engine, for what a power cut may take back: it does not wait for the disk. A commit that does keeps
    all that came before it, and the end of the process takes nothing."""
    return engine.execution_options(**{RELAXED: True})


def reading(engine: sa.Engine) -> sa.Engine:
    """The same engine, to read whether there is anything to write: it waits for no writer, and none waits for it."""
    return engine.execution_options(**{RELAXED: True, READING: True})


def leading(engine: sa.Engine) -> sa.Engine:
    """The same engine, for what only one replica does.

    Where there are replicas, its transactions raise NotLeaderError if another one leads, and otherwise keep others
    from leading until their end.
    """
    return engine.execution_options(**{LEADING: True})


def _nothing(_: sa.Connection) -> None:
    pass


class WriterLock:
    """The daemon holds this lock while it runs. The kernel releases it when the process ends in any way."""

    def __init__(self, store: Path) -> None:
        self._path = Path(f"{os.path.realpath(store)}.lock")  # the same path for all links to it

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._take()
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise StoreError(f"{self._path} is a symbolic link, which is not followed: remove it") from None
            raise StoreError(f"cannot write in {self._path.parent}: {cannot_use(self._path, error)}") from None
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def keep(self, _connection: sa.Connection) -> None:
        """Take the lock again where its file was deleted or replaced: a deleted one keeps no process out.

        Raises AlreadyRunningError where another process was quicker, and SQLAlchemy's OperationalError, which is
        a failing store and may pass, where the file cannot be made.
        """
        if sqlite.inode(self._path) == sqlite.inode(self._file):
            return
        try:
            fresh = self._take()
        except OSError as error:
            reason = _NO_LOCK.format(self._path, os.strerror(error.errno or 0).lower())
            raise sa.exc.OperationalError("BEGIN", None, sqlite3.OperationalError(reason)) from None
        os.close(self._file)
        self._file = fresh

    def _take(self) -> int:
        file = open_private(self._path, os.O_RDWR)
        for last in (False, False, True):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if last:
                    owner = os.read(file, 32).decode(errors="replace").strip() or "unknown"
                    os.close(file)
                    raise AlreadyRunningError(
                        f"gemwatch already runs on this store, as process {owner}: two would send everything twice. "
                        f"Stop that one first, or give this one a store.url of its own ({self._path})"
                    ) from None
            time.sleep(_LOOKED_AT)  # a command that checks for a daemon briefly holds the lock
        with suppress(OSError):  # on a full disk the lock is still held, only its owner is not recorded
            os.truncate(file, 0)
            os.write(file, f"{os.getpid()}\n".encode())
        return file


class DatabaseThread:
    """Runs the store's work, one transaction a call, in one thread of its own, in the order of the calls.

    While the store is failing (locked, disk full, read-only) a call waits and tries again for as long as it
    takes: what was to be recorded is kept, nothing is decided without it, and `failure` says what is wrong.
    """

    def __init__(
        self, on_failure: Callable[[str | None], None] = lambda _: None, on_repeat: Callable[[], None] = lambda: None
    ) -> None:
        """`on_repeat` is called when a transaction is repeated at once, because another one was in its way."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._on_failure = on_failure
        self._failures: dict[object, str] = {}  # of the calls that are being tried again
        self._on_repeat = on_repeat

    @property
    def failure(self) -> str | None:
        """What is wrong with the store, while there is work that it does not take."""
        return next(iter(self._failures.values()), None)

    async def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` and return its result. Raises errors other than those of a failing store."""
        call, pause, again = object(), _RETRY_FIRST, 0
        try:
            while True:
                try:
                    return await self._run(work, *args, **kwargs)
                except sa.exc.DatabaseError as error:
                    if not _is_store_failure(error):
                        raise
                    again += 1
                    if dialects.passes(error) and again <= _AT_ONCE:
                        self._on_repeat()
                        continue
                    self._report(call, dialects.reason_of(error.orig))
                await asyncio.sleep(pause)
                pause = min(pause * 2, _RETRY_MOST)
        finally:
            self._report(call, None)

    def close(self) -> None:
        """Wait for the current work, which SQLite's time limit bounds, and end the thread."""
        self._thread.shutdown(cancel_futures=True)

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        # Shielded: once begun, a transaction ends on its own; cancelling the caller must not lose its outcome.
        future = asyncio.wrap_future(self._thread.submit(work, *args, **kwargs))
        future.add_done_callback(_heard)
        return await asyncio.shield(future)

    def _report(self, call: object, failure: str | None) -> None:
        before = self.failure
        if failure is None:
            self._failures.pop(call, None)
        else:
            self._failures[call] = failure
        if self.failure != before:
            self._on_failure(self.failure)


def _heard(future: "asyncio.Future[T]") -> None:
    """Mark the error as retrieved: the caller may have been cancelled."""
    if not future.cancelled():
        future.exception()


def _is_store_failure(error: sa.exc.DatabaseError) -> bool:
    """Whether the store fails (lock, disk, connection), and not a statement of our own.

    PostgreSQL calls it internal when it has become read-only, as it is after a failover.
    """
    return type(error) in (sa.exc.OperationalError, sa.exc.DatabaseError, sa.exc.InternalError)
