"""Polling: real requests, real rows, a clock that the test moves."""

import asyncio
import json
import random
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gemwatch.core.events import Target
from gemwatch.core.settings import Place, TokenSource, Watch
from gemwatch.core.work import MOST_IN_SUMMARY
from support.clock import FakeClock
from support.gem import Answer, ScriptedGem, document
from support.inbox import Inbox
from support.rig import running, settings_for
from support.waiting import until


def team(inbox: Inbox, name: str = "team") -> Target:
    return Target(name=name, url=inbox.target_url(name))


async def test_each_end_is_reported_once_despite_many_polls(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place
) -> None:
    gem.answers(7, "REQUESTED", "IN_PROGRESS", "FAILED", "FAILED")
    gem.answers(8, "REQUESTED", "IN_PROGRESS", "SUCCESS", "FAILED")
    async with running(settings_for(gem, place, [team(inbox)], [7, 8]), clock) as rig:
        await rig.poll(times=6)
        await rig.deliver(times=3)
        assert sorted(inbox.titles()) == ["FAILED: job 7", "SUCCESS: job 8"]
        assert [(row["from"], row["to"]) for row in rig.records.history(8)] == [
            (None, "REQUESTED"),
            ("REQUESTED", "IN_PROGRESS"),
            ("IN_PROGRESS", "SUCCESS"),
        ]
        assert (gem.asked(7), gem.asked(8)) == (3, 3)


async def test_job_that_is_finished_at_first_sight_is_reported(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    gem.answers(7, "SUCCESS")
    async with running(settings_for(gem, tmp_path, [team(inbox)], [7]), clock) as rig:
        await rig.poll()
        await rig.deliver()
        assert inbox.titles() == ["SUCCESS: job 7"]
        assert "had already ended" in inbox.messages[0].body


async def test_restart_repeats_no_event(gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path) -> None:
    gem.answers(7, "IN_PROGRESS", "SUCCESS")
    settings = settings_for(gem, tmp_path, [team(inbox)], [7])
    for _ in range(3):
        async with running(settings, clock) as rig:
            await rig.poll(times=2)
            await rig.deliver(times=2)
    assert inbox.titles() == ["SUCCESS: job 7"]


async def test_recorded_end_is_reported_after_a_restart(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place
) -> None:
    gem.answers(7, "SUCCESS")
    inbox.fails_with = 500
    settings = settings_for(gem, place, [team(inbox)], [7])
    async with running(settings, clock) as rig:
        await rig.poll()
        await rig.deliver()
    inbox.fails_with = None
    async with running(settings, clock) as rig:
        await rig.deliver(after=5)
    assert inbox.titles() == ["SUCCESS: job 7"]


async def test_watch_narrows_the_targets(gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path) -> None:
    gem.answers(7, "SUCCESS")
    gem.answers(8, "SUCCESS")
    targets = [team(inbox), team(inbox, "mail")]
    watches = [Watch(job_id=7, notify=("mail",)), Watch(job_id=8, name="Weekly")]
    async with running(settings_for(gem, tmp_path, targets, watches), clock) as rig:
        await rig.poll()
        await rig.deliver(times=2)
    assert inbox.titles("team") == ["SUCCESS: Weekly (job 8)"]
    assert sorted(inbox.titles("mail")) == ["SUCCESS: Weekly (job 8)", "SUCCESS: job 7"]


async def test_missing_job_is_reported_once_and_its_end_later(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    async with running(settings_for(gem, tmp_path, [team(inbox)], [7]), clock) as rig:
        await rig.poll(times=5)
        asked = gem.asked(7)
        assert asked == 3
        gem.answers(7, "IN_PROGRESS", "SUCCESS")
        await rig.poll(after=timedelta(minutes=16))
        assert rig.records.status()["jobs"][0]["misses"] == 0
        await rig.poll()
        await rig.deliver(times=2)
    assert inbox.titles() == ["NOT FOUND: job 7", "SUCCESS: job 7"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=500, body=b"<html>"),
        Answer(status=503),
        Answer(status=302, headers={"Location": "http://127.0.0.1:9/"}),
        Answer(body=b"<html>SUCCESS</html>"),
        Answer(body=b'{"job_id": 99, "status": "SUCCESS"}'),
        Answer(body=b'{"job_id": 7, "status": null}'),
        Answer(status=429, headers={"Retry-After": "0"}),
    ],
    ids=["500", "503", "redirect", "html", "another job", "no status", "429"],
)
async def test_no_other_answer_changes_a_job(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path, answer: Answer
) -> None:
    gem.answers(7, "IN_PROGRESS", answer, answer, "SUCCESS")
    async with running(settings_for(gem, tmp_path, [team(inbox)], [7]), clock) as rig:
        await rig.poll(times=3, after=timedelta(minutes=6))
        assert [row["to"] for row in rig.records.history(7)] == ["IN_PROGRESS"]
        assert rig.records.status()["jobs"][0]["last_error"]
        await rig.poll(after=timedelta(minutes=6))
        await rig.deliver()
    assert inbox.titles() == ["SUCCESS: job 7"]


async def test_refused_login_is_reported_once_and_probed(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    for job_id in range(1, 21):
        gem.answers(job_id, "IN_PROGRESS")
    async with running(settings_for(gem, tmp_path, [team(inbox)], range(1, 21)), clock) as rig:
        await rig.poll()
        gem.for_all = Answer(status=401)
        await rig.poll()
        await rig.poll(times=2, after=timedelta(seconds=5))
        refused = len(gem.requests)
        await rig.poll(times=10, after=timedelta(seconds=61))
        assert len(gem.requests) == refused + 10
        await rig.poll(times=5, after=timedelta(seconds=10))
        assert len(gem.requests) == refused + 10
        assert {job["status"] for job in rig.records.status()["jobs"]} == {"IN_PROGRESS"}
        assert rig.records.status()["service"]["login"] == "refused"
        gem.for_all = None
        await rig.poll(times=2, after=timedelta(seconds=61))
        assert {job["last_error"] for job in rig.records.status()["jobs"]} == {None}
        assert rig.records.status()["service"]["login"] == "ok"
        await rig.deliver(times=3)
    assert inbox.titles() == ["gemwatch: login refused", "gemwatch: login recovered"]


async def test_expired_token_is_renewed_and_no_poll_is_missed(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("first-token")
    gem.accepted_tokens = {"first-token"}
    gem.answers(7, "IN_PROGRESS", "IN_PROGRESS", "SUCCESS")
    settings = settings_for(gem, tmp_path, [team(inbox)], [7], TokenSource(command=("cat", str(file))))
    async with running(settings, clock) as rig:
        await rig.poll()
        file.write_text("second-token")
        gem.accepted_tokens = {"second-token"}
        await rig.poll(times=2)
        await rig.deliver()
        assert [row["to"] for row in rig.records.history(7)] == ["IN_PROGRESS", "SUCCESS"]
    assert inbox.titles() == ["SUCCESS: job 7"]
    sent = [request.headers["authorization"] for request in gem.requests]
    assert sent == ["Bearer first-token", "Bearer first-token", "Bearer second-token", "Bearer second-token"]


async def test_missing_token_stops_polls_and_sends_login(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    gem.answers(7, "SUCCESS")
    file = tmp_path / "token"
    token = TokenSource(command=("cat", str(file)))
    async with running(settings_for(gem, tmp_path, [team(inbox)], [7], token), clock) as rig:
        await rig.poll(times=3)
        assert gem.requests == []
        file.write_text("a-token")
        await rig.poll()
        await rig.deliver(times=3)
    assert inbox.titles() == ["gemwatch: login refused", "gemwatch: login recovered", "SUCCESS: job 7"]


async def test_login_event_is_not_repeated_after_a_restart(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    gem.for_all = Answer(status=401)
    settings = settings_for(gem, tmp_path, [team(inbox)], [7, 8])
    for _ in range(3):
        async with running(settings, clock) as rig:
            await rig.poll(times=2)
            await rig.deliver()
    assert inbox.titles() == ["gemwatch: login refused"]


@pytest.mark.parametrize("numbers", [(1, 1), (10, 1), (1, 2), (3, 3), (30, 5)])
async def test_refused_jobs_are_reported_and_slow_no_others(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path, numbers: tuple[int, int]
) -> None:
    good, forbidden = numbers
    for job_id in range(1, good + 1):
        gem.answers(job_id, "IN_PROGRESS")
    jobs = range(1, good + forbidden + 1)
    for job_id in range(good + 1, good + forbidden + 1):
        gem.answers(job_id, Answer(status=403))
    async with running(settings_for(gem, tmp_path, [team(inbox)], jobs), clock, roll=random.Random(7).random) as rig:
        await rig.poll(times=120, after=timedelta(seconds=20))  # forty minutes
        assert all(gem.asked(job_id) >= 28 for job_id in range(1, good + 1))
        gem.answers(good + 1, "SUCCESS")
        await rig.poll(after=timedelta(minutes=20))
        await rig.deliver(times=10)
    text = "\n".join(f"{message.title}\n{message.body}" for message in inbox.messages)
    assert text.count("login refused for") == forbidden
    assert text.count("login recovered for") == 1
    assert text.count(f"SUCCESS: job {good + 1}\n") == 1
    assert text.count("login refused") + text.count("login recovered") == forbidden + 1


async def test_answer_to_an_earlier_request_is_not_a_recovery(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    for job_id in range(1, 6):
        gem.answers(job_id, "IN_PROGRESS")
    async with running(settings_for(gem, tmp_path, [team(inbox)], range(1, 6)), clock) as rig:
        await rig.poll()
        slow = threading.Event()
        held = Answer(hold=slow, body=json.dumps(document(1, "IN_PROGRESS")).encode())
        gem.answers(1, held, Answer(status=401))
        for job_id in range(2, 6):
            gem.answers(job_id, Answer(status=401))

        def refused() -> bool:
            clock.advance(1)
            rig.poller.wake_up.set()
            return bool(rig.records.status()["service"]["login"] == "refused")

        await until(refused, "the refusal")
        slow.set()
        await rig.poll(times=3, after=timedelta(seconds=61))
        await rig.deliver()
    assert inbox.titles() == ["gemwatch: login refused"]


async def test_hanging_api_is_reported(gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path) -> None:
    hanging = threading.Event()
    gem.answers(1, Answer(hold=hanging, body=json.dumps(document(1, "IN_PROGRESS")).encode()))
    async with running(settings_for(gem, tmp_path, [team(inbox)], [1]), clock) as rig:
        await until(lambda: gem.asked(1) == 1, "the request")
        clock.advance(601)
        await until(rig.records.deliveries, "word of it")
        hanging.set()
        await until(lambda: len(rig.records.deliveries()) == 2, "word that it is over")
        await rig.deliver(times=2)
    assert inbox.titles() == ["gemwatch: the GEM API does not answer", "gemwatch: the GEM API answers again"]


@pytest.mark.parametrize("jump", [timedelta(days=-1), timedelta(days=30)])
async def test_silence_uses_the_monotonic_clock(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path, jump: timedelta
) -> None:
    gem.answers(1, "IN_PROGRESS")
    async with running(settings_for(gem, tmp_path, [team(inbox)], [1]), clock) as rig:
        await rig.poll()
        gem.for_all = Answer(status=502)
        await rig.poll()
        clock.jump(jump.total_seconds())
        await rig.maintenance.round()
        await rig.poll(times=3)
        assert rig.records.deliveries() == []
        await rig.poll(times=4, after=timedelta(minutes=5))
        assert [row["kind"] for row in rig.records.deliveries()] == ["api"]


async def test_one_failure_without_more_polls_is_not_reported(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    gem.answers(1, Answer(status=500))
    async with running(settings_for(gem, tmp_path, [team(inbox)], [1]), clock) as rig:
        await rig.poll()
        rig.watch()
        await rig.poll(times=10, after=timedelta(minutes=6))
        assert rig.records.deliveries() == []


async def test_api_that_asks_to_wait_gets_fewer_requests(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    jobs = range(1, 101)
    gem.for_all = Answer(status=429)
    async with running(settings_for(gem, tmp_path, [team(inbox)], jobs), clock) as rig:
        await rig.poll(times=120, after=timedelta(seconds=1))
        assert len(gem.requests) < 400
        gem.for_all = None
        for job_id in jobs:
            gem.answers(job_id, "IN_PROGRESS")
        await rig.poll(times=3, after=timedelta(minutes=5))
        assert len(rig.records.history()) == 100


async def test_silent_api_is_reported_once_and_its_recovery(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    gem.answers(7, "IN_PROGRESS")
    async with running(settings_for(gem, tmp_path, [team(inbox)], [7]), clock) as rig:
        await rig.poll()
        gem.for_all = Answer(status=502, body=b"<html>")
        await rig.poll(times=4, after=timedelta(minutes=2))
        assert rig.records.status()["service"]["api"] == "ok"
        await rig.poll(times=10, after=timedelta(minutes=2))
        assert rig.records.status()["service"]["api"] == "down"
        gem.for_all = None
        await rig.poll(times=2, after=timedelta(minutes=6))
        await rig.deliver(times=2)
    assert inbox.titles() == ["gemwatch: the GEM API does not answer", "gemwatch: the GEM API answers again"]


async def test_removed_watch_is_not_polled_and_repeats_nothing(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    gem.answers(7, "IN_PROGRESS", "SUCCESS")
    gem.answers(8, "IN_PROGRESS")
    async with running(settings_for(gem, tmp_path, [team(inbox)], [7, 8]), clock) as rig:
        await rig.poll(times=2)
        rig.watch(7)
        await rig.poll(times=3)
        assert gem.asked(8) == 2
        rig.watch(8)
        await rig.poll()
        rig.watch(7, 8)
        await rig.poll(times=2)
        await rig.deliver(times=2)
        assert len(rig.records.history(7)) == 2
    assert inbox.titles() == ["SUCCESS: job 7"]


async def test_finished_job_that_runs_again_is_reported_again(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    gem.answers(7, "SUCCESS", "IN_PROGRESS", "FAILED")
    async with running(settings_for(gem, tmp_path, [team(inbox)], [7]), clock) as rig:
        await rig.poll()
        rig.watch()
        rig.watch(7)
        await rig.poll(times=2)
        await rig.deliver(times=2)
    assert inbox.titles() == ["SUCCESS: job 7", "FAILED: job 7"]


async def test_unknown_fields_of_a_job_are_kept(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    gem.answers(7, document(7, "IN_PROGRESS", progress={"per_cent": 12}))
    async with running(settings_for(gem, tmp_path, [], [7]), clock) as rig:
        await rig.poll()
        assert rig.records.status()["jobs"][0]["details"]["progress"] == {"per_cent": 12}


async def test_storm_of_ends_is_recorded_in_parts(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    """While the store is busy, 80 jobs end and others become due."""
    answered, free, jobs = threading.Event(), threading.Event(), range(1, 401)
    for job_id in jobs:
        body = json.dumps(document(job_id, "SUCCESS")).encode()
        gem.answers(job_id, Answer(body=body, hold=answered))
    settings = settings_for(gem, tmp_path, [team(inbox)], jobs)
    settings = replace(settings, api=replace(settings.api, max_in_flight=40))
    parts: list[int] = []

    def note(_: object, __: object, statement: str, parameters: Any, ___: object, many: bool) -> None:  # noqa: FBT001
        if statement.startswith("INSERT INTO deliveries"):
            parts.append(len(parameters) if many else 1)

    async with running(settings, clock) as rig:
        sa.event.listen(rig.engine, "before_cursor_execute", note)
        await until(lambda: gem.at_once == 40, "requests")
        busy = asyncio.create_task(rig.database(free.wait))
        answered.set()
        await until(lambda: len(gem.requests) >= 120, "80 answers")
        free.set()
        await until(lambda: sum(parts) == len(jobs), "every end to be recorded")
        assert await busy
    assert parts[1] == MOST_IN_SUMMARY, parts
