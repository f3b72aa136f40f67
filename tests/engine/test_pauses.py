"""While nothing is polled, the store shows when polls really are next, to pages, commands and `wait`."""

from datetime import datetime, timedelta

import pytest

from gemwatch.core.settings import Place
from gemwatch.engine.poller import PROBE_EVERY
from support.clock import FakeClock
from support.gem import Answer, ScriptedGem
from support.rig import EVERY, Rig, running, settings_for

PAUSE, PROBE = timedelta(minutes=10), timedelta(seconds=PROBE_EVERY)
OVER_QUOTA = {"X-Error-Detail-Header": "Account Over Queries Per Second Limit"}


def next_polls(rig: Rig) -> set[datetime]:
    """As the commands and the service's status line show them."""
    jobs = {datetime.fromisoformat(job["next_poll_at"]) for job in rig.records.status()["jobs"]}
    first = rig.records.snapshot().next_poll_at
    assert first == min(jobs)
    return jobs


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=429, headers={"Retry-After": "600"}),
        Answer(status=503, headers={"Retry-After": "600"}),
        Answer(status=403, headers={**OVER_QUOTA, "Retry-After": "600"}),
    ],
    ids=["429", "503", "403 for rate"],
)
async def test_next_poll_is_after_the_requested_pause(
    gem: ScriptedGem, clock: FakeClock, place: Place, answer: Answer
) -> None:
    gem.for_all = answer
    async with running(settings_for(gem, place, [], [7, 8]), clock) as rig:
        await rig.poll()
        until = clock.now() + PAUSE
        assert next_polls(rig) == {until}
        await rig.poll(after=PAUSE / 2)
        assert next_polls(rig) == {until}
        gem.for_all = None
        gem.answers(7, "IN_PROGRESS", "IN_PROGRESS")
        gem.answers(8, "IN_PROGRESS", "IN_PROGRESS")
        await rig.poll(after=PAUSE / 2)
        assert next_polls(rig) == {clock.now() + EVERY}


async def test_next_poll_is_the_probe_while_the_login_is_refused(
    gem: ScriptedGem, clock: FakeClock, place: Place
) -> None:
    gem.for_all = Answer(status=401)
    async with running(settings_for(gem, place, [], [7, 8]), clock) as rig:
        await rig.poll(times=2)
        assert rig.health_monitor.locked_out
        await rig.poll(after=PROBE)
        assert next_polls(rig) == {clock.now() + PROBE}
        # Another replica's login works, so jobs are polled when they are due.
        assert rig.health_monitor.check(others_poll=True).notes == {"polls_paused_until": clock.now().isoformat()}
        gem.for_all = None
        gem.answers(7, "IN_PROGRESS", "IN_PROGRESS")
        gem.answers(8, "IN_PROGRESS", "IN_PROGRESS")
        await rig.poll(times=2)
        assert next_polls(rig) == {clock.now() + EVERY}


async def test_start_forgets_the_pause_of_an_earlier_run(gem: ScriptedGem, clock: FakeClock, place: Place) -> None:
    gem.for_all = Answer(status=429, headers={"Retry-After": "600"})
    settings = settings_for(gem, place, [], [7])
    async with running(settings, clock) as rig:
        await rig.poll()
        assert next_polls(rig) == {clock.now() + PAUSE}
    gem.for_all = None
    gem.answers(7, "IN_PROGRESS", "IN_PROGRESS")
    async with running(settings, clock) as rig:
        await rig.poll()
        assert next_polls(rig) == {clock.now() + EVERY}
