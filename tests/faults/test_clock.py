"""The wall clock jumps in the worst order: the loops use the new time before the jump is detected."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gemwatch.core.events import Target
from support.clock import FakeClock
from support.gem import Answer, ScriptedGem
from support.inbox import Inbox
from support.rig import running, settings_for

JOBS = range(1, 11)
HOUR, DAY = 3600, 86400
JUMPS = pytest.mark.parametrize("jump", [HOUR, -HOUR, DAY, -DAY], ids=["+1h", "-1h", "+1d", "-1d"])
# Both nights: the missing hour and the repeated hour.
NIGHTS = [datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)]


@pytest.fixture(params=["Europe/Amsterdam", "UTC"])
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    time.tzset()


@JUMPS
async def test_clock_jump_causes_no_storm_and_no_silence(
    gem: ScriptedGem, clock: FakeClock, tmp_path: Path, jump: int
) -> None:
    for job_id in JOBS:
        gem.answers(job_id, "IN_PROGRESS")
    async with running(settings_for(gem, tmp_path, watches=JOBS), clock) as rig:
        await rig.poll(times=2)
        clock.jump(jump)
        await rig.poll(after=timedelta(seconds=1))
        await rig.maintenance.round()
        asked = {job_id: gem.asked(job_id) for job_id in JOBS}
        assert set(asked.values()) <= {2, 3}
        await rig.poll(times=5)
        assert {gem.asked(job_id) - asked[job_id] for job_id in JOBS} == {5}


@JUMPS
async def test_message_that_fails_after_a_jump_is_retried_in_seconds(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path, jump: int
) -> None:
    gem.answers(1, "IN_PROGRESS", "SUCCESS")
    inbox.fails_with = 503
    settings = settings_for(gem, tmp_path, [Target(name="team", url=inbox.target_url())], [1])
    async with running(settings, clock) as rig:
        await rig.poll(times=2)
        clock.jump(jump)
        await rig.deliver(after=1)
        await rig.maintenance.round()
        inbox.fails_with = None
        await rig.deliver(times=3, after=5)  # the first attempt may have come before the jump
        assert inbox.titles() == ["SUCCESS: job 1"]


@JUMPS
async def test_clock_jump_does_not_make_a_target_down(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path, jump: int
) -> None:
    gem.answers(1, "SUCCESS")
    inbox.fails_with = 503
    settings = settings_for(gem, tmp_path, [Target(name="team", url=inbox.target_url())], [1])
    async with running(settings, clock) as rig:
        await rig.poll()
        await rig.deliver()
        clock.jump(jump)
        await rig.maintenance.round()
        await rig.deliver(times=3, after=10)
        health = rig.store.target_health()["team"]
        assert health.failing_since is not None
        assert clock.now() - health.failing_since < timedelta(minutes=5)
        assert not health.down


@JUMPS
async def test_login_recovery_after_a_jump_is_noticed_at_once(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path, jump: int
) -> None:
    for job_id in JOBS:
        gem.answers(job_id, "IN_PROGRESS")
    settings = settings_for(gem, tmp_path, [Target(name="team", url=inbox.target_url())], JOBS)
    async with running(settings, clock) as rig:
        await rig.poll()
        gem.for_all = Answer(status=401)
        await rig.poll(times=4)
        assert rig.health_monitor.locked_out
        clock.jump(jump)
        await rig.maintenance.round()
        gem.for_all = None
        await rig.poll(times=3)
        await rig.deliver()
    assert inbox.titles() == ["gemwatch: login refused", "gemwatch: login recovered"]


@pytest.mark.parametrize("night", NIGHTS, ids=["spring", "autumn"])
async def test_daylight_saving_nights_change_nothing(
    gem: ScriptedGem, tmp_path: Path, zone: str, night: datetime
) -> None:
    clock = FakeClock(night)
    gem.answers(1, "IN_PROGRESS")
    async with running(settings_for(gem, tmp_path, watches=[1]), clock) as rig:
        for _ in range(75):
            await rig.poll()
            await rig.maintenance.round()
        assert gem.asked(1) == 75
    assert clock.now() > night + timedelta(minutes=89)
