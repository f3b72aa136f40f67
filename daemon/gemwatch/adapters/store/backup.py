"""Copies the store, with or without a running daemon, and verifies the copy."""

import os
import shlex
import sqlite3
import stat
import tempfile
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from gemwatch.adapters.store.database import open_to_read
from gemwatch.adapters.store.files import SIDE_FILES, StoreError
from gemwatch.adapters.store.schema import revision_of
from gemwatch.core.settings import Place, Postgresql


class InTheWayError(StoreError):
    """The destination exists and must not be overwritten, or only with --force."""


def backup(store: Place, to: Path, *, overwrite: bool = False) -> str:
    """Create a copy of the store at `to` atomically, and return its schema. Only of a file.

    Raises StoreError; then an earlier file at `to` is unchanged.
    """
    if isinstance(store, Postgresql):
        raise StoreError(
            "PostgreSQL has its own tools for copies. With the variables PGHOST, PGUSER and PGPASSWORD set, run:\n"
            f"  pg_dump --format custom --file {shlex.quote(str(to))} {shlex.quote(store.database)}\n"
            "To copy the store into a SQLite file, run: gemwatch db copy --to-config FILE"
        )
    _refuse(store, to, overwrite=overwrite)
    engine = open_to_read(store)
    try:
        unfinished = _unfinished(to)
        try:
            _copy(engine, unfinished)
            schema = _checked(unfinished)
            unfinished.chmod(stat.S_IMODE(store.stat().st_mode) & ~stat.S_IRWXO)
            _make_durable(unfinished)
            unfinished.replace(to)
            _make_durable(to.parent)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"no copy was made: {to.parent} cannot be written: {error.strerror}") from None
    finally:
        engine.dispose()
    return schema


def damage(connection: sqlite3.Connection) -> str | None:
    """SQLite's description of the damage in a file; None if it is intact."""
    try:
        said = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        said = str(error)
    return None if said == "ok" else said


def _refuse(store: Path, to: Path, *, overwrite: bool) -> None:
    own = {store.resolve(), *(Path(f"{store.resolve()}{end}") for end in SIDE_FILES)}
    if to.resolve() in own:
        raise InTheWayError(f"{to} belongs to the store itself: name another file")
    if to.is_dir():
        raise InTheWayError(f"{to} is a folder: name a file in it")
    if to.exists() and not overwrite:
        raise InTheWayError(f"{to} exists: name another file, or overwrite it with --force")


def _unfinished(to: Path) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{to.name}.", suffix=".part", dir=to.parent)
    os.close(handle)
    return Path(name)


def _copy(engine: sa.Engine, unfinished: Path) -> None:
    """Copy all pages in one read transaction, so that the copy has no later commits."""
    try:
        with engine.begin() as reading, closing(sqlite3.connect(unfinished)) as copy:
            source = reading.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)  # noqa: S101 (the store is SQLite's)
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE").close()  # a single complete file; `run` sets WAL again
    except (sqlite3.Error, sa.exc.DatabaseError) as error:
        raise StoreError(f"no copy was made: {getattr(error, 'orig', error)}") from None


def _checked(copy: Path) -> str:
    with closing(sqlite3.connect(f"{copy.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        found = damage(connection)
    if found is not None:
        raise StoreError(f"no copy was made: the store is damaged ({found}). Keep the copies you have")
    engine = open_to_read(copy)
    try:
        schema = revision_of(engine)
    finally:
        engine.dispose()
    if schema is None:
        raise StoreError("no copy was made: the file is not a gemwatch store")
    return schema


def _make_durable(path: Path) -> None:
    """Wait until it is on disk, so that it survives a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
