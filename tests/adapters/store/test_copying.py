"""Moving a store between SQLite and PostgreSQL."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store.database import AlreadyRunningError, WriterLock, open_to_read, open_to_write
from gemwatch.adapters.store.databases.copying import copy
from gemwatch.adapters.store.databases.replicas import ReplicaRow
from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.housekeeping import Housekeeping
from gemwatch.adapters.store.recording import Store
from gemwatch.adapters.store.tables import events, leases, metadata, replicas, watches
from gemwatch.core.events import Event, Target
from gemwatch.core.health import Login
from gemwatch.core.kinds import EventKind, LoginFacts
from gemwatch.core.settings import Place
from support.events import event_of
from support.filled import fill
from support.postgresql import daemon_on, new_database

NOW = datetime(2026, 2, 18, 12, tzinfo=UTC)


@pytest.fixture
def target(request: pytest.FixtureRequest, place: Place, tmp_path: Path) -> Iterator[Place]:
    """An empty place of the other kind."""
    if not isinstance(place, Path):
        yield tmp_path / "copy.db"
        return
    with new_database(empty=True) as database:
        yield database


def rows(place: Place) -> dict[str, list[object]]:
    engine = open_to_read(place)
    with engine.begin() as connection:
        found = {
            table.name: [tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key))]
            for table in metadata.sorted_tables
            if table not in (leases, replicas)
        }
    engine.dispose()
    return found


def next_event(place: Place) -> int:
    engine = open_to_write(place)
    store = Store(engine, [Target(name="team", url="json://127.0.0.1", on=frozenset(EventKind))])
    recorded = store.record([], [event_of(EventKind.LOGIN, at=NOW)])
    engine.dispose()
    return recorded.events[0].event_id


def test_copy_has_every_row_and_continues_the_numbers(place: Place, target: Place) -> None:
    fill(place)
    newest = _delete_newest_event(place)
    copied = copy(place, target)
    assert rows(target) == rows(place)
    assert copied["watches"] == len(rows(place)["watches"]) > 0
    assert next_event(target) == newest + 1


def test_copy_keeps_what_waits_to_be_sent(place: Place, target: Place) -> None:
    number = next_event(place)
    copy(place, target)
    engine = open_to_write(target)
    store = Store(engine)
    (bundle,) = store.claim_deliveries(NOW + timedelta(seconds=1), ["team"], timedelta(minutes=1))
    assert [one.event_id for one in bundle.deliveries] == [number]
    engine.dispose()


def test_copy_refuses_a_target_with_content(place: Place, target: Place) -> None:
    copy(place, target)
    engine = open_to_write(target)
    with engine.begin() as connection:
        connection.execute(sa.insert(watches).values(job_id=1, watched=True, every=timedelta(minutes=1)))
    engine.dispose()
    with pytest.raises(StoreError, match="is not empty"):
        copy(place, target)
    assert len(rows(target)["watches"]) == 1


@pytest.mark.parametrize("used", ["source", "target"])
def test_copy_is_refused_while_a_daemon_uses_either(place: Place, target: Place, used: str) -> None:
    copy(place, target)
    busy = place if used == "source" else target
    daemon = WriterLock(busy) if isinstance(busy, Path) else daemon_on(busy)
    with daemon, pytest.raises(AlreadyRunningError):
        copy(place, target)


def test_copy_onto_itself_is_refused(place: Place) -> None:
    with pytest.raises(StoreError, match="the same store"):
        copy(place, place)


def report_logins(place: Place, *over: bool) -> list[int]:
    """A daemon finds that its login is refused, or has recovered. How many events each of these causes."""
    engine = open_to_write(place)
    member = None if isinstance(place, Path) else ReplicaRow(engine, time.monotonic)
    store, caused = Store(engine, member=member), []
    for well in over:
        if member is not None:
            member.refresh(Login.OK if well else Login.REFUSED, None, ())
        notes = {"login": "ok" if well else "refused", "login_since": None if well else NOW.isoformat()}
        event = Event(at=NOW, facts=LoginFacts(over=well, since=NOW))
        caused.append(len(store.record([], [event], notes).events))
    if member is not None:
        member.leave()
    engine.dispose()
    return caused


def test_copy_continues_a_refused_login(place: Place, target: Place) -> None:
    assert report_logins(place, False) == [1]
    copy(place, target)
    engine = open_to_write(target)
    notes = Housekeeping(engine).notes()
    engine.dispose()
    assert (notes["login"], notes["login_since"]) == ("refused", NOW.isoformat())
    if isinstance(target, Path):  # the only daemon there continues with the notes
        assert [name for name in notes if name.startswith("login_refused")] == []
    else:
        assert report_logins(target, False, True, False) == [0, 1, 1]


def test_copy_of_a_working_login_reports_a_refusal(place: Place, target: Place) -> None:
    assert report_logins(place, False, True) == [1, 1]
    copy(place, target)
    assert report_logins(target, False) == [1]


def _delete_newest_event(place: Place) -> int:
    engine = open_to_write(place)
    with engine.begin() as connection:
        number = connection.execute(sa.insert(events).values(kind="login", at=NOW, facts={})).inserted_primary_key
        assert number is not None
        connection.execute(sa.delete(events).where(events.c.id == number[0]))
    engine.dispose()
    return int(number[0])
