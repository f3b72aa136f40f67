"""Maintenance next to the polling, on a clock that the test moves."""

from datetime import timedelta
from pathlib import Path

import pytest

from gemwatch.core.settings import Place, TokenSource
from support.clock import FakeClock
from support.gem import ScriptedGem
from support.rig import EVERY, running, settings_for


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(days=1), timedelta(hours=-1), timedelta(days=-1)])
async def test_polls_keep_their_pace_after_a_clock_jump(
    gem: ScriptedGem, clock: FakeClock, place: Place, jump: timedelta
) -> None:
    for job_id in (1, 2, 3):
        gem.answers(job_id, "IN_PROGRESS")
    async with running(settings_for(gem, place, [], [1, 2, 3]), clock) as rig:
        await rig.poll()
        clock.jump(jump.total_seconds())
        await rig.maintenance.round()
        await rig.poll(after=timedelta(seconds=5))
        assert len(gem.requests) == 3
        await rig.poll(times=4, after=EVERY * 1.05)
        assert len(gem.requests) == 15


async def test_slow_clock_drift_is_not_a_jump(gem: ScriptedGem, clock: FakeClock, tmp_path: Path) -> None:
    gem.answers(1, "IN_PROGRESS")
    async with running(settings_for(gem, tmp_path, [], [1]), clock) as rig:
        await rig.poll()
        due = rig.records.status()["jobs"][0]["next_poll_at"]
        clock.jump(2)
        await rig.maintenance.round()
        assert rig.records.status()["jobs"][0]["next_poll_at"] == due


async def test_token_expiry_is_recorded_for_the_status(gem: ScriptedGem, clock: FakeClock, tmp_path: Path) -> None:
    script = tmp_path / "login"
    script.write_text('#!/bin/sh\necho \'{"accessToken": "a-token", "expires_on": "4102444800"}\'\n')
    script.chmod(0o755)
    settings = settings_for(gem, tmp_path, [], [1], TokenSource(command=(str(script),)))
    async with running(settings, clock) as rig:
        await rig.poll()
        await rig.maintenance.tend_token()
        assert rig.records.status()["service"]["token_expires_at"] == "2100-01-01T00:00:00Z"


async def test_unwatched_jobs_are_deleted_after_the_retention(
    gem: ScriptedGem, clock: FakeClock, place: Place
) -> None:
    gem.answers(1, "SUCCESS")
    gem.answers(2, "SUCCESS")
    async with running(settings_for(gem, place, [], [1, 2]), clock) as rig:
        await rig.poll()
        rig.watch(2)
        await rig.maintenance.round()
        clock.advance(timedelta(days=364).total_seconds())
        await rig.maintenance.round()
        assert len(rig.records.status()["jobs"]) == 2
        clock.advance(timedelta(days=2).total_seconds())
        await rig.maintenance.round()
        assert [job["job_id"] for job in rig.records.status()["jobs"]] == [2]
