"""Information about a store: its file, its schema, its writer and its content."""

import fcntl
import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store.database import Writer, open_to_read
from gemwatch.adapters.store.databases.replicas import live_replicas
from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.reads.json_shapes import as_text, replicas_json
from gemwatch.adapters.store.schema import REVISION, revision_of
from gemwatch.adapters.store.tables import deliveries, events, transitions, watches
from gemwatch.core.job import UNSEEN
from gemwatch.core.settings import Place, Postgresql
from gemwatch.core.sharing.replicas import Replica
from gemwatch.core.work import DeliveryState


def writer_of(place: Place) -> Writer | None:
    """The daemon that uses the store, by its lock or lease; None if there is none. Of several, the one that leads."""
    if isinstance(place, Postgresql):
        return _leader(replicas_in(place))
    path = Path(f"{place.resolve()}.lock")
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # A shared lock, released at once, so that this check does not stop a daemon that is starting.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        with suppress(ValueError):
            return Writer(pid=int(os.read(handle, 32)))
        return Writer(pid=0)
    else:
        return None
    finally:
        os.close(handle)


def replicas_in(place: Place) -> Sequence[Replica]:
    """The daemons that share the store; none with SQLite, and none if the database does not answer."""
    if not isinstance(place, Postgresql):
        return ()
    try:
        engine = open_to_read(place)
        try:
            with engine.begin() as connection:
                return live_replicas(connection)
        finally:
            engine.dispose()
    except (StoreError, sa.exc.DatabaseError):
        return ()  # what is wrong shows when the store is read


def _leader(replicas: Sequence[Replica]) -> Writer | None:
    """The one that leads, else the oldest."""
    first = min(replicas, key=lambda one: not one.leader, default=None)
    return None if first is None else Writer(pid=first.pid, host=first.host)


def facts_of(place: Place) -> dict[str, Any]:
    """The output of `gemwatch db info`. Counts nothing in a store with another schema: its tables may differ.

    Raises StoreError if there is no store or the file is not one.
    """
    engine = open_to_read(place)
    try:
        schema = revision_of(engine)
        replicas = replicas_in(place)
        writer = _leader(replicas) if isinstance(place, Postgresql) else writer_of(place)
        return {
            **(_database(engine, place) if isinstance(place, Postgresql) else _file(place)),
            "schema": schema,
            "schema_read": REVISION,
            "daemon": writer and writer.pid,
            "daemon_host": writer and writer.host,
            "replicas": replicas_json(replicas),
            "counts": _counts(engine) if schema == REVISION else None,
        }
    finally:
        engine.dispose()


def _file(path: Path) -> dict[str, Any]:
    sizes = {"size": path.stat().st_size, "log_size": _size(Path(f"{path}-wal"))}
    return {"path": str(path), **sizes, "sqlite": sqlite3.sqlite_version}


def _database(engine: sa.Engine, place: Postgresql) -> dict[str, Any]:
    with engine.begin() as connection:
        size = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
        version = connection.exec_driver_sql("SHOW server_version").scalar_one()
    return {"path": str(place), "size": size, "log_size": 0, "postgresql": version}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _counts(engine: sa.Engine) -> dict[str, Any]:
    span = sa.select(sa.func.count(), sa.func.min(transitions.c.observed_at), sa.func.max(transitions.c.observed_at))
    watched = sa.select(sa.func.count()).where(watches.c.watched)
    with engine.begin() as connection:
        number, oldest, newest = connection.execute(span).one()
        by_state = _grouped(connection, deliveries.c.state)
        return {
            "jobs": {
                "watched": connection.execute(watched).scalar_one(),
                "by_status": {status or UNSEEN: n for status, n in _grouped(connection, watches.c.status).items()},
            },
            "transitions": {"number": number, "oldest": as_text(oldest), "newest": as_text(newest)},
            "events": _grouped(connection, events.c.kind),
            "deliveries": {state.value: by_state.get(state.value, 0) for state in DeliveryState},
        }


def _grouped(connection: sa.Connection, column: sa.Column[Any]) -> dict[str | None, int]:
    rows = connection.execute(sa.select(column, sa.func.count()).group_by(column).order_by(column.nulls_first()))
    return {row[0]: row[1] for row in rows}
