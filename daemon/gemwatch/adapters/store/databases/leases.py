"""The lease of a PostgreSQL store: one daemon holds it and renews it, and others stay away until it ends.

It is a row, not a lock of a session: a pooler may share sessions, and a failover ends them.
"""

import os
import secrets
import socket
import time
from collections.abc import Callable
from typing import Any, Self

import sqlalchemy as sa

from gemwatch import __version__
from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.database import AlreadyRunningError, Writer
from gemwatch.adapters.store.databases import postgresql
from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.tables import leases
from gemwatch.core.settings import Postgresql

LENGTH, RENEWED_EVERY = 20.0, 5.0  # seconds
LEADER = "leader"
_PAUSE = 0.5  # seconds between two reads of a lease that another daemon may have left behind
_MICROSECONDS = 1_000_000
# The database's clock, because the clocks of two machines may differ.
NOW = sa.cast(sa.func.extract("epoch", sa.func.clock_timestamp()) * _MICROSECONDS, sa.BigInteger)
_UNTIL = NOW + int(LENGTH * _MICROSECONDS)
_MINE = (leases.c.name == LEADER) & (leases.c.holder == sa.bindparam("me"))
_RENEW = sa.update(leases).where(_MINE).values(expires_at=_UNTIL)
_HELD = sa.select(leases.c.holder).where(_MINE)
_READ = sa.select(leases, (sa.type_coerce(leases.c.expires_at, sa.BigInteger) > NOW).label("valid")).where(
    leases.c.name == LEADER
)


class Lease:
    """The daemon holds the lease while it runs. Each of its transactions makes sure of that.

    A daemon that was frozen for longer than the lease writes nothing when it continues.
    """

    def __init__(self, place: Postgresql, on_wait: Callable[[Writer], None] = lambda _: None) -> None:
        """`on_wait` is called once if the lease of another daemon has not ended yet."""
        self._place, self._on_wait = place, on_wait
        self.holder = secrets.token_hex(8)
        self._renewed = 0.0

    def __enter__(self) -> Self:
        """Take the lease, whose tables exist. Waits for the end of one that a killed daemon has left behind.

        Raises AlreadyRunningError if another daemon renews its own.
        """
        engine = postgresql.open_to_migrate(self._place)
        try:
            deadline, first = time.monotonic() + LENGTH + RENEWED_EVERY, None
            while (row := self._try(engine)) is not None:
                if first is None:
                    first = row.expires_at
                    self._on_wait(_holder(row))
                if row.expires_at != first or time.monotonic() > deadline:
                    raise AlreadyRunningError(
                        f"gemwatch already runs on this store, as {_holder(row)}: two would send everything twice. "
                        "Stop that one first, or give this one a store.url of its own"
                    )
                time.sleep(_PAUSE)
        except sa.exc.DatabaseError as error:
            raise StoreError(f"the store {self._place} cannot be used: {dialects.reason_of(error.orig)}") from None
        finally:
            engine.dispose()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the lease up, so that the next daemon starts at once."""
        engine = postgresql.open_to_write(self._place)
        try:
            with engine.begin() as connection:
                connection.execute(sa.delete(leases).where(_MINE), {"me": self.holder})
        except sa.exc.DatabaseError:
            pass  # it ends by itself
        finally:
            engine.dispose()

    def keep(self, connection: sa.Connection) -> None:
        """At the beginning of a transaction: make sure that the lease is ours until its end, and renew it in time.

        What need not be durable is not locked, since it can be repeated, and since a lock is a write: every read
        would wake the pages.
        """
        now = time.monotonic()
        if now - self._renewed >= RENEWED_EVERY:
            held = bool(connection.execute(_RENEW, {"me": self.holder}).rowcount)
            self._renewed = now
        else:
            relaxed = connection.get_execution_options().get(dialects.RELAXED)
            query = _HELD if relaxed else _HELD.with_for_update(read=True)
            held = connection.execute(query, {"me": self.holder}).first() is not None
        if not held:
            self._renewed = 0.0
            other = connection.execute(_READ).first()
            name = "another daemon" if other is None else str(_holder(other))
            raise AlreadyRunningError(
                f"this process did not renew its lease on the store for {LENGTH:.0f} s, and {name} has taken over"
            )

    def _try(self, engine: sa.Engine) -> Any:
        """Take the lease and return None, or return the row of the daemon that has it."""
        values = {
            "name": LEADER,
            "holder": self.holder,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": __version__,
            "expires_at": _UNTIL,
        }
        with engine.begin() as connection:
            connection.exec_driver_sql("LOCK TABLE leases IN SHARE ROW EXCLUSIVE MODE")  # two may start at once
            row = connection.execute(_READ).first()
            if row is not None and row.valid:
                return row
            connection.execute(sa.delete(leases).where(leases.c.name == LEADER))
            connection.execute(sa.insert(leases).values(values))
        return None


def holder_of(engine: sa.Engine) -> Writer | None:
    """The daemon that uses this PostgreSQL store; None if there is none."""
    with engine.begin() as connection:
        row = connection.execute(_READ).first()
    return None if row is None or not row.valid else _holder(row)


def _holder(row: Any) -> Writer:
    return Writer(pid=row.pid, host=row.host)
