"""Opens a SQLite file: settings of a connection, transactions with the write lock, reading without writing."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from gemwatch.adapters.store.dialects import READING, RELAXED
from gemwatch.adapters.store.files import StoreError, exists, sqlalchemy_url

_GONE = "{} was deleted or replaced while in use: put it back, or restart gemwatch to continue with what is there now"
BUSY_MS = 1000  # how long SQLite waits for another lock; short, because a stop waits for it too
_RETRY = 0.1  # seconds between tries while another program holds the lock


def open_to_write(
    path: Path,
    *,
    foreign_keys: bool = True,
    checkpoints: bool = True,
    on_begin: Callable[[sa.Connection], None] = lambda _: None,
) -> sa.Engine:
    """An engine with one connection, whose transactions take the write lock when they begin.

    The driver's own transactions begin with a read lock and cannot be upgraded reliably: under contention they
    lose updates. `synchronous = FULL` makes a commit survive a power cut, unless it is one of `relaxed(engine)`.
    Without `checkpoints` the log is only added to: for a command that writes while the daemon runs, since older
    SQLites can corrupt a file that two processes write and checkpoint at the same instant. `on_begin` is
    called first in each transaction; in one that writes, no other process can write from then until its end.
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
        record.info["file"] = inode(path)

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # SQLite keeps writing to a file that was deleted, and all of that would be gone at the next start.
        if connection.info["file"] != inode(path):
            raise sa.exc.OperationalError("BEGIN", None, sqlite3.OperationalError(_GONE.format(path)))
        if connection.get_execution_options().get(READING):
            connection.exec_driver_sql("BEGIN")
        else:
            _synchronise(connection)
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        on_begin(connection)

    return engine


def _synchronise(connection: sa.Connection) -> None:
    wanted = "NORMAL" if connection.get_execution_options().get(RELAXED) else "FULL"
    if connection.info.get(RELAXED, "FULL") != wanted:  # cannot be changed within a transaction
        connection.exec_driver_sql(f"PRAGMA synchronous = {wanted}")
        connection.info[RELAXED] = wanted


def inode(file: Path | int) -> tuple[int, int] | None:
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
    try:
        opened = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None)
    except sqlite3.DatabaseError:
        return
    with closing(opened) as connection:
        while time.monotonic() < deadline:
            try:
                connection.execute("BEGIN IMMEDIATE").close()
                connection.execute("ROLLBACK").close()
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                    if not said:
                        say()
                    said = True
                    time.sleep(_RETRY)  # SQLite itself has waited already, but not for every kind of lock
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
