"""The lease that keeps a second daemon from a PostgreSQL store."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.database import AlreadyRunningError, open_to_read, open_to_write, relaxed
from gemwatch.adapters.store.databases.leases import Lease
from gemwatch.adapters.store.info import writer_of
from gemwatch.adapters.store.recording import Store
from gemwatch.adapters.store.tables import leases, service
from gemwatch.core.settings import Postgresql
from support.postgresql import daemon_on, new_database

NOW = datetime(2026, 2, 18, 12, tzinfo=UTC)


@pytest.fixture
def place() -> Iterator[Postgresql]:
    with new_database() as database:
        yield database


def test_lease_names_its_holder_until_it_is_given_up(place: Postgresql) -> None:
    assert writer_of(place) is None
    with Lease(place):
        writer = writer_of(place)
        assert writer is not None
        assert writer.pid == os.getpid()
        assert str(writer).endswith(f" on {os.uname().nodename}")
    assert writer_of(place) is None


def test_second_daemon_is_refused_while_the_first_renews(place: Postgresql) -> None:
    refusal = rf"as process {os.getpid()} on .*Stop that one first"
    with daemon_on(place), pytest.raises(AlreadyRunningError, match=refusal):
        Lease(place).__enter__()


def test_lease_of_a_killed_daemon_ends(place: Postgresql) -> None:
    dead = Lease(place).__enter__()
    expire(place)
    with Lease(place) as taken:
        ours, theirs = open_to_write(place, lock=taken), open_to_write(place, lock=dead)
        with ours.begin():
            pass
        with pytest.raises(AlreadyRunningError, match="has taken over"), theirs.begin() as connection:
            connection.execute(sa.delete(service))
        with ours.begin() as connection:
            assert connection.execute(sa.select(service)).first() is not None
        ours.dispose()
        theirs.dispose()


def test_lease_that_nobody_took_continues(place: Postgresql) -> None:
    with Lease(place) as lease:
        expire(place)
        engine = open_to_write(place, lock=lease)
        with engine.begin():
            pass
        assert writer_of(place) is not None
        engine.dispose()


@pytest.mark.parametrize("durable", [True, False])
def test_lease_is_checked_between_renewals(place: Postgresql, *, durable: bool) -> None:
    with Lease(place) as lease:
        engine = open_to_write(place, lock=lease)
        engine = engine if durable else relaxed(engine)
        with engine.begin():
            pass
        other = open_to_write(place)
        with other.begin() as connection:
            connection.execute(sa.update(leases).values(holder="another"))
        with pytest.raises(AlreadyRunningError, match="has taken over"), engine.begin():
            pass
        engine.dispose()
        other.dispose()


def test_nobody_takes_the_lease_during_a_transaction(place: Postgresql) -> None:
    with Lease(place) as lease:
        engine, other = open_to_write(place, lock=lease), open_to_write(place)
        with engine.begin():
            pass
        with engine.begin(), other.connect() as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")
            with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
                connection.execute(sa.delete(leases))
        engine.dispose()
        other.dispose()


def test_idle_daemon_changes_no_marker(place: Postgresql) -> None:
    with Lease(place) as lease:
        engine = relaxed(open_to_write(place, lock=lease))
        reading = open_to_read(place)
        with engine.begin():
            pass
        with reading.begin() as connection:
            before = dialects.marker(connection)
        assert Store(engine).claim_watches(NOW, 10, timedelta(minutes=1)) == []
        with reading.begin() as connection:
            assert dialects.marker(connection) == before
        engine.dispose()


def expire(place: Postgresql) -> None:
    engine = open_to_write(place)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE leases SET expires_at = expires_at - 60 * 1000000"))
    engine.dispose()
