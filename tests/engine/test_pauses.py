"""While nothing is polled, the store shows when polls really are next, to pages, commands and `wait`."""

from datetime import datetime, timedelta

import pytest

from gemwatch.core.health import ApiState
from gemwatch.core.settings import Place
from gemwatch.engine.poller import PROBE_EVERY
from support.clock import FakeClock
from support.gem import Answer, ScriptedGem
from support.rig import EVERY, Rig, running, settings_for
from support.waiting import until

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
        end = clock.now() + PAUSE
        assert next_polls(rig) == {end}
        await rig.poll(after=PAUSE / 2)
        assert next_polls(rig) == {end}
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
        assert rig.health_monitor.check(others_poll=True).notes["polls_paused_until"] == clock.now().isoformat()
        gem.for_all = None
        gem.answers(7, "IN_PROGRESS", "IN_PROGRESS")
        gem.answers(8, "IN_PROGRESS", "IN_PROGRESS")
        await rig.poll(times=2)
        assert next_polls(rig) == {clock.now() + EVERY}


async def test_restart_keeps_the_requested_pause(gem: ScriptedGem, clock: FakeClock, place: Place) -> None:
    gem.for_all = Answer(status=429, headers={"Retry-After": "600"})
    settings = settings_for(gem, place, [], [7, 8])
    async with running(settings, clock) as rig:
        await rig.poll()
        end, asked = clock.now() + PAUSE, len(gem.requests)
    gem.for_all = None
    gem.answers(7, "IN_PROGRESS", "IN_PROGRESS")
    gem.answers(8, "IN_PROGRESS", "IN_PROGRESS")
    async with running(settings, clock) as rig:
        await rig.poll()
        assert (next_polls(rig), len(gem.requests)) == ({end}, asked)
        assert rig.active.pace.ahead == 1  # one request first
        await rig.poll(after=PAUSE)
        assert next_polls(rig) == {clock.now() + EVERY}


async def test_api_is_reported_in_a_pause_kept_by_a_restart(gem: ScriptedGem, clock: FakeClock, place: Place) -> None:
    gem.for_all = Answer(status=429, headers={"Retry-After": "3600"})
    settings = settings_for(gem, place, [], [7])
    async with running(settings, clock) as rig:
        await rig.poll()
    async with running(settings, clock) as rig:
        clock.advance(settings.poll.alert_after.total_seconds())
        await until(lambda: rig.health_monitor.health.api is ApiState.DOWN, "the alert")


async def test_kept_pause_is_an_hour_at_most_if_the_clock_is_set_back(
    gem: ScriptedGem, clock: FakeClock, place: Place
) -> None:
    gem.for_all = Answer(status=429, headers={"Retry-After": "600"})
    settings = settings_for(gem, place, [], [7])
    async with running(settings, clock) as rig:
        await rig.poll()
    clock.jump(-86_400)
    async with running(settings, clock) as rig:
        assert rig.active.pace.asked_for == 3600
