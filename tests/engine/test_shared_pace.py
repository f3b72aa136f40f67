"""Replicas on one store share the rate, and one that the API asked to wait holds the others."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.databases.rate_hold import RateHold
from gemwatch.core.job import NotFound, Throttled
from gemwatch.core.sharing.replicas import FRESH_FOR, Refreshed, Replica
from gemwatch.engine.pace import Pace, SharedPace
from support.clock import START, FakeClock
from support.postgresql import new_database


@pytest.fixture
def shared_engine() -> Iterator[sa.Engine]:
    with new_database() as place:
        engine = open_to_write(place)
        yield engine
        engine.dispose()


async def database(work: Callable[..., Any], *args: Any) -> Any:
    return work(*args)


class One:
    """A replica as far as its pace is concerned."""

    def __init__(self, name: str, engine: sa.Engine, clock: FakeClock) -> None:
        self.pace, self.clock, self.name, self.woken = Pace(clock, at_once=10, rate=4), clock, name, 0
        self.shared = SharedPace(
            me=name,
            holds=RateHold(engine, name),
            turns=self.pace.turns,
            database=database,  # type: ignore[arg-type]
            clock=clock,
            on_hold=self.wake,
        )

    def wake(self) -> None:
        self.woken += 1

    async def refresh(self, *names: str) -> None:
        began, seen = self.clock.monotonic(), START + timedelta(seconds=1)
        rows = [
            Replica(id=one, host="host", pid=1, version="1", started_at=START, seen_at=seen)
            for one in (names or "ab")
        ]
        await self.shared.update(Refreshed(now=seen, began=began, ended=began, replicas=tuple(rows)))


@pytest.fixture
def pair(shared_engine: sa.Engine, clock: FakeClock) -> tuple[One, One]:
    return One("a", shared_engine, clock), One("b", shared_engine, clock)


def is_free(one: One) -> bool:
    return not one.pace.held


async def test_replica_sends_only_while_its_row_is_fresh(pair: tuple[One, One], clock: FakeClock) -> None:
    one, _ = pair
    assert not is_free(one)
    await one.refresh("a")
    assert is_free(one)
    clock.advance(FRESH_FOR)
    assert not is_free(one)
    await one.refresh("a")
    assert is_free(one)


async def test_request_to_wait_holds_every_replica(pair: tuple[One, One], clock: FakeClock) -> None:
    asked, other = pair
    await asked.refresh()
    await other.refresh()
    asked.pace.settle(Throttled(at=START, retry_after=timedelta(hours=1)))
    assert asked.woken == 1
    await asked.refresh()
    await other.refresh()
    assert not is_free(other)
    assert other.pace.hold_left > 3500
    clock.advance(3600)
    await asked.refresh()
    await other.refresh()
    assert is_free(asked)  # sends the first request
    assert other.pace.asked_to_wait
    async with asked.pace.slot() as slot:
        assert slot.granted
        asked.pace.settle(NotFound(at=START))
    await asked.refresh()
    await other.refresh()
    assert is_free(other)


async def test_replica_that_was_asked_to_wait_may_die(pair: tuple[One, One], shared_engine: sa.Engine) -> None:
    asked, other = pair
    await asked.refresh()
    asked.pace.settle(Throttled(at=START, retry_after=timedelta(seconds=30)))
    await asked.refresh()
    await other.refresh()
    assert not is_free(other)
    with shared_engine.begin() as connection:
        connection.exec_driver_sql(
            """UPDATE service SET value = '{"until": "2026-03-01T12:00:00+00:00", "replica": "a"}'"""
        )
    await other.refresh()
    assert is_free(other)
