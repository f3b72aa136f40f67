"""The rows of the daemons that share a PostgreSQL store."""

import os
import socket
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from gemwatch import __version__
from gemwatch.adapters.store.databases.leases import LEADER, NOW
from gemwatch.adapters.store.tables import EPOCH, leases, replicas
from gemwatch.core.health import Login
from gemwatch.core.sharing.replicas import DEAD_AFTER, Refreshed, Replica

_MICROSECOND = timedelta(microseconds=1)
_SEEN_AT = sa.type_coerce(replicas.c.seen_at, sa.BigInteger)
_LEADS = sa.exists().where(
    leases.c.name == LEADER,
    leases.c.holder == replicas.c.id,
    sa.type_coerce(leases.c.expires_at, sa.BigInteger) > NOW,
)
_LIVE = (
    sa.select(replicas, _LEADS.label("leader"))
    .where(_SEEN_AT > NOW - DEAD_AFTER // _MICROSECOND)
    .order_by(replicas.c.started_at, replicas.c.id)
)
_REFRESH = (
    sa.update(replicas)
    .where(replicas.c.id == sa.bindparam("_id"))
    .values(seen_at=NOW, login=sa.bindparam("login"), watch_list=sa.bindparam("watch_list"))
)


class Member:
    """This daemon among the replicas. Every method is one transaction and safe to retry."""

    def __init__(self, engine: sa.Engine, monotonic: Callable[[], float], replica_id: str) -> None:
        self._engine = engine
        self._monotonic = monotonic
        self.id = replica_id

    def refresh(self, login: Login, watch_list: str | None) -> Refreshed:
        """Show the others that this daemon lives, and return which others do. The first call adds its row."""
        began = self._monotonic()
        values = {"login": login.value, "watch_list": watch_list}
        with self._engine.begin() as connection:
            if not connection.execute(_REFRESH, {"_id": self.id, **values}).rowcount:
                constants = {"id": self.id, "host": socket.gethostname(), "pid": os.getpid(), "version": __version__}
                row = {**constants, **values, "started_at": NOW, "seen_at": NOW}
                connection.execute(sa.insert(replicas).values(row))
            now = connection.execute(sa.select(NOW)).scalar_one()
            found = live_replicas(connection)
        return Refreshed(now=EPOCH + now * _MICROSECOND, began=began, ended=self._monotonic(), replicas=tuple(found))

    def leave(self) -> None:
        """At a clean stop: remove the row."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(replicas).where(replicas.c.id == self.id))


def live_replicas(connection: sa.Connection) -> Sequence[Replica]:
    """The daemons on this PostgreSQL store that refreshed their rows within 30 s, the oldest first."""
    return [_replica(row) for row in connection.execute(_LIVE)]


def _replica(row: Any) -> Replica:
    return Replica(
        id=row.id,
        host=row.host,
        pid=row.pid,
        version=row.version,
        started_at=row.started_at,
        seen_at=row.seen_at,
        leader=row.leader,
        login=Login(row.login),
        watch_list=row.watch_list,
    )
