"""Two engines on one PostgreSQL store: they share the work, and each does only what it may."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store.tables import deliveries, events, leases, replicas
from gemwatch.core.events import Target
from gemwatch.core.health import ApiState, Login
from gemwatch.core.kinds import EventKind
from gemwatch.core.settings import TokenSource
from gemwatch.core.sharing.polls import FOR_ANY_AFTER
from gemwatch.core.sharing.replicas import DEAD_AFTER, FRESH_FOR, LEASE, REFRESH_EVERY
from gemwatch.engine.maintenance import RUNS_EVERY
from support.clock import FakeClock
from support.events import event_of
from support.gem import TOKEN, Answer, ScriptedGem
from support.inbox import Inbox
from support.past import HOUR, job, past
from support.past_store import fill
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
            await after(0, leader)
            follower = await stack.enter_async_context(running(refused, clock, shared=True))
            await after(0, follower, leader)
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
    """Time passes for all, and these refresh their rows, which then last however slow this machine is."""
    rigs[0].clock.advance(seconds)
    for rig in rigs:
        await rig.membership.refresh()
        seen(rig, ago=-timedelta(hours=1))


def seen(rig: Rig, *, ago: timedelta) -> None:
    """By the database's clock, which no test moves, this replica refreshed its row and its leases so long ago."""
    at, me = datetime.now(UTC) - ago, rig.membership.id
    with rig.engine.begin() as connection:
        connection.execute(sa.update(replicas).where(replicas.c.id == me).values(seen_at=at))
        connection.execute(sa.update(leases).where(leases.c.holder == me).values(expires_at=at + LEASE))


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


async def test_each_replica_polls_a_part_until_it_is_late(pair: tuple[Rig, Rig], gem: ScriptedGem) -> None:
    leader, follower = pair
    await after(60, leader, follower)
    await after(0, leader)
    before = sum(map(gem.asked, JOBS))
    await leader.poll(after=timedelta())
    part = sum(map(gem.asked, JOBS)) - before
    assert len(JOBS) / 4 < part < len(JOBS) * 3 / 4
    await leader.poll(after=FOR_ANY_AFTER)
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
    follower.health_monitor.succeed(leader.housekeeping.notes(), alone=False)
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


async def test_end_of_a_refused_replica_is_reported(pair: tuple[Rig, Rig], gem: ScriptedGem) -> None:
    leader, follower = pair
    gem.accepted_tokens = {TOKEN}
    await after(72, follower)
    await follower.poll(after=timedelta())
    await after(1, follower, leader)
    await leader.maintenance.round()
    seen(follower, ago=DEAD_AFTER + timedelta(seconds=1))
    await after(1, leader)
    for _ in range(2):
        await leader.maintenance.round()
    refused, ended = recorded(leader, EventKind.LOGIN)
    assert (bool(refused["over"]), ended["over"], ended["ended"]) == (False, True, True)
    assert ended["replica"] == refused["replica"] == os.uname().nodename


@pytest.mark.parametrize("restored", ["before the start", "after it"])
async def test_refusal_of_killed_replicas_ends_once(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, restored: str
) -> None:
    long_ago = clock.now() - timedelta(days=3650)
    for job_id in JOBS:
        gem.answers(job_id, "IN_PROGRESS")
    with new_database() as place:
        team = Target(name="team", url=inbox.target_url("team"), on=frozenset(EventKind))
        settings = settings_for(gem, place, [team], list(JOBS))
        gem.accepted_tokens = set()
        async with running(settings, clock, shared=True) as one, running(settings, clock, shared=True) as another:
            killed = [one.membership.id, another.membership.id]
            for rig in (one, another):
                await after(72, rig)
                await rig.poll(after=FOR_ANY_AFTER)
            assert reported(one) == ["began"] * 2
            for rig in (one, another):
                seen(rig, ago=timedelta())  # their rows are not old yet
            with one.engine.begin() as connection:
                connection.execute(sa.update(leases).values(expires_at=long_ago))
        async with running(settings, clock, shared=True) as leader, running(settings, clock, shared=True) as follower:
            for accepted in [{TOKEN}] if restored == "before the start" else [set[str](), {TOKEN}]:
                gem.accepted_tokens = accepted
                for rig in (leader, follower):
                    await after(600, rig)
                    await rig.poll(after=FOR_ANY_AFTER)
                    assert rig.health_monitor.locked_out is not bool(accepted)
            with leader.engine.begin() as connection:
                connection.execute(sa.update(replicas).where(replicas.c.id.in_(killed)).values(seen_at=long_ago))
            await after(1, follower, leader)
            for _ in range(2):
                await leader.maintenance.round()
            assert reported(leader) == ["began"] * 2 + ["over"] * 2


def reported(rig: Rig) -> list[str]:
    """What the messages about the login say."""
    happened = recorded(rig, EventKind.LOGIN)
    return ["ended" if facts.get("ended") else "over" if facts["over"] else "began" for facts in happened]


async def test_replica_knows_the_runs_of_others(pair: tuple[Rig, Rig]) -> None:
    follower = pair[1]
    fill(follower.engine, past(HOUR, HOUR, HOUR))
    await after(1, follower)
    await follower.maintenance.round()
    assert follower.experience.outlook(job("IN_PROGRESS")) is None
    await after(RUNS_EVERY, follower)
    await follower.maintenance.round()
    assert follower.experience.outlook(job("IN_PROGRESS")) is not None


async def test_jobs_of_a_dead_replica_are_polled_in_time(pair: tuple[Rig, Rig], gem: ScriptedGem) -> None:
    leader, follower = pair
    for job_id in JOBS:
        gem.answers(job_id, "IN_PROGRESS")
    leader.clock.advance(72)
    now = leader.clock.now()
    assert len(leader.store.claim_watches(now, len(JOBS), timedelta(hours=1))) == len(JOBS)
    before, seconds = sum(map(gem.asked, JOBS)), 0.0
    while sum(map(gem.asked, JOBS)) == before:
        seconds += REFRESH_EVERY
        seen(leader, ago=timedelta(seconds=seconds))
        await after(REFRESH_EVERY, follower)
        await follower.poll(after=timedelta())
    assert sum(map(gem.asked, JOBS)) == before + len(JOBS)
    assert seconds <= DEAD_AFTER.total_seconds() + REFRESH_EVERY


async def test_pause_of_a_target_holds_for_the_next_sender(pair: tuple[Rig, Rig], inbox: Inbox) -> None:
    leader, follower = pair
    await leader.deliver()
    before = len(inbox.messages)
    inbox.fails_with = 429
    leader.store.record([], [event_of(EventKind.API, at=leader.clock.now())])
    await leader.deliver()
    inbox.fails_with = None
    follower.store.record([], [event_of(EventKind.STORE, at=leader.clock.now())])
    with leader.engine.begin() as connection:
        connection.execute(sa.update(leases).values(expires_at=leader.clock.now() - timedelta(days=3650)))
    await after(20, follower)
    assert follower.membership.sends_to("team")
    await follower.deliver()
    assert len(inbox.messages) == before
    await after(60, follower)
    await follower.deliver()
    assert len(inbox.messages) == before + 2
    with leader.engine.begin() as connection:
        assert set(connection.execute(sa.select(deliveries.c.state)).scalars()) == {"sent"}
