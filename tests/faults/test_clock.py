"""The wall clock jumps in the worst order: the loops use the new time before the jump is detected."""

import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gemwatch.core.events import Event, Target
from gemwatch.core.kinds import ApiFacts
from gemwatch.core.settings import Place
from support.clock import FakeClock
from support.gem import Answer, ScriptedGem, document
from support.inbox import Inbox
from support.rig import running, settings_for
from support.waiting import until

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


@pytest.mark.parametrize("jumps", [(-DAY, DAY), (DAY, -DAY), (-DAY, -DAY)], ids=["-1d+1d", "+1d-1d", "-1d-1d"])
async def test_clock_jumps_within_seconds_expire_no_message(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place, jumps: tuple[int, int]
) -> None:
    sent = threading.Event()
    end = Answer(hold=sent, body=json.dumps(document(1, "SUCCESS")).encode())
    gem.answers(1, "IN_PROGRESS", end)
    inbox.fails_with = 503
    settings = settings_for(gem, place, [Target(name="team", url=inbox.target_url())], [1])
    async with running(settings, clock) as rig:
        await rig.poll()
        clock.advance(70)
        rig.poller.wake_up.set()
        await until(lambda: gem.asked(1) == 2, "the poll")
        clock.jump(jumps[0])  # and before this is noticed, a result comes
        sent.set()
        await until(rig.records.deliveries, "the message")
        await rig.maintenance.round()
        clock.jump(jumps[1])
        await rig.deliver(after=2)
        await rig.maintenance.round()
        await rig.deliver(after=47 * HOUR)
        assert [row["state"] for row in rig.records.deliveries()] == ["pending"]
        inbox.fails_with = None
        await rig.deliver(after=900)
    assert inbox.titles() == ["SUCCESS: job 1"]


@pytest.mark.parametrize("noticed", [False, True], ids=["before-it-is-noticed", "after-it-is-noticed"])
async def test_send_that_fails_after_a_long_sleep_is_repeated(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place, *, noticed: bool
) -> None:
    """A machine that sleeps has no network when it wakes, and a send that it had begun fails."""
    gem.answers(1, "SUCCESS")
    inbox.hold, inbox.fails_with = threading.Event(), 503
    settings = settings_for(gem, place, [Target(name="team", url=inbox.target_url())], [1])
    async with running(settings, clock) as rig:
        await rig.poll()
        rig.dispatcher.wake_up.set()
        await until(lambda: not rig.dispatcher.idle, "the send")
        clock.jump(3 * DAY)
        if noticed:
            await rig.maintenance.round()
        inbox.hold.set()
        await until(lambda: rig.dispatcher.idle, "its end")
        assert [row["state"] for row in rig.records.deliveries()] == ["pending"]
        await rig.maintenance.round()
        inbox.fails_with = None
        await rig.deliver(times=2, after=5)
    assert inbox.titles() == ["SUCCESS: job 1"]


async def test_message_written_with_the_old_time_after_a_jump_is_sent(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place
) -> None:
    settings = settings_for(gem, place, [Target(name="team", url=inbox.target_url())], [])
    async with running(settings, clock) as rig:
        before = clock.now()
        clock.jump(-DAY)
        await rig.maintenance.round()
        rig.store.record([], [Event(at=before, facts=ApiFacts(over=False, reason="HTTP 500"))])
        clock.advance(2)
        await rig.maintenance.round()
        await rig.deliver()
    assert inbox.titles() == ["gemwatch: the GEM API does not answer"]


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
