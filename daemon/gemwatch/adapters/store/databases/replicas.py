"""The rows and leases of the daemons that share a PostgreSQL store."""

import os
import secrets
import socket
from collections.abc import Callable, Collection, Sequence
from typing import Any

import sqlalchemy as sa

from gemwatch import __version__
from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.claims import release
from gemwatch.adapters.store.databases.leases import (
    IS_LIVE,
    LEADER,
    NOW,
    NOW_AS_TIME,
    VALID,
    hold,
    refuse_during_command,
)
from gemwatch.adapters.store.tables import leases, replicas
from gemwatch.core.health import Login
from gemwatch.core.sharing.replicas import FRESH_FOR, NotLeaderError, Refreshed, Replica, is_dead

_bind = sa.bindparam
_ME: sa.BindParameter[str] = _bind("me")
_SEEN_AT = sa.type_coerce(replicas.c.seen_at, sa.BigInteger)
_LEADS = sa.exists().where(leases.c.name == LEADER, leases.c.holder == replicas.c.id, VALID)
_ALL = sa.select(replicas, _LEADS.label("leader")).order_by(replicas.c.started_at, replicas.c.id)
_LIVE = _ALL.where(IS_LIVE)
_REFRESH = (
    sa.update(replicas)
    .where(replicas.c.id == _bind("me"))
    .values(seen_at=NOW, login=_bind("login"), watch_list=_bind("watch_list"))
)
_FORGET_DEAD = sa.delete(replicas).where(~IS_LIVE).returning(replicas.c.id)
_FENCE = sa.select(leases.c.holder).where(leases.c.name == LEADER, leases.c.holder == _ME).with_for_update(read=True)
_FRESH = sa.select(replicas.c.id).where(replicas.c.id == _ME, NOW - int(FRESH_FOR * 1_000_000) < _SEEN_AT)
_SENDER = sa.select(leases.c.name).where(
    leases.c.name.in_(_bind("names", expanding=True)), leases.c.holder == _ME, VALID
)


class ReplicaRow:
    """This daemon among the replicas. Every method but those with a connection is one transaction, safe to retry."""

    def __init__(self, engine: sa.Engine, monotonic: Callable[[], float]) -> None:
        """Transactions of `leading(engine)` make sure that this replica leads until their end."""
        self._engine = engine
        self._monotonic = monotonic
        self._led, self._term = False, 0
        self.id = secrets.token_hex(8)
        sa.event.listen(engine, "begin", self._fence)

    def refresh(self, login: Login, watch_list: str | None, targets: Collection[str]) -> Refreshed:
        """Show the others that this daemon lives, and return which others do. The first call adds its row.

        Renews and takes the leases: the leader's, and those of the `targets` that this replica can send to. Raises
        AlreadyRunningError at the first call while a command needs the store for itself.
        """
        began = self._monotonic()
        values = {"login": login.value, "watch_list": watch_list}
        with self._engine.begin() as connection:
            if not connection.execute(_REFRESH, {"me": self.id, **values}).rowcount:
                self._join(connection, values)
            held, taken = hold(connection, self.id, [LEADER, *map(_lease, targets)])
            if LEADER in taken:
                self._led = False  # also if the commit is not answered: in between, another one may have led
            now = connection.execute(sa.select(NOW_AS_TIME)).scalar_one()
            found = [_replica(row) for row in connection.execute(_ALL)]
        ended = self._monotonic()
        if LEADER in held and not self._led:
            self._term += 1
        self._led = LEADER in held
        live = tuple(one for one in found if not is_dead(one, now))
        if len(live) < len(found):
            self._take_over()
        return Refreshed(
            now=now,
            began=began,
            ended=ended,
            replicas=live,
            leads=self._led,
            term=self._term,
            targets=frozenset(name for name in targets if _lease(name) in held),
        )

    def leave(self) -> None:
        """At a clean stop: others continue at once with what this replica had claimed or held."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(replicas).where(replicas.c.id == self.id))
            connection.execute(sa.delete(leases).where(leases.c.holder == self.id))
            release(connection, [self.id])

    def may_claim(self, connection: sa.Connection) -> bool:
        """Whether the row is fresh by the database's clock. Then nobody releases our claims for a while."""
        return connection.execute(_FRESH, {"me": self.id}).first() is not None

    def sendable(self, connection: sa.Connection, targets: Collection[str]) -> list[str]:
        """Those of these targets that only this replica sends to."""
        names = {_lease(target): target for target in targets}
        held = connection.execute(_SENDER, {"me": self.id, "names": list(names)}).scalars()
        return [names[name] for name in held]

    def _fence(self, connection: sa.Connection) -> None:
        """Others cannot take the lead before this transaction has ended."""
        if connection.get_execution_options().get(dialects.LEADING) and (
            connection.execute(_FENCE, {"me": self.id}).first() is None
        ):
            raise NotLeaderError

    def _join(self, connection: sa.Connection, values: dict[str, Any]) -> None:
        refuse_during_command(connection)
        own = {"id": self.id, "host": socket.gethostname(), "pid": os.getpid(), "version": __version__}
        connection.execute(sa.insert(replicas).values({**own, **values, "started_at": NOW, "seen_at": NOW}))

    def _take_over(self) -> None:
        """Release the claims of dead replicas, once: the replica that deletes the row does it."""
        with self._engine.begin() as connection:
            dead = connection.execute(_FORGET_DEAD).scalars().all()
            release(connection, dead)


def all_replicas(connection: sa.Connection) -> Sequence[Replica]:
    """Those of PostgreSQL, also dead ones that nobody has noticed yet."""
    return [_replica(row) for row in connection.execute(_ALL)]


def live_replicas(connection: sa.Connection) -> Sequence[Replica]:
    """The daemons that refreshed their rows within 30 s, the oldest first; none on SQLite."""
    if connection.dialect.name != "postgresql":
        return ()
    return [_replica(row) for row in connection.execute(_LIVE)]


def _lease(target: str) -> str:
    return f"target:{target}"


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
