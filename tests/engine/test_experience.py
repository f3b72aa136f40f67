"""The engine learns from the runs that it sees end, and polls in time for the limits."""

from datetime import timedelta
from pathlib import Path

from gemwatch.core.events import Target
from gemwatch.core.kinds import EventKind
from gemwatch.core.limits import Limits
from gemwatch.core.settings import Watch
from support.clock import FakeClock
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.rig import running, settings_for

HOUR = timedelta(hours=1)


async def test_fourth_job_is_reported_with_learned_durations(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    for job_id in (1, 2, 3):
        gem.answers(job_id, "SUCCESS")
    gem.answers(4, "REQUESTED", "REQUESTED", "IN_PROGRESS")
    team = Target(name="team", url=inbox.target_url(), on=frozenset({EventKind.STARTED}))
    async with running(settings_for(gem, tmp_path, [team], [1, 2, 3, 4]), clock) as rig:
        await rig.poll(3)
        await rig.deliver()
        assert inbox.titles() == ["STARTED: job 4"]
        assert "3 runs of the same input" in inbox.messages[0].body.splitlines()[0]


async def test_rarely_polled_job_is_polled_when_a_limit_passes(
    gem: ScriptedGem, clock: FakeClock, tmp_path: Path
) -> None:
    gem.answers(1, "IN_PROGRESS")
    watch = Watch(job_id=1, every=24 * HOUR, limits=Limits(running=HOUR))
    async with running(settings_for(gem, tmp_path, [], [watch]), clock) as rig:
        await rig.poll()
        began = clock.now()
        await rig.poll(after=HOUR)
        assert gem.asked(1) == 1
        await rig.poll(after=timedelta(seconds=2))
        assert gem.asked(1) == 2
        (job,) = rig.records.status(clock.now())["jobs"]
        assert job["limits_passed"] == ["running-too-long"]
        assert job["next_poll_at"] > (began + 20 * HOUR).isoformat()
