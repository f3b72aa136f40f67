"""Which replicas have reported that their login is refused. Each report of a refusal is followed by one of its end.

The store knows this, not the replica, which may have ended. A replica that is started in its place continues.
"""

import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store.databases.leases import NOW_AS_TIME
from gemwatch.adapters.store.databases.replicas import all_replicas, live_replicas
from gemwatch.adapters.store.notes import read_notes, write_notes
from gemwatch.adapters.store.tables import service
from gemwatch.core.events import Event
from gemwatch.core.health import Login
from gemwatch.core.kinds import LoginFacts

_PREFIX = "login_refused:"  # of a note per report, whose name ends with the replica's id
_REPORTS = (
    sa.select(service.c.name, service.c.value)
    .where(service.c.name.startswith(_PREFIX, autoescape=True))
    .order_by(service.c.name)
)
_TAKE = sa.delete(service).where(service.c.name == sa.bindparam("taken")).returning(service.c.value)


def to_report(connection: sa.Connection, me: str, happened: Iterable[Event]) -> list[Event]:
    """Those of this replica's events that are to be recorded: without a refusal that is reported already, and without
    the end of one that is not."""
    return [event for one in happened if (event := _to_report(connection, me, one)) is not None]


def ended(connection: sa.Connection, now: datetime) -> Iterator[Event]:
    """For the leader: the ends of refusals whose replicas are gone, as soon as another one polls."""
    live = live_replicas(connection)
    working = [one for one in live if one.login is Login.OK]
    gone = _reports(connection, without={one.id for one in live}) if working else []
    for name, report in gone:
        if _take(connection, name) is not None:
            restarted = any(
                one.host == report["host"] and one.started_at > datetime.fromisoformat(report["at"])
                for one in working
            )
            replica = report["replica"] if restarted else report["host"]
            facts = LoginFacts(over=True, since=_since(report), replica=replica, ended=not restarted)
            yield Event(at=now, facts=facts)


def carry_over(connection: sa.Connection, *, shared: bool) -> None:
    """After a copy into the other kind of database: what was reported is not reported again, but its end is.

    `shared`: replicas can share this store, and the other one had a single daemon.
    """
    if not shared:
        for name, report in _reports(connection, without=set()):
            _take(connection, name)
            write_notes(connection, {"login": Login.REFUSED.value, "login_since": report["since"]})
    elif (notes := read_notes(connection)).get("login") == Login.REFUSED:
        _keep(connection, "copied", replica=None, since=notes.get("login_since"))


def _to_report(connection: sa.Connection, me: str, event: Event) -> Event | None:
    facts, mine = event.facts, f"{_PREFIX}{me}"
    if not isinstance(facts, LoginFacts) or facts.some_jobs or event.job_id is not None:
        return event
    before = _take(connection, mine)
    if facts.over:
        return None if before is None else replace(event, facts=replace(facts, since=_since(before)))
    before = before or _inherit(connection, me, anywhere=not facts.others_poll)
    if before is not None:
        _keep(connection, me, replica=before["replica"], since=before["since"])
        return None
    _keep(connection, me, replica=facts.replica, since=facts.since.isoformat() if facts.since else None)
    return event


def _keep(connection: sa.Connection, replica_id: str, *, replica: str | None, since: str | None) -> None:
    """Note that the refused login of a replica is reported."""
    at = connection.execute(sa.select(NOW_AS_TIME)).scalar_one().isoformat()
    report = {"host": socket.gethostname(), "replica": replica, "since": since, "at": at}
    write_notes(connection, {f"{_PREFIX}{replica_id}": report})


def _inherit(connection: sa.Connection, me: str, *, anywhere: bool) -> Any:
    """Take over the report of a replica that was not seen since this one was started. None: there is none.

    `anywhere`: also of another host, because no other replica polls, so that this is the same outage.
    """
    rows = {one.id: one for one in all_replicas(connection)}
    if me not in rows:
        return None
    others = {one.id for one in rows.values() if one.seen_at > rows[me].started_at}
    for name, report in _reports(connection, without=others):
        if (anywhere or report["host"] == socket.gethostname()) and (taken := _take(connection, name)) is not None:
            return taken
    return None


def _reports(connection: sa.Connection, *, without: set[str]) -> Sequence[tuple[str, Any]]:
    found = [(row.name, row.value) for row in connection.execute(_REPORTS)]
    return [(name, report) for name, report in found if name.removeprefix(_PREFIX) not in without]


def _take(connection: sa.Connection, name: str) -> Any:
    """Delete a report; None if another replica has done so."""
    return connection.execute(_TAKE, {"taken": name}).scalar()


def _since(report: Any) -> datetime | None:
    return datetime.fromisoformat(report["since"]) if report["since"] else None
