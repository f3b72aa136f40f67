"""A group is reported once when its jobs have ended, and again after it was opened again."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from gemwatch.adapters.store.reads.groups import GroupRow, all_groups, members_of, open_counts
from gemwatch.adapters.store.reads.past import ExperienceReader
from gemwatch.core.events import Target
from gemwatch.core.kinds import EventKind
from gemwatch.core.lists.groups import terms_by_group
from gemwatch.core.settings import GroupSettings, Members, Place, Rule, Watch
from support.clock import FakeClock
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.rig import Rig, running, settings_for

QUIET = GroupSettings(name="release", members=Members.QUIET)
DONE, INCOMPLETE = "GROUP DONE: release", "GROUP INCOMPLETE: release"


def member(job_id: int, notify: tuple[str, ...] | None = None) -> Watch:
    return Watch(job_id=job_id, group="release", notify=notify)


@asynccontextmanager
async def grouped(
    gem: ScriptedGem,
    inbox: Inbox,
    place: Place,
    clock: FakeClock,
    *watches: Watch,
    group: GroupSettings = QUIET,
    rules: tuple[Rule, ...] = (),
) -> AsyncIterator[Rig]:
    """`team` receives all of a group, `lead` only the ends of its jobs."""
    ends = frozenset({EventKind.SUCCESS, EventKind.FAILED})
    targets = [
        Target(name="team", url=inbox.target_url("team")),
        Target(name="lead", url=inbox.target_url("lead"), on=ends),
    ]
    settings = replace(settings_for(gem, place, targets, watches), groups=(group,), discover=rules)
    async with running(settings, clock) as rig:
        rig.store.address(targets, terms_by_group(settings))
        yield rig


async def rounds(rig: Rig, number: int = 1) -> None:
    for _ in range(number):
        await rig.poll()
        await rig.maintenance.round()
        await rig.deliver()


async def test_group_is_reported_once_and_quiet_to_its_receivers(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place
) -> None:
    gem.answers(1, "IN_PROGRESS", "SUCCESS")
    gem.answers(2, "IN_PROGRESS", "IN_PROGRESS", "FAILED")
    async with grouped(gem, inbox, place, clock, member(1), member(2)) as rig:
        await rounds(rig, 2)
        assert (inbox.titles("team"), inbox.titles("lead")) == ([], ["SUCCESS: job 1"])
        await rounds(rig, 4)
    assert inbox.titles("team") == ["FAILED: job 2", DONE]
    assert inbox.titles("lead") == ["SUCCESS: job 1", "FAILED: job 2"]
    (body,) = [one.body for one in inbox.messages if one.title == DONE]
    assert "2: 1 SUCCESS, 1 FAILED" in body
    assert "Failed: 2" in body


async def test_group_of_each_member_reports_their_successes_too(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place
) -> None:
    gem.answers(1, "SUCCESS")
    async with grouped(gem, inbox, place, clock, member(1), group=GroupSettings(name="release")) as rig:
        await rounds(rig, 2)
    assert inbox.titles("team") == ["SUCCESS: job 1", DONE]


async def test_member_added_later_opens_the_group_again(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place
) -> None:
    gem.answers(1, "SUCCESS")
    gem.answers(2, "IN_PROGRESS", "IN_PROGRESS", "SUCCESS")
    async with grouped(gem, inbox, place, clock, member(1)) as rig:
        await rounds(rig, 2)
        assert inbox.titles("team") == [DONE]
        rig.watch(member(1), member(2))
        await rounds(rig)
        assert inbox.titles("team") == [DONE]
        await rounds(rig, 3)
    assert inbox.titles("team") == [DONE, DONE]


async def test_success_after_the_group_was_done_is_sent(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place
) -> None:
    gem.answers(1, "FAILED", "IN_PROGRESS", "SUCCESS")
    async with grouped(gem, inbox, place, clock, member(1)) as rig:
        await rounds(rig)
        rig.watch()
        rig.watch(member(1))
        await rounds(rig, 3)
    assert inbox.titles("team")[-2:] == [DONE, "SUCCESS: job 1"]


async def test_group_that_lacks_jobs_is_incomplete_after_a_day(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place
) -> None:
    gem.answers(1, "SUCCESS")
    gem.answers(2, "IN_PROGRESS")
    group = replace(QUIET, expect=3)
    async with grouped(gem, inbox, place, clock, member(1), member(2), group=group) as rig:
        await rounds(rig)
        clock.advance(timedelta(hours=30).total_seconds())
        await rounds(rig)  # a job still runs
        rig.watch(member(1))  # unwatching keeps the membership
        await rounds(rig)
        clock.advance(timedelta(hours=23).total_seconds())
        await rounds(rig)
        assert inbox.titles("team") == []
        clock.advance(timedelta(hours=1).total_seconds())
        await rounds(rig, 2)
    assert inbox.titles("team") == [INCOMPLETE]
    assert "2 of 3 expected: 1 SUCCESS, 1 not finished" in inbox.messages[-1].body


async def test_group_of_a_rule_waits_until_no_job_is_added(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place
) -> None:
    gem.answers(1, "SUCCESS")
    rule = Rule(input="nl_*", watch=Watch(job_id=0, group="release"))
    async with grouped(gem, inbox, place, clock, member(1), rules=(rule,)) as rig:
        await rounds(rig, 2)
        assert inbox.titles("team") == []
        clock.advance(timedelta(minutes=9).total_seconds())
        await rounds(rig)
    assert inbox.titles("team") == [DONE]


async def test_group_goes_only_to_targets_of_its_members(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place
) -> None:
    gem.answers(1, "SUCCESS")
    async with grouped(gem, inbox, place, clock, member(1, notify=("lead",))) as rig:
        await rounds(rig, 2)
    assert inbox.titles("team") == []
    assert inbox.titles("lead") == ["SUCCESS: job 1"]


async def test_group_that_closed_before_a_restart_is_sent_once(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place
) -> None:
    gem.answers(1, "SUCCESS")
    inbox.fails_with = 503
    async with grouped(gem, inbox, place, clock, member(1)) as rig:
        await rounds(rig)
    inbox.fails_with = None
    async with grouped(gem, inbox, place, clock, member(1)) as rig:
        await rounds(rig, 3)
    assert inbox.titles("team") == [DONE]


@pytest.mark.parametrize("jump", [-86_400, 86_400])
async def test_clock_jump_does_not_change_when_a_group_is_done(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place, jump: int
) -> None:
    gem.answers(1, "SUCCESS")
    rule = Rule(input="nl_*", watch=Watch(job_id=0, group="release"))
    async with grouped(gem, inbox, place, clock, member(1), rules=(rule,)) as rig:
        await rounds(rig)
        clock.jump(jump)
        await rounds(rig)  # the settle time of ten minutes is not over, and not a day longer either
        assert inbox.titles("team") == []
        clock.advance(timedelta(minutes=9).total_seconds())
        await rounds(rig)
    assert inbox.titles("team") == [DONE]


async def test_clock_jump_does_not_make_a_group_incomplete(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place
) -> None:
    gem.answers(1, "SUCCESS")
    async with grouped(gem, inbox, place, clock, member(1), group=replace(QUIET, expect=2)) as rig:
        await rounds(rig)
        for jump in (90_000, -180_000):
            clock.jump(jump)
            await rounds(rig)
        assert inbox.titles("team") == []
        clock.advance(timedelta(hours=24).total_seconds())
        await rounds(rig)
    assert inbox.titles("team") == [INCOMPLETE]


async def test_quiet_group_of_hundreds_is_one_message(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place
) -> None:
    for job_id in (jobs := range(1, 301)):
        gem.answers(job_id, "SUCCESS")
    async with grouped(gem, inbox, place, clock, *map(member, jobs)) as rig:
        while not all(job["finished"] for job in rig.records.status()["jobs"]):
            await rig.poll()
        await rounds(rig)
    assert inbox.titles("team") == [DONE]
    assert "300: 300 SUCCESS" in next(one.body for one in inbox.messages if one.title == DONE)


async def test_storm_of_each_member_is_a_few_messages(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place
) -> None:
    for job_id in (jobs := range(1, 301)):
        gem.answers(job_id, "SUCCESS" if job_id % 100 else "FAILED")
    each = replace(QUIET, members=Members.EACH)
    async with grouped(gem, inbox, place, clock, *map(member, jobs), group=each) as rig:
        while not all(job["finished"] for job in rig.records.status()["jobs"]):
            await rig.poll()
        await rounds(rig, 3)
        rows = [row for row in rig.records.deliveries() if row["target"] == "team"]
        assert Counter(row["kind"] for row in rows) == {"success": 297, "failed": 3, "group-done": 1}
        assert {row["state"] for row in rows} == {"sent"}
    assert len(inbox.titles("team")) < 20


async def test_groups_are_counted_with_the_expected_end(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place
) -> None:
    gem.answers(1, "REQUESTED", "IN_PROGRESS", "IN_PROGRESS", "SUCCESS", "FAILED")
    gem.answers(2, "REQUESTED", "IN_PROGRESS", "IN_PROGRESS", "SUCCESS")
    gem.answers(3, *["REQUESTED"] * 6, "IN_PROGRESS")
    async with grouped(gem, inbox, place, clock, member(1), member(2), member(3)) as rig:
        opened = clock.now()
        await rounds(rig, 8)
        with rig.engine.begin() as connection:
            (group,) = all_groups(connection, learner=ExperienceReader(), now=clock.now())
            assert members_of(connection, "release") == [1, 2, 3]
            assert open_counts(connection) == {("release", "IN_PROGRESS"): 1, ("release", "SUCCESS"): 2}
        assert (group.finished, group.jobs, group.done_at) == (2, {"IN_PROGRESS": 1, "SUCCESS": 2}, None)
        gem.answers(3, "SUCCESS")
        await rounds(rig)
        with rig.engine.begin() as connection:
            (group,) = all_groups(connection, learner=ExperienceReader(), now=clock.now())
            assert open_counts(connection) == {}
        done = GroupRow(name="release", member_added_at=opened, done_at=clock.now(), finished=3, jobs={"SUCCESS": 3})
        assert group == done
