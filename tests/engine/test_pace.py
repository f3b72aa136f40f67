"""Requests are spaced, limited in number, and held back when the API asks for it."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest

from gemwatch.engine.pace import Pace
from support.clock import FakeClock
from support.waiting import until


async def test_no_more_than_so_many_at_a_time(clock: FakeClock) -> None:
    pace, inside, most, gate = Pace(clock, at_once=3, rate=0), 0, 0, asyncio.Event()

    async def one() -> None:
        nonlocal inside, most
        async with pace.slot():
            inside += 1
            most = max(most, inside)
            await gate.wait()
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(one())
        await until(lambda: inside == 3, "three inside")
        gate.set()
    assert most == 3


@pytest.mark.parametrize("rate", [1, 10, 100])
async def test_turns_are_spaced_evenly_whatever_is_due_at_once(clock: FakeClock, rate: float) -> None:
    pace, turns = Pace(clock, at_once=1000, rate=rate), []
    for _ in range(50):
        while pace.waits > 0:
            clock.advance(pace.waits)
        async with pace.slot():
            turns.append(clock.monotonic())
    gaps = [later - earlier for earlier, later in pairwise(turns)]
    assert min(gaps) > 0.49 / rate
    assert sum(gaps) == pytest.approx(49 / rate, rel=0.05)


async def test_after_a_pause_there_is_no_burst(clock: FakeClock) -> None:
    pace = Pace(clock, at_once=10, rate=10)
    async with pace.slot():
        pass
    clock.advance(3600)
    async with pace.slot():
        pass
    assert pace.waits == pytest.approx(0.05)


async def test_a_hold_is_what_the_api_asked_for_and_a_shorter_one_does_not_lift_it(clock: FakeClock) -> None:
    pace = Pace(clock, at_once=10, rate=0)
    pace.throttle(timedelta(seconds=30))
    pace.throttle(timedelta(seconds=1))
    clock.advance(29)
    assert pace.held
    clock.advance(1)
    assert not pace.held


async def test_without_a_word_on_how_long_holds_grow_until_the_api_is_content(clock: FakeClock) -> None:
    pace, holds = Pace(clock, at_once=10, rate=0), []
    for _ in range(8):
        for _ in range(16):  # all that were under way are told the same
            pace.throttle(None)
        start = clock.monotonic()
        while pace.held:
            clock.advance(1)
        holds.append(clock.monotonic() - start)
    assert holds == [2, 4, 8, 16, 32, 60, 60, 60]
    pace.relax()
    pace.throttle(None)
    clock.advance(2)
    assert not pace.held


async def test_pauses_that_the_api_names_do_not_make_later_ones_grow(clock: FakeClock) -> None:
    pace = Pace(clock, at_once=10, rate=0)
    for _ in range(16):  # all that were under way are told the same
        pace.throttle(timedelta(seconds=1))
    clock.advance(1)
    pace.throttle(None)
    clock.advance(2)
    assert not pace.held


async def test_a_hold_outlives_an_edit_of_the_limits(clock: FakeClock) -> None:
    old = Pace(clock, at_once=10, rate=10)
    new = Pace(clock, at_once=5, rate=2, turns=old.turns)
    old.throttle(timedelta(seconds=30))  # by a request that was under way during the edit
    assert new.held
