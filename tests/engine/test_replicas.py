"""Two engines on one PostgreSQL store: they share the work, and each does only what it may."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store.tables import events
from gemwatch.core.events import Target
from gemwatch.core.health import ApiState, Login
from gemwatch.core.kinds import EventKind
from gemwatch.core.settings import TokenSource
from gemwatch.core.sharing.replicas import FRESH_FOR
from support.clock import FakeClock
from support.gem import TOKEN, Answer, ScriptedGem
from support.inbox import Inbox
from support.postgresql import new_database
from support.rig import Rig, running, settings_for
from support.waiting import until

JOBS = range(1, 41)


@pytest.fixture
async def pair(gem: ScriptedGem, inbox: Inbox, clock: FakeClock) -> AsyncIterator[tuple[Rig, Rig]]:
    """A leader and a follower."""
    with new_database() as place:
        team = Target(name="team", url=inbox.target_url("team"), on=frozenset(EventKind))
        settings = settings_for(gem, place, [team], list(JOBS))
        refused = replace(settings, api=replace(settings.api, token=TokenSource(value="wrong")))
        async with AsyncExitStack() as stack:
            leader = await stack.enter_async_context(running(settings, clock, shared=True))
            follower = await stack.enter_async_context(running(refused, clock, shared=True))
            await leader.membership.refresh()
            for rig in (leader, follower):
                await rig.poll(after=timedelta())  # all jobs have been polled for the first time
            yield leader, follower


def recorded(rig: Rig, kind: EventKind) -> list[dict[str, object]]:
    with rig.engine.begin() as connection:
        found = connection.execute(sa.select(events.c.facts).where(events.c.kind == kind.value)).scalars()
        return [dict(facts) for facts in found]


def fail(gem: ScriptedGem) -> None:
    for job_id in JOBS:
        gem.answers(job_id, Answer(status=500))


async def after(seconds: float, *rigs: Rig) -> None:
    """Time passes for all, and these refresh their rows."""
    rigs[0].clock.advance(seconds)
    for rig in rigs:
        await rig.membership.refresh()


async def test_replica_with_an_old_refresh_does_nothing(pair: tuple[Rig, Rig], gem: ScriptedGem) -> None:
    leader, membership = pair[0], pair[0].membership
    before = sum(map(gem.asked, JOBS))
    leader.clock.advance(FRESH_FOR)
    assert [membership.fresh, membership.leads, membership.sends_to("team")] == [False] * 3
    await leader.poll()
    assert sum(map(gem.asked, JOBS)) == before
    await membership.refresh()
    assert membership.fresh
    assert membership.leads
    assert membership.sends_to("team")
    await leader.poll(after=timedelta())
    assert sum(map(gem.asked, JOBS)) == before + len(JOBS)


async def test_refused_login_stops_one_replica_only(pair: tuple[Rig, Rig], gem: ScriptedGem) -> None:
    leader, follower = pair
    gem.accepted_tokens = {TOKEN}
    for job_id in JOBS:
        gem.answers(job_id, "IN_PROGRESS")
    await after(72, follower)  # while the leader may not claim
    await follower.poll(after=timedelta())
    assert follower.health_monitor.health.login is Login.REFUSED
    (facts,) = recorded(follower, EventKind.LOGIN)
    assert (facts["others_poll"], bool(facts["replica"])) == (True, True)
    await after(72, follower, leader)
    assert [one.login is Login.REFUSED for one in leader.membership.replicas] == [False, True]
    await after(600, leader, follower)
    await leader.poll(after=timedelta())
    assert leader.health_monitor.health.login is Login.OK
    assert {job["status"] for job in leader.records.status()["jobs"]} == {"IN_PROGRESS"}
    assert len(recorded(leader, EventKind.LOGIN)) == 1


async def test_only_the_leader_reports_about_the_api(pair: tuple[Rig, Rig], gem: ScriptedGem) -> None:
    leader, follower = pair
    fail(gem)
    with follower.health_monitor.asking():
        await after(700, follower, leader)
        await until(lambda: follower.health_monitor.health.api is ApiState.DOWN, "the follower's own view")
        await until(lambda: follower.poller.idle, "its record")
        assert recorded(follower, EventKind.API) == []
    with leader.health_monitor.asking():
        await after(700, leader, follower)
        await until(lambda: len(recorded(leader, EventKind.API)) == 1, "the leader's report")


async def test_new_leader_continues_what_was_reported(pair: tuple[Rig, Rig], gem: ScriptedGem) -> None:
    leader, follower = pair
    fail(gem)
    with leader.health_monitor.asking():
        await after(700, leader, follower)
        await until(lambda: len(recorded(leader, EventKind.API)) == 1, "the leader's report")
    follower.health_monitor.succeed(leader.housekeeping.notes())
    assert follower.health_monitor.health.api is ApiState.DOWN


async def test_differing_watch_lists_are_reported_once(pair: tuple[Rig, Rig]) -> None:
    leader, follower = pair
    leader.membership.watch_list = leader.membership.applied = follower.membership.watch_list = "1"
    await after(1, follower, leader)
    await leader.maintenance.round()
    follower.membership.watch_list = "2"
    for _ in range(4):
        await after(59, follower, leader)
        await leader.maintenance.round()
    (facts,) = recorded(leader, EventKind.CONFIG)
    assert (facts["lists"], facts["over"], facts["hosts"]) == (True, False, [os.uname().nodename])
    follower.membership.watch_list = "1"
    for _ in range(2):
        await after(1, follower, leader)
        await leader.maintenance.round()
    assert [facts["over"] for facts in recorded(leader, EventKind.CONFIG)] == [False, True]
    await follower.maintenance.round()
    assert len(recorded(leader, EventKind.CONFIG)) == 2
