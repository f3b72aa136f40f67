"""Information about a store: its file, its schema, its writer and its content."""

import fcntl
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store.database import Writer, open_to_read
from gemwatch.adapters.store.databases.replicas import live_replicas
from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.schema import REVISION, revision_of
from gemwatch.adapters.store.tables import deliveries, events, transitions, watches
from gemwatch.core.job import UNSEEN
from gemwatch.core.settings import Place, Postgresql
from gemwatch.core.sharing.replicas import Replica
from gemwatch.core.work import DeliveryState


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """How much there is. `jobs`: all, by status. `oldest`, `newest`: when the transitions were observed."""

    watched: int
    jobs: Mapping[str, int]
    transitions: int
    oldest: datetime | None
    newest: datetime | None
    events: Mapping[str, int]
    deliveries: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreInfo:
    """A store. `database`: sqlite or postgresql. `schema_read`: the one of this version. `contents` None: the schema
    differs, and the tables may too."""

    place: str
    size: int
    log_size: int
    database: str
    database_version: str
    schema: str | None
    schema_read: str
    writer: Writer | None
    replicas: tuple[Replica, ...]
    contents: Contents | None


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


def info_of(place: Place) -> StoreInfo:
    """What `gemwatch db info` shows. Raises StoreError if there is no store or the file is not one."""
    engine = open_to_read(place)
    try:
        schema = revision_of(engine)
        replicas = tuple(replicas_in(place))
        server = isinstance(place, Postgresql)
        size, version = _file(place) if isinstance(place, Path) else _database(engine)
        return StoreInfo(
            place=str(place),
            size=size,
            log_size=0 if server else _size(Path(f"{place}-wal")),
            database="postgresql" if server else "sqlite",
            database_version=version,
            schema=schema,
            schema_read=REVISION,
            writer=_leader(replicas) if server else writer_of(place),
            replicas=replicas,
            contents=_contents(engine) if schema == REVISION else None,
        )
    finally:
        engine.dispose()


def _file(path: Path) -> tuple[int, str]:
    return path.stat().st_size, sqlite3.sqlite_version


def _database(engine: sa.Engine) -> tuple[int, str]:
    with engine.begin() as connection:
        size = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
        return size, connection.exec_driver_sql("SHOW server_version").scalar_one()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _contents(engine: sa.Engine) -> Contents:
    span = sa.select(sa.func.count(), sa.func.min(transitions.c.observed_at), sa.func.max(transitions.c.observed_at))
    watched = sa.select(sa.func.count()).where(watches.c.watched)
    with engine.begin() as connection:
        number, oldest, newest = connection.execute(span).one()
        by_state = _grouped(connection, deliveries.c.state)
        return Contents(
            watched=connection.execute(watched).scalar_one(),
            jobs={status or UNSEEN: n for status, n in _grouped(connection, watches.c.status).items()},
            transitions=number,
            oldest=oldest,
            newest=newest,
            events=_grouped(connection, events.c.kind),
            deliveries={state.value: by_state.get(state.value, 0) for state in DeliveryState},
        )


def _grouped(connection: sa.Connection, column: sa.Column[Any]) -> dict[Any, int]:
    rows = connection.execute(sa.select(column, sa.func.count()).group_by(column).order_by(column.nulls_first()))
    return {row[0]: row[1] for row in rows}
