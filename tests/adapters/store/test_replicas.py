"""The replicas on one PostgreSQL store: their rows, and what each sees of the others."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.databases.replicas import Member, live_replicas
from gemwatch.core.health import Login
from gemwatch.core.settings import Postgresql
from gemwatch.core.sharing.replicas import FRESH_FOR, Refreshed, is_fresh
from support.postgresql import new_database


@pytest.fixture
def place() -> Iterator[Postgresql]:
    with new_database() as database:
        yield database


@pytest.fixture
def engine(place: Postgresql) -> Iterator[sa.Engine]:
    engine = open_to_write(place)
    yield engine
    engine.dispose()


def member(engine: sa.Engine, name: str) -> Member:
    return Member(engine, time.monotonic, name)


def age(engine: sa.Engine, seconds: float) -> None:
    """Make all rows older."""
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE replicas SET seen_at = seen_at - :by"), {"by": int(seconds * 1_000_000)})


def test_replicas_see_each_other_until_they_leave(engine: sa.Engine) -> None:
    first, second = member(engine, "a"), member(engine, "b")
    alone = first.refresh(Login.UNKNOWN, None)
    assert [one.id for one in alone.replicas] == ["a"]
    both = second.refresh(Login.OK, "list-1").replicas
    assert [(one.id, one.login, one.watch_list) for one in both] == [
        ("a", Login.UNKNOWN, None),
        ("b", Login.OK, "list-1"),
    ]
    assert {(one.host, one.pid) for one in both} == {(os.uname().nodename, os.getpid())}
    second.leave()
    assert [one.id for one in first.refresh(Login.OK, None).replicas] == ["a"]


def test_replica_that_is_not_seen_is_not_live(engine: sa.Engine) -> None:
    member(engine, "a").refresh(Login.OK, None)
    age(engine, 31)
    with engine.begin() as connection:
        assert live_replicas(connection) == []
    assert len(member(engine, "a").refresh(Login.OK, None).replicas) == 1


def test_refresh_keeps_the_start_and_returns_the_database_time(engine: sa.Engine) -> None:
    one = member(engine, "a")
    before = one.refresh(Login.OK, None)
    after = one.refresh(Login.OK, None)
    with engine.begin() as connection:
        now: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    assert before.now < after.now <= now < after.now + timedelta(minutes=5)
    assert before.replicas[0].started_at == after.replicas[0].started_at < after.replicas[0].seen_at


@pytest.mark.parametrize(("age", "fresh"), [(0.0, True), (FRESH_FOR - 0.1, True), (FRESH_FOR, False)])
def test_old_refresh_is_not_fresh(age: float, *, fresh: bool) -> None:
    refreshed = Refreshed(now=datetime(2026, 2, 18, tzinfo=UTC), began=100.0, ended=101.0)
    assert is_fresh(refreshed, 100.0 + age) is fresh
    assert not is_fresh(None, 100.0)
