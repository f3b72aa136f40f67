"""A new store learns from past jobs: estimates and comparisons on day one, and no message."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from gemwatch.adapters.store.discovery.learning import Learning
from gemwatch.core.events import Target
from gemwatch.core.limits import Limits, LimitWord
from gemwatch.core.lists.learning import learned_runs
from gemwatch.core.settings import Settings, Watch
from support.clock import FakeClock
from support.events import details
from support.gem import STATISTICS, Answer, ScriptedGem, document
from support.inbox import Inbox
from support.rig import running, settings_for

LIST_EVERY = 300.0


def settings_of(gem: ScriptedGem, inbox: Inbox, folder: Path, *watches: int) -> Settings:
    return settings_for(gem, folder, [Target(name="team", url=inbox.target_url())], watches)


def has_past(gem: ScriptedGem, clock: FakeClock, days: range = range(1, 6)) -> None:
    """A success of the same input on each of these days ago, and a failure."""
    gem.lists = True
    for day in days:
        asked = (clock.now() - timedelta(days=day)).isoformat()
        statistics = {**STATISTICS, "execution_time_sec": 3600 + day}
        gem.answers(100 + day, document(100 + day, "SUCCESS", requested_at=asked, statistics=statistics))
    gem.answers(200, document(200, "FAILED", requested_at=clock.now().isoformat()))


async def test_estimate_is_shown_at_the_first_status(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    has_past(gem, clock)
    gem.answers(7, document(7, "IN_PROGRESS", requested_at=clock.now().isoformat()))
    async with running(settings_of(gem, inbox, tmp_path, 7), clock, learns=True) as rig:
        await rig.poll(after=timedelta())
        await rig.sweep()
        (job,) = rig.records.status()["jobs"]  # learned jobs are not shown
        assert job["estimate"]["runs"] == 5
        found = details(document(7, "IN_PROGRESS"))
        assert rig.experience.estimate(found, clock.now(), clock.now()) is not None
        gem.answers(7, document(7, "SUCCESS", requested_at=clock.now().isoformat()))
        await rig.poll()
        await rig.deliver()
        assert rig.records.status()["jobs"][0]["previous"]["job_id"] == 101  # the latest before it
        assert [move["job_id"] for move in rig.records.history()] == [7, 7]
    assert inbox.titles() == ["SUCCESS: job 7"]


async def test_auto_limit_uses_learned_runs(gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path) -> None:
    has_past(gem, clock)
    gem.answers(7, *(document(7, status) for status in ("REQUESTED", "IN_PROGRESS")))
    watch = Watch(job_id=7, limits=Limits(running=LimitWord.AUTO))
    settings = replace(settings_of(gem, inbox, tmp_path), watches=(watch,))
    async with running(settings, clock, learns=True) as rig:
        await rig.sweep()
        await rig.poll(2)
        await rig.deliver()
        assert inbox.titles() == []
        await rig.poll(after=timedelta(hours=5))
        await rig.deliver()
    assert inbox.titles() == ["RUNNING TOO LONG: job 7"]


async def test_end_before_the_first_list_keeps_a_store_new(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    has_past(gem, clock)
    gem.answers(7, "FAILED")
    async with running(settings_of(gem, inbox, tmp_path, 7), clock, learns=True) as rig:
        await rig.poll()
        await rig.sweep()
        assert Learning(rig.engine).marker()[0] == 5


async def test_lists_are_learned_from_once(gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path) -> None:
    has_past(gem, clock)
    for _ in range(2):
        async with running(settings_of(gem, inbox, tmp_path), clock, learns=True) as rig:
            for _ in range(3):
                await rig.sweep()
                clock.advance(LIST_EVERY)
    assert gem.listed() == 2  # one for each type


async def test_list_that_fails_is_read_three_times(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    gem.lists = Answer(status=404)
    async with running(settings_of(gem, inbox, tmp_path), clock, learns=True) as rig:
        for _ in range(6):
            await rig.sweep()
            clock.advance(LIST_EVERY)
        assert gem.listed() == 6
        await rig.deliver()
    assert inbox.messages == []


async def test_running_daemon_uses_what_the_command_learned(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    async with running(settings_of(gem, inbox, tmp_path), clock, learns=True) as rig:
        gem.lists = True
        await rig.sweep()
        job = details(document(7, "IN_PROGRESS"))
        assert rig.experience.estimate(job, clock.now(), clock.now()) is None
        past = [replace(details(document(day, "SUCCESS")), requested_at=clock.now()) for day in range(1, 6)]
        now = clock.now() + timedelta(days=1)
        assert Learning(rig.engine).add(learned_runs(past, now)) == 5
        assert Learning(rig.engine).add(learned_runs(past, now)) == 0
        clock.advance(LIST_EVERY)
        await rig.sweep()
        assert rig.experience.estimate(job, clock.now(), clock.now()) is not None


async def test_false_success_in_a_list_teaches_nothing(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    begun = (clock.now() - timedelta(hours=2)).isoformat()  # it would take longer
    listed = [
        document(7, "SUCCESS"),
        document(8, "SUCCESS", statistics=None),
        document(9, "SUCCESS", result_filename=None),
        document(10, "SUCCESS", requested_at=begun),
    ]
    gem.lists = Answer(body=json.dumps({"jobs": listed}).encode())
    gem.answers(7, "IN_PROGRESS")
    async with running(settings_of(gem, inbox, tmp_path), clock, learns=True) as rig:
        await rig.sweep()
        assert Learning(rig.engine).marker() == (1, 7)  # nothing shows that the others have ended
        rig.watch(7)
        await rig.poll()
        assert Learning(rig.engine).marker() == (0, None)


async def test_watched_job_is_not_learned_twice(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    has_past(gem, clock)
    async with running(settings_of(gem, inbox, tmp_path), clock, learns=True) as rig:
        await rig.sweep()
        rig.watch(101)
        await rig.poll()
        assert rig.records.status()["jobs"][0]["previous"]["job_id"] == 102
        assert Learning(rig.engine).marker()[0] == 4


def test_runs_are_ordered_by_request(clock: FakeClock) -> None:
    jobs = [replace(details(document(n, "SUCCESS")), requested_at=clock.now() - timedelta(days=n)) for n in (1, 3, 2)]
    jobs += [replace(jobs[0], job_id=9, requested_at=None), replace(jobs[0], job_id=8, status="FAILED")]
    assert [run.job_id for run in learned_runs(jobs, clock.now())] == [3, 2, 1]
