"""The time that the engine uses follows a jump of the wall clock on request."""

from datetime import timedelta

import pytest

from gemwatch.core.clock import SteadyClock
from support.clock import START, FakeClock

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("jump", [86_400, -86_400, 11])
def test_jump_counts_once_it_is_followed(clock: FakeClock, jump: int) -> None:
    steady = SteadyClock(clock)
    clock.jump(jump)
    clock.advance(1)
    assert (steady.now(), steady.jump) == (START + SECOND, jump * SECOND)
    steady.follow()
    assert (steady.now(), steady.jump) == (START + SECOND + jump * SECOND, timedelta())


def test_drift_is_followed_at_once(clock: FakeClock) -> None:
    steady = SteadyClock(clock)
    clock.jump(9)
    assert (steady.now(), steady.jump) == (clock.now(), timedelta())
