"""Several daemons on one store: which of them live, which one leads, and what each may do."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gemwatch.core.health import Login

REFRESH_EVERY = 3.0  # seconds between two refreshes of a replica's row and leases
FRESH_FOR = 10.0  # seconds: a replica whose row is older neither claims nor sends, until it is refreshed
LEASE = timedelta(seconds=20)  # after its last refresh, others may lead or send to a target in its place
DEAD_AFTER = timedelta(seconds=30)  # after its last refresh, others take over what it had claimed


class NotLeaderError(Exception):
    """Another replica leads now, so nothing was written. It does this work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A daemon on a shared store, as its row shows it. Times are the database's.

    `id` is random for each start. `watch_list`: a hash of its configured watch list, None if it has read none yet.
    """

    id: str
    host: str
    pid: int
    version: str
    started_at: datetime
    seen_at: datetime
    leader: bool = False
    login: Login = Login.UNKNOWN
    watch_list: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """The result of a refresh. `began`, `ended`: in monotonic seconds. `now`: the database's time in between.

    `replicas`: all that live, the oldest first, with this one. `leads`: whether this one has the leader's lease.
    `term`: how often it got it. `targets`: those that only this replica sends to.
    """

    now: datetime
    began: float
    ended: float
    replicas: tuple[Replica, ...] = ()
    leads: bool = False
    term: int = 0
    targets: frozenset[str] = frozenset()


def is_fresh(refreshed: Refreshed | None, now: float) -> bool:
    """Whether the last refresh is recent enough to claim and to send. `now`: monotonic seconds.

    A process that was frozen is not fresh when it continues: others may have taken over its work in the meantime.
    """
    return refreshed is not None and now - refreshed.began < FRESH_FOR


def others_poll(replicas: Iterable[Replica], me: str) -> bool:
    """Whether any other replica polls: its login is not refused, as far as it knows."""
    return any(one.id != me and one.login is not Login.REFUSED for one in replicas)


def is_dead(replica: Replica, now: datetime) -> bool:
    """Whether others may take over what it had claimed."""
    return now - replica.seen_at > DEAD_AFTER
