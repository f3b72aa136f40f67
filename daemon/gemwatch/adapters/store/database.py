"""The SQLite file: opens it, locks it for a single writer, and runs all writes in one thread."""

import asyncio
import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

import sqlalchemy as sa

from gemwatch.adapters.store.files import StoreError, cannot_use, exists, open_private, sqlalchemy_url

P = ParamSpec("P")
T = TypeVar("T")

_GONE = "{} was deleted or replaced while in use: put it back, or restart gemwatch to continue with what is there now"
_NO_LOCK = "{} was deleted while in use and cannot be made again ({}): let the user that runs gemwatch write there"
_FLEETING = "gemwatch_fleeting"
BUSY_MS = 1000  # how long SQLite waits for another lock; short, because a stop waits for it too
_LOOKED_AT = 0.05  # seconds
_RETRY_FIRST, _RETRY_MOST = 0.1, 5.0  # seconds between tries while the store is failing


class AlreadyRunningError(StoreError):
    """Another process writes to this store. A second one would send everything twice."""


def open_to_write(
    path: Path, *, foreign_keys: bool = True, checkpoints: bool = True, lock: "WriterLock | None" = None
) -> sa.Engine:
    """An engine with one connection, whose transactions take the write lock when they begin.

    The driver's own transactions begin with a read lock and cannot be upgraded reliably: under contention they
    lose updates. `synchronous = FULL` makes a commit survive a power cut, unless it is one of `relaxed(engine)`.
    Without `checkpoints` the log is only added to: for a command that writes while the daemon runs, since older
    SQLites can corrupt a file that two processes write and checkpoint at the same instant. With a `lock`, each
    transaction sees first that it is still ours.
    """
    engine = sa.create_engine(sqlalchemy_url(path), pool_size=1, max_overflow=0)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, record: sa.pool.ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout = {BUSY_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            f"foreign_keys = {'ON' if foreign_keys else 'OFF'}",
            "journal_size_limit = 67108864",
            f"wal_autocheckpoint = {1000 if checkpoints else 0}",
        ):
            connection.execute(f"PRAGMA {pragma}").close()
        record.info["file"] = _inode(path)

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # SQLite keeps writing to a file that was deleted, and all of that would be gone at the next start.
        if connection.info["file"] != _inode(path):
            raise sa.exc.OperationalError("BEGIN", None, sqlite3.OperationalError(_GONE.format(path)))
        _synchronise(connection)
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        if lock is not None:
            lock.keep()  # while no other process can write: a later owner starts after this transaction

    return engine


def relaxed(engine: sa.Engine) -> sa.Engine:
    """The same engine, for what a power cut may take back: it does not wait for the disk. A commit that does keeps
    all that came before it, and the end of the process takes nothing."""
    return engine.execution_options(**{_FLEETING: True})


def _synchronise(connection: sa.Connection) -> None:
    wanted = "NORMAL" if connection.get_execution_options().get(_FLEETING) else "FULL"
    if connection.info.get(_FLEETING, "FULL") != wanted:  # cannot be changed within a transaction
        connection.exec_driver_sql(f"PRAGMA synchronous = {wanted}")
        connection.info[_FLEETING] = wanted


def _inode(file: Path | int) -> tuple[int, int] | None:
    try:
        found = os.fstat(file) if isinstance(file, int) else file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def wait_for_writers(path: Path, patience: float, say: Callable[[], None]) -> None:
    """Return when nobody writes to the store, or after `patience` seconds. `say` is called once if one has to wait.

    For the start: a backup or another command may hold the lock. Anything else that is wrong with the file shows
    when it is used next, and so does a lock that outlasts this.
    """
    deadline, said = time.monotonic() + patience, False
    if not path.exists():
        return
    with closing(sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None)) as connection:
        while time.monotonic() < deadline:
            try:
                connection.execute("BEGIN IMMEDIATE").close()
                connection.execute("ROLLBACK").close()
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                    if not said:
                        say()
                    said = True
                    time.sleep(_RETRY_FIRST)  # SQLite itself has waited already, but not for every kind of lock
                    continue
            return


def open_to_read(path: Path, *, live: bool = False) -> sa.Engine:
    """An engine that cannot write, for commands, whether a daemon runs or not.

    Raises StoreError where there is no store yet.
    """
    if not exists(path):
        raise StoreError(f"there is no store at {path} yet: the first `gemwatch run` creates it")
    engine = sa.create_engine("sqlite://", creator=lambda: connect_to_read(path, live=live), poolclass=sa.NullPool)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # One transaction is one snapshot: a table and its totals agree.
        connection.exec_driver_sql("BEGIN")

    return engine


def connect_to_read(path: Path, *, live: bool = False) -> sqlite3.Connection:
    """A connection that only reads, and creates no file unless it is `live`, which is for the writer's own process.

    To read a file in WAL mode SQLite makes two files next to it, which would belong to the reading user and keep the
    daemon out. Where there is no log, no process has the file open, and the file alone is complete.
    """
    resting = not live and not Path(f"{os.path.realpath(path)}-wal").exists()
    uri = f"{Path(os.path.realpath(path)).as_uri()}?{'immutable=1' if resting else 'mode=ro'}"
    return sqlite3.connect(uri, uri=True, timeout=5)


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

    def keep(self) -> None:
        """Take the lock again where its file was deleted or replaced: a deleted one keeps no process out.

        Raises AlreadyRunningError where another process was quicker, and SQLAlchemy's OperationalError, which is
        a failing store and may pass, where the file cannot be made.
        """
        if _inode(self._path) == _inode(self._file):
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

    def __init__(self, on_failure: Callable[[str | None], None] = lambda _: None) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._on_failure = on_failure
        self._failures: dict[object, str] = {}  # of the calls that are being tried again

    @property
    def failure(self) -> str | None:
        """What is wrong with the store, while there is work that it does not take."""
        return next(iter(self._failures.values()), None)

    async def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` and return its result. Raises errors other than those of a failing store."""
        call, pause = object(), _RETRY_FIRST
        try:
            while True:
                try:
                    return await self._run(work, *args, **kwargs)
                except sa.exc.DatabaseError as error:
                    if not _is_store_failure(error):
                        raise
                    self._report(call, str(error.orig))
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
    """Whether the store fails (lock, disk, file), and not a statement of our own."""
    return type(error) in (sa.exc.OperationalError, sa.exc.DatabaseError)
