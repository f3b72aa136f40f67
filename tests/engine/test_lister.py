"""One list instead of many polls: what it saves, and that nothing depends on it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gemwatch.adapters.store.listings import FEWEST
from gemwatch.core.events import Target
from gemwatch.core.settings import Place, Watch
from support.clock import FakeClock
from support.gem import Answer, ScriptedGem
from support.inbox import Inbox
from support.rig import EVERY, Rig, running, settings_for

JOBS = range(1, FEWEST + 6)


@asynccontextmanager
async def sweeping(
    gem: ScriptedGem, folder: Path, clock: FakeClock, inbox: Inbox | None = None, *, every: timedelta = EVERY
) -> AsyncIterator[Rig]:
    """Every job was polled once, a list is due, and no poll is."""
    gem.lists = True
    for job_id in JOBS:
        gem.answers(job_id, "IN_PROGRESS")
    targets = [Target(name="team", url=inbox.target_url())] if inbox else []
    settings = settings_for(gem, folder, targets, JOBS)
    settings = replace(settings, poll=replace(settings.poll, sweep=True, every=every))
    async with running(settings, clock) as rig:
        await rig.poll(after=EVERY * 0)
        clock.advance(every.total_seconds() * 0.9)
        yield rig


def polls(gem: ScriptedGem) -> int:
    return sum(request.job_id is not None for request in list(gem.requests))


def listing(status: str) -> Answer:
    """A list with this status for every job."""
    jobs = [{"job_id": job_id, "status": status, "job_type": "ROAD_MATCHING"} for job_id in JOBS]
    return Answer(body=json.dumps({"jobs": jobs}).encode())


async def test_list_replaces_all_polls_but_those_in_turn(gem: ScriptedGem, clock: FakeClock, tmp_path: Path) -> None:
    async with sweeping(gem, tmp_path, clock) as rig:
        before = polls(gem)
        for _ in JOBS:
            await rig.sweep()
            await rig.poll(after=EVERY)
        assert gem.listed() == len(JOBS)
        assert polls(gem) - before in (len(JOBS), len(JOBS) - 1)  # each has had its turn, except for the last round


def ended(rig: Rig) -> int:
    return sum(job["finished"] for job in rig.records.status()["jobs"])


@pytest.mark.parametrize("own", [None, 90, 120, 300])
async def test_stale_list_delays_an_end_and_does_not_lose_it(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path, own: int | None
) -> None:
    async with sweeping(gem, tmp_path, clock, inbox) as rig:
        rig.watch(*(job_id for job_id in JOBS if job_id != 3), Watch(job_id=3, every=own and timedelta(seconds=own)))
        gem.lists = listing("IN_PROGRESS")
        gem.answers(3, "SUCCESS")
        for _ in range(len(JOBS) + 1):
            await rig.sweep()
            await rig.poll(after=EVERY)
        await rig.deliver()
    assert inbox.titles() == ["SUCCESS: job 3"]


async def test_each_job_has_its_turn_while_jobs_come_and_go(
    gem: ScriptedGem, clock: FakeClock, tmp_path: Path
) -> None:
    async with sweeping(gem, tmp_path, clock) as rig:
        gem.lists = listing("IN_PROGRESS")
        stay, before = JOBS[:-5], {job_id: gem.asked(job_id) for job_id in JOBS}
        for number in range(len(JOBS) + 1):
            rig.watch(*stay, *JOBS[len(JOBS) - number % 5 :])
            await rig.sweep()
            await rig.poll(after=EVERY)
        assert [job_id for job_id in stay if gem.asked(job_id) == before[job_id]] == []
        assert gem.listed() == len(JOBS) + 1


@pytest.mark.parametrize("every", [EVERY, 40 * EVERY, 180 * EVERY], ids=str)
async def test_list_that_hides_two_known_ends_is_not_trusted(
    gem: ScriptedGem, clock: FakeClock, tmp_path: Path, every: timedelta
) -> None:
    async with sweeping(gem, tmp_path, clock, every=every) as rig:
        gem.lists = listing("IN_PROGRESS")
        for job_id in JOBS:
            gem.answers(job_id, "SUCCESS")
        seen = []
        for _ in range(6):
            await rig.sweep()
            await rig.poll(after=every * 0.4)
            await rig.poll(after=every * 0.6)
            seen.append(ended(rig))
        assert 0 < seen[0] < seen[1] < len(JOBS) / 2  # those whose turn it was
        assert seen[-1] == len(JOBS)


async def test_single_restarted_job_does_not_discredit_a_list(
    gem: ScriptedGem, clock: FakeClock, place: Place
) -> None:
    async with sweeping(gem, place, clock) as rig:
        gem.answers(3, "SUCCESS")
        await rig.sweep()
        assert ended(rig) == 1
        gem.answers(3, "IN_PROGRESS")
        for _ in range(4):
            await rig.poll(after=EVERY)
            await rig.sweep()
        assert gem.listed() == 5


async def test_list_may_be_behind_by_an_interval(gem: ScriptedGem, clock: FakeClock, tmp_path: Path) -> None:
    async with sweeping(gem, tmp_path, clock) as rig:
        gem.answers(3, "SUCCESS")
        gem.answers(5, "SUCCESS")
        await rig.sweep()
        gem.lists = listing("IN_PROGRESS")
        clock.advance(EVERY.total_seconds())
        await rig.sweep()
        gem.lists = True
        await rig.poll(after=EVERY)
        await rig.sweep()
        assert gem.listed() == 3


async def test_job_watched_again_is_polled_despite_the_list(
    gem: ScriptedGem, clock: FakeClock, tmp_path: Path
) -> None:
    async with sweeping(gem, tmp_path, clock) as rig:
        gem.answers(3, "SUCCESS")
        await rig.poll()
        rig.watch(*(job_id for job_id in JOBS if job_id != 3))
        rig.watch(*JOBS)
        clock.advance(1)
        before = gem.asked(3)
        await rig.sweep()
        assert gem.asked(3) == before + 1


async def test_lists_do_not_hide_failing_polls(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    async with sweeping(gem, tmp_path, clock, inbox) as rig:
        gem.lists = listing("SUCCESS")
        for job_id in JOBS:
            gem.answers(job_id, Answer(status=500))
        for _ in range(15):
            await rig.sweep()
            await rig.poll(after=EVERY)
        await rig.deliver()
    assert inbox.titles() == ["gemwatch: the GEM API does not answer"]


async def test_only_changed_jobs_are_polled_and_reported(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place
) -> None:
    async with sweeping(gem, place, clock, inbox) as rig:
        before = polls(gem)
        gem.answers(3, "SUCCESS")
        gem.answers(5, "FAILED")
        await rig.sweep()
        assert polls(gem) - before == 2
        await rig.deliver(times=3)
    assert sorted(message.title for message in inbox.messages) == ["FAILED: job 5", "SUCCESS: job 3"]


async def test_job_missing_from_the_list_is_polled(gem: ScriptedGem, clock: FakeClock, tmp_path: Path) -> None:
    async with sweeping(gem, tmp_path, clock) as rig:
        gem.answers(7, Answer(status=404))  # not in the list either
        before = gem.asked(7)
        await rig.sweep()
        assert gem.asked(7) == before  # a list alone never causes not-found
        await rig.poll()
        assert gem.asked(7) == before + 1
        assert next(job for job in rig.records.status()["jobs"] if job["job_id"] == 7)["misses"] == 1


@pytest.mark.parametrize(
    "useless",
    [
        Answer(status=403),
        Answer(status=404),
        Answer(status=500),
        Answer(status=302, headers={"Location": "https://elsewhere.example.com/"}),
        Answer(body=b"<html>"),
        Answer(body=b'{"items": []}'),
        Answer(body=b'{"jobs": []}'),
        Answer(body=b'{"jobs": [{"job_id": 1, "status": "FAILED", "job_type": "OTHER"}]}'),
    ],
    ids=lambda answer: f"{answer.status} {answer.body.decode()}",
)
async def test_without_a_list_each_job_is_polled(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path, useless: Answer
) -> None:
    async with sweeping(gem, tmp_path, clock, inbox) as rig:
        gem.lists = useless
        before = polls(gem)
        await rig.sweep()
        await rig.poll()
        assert polls(gem) - before == len(JOBS)
        service = rig.records.status()["service"]
        assert (service["login"], service["api"]) == ("ok", "ok")
        await rig.deliver()
    assert inbox.messages == []


async def test_refused_list_is_not_requested_again_at_once(
    gem: ScriptedGem, clock: FakeClock, tmp_path: Path
) -> None:
    async with sweeping(gem, tmp_path, clock) as rig:
        gem.lists = Answer(status=403)
        for _ in range(14):
            await rig.sweep()
            await rig.poll(after=EVERY)
        assert gem.listed() == 1
        gem.lists = True
        await rig.poll(times=3)
        await rig.sweep()
        assert gem.listed() == 2


async def test_request_to_wait_stops_lists_and_polls(gem: ScriptedGem, clock: FakeClock, tmp_path: Path) -> None:
    async with sweeping(gem, tmp_path, clock) as rig:
        gem.lists = Answer(status=429, headers={"Retry-After": "300"})
        await rig.sweep()
        before = len(gem.requests)
        await rig.poll(times=3)
        await rig.sweep()
        assert len(gem.requests) == before


async def test_few_jobs_or_short_intervals_need_no_list(gem: ScriptedGem, clock: FakeClock, tmp_path: Path) -> None:
    gem.lists = True
    few = range(1, FEWEST)
    for job_id in few:
        gem.answers(job_id, "IN_PROGRESS")
    settings = settings_for(gem, tmp_path, [], few)
    settings = replace(settings, poll=replace(settings.poll, sweep=True))
    async with running(settings, clock) as rig:
        await rig.poll(after=EVERY * 0)
        await rig.sweep()
    assert gem.listed() == 0
