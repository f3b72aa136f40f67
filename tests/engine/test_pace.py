"""Requests are spaced, limited in number, and paused when the API asks to wait."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest

from gemwatch.core.job import Failed, NotFound, Throttled
from gemwatch.core.sharing.rate import Share
from gemwatch.engine.pace import Pace, Shared, Turns
from support.clock import START, FakeClock
from support.waiting import until


async def test_requests_at_a_time_are_limited(clock: FakeClock) -> None:
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


async def test_pause_is_not_followed_by_a_burst(clock: FakeClock) -> None:
    pace = Pace(clock, at_once=10, rate=10)
    async with pace.slot():
        pass
    clock.advance(3600)
    async with pace.slot():
        pass
    assert pace.waits == pytest.approx(0.05)


def asked_to_wait(pause: float | None) -> Throttled:
    return Throttled(at=START, retry_after=None if pause is None else timedelta(seconds=pause))


ANSWERED, DOWN = NotFound(at=START), Failed(at=START, sent_at=START, reason="no answer")


async def test_hold_is_as_long_as_the_api_asked_for(clock: FakeClock) -> None:
    pace = Pace(clock, at_once=10, rate=0)
    pace.settle(asked_to_wait(30))
    pace.settle(asked_to_wait(1))  # a shorter pause does not end a longer one
    clock.advance(29)
    assert pace.held
    clock.advance(1)
    assert not pace.held


@pytest.mark.parametrize("pause", [None, 0])
async def test_holds_without_a_time_grow_until_an_answer(clock: FakeClock, pause: float | None) -> None:
    pace, holds = Pace(clock, at_once=10, rate=0), []
    for _ in range(8):
        for _ in range(16):  # all that were under way get the same answer
            pace.settle(asked_to_wait(pause))
        start = clock.monotonic()
        while pace.held:
            clock.advance(1)
        holds.append(clock.monotonic() - start)
    assert holds == [2, 4, 8, 16, 32, 60, 60, 60]
    pace.settle(ANSWERED)
    pace.settle(asked_to_wait(pause))
    clock.advance(2)
    assert not pace.held


async def test_pauses_that_the_api_names_do_not_make_later_ones_grow(clock: FakeClock) -> None:
    pace = Pace(clock, at_once=10, rate=0)
    for _ in range(16):  # all that were under way get the same answer
        pace.settle(asked_to_wait(1))
    clock.advance(1)
    pace.settle(asked_to_wait(None))
    clock.advance(2)
    assert not pace.held


async def test_hold_outlives_an_edit_of_the_limits(clock: FakeClock) -> None:
    old = Pace(clock, at_once=10, rate=10)
    new = Pace(clock, at_once=5, rate=2, turns=old.turns)
    old.settle(asked_to_wait(30))  # from a request that was running during the edit
    assert new.held


async def test_after_a_hold_one_request_goes_first(clock: FakeClock) -> None:
    pace = Pace(clock, at_once=10, rate=0)
    pace.settle(asked_to_wait(5))
    async with pace.slot() as during:
        assert not during.granted
    clock.advance(5)
    assert pace.ahead == 1
    async with pace.slot() as probe:
        assert probe.granted
        async with pace.slot() as other:
            assert not other.granted
        pace.settle(DOWN)  # no information: still one request at a time
    async with pace.slot() as probe, pace.slot() as other:
        assert (probe.granted, other.granted) == (True, False)
        pace.settle(ANSWERED)
        async with pace.slot() as further:
            assert not further.granted  # while the probe is running
    async with pace.slot() as one, pace.slot() as another:
        assert one.granted
        assert another.granted
    assert pace.ahead > 1


async def test_probe_that_is_cancelled_makes_room_for_another(clock: FakeClock) -> None:
    pace = Pace(clock, at_once=10, rate=0)
    pace.settle(asked_to_wait(1))
    clock.advance(1)
    with pytest.raises(asyncio.CancelledError):
        async with pace.slot():
            raise asyncio.CancelledError
    async with pace.slot() as probe:
        assert probe.granted


async def test_turn_that_comes_during_a_hold_is_not_granted(clock: FakeClock) -> None:
    pace = Pace(clock, at_once=10, rate=50)
    async with pace.slot():
        waiting = asyncio.create_task(pace.slot().__aenter__())
        await asyncio.sleep(0)
        pace.settle(asked_to_wait(5))
    clock.advance(1)
    assert not (await waiting).granted


def sharing(clock: FakeClock, *, rate: float, parts: int = 3, place: int = 0, ahead: float = 0.0) -> Pace:
    share = Share(parts=parts, place=place)
    shared = Shared(share=share, ahead=ahead, valid_until=clock.monotonic() + 1000)
    return Pace(clock, at_once=100, rate=rate, turns=Turns(shared=shared))


async def test_replicas_take_turns_whatever_their_clocks_say() -> None:
    turns = []
    for place, offset in enumerate((0.0, 3600.1, -77.7)):  # of the machine's clock, to the database's
        clock = FakeClock()
        clock.advance(10_000 - offset)
        pace = sharing(clock, rate=4, place=place, ahead=offset)
        await grant_in_turn(pace, clock)  # may be a late one
        for _ in range(20):
            await grant_in_turn(pace, clock)
            turns.append(clock.monotonic() + offset)
    gaps = [later - earlier for earlier, later in pairwise(sorted(turns))]
    assert gaps == pytest.approx([1 / 4] * 59, abs=1e-6)


async def grant(pace: Pace) -> None:
    async with pace.slot() as slot:
        assert slot.granted


async def test_late_replica_catches_up_by_no_more_than_a_turn(clock: FakeClock) -> None:
    pace = sharing(clock, rate=4)
    await grant_in_turn(pace, clock)
    clock.advance(900)
    await grant_in_turn(pace, clock)
    assert pace.waits >= 3 / 4 / 2 - 1e-6


async def grant_in_turn(pace: Pace, clock: FakeClock) -> None:
    clock.advance(pace.waits)
    await grant(pace)


async def test_replica_without_a_share_sends_nothing(clock: FakeClock) -> None:
    shared = Shared(valid_until=clock.monotonic() + 10)
    limited = Pace(clock, at_once=10, rate=4, turns=Turns(shared=shared))
    unlimited = Pace(clock, at_once=10, rate=0, turns=Turns(shared=shared))
    assert limited.held
    assert not unlimited.held
    async with limited.slot() as slot:
        assert not slot.granted
    assert not limited.asked_to_wait
    clock.advance(10)  # its row was not refreshed
    assert unlimited.held
    async with unlimited.slot() as slot:
        assert not slot.granted


async def test_turn_ends_with_the_share(clock: FakeClock) -> None:
    pace = sharing(clock, rate=50)
    clock.advance(pace.waits)
    await grant(pace)
    waiting = asyncio.create_task(pace.slot().__aenter__())
    await asyncio.sleep(0)
    clock.advance(1000)
    assert not (await waiting).granted


async def test_hold_of_another_replica_holds_this_one(clock: FakeClock) -> None:
    pace = sharing(clock, rate=0)
    assert pace.turns.shared is not None
    pace.turns.shared.held_until = clock.monotonic() + 5
    assert pace.held
    assert pace.hold_left == 5
    clock.advance(5)
    assert not pace.held


async def test_hold_is_reported_to_the_other_replicas(clock: FakeClock) -> None:
    reported: list[bool] = []
    shared = Shared(on_hold=lambda: reported.append(True), valid_until=clock.monotonic() + 10)
    Pace(clock, at_once=10, rate=0, turns=Turns(shared=shared)).settle(asked_to_wait(30))
    assert reported == [True]
