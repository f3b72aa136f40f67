"""Leases on a PostgreSQL store: who leads, who sends to a target, and the commands that need it for themselves.

They are rows, not locks of a session: a pooler may share sessions, and a failover ends them.
"""

import os
import secrets
import socket
import time
from collections.abc import Collection
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gemwatch import __version__
from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.database import AlreadyRunningError, Writer
from gemwatch.adapters.store.databases import postgresql
from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.tables import MICROSECOND, Time, leases, replicas
from gemwatch.core.settings import Postgresql
from gemwatch.core.sharing.replicas import DEAD_AFTER, LEASE

LEADER = "leader"
_COMMAND = "command"  # the lease of a command that daemons must stay away from
_PAUSE = 0.5  # seconds between two reads of the row of a daemon that may have been killed
_INT = sa.BigInteger()
# The database's clock, because the clocks of two machines may differ.
NOW = sa.cast(sa.func.extract("epoch", sa.func.clock_timestamp()) * 1_000_000, _INT)
_UNTIL = NOW + LEASE // MICROSECOND
NOW_AS_TIME = sa.type_coerce(NOW, Time)
VALID = sa.type_coerce(leases.c.expires_at, _INT) > NOW
IS_LIVE = sa.type_coerce(replicas.c.seen_at, _INT) > NOW - DEAD_AFTER // MICROSECOND
_bind = sa.bindparam
_names: sa.BindParameter[list[str]] = _bind("names", expanding=True)
_HELD = sa.select(leases.c.name, leases.c.holder, VALID.label("valid")).where(leases.c.name.in_(_names))
_RENEW = sa.update(leases).where(leases.c.holder == _bind("me"), leases.c.name.in_(_names)).values(expires_at=_UNTIL)
_GIVE_UP = sa.delete(leases).where(leases.c.holder == _bind("me"), leases.c.name.not_in(_names))
# Waits for nobody: the holder may be in the middle of a transaction, and then its lease is in use.
_ENDED = sa.select(leases.c.name).where(leases.c.name.in_(_names), ~VALID).with_for_update(skip_locked=True)
_ANY_LIVE = sa.select(replicas).where(IS_LIVE).order_by(replicas.c.seen_at.desc()).limit(1)
_READ_COMMAND = sa.select(leases).where(leases.c.name == _COMMAND, VALID)
# A start of a daemon and of a command exclude each other.
_NO_STARTS = "LOCK TABLE leases IN SHARE ROW EXCLUSIVE MODE"


def hold(connection: sa.Connection, me: str, wanted: Collection[str]) -> tuple[set[str], set[str]]:
    """Renew the leases that are ours, take those that are free, and give up those that are no longer wanted.

    Returns those that we hold now, and those of them that we have taken.
    """
    rows = {row.name: row for row in connection.execute(_HELD, {"names": list(wanted)})}
    mine = {name for name, row in rows.items() if row.holder == me}
    if mine and connection.execute(_RENEW, {"me": me, "names": list(mine)}).rowcount != len(mine):
        mine &= {row.name for row in connection.execute(_HELD, {"names": list(mine)}) if row.holder == me}
    connection.execute(_GIVE_UP, {"me": me, "names": list(wanted)})
    taken = set[str]()
    values = {**_own(), "holder": me, "expires_at": _UNTIL}
    if ended := sorted(name for name, row in rows.items() if row.holder != me and not row.valid):
        free = connection.execute(_ENDED, {"names": ended}).scalars().all()
        if free:
            connection.execute(sa.update(leases).where(leases.c.name.in_(free)).values(values))
        taken |= set(free)
    for name in sorted({*wanted} - {*rows}):
        new = insert(leases).values(name=name, **values).on_conflict_do_nothing().returning(leases.c.name)
        taken |= set(connection.execute(new).scalars())
    return mine | taken, taken


def refuse_during_command(connection: sa.Connection) -> None:
    """At the start of a daemon. Raises AlreadyRunningError while a command needs the store for itself."""
    connection.exec_driver_sql(_NO_STARTS)
    if (row := connection.execute(_READ_COMMAND).first()) is not None:
        raise AlreadyRunningError(
            f"a command such as `gemwatch db copy` uses the store, as {_holder(row)}: try again when it has ended"
        )


class Exclusive:
    """A command has the store for itself: no daemon uses it or starts on it."""

    def __init__(self, place: Postgresql) -> None:
        self._place = place
        self._me = secrets.token_hex(8)

    def __enter__(self) -> Self:
        """Raises AlreadyRunningError if a daemon or a command uses the store. The tables exist.

        Waits until the rows of killed daemons are too old.
        """
        engine = postgresql.open_to_migrate(self._place)
        try:
            deadline, first = time.monotonic() + DEAD_AFTER.total_seconds() + 5, None
            while (row := self._try(engine)) is not None:
                first = first or row.seen_at
                if row.seen_at != first or time.monotonic() > deadline:
                    raise AlreadyRunningError(
                        f"gemwatch already runs on this store, as {_holder(row)}. Stop it first"
                    )
                time.sleep(_PAUSE)
        except sa.exc.DatabaseError as error:
            raise StoreError(f"the store {self._place} cannot be used: {dialects.reason_of(error.orig)}") from None
        finally:
            engine.dispose()
        return self

    def __exit__(self, *_: object) -> None:
        engine = postgresql.open_to_write(self._place)
        try:
            with engine.begin() as connection:
                connection.execute(_GIVE_UP, {"me": self._me, "names": []})
        except sa.exc.DatabaseError:
            pass  # it ends on its own
        finally:
            engine.dispose()

    def keep(self, connection: sa.Connection) -> None:
        """At the beginning of a transaction: renew the lease, which nobody can take until the transaction ends."""
        if not connection.execute(_RENEW, {"me": self._me, "names": [_COMMAND]}).rowcount:
            raise AlreadyRunningError("this command was stopped for too long, and another one uses the store now")

    def _try(self, engine: sa.Engine) -> Any:
        """Take the lease and return None, or return the row of a daemon that lives."""
        with engine.begin() as connection:
            refuse_during_command(connection)
            row = connection.execute(_ANY_LIVE).first()
            if row is None:
                connection.execute(sa.delete(leases).where(leases.c.name == _COMMAND))
                values = {**_own(), "name": _COMMAND, "holder": self._me, "expires_at": _UNTIL}
                connection.execute(sa.insert(leases).values(values))
        return row


def _own() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "version": __version__}


def _holder(row: Any) -> Writer:
    return Writer(pid=row.pid, host=row.host)
