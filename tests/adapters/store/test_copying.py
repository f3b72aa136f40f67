"""Moving a store between SQLite and PostgreSQL."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store.database import AlreadyRunningError, WriterLock, open_to_read, open_to_write
from gemwatch.adapters.store.databases.copying import copy
from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.recording import Store
from gemwatch.adapters.store.tables import events, leases, metadata, replicas, watches
from gemwatch.core.events import Target
from gemwatch.core.kinds import EventKind
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


def _delete_newest_event(place: Place) -> int:
    engine = open_to_write(place)
    with engine.begin() as connection:
        number = connection.execute(sa.insert(events).values(kind="login", at=NOW, facts={})).inserted_primary_key
        assert number is not None
        connection.execute(sa.delete(events).where(events.c.id == number[0]))
    engine.dispose()
    return int(number[0])
