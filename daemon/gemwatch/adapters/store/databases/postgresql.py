"""Opens a PostgreSQL database, through psycopg 3.

A pooler may give each transaction another connection of the server, so nothing is set for longer than a transaction:
`SET LOCAL` only, no prepared statements, no session-level locks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store.dialects import RELAXED
from gemwatch.adapters.store.files import StoreError
from gemwatch.core.settings import Postgresql

OLDEST = 14
WRITE_LIMIT, READ_LIMIT = 10, 5  # seconds for one statement
_LOCK_LIMIT, _IDLE_LIMIT, _CONNECT_LIMIT = 5, 10, 5  # seconds
_OLDEST_TRANSACTION = (
    "SELECT greatest(coalesce(extract(epoch FROM max(now() - xact_start)), 0), 0)::float8 FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_ROWS = "SELECT coalesce(sum(n_dead_tup), 0)::bigint, coalesce(sum(n_live_tup), 0)::bigint FROM pg_stat_user_tables"
# libpq notices within seconds that the server is gone: without an answer, its own defaults wait for minutes or hours.
_CONNECTION: dict[str, Any] = {
    "prepare_threshold": None,
    "application_name": "gemwatch",
    "connect_timeout": _CONNECT_LIMIT,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def open_to_write(place: Postgresql, *, on_begin: Callable[[sa.Connection], None] = lambda _: None) -> sa.Engine:
    """An engine with one connection. `on_begin` is called first in each transaction."""
    return _opened(place, "BEGIN", statement=WRITE_LIMIT, lock=_LOCK_LIMIT, idle=_IDLE_LIMIT, on_begin=on_begin)


def open_to_migrate(place: Postgresql) -> sa.Engine:
    """An engine for what may take long."""
    return _opened(place, "BEGIN", statement=0, lock=60, idle=0)


def open_to_read(place: Postgresql, *, pooled: bool = False) -> sa.Engine:
    """An engine that cannot write. One transaction is one snapshot: a table and its totals agree.

    `pooled`: keep a connection between two transactions.
    """
    begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    return _opened(place, begin, statement=READ_LIMIT, lock=_LOCK_LIMIT, idle=_IDLE_LIMIT, pooled=pooled)


def _opened(
    place: Postgresql,
    begin: str,
    *,
    statement: int,
    lock: int,
    idle: int,
    on_begin: Callable[[sa.Connection], None] = lambda _: None,
    pooled: bool = True,
) -> sa.Engine:
    url = sa.URL.create(
        "postgresql+psycopg",
        username=place.user,
        password=place.password,
        host=place.host,
        port=place.port,
        database=place.database,
        query=dict(place.options),
    )
    given = {name: value for name, value in _CONNECTION.items() if name not in url.query}
    try:
        pool: dict[str, Any] = {"pool_size": 1, "max_overflow": 0} if pooled else {"poolclass": sa.NullPool}
        engine = sa.create_engine(url, connect_args=given, **pool)
    except ModuleNotFoundError:
        raise StoreError(
            "store.url names a PostgreSQL database, and psycopg is not installed: install gemwatch[postgresql]"
        ) from None
    limits = {"statement_timeout": statement, "lock_timeout": lock, "idle_in_transaction_session_timeout": idle}
    begin = "; ".join([begin, *(f"SET LOCAL {name} = '{seconds}s'" for name, seconds in limits.items())])

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        _replace_nul(connection)
        connection.autocommit = True  # `_begin` begins the transaction, together with its settings

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        relaxed = connection.get_execution_options().get(RELAXED)
        connection.exec_driver_sql(f"{begin}; SET LOCAL synchronous_commit = off" if relaxed else begin)
        on_begin(connection)

    return engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """How the server keeps up with cleaning, which the oldest transaction of anyone on this database can hold up.

    `oldest_transaction`: in seconds, of those that this user may see.
    """

    oldest_transaction: float
    dead_rows: int
    live_rows: int


def upkeep_of(connection: sa.Connection) -> Upkeep | None:
    """None on SQLite, which cleans up as it writes."""
    if connection.dialect.name != "postgresql":
        return None
    age = connection.exec_driver_sql(_OLDEST_TRANSACTION).scalar_one()
    dead, live = connection.exec_driver_sql(_ROWS).one()
    return Upkeep(oldest_transaction=age, dead_rows=dead, live_rows=live)


def check_server(connection: sa.Connection) -> None:
    """Raise StoreError unless this server and database can hold a store."""
    version = int((connection.dialect.server_version_info or (0,))[0])
    if version < OLDEST:
        raise StoreError(f"the store needs PostgreSQL {OLDEST} or later, and this server is {version}")
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise StoreError(
            f"the store's database has the encoding {encoding}, which cannot hold every name: create one with "
            "ENCODING 'UTF8'"
        )


def _replace_nul(connection: Any) -> None:
    """Texts from outside may have a NUL character, which PostgreSQL's texts cannot hold."""
    from psycopg.adapt import Dumper  # noqa: PLC0415 (an extra, and may not be installed)

    class Text(Dumper):
        def dump(self, obj: str) -> bytes:
            return obj.replace("\0", "?").encode()

    connection.adapters.register_dumper(str, Text)
