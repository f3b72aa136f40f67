"""The lease that keeps a second daemon from a PostgreSQL store."""

import os
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store.database import AlreadyRunningError, open_to_write
from gemwatch.adapters.store.databases.leases import Lease
from gemwatch.adapters.store.info import writer_of
from gemwatch.adapters.store.tables import leases, service
from gemwatch.core.settings import Postgresql
from support.postgresql import daemon_on, new_database


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


def test_lease_is_checked_between_renewals(place: Postgresql) -> None:
    with Lease(place) as lease:
        engine = open_to_write(place, lock=lease)
        with engine.begin():
            pass
        other = open_to_write(place)
        with other.begin() as connection:
            connection.execute(sa.update(leases).values(holder="another"))
        with pytest.raises(AlreadyRunningError, match="has taken over"), engine.begin():
            pass
        engine.dispose()
        other.dispose()


def expire(place: Postgresql) -> None:
    engine = open_to_write(place)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE leases SET expires_at = expires_at - 60 * 1000000"))
    engine.dispose()
