"""Rules find jobs in lists: each once, nothing about past ones, and no odd list changes anything."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gemwatch.core.lists.rules import key_of
from gemwatch.core.settings import Place, Watch
from gemwatch.engine.discovery import MOST_DOUBTS
from support.account import RULE, Account, apply, discovering, listing, rounds, watched
from support.clock import FakeClock
from support.gem import Answer, ScriptedGem, document
from support.inbox import Inbox


async def test_new_job_is_found_reported_once_and_shown_with_its_rule(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    account = Account(gem)
    async with discovering(gem, inbox, tmp_path, clock) as rig:
        await rounds(rig)
        account.has(7, "IN_PROGRESS", clock.now())
        account.has(8, "IN_PROGRESS", clock.now(), input_filename="be.parquet")
        await rounds(rig)
        assert watched(rig) == {7: "nl_7.parquet"}
        assert rig.records.status()["jobs"][0]["rule"] == key_of(RULE)
        account.has(7, "SUCCESS", clock.now())
        await rounds(rig, 3)
    assert inbox.titles() == ["SUCCESS: nl_7.parquet (job 7)"]


async def test_past_jobs_are_never_reported_and_later_ones_always(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    account = Account(gem)
    account.has(1, "SUCCESS", clock.now() - timedelta(hours=2))
    account.has(2, "FAILED", clock.now() - timedelta(hours=1))
    account.has(3, "IN_PROGRESS", clock.now() - timedelta(hours=3))
    async with discovering(gem, inbox, tmp_path, clock) as rig:
        await rounds(rig)
        account.has(4, "FAILED", clock.now())  # never seen unfinished
        account.has(3, "SUCCESS", clock.now() - timedelta(hours=4))
        await rounds(rig, 3)
        assert sorted(watched(rig)) == [3, 4]
    assert sorted(inbox.titles()) == ["FAILED: nl_4.parquet (job 4)", "SUCCESS: nl_3.parquet (job 3)"]


async def test_rule_that_is_restarted_knows_when_it_was_first_applied(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    account = Account(gem)
    async with discovering(gem, inbox, tmp_path, clock) as rig:
        await rounds(rig)
    account.has(4, "SUCCESS", clock.now())  # while gemwatch was stopped
    clock.advance(3600)
    async with discovering(gem, inbox, tmp_path, clock) as rig:
        await rounds(rig)
    assert inbox.titles() == ["SUCCESS: nl_4.parquet (job 4)"]


ODD = [
    Answer(status=500),
    Answer(status=404),
    Answer(body=b"<html>"),
    Answer(body=b'{"jobs": []}'),
    Answer(body=b'{"jobs": [{"job_id": 7, "status": "SUCCESS"'),
    Answer(body=b'{"jobs": [null, 7, {}, {"job_id": 7}, {"job_id": "x", "status": "SUCCESS"}]}'),
    listing([document(7, "SUCCESS"), document(7, "FAILED"), document(9, "SUCCESS", job_type="OTHER")]),
]


@pytest.mark.parametrize("odd", ODD, ids=lambda answer: f"{answer.status} {answer.body.decode()[:40]}")
async def test_odd_list_changes_and_removes_nothing(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path, odd: Answer
) -> None:
    account = Account(gem)
    async with discovering(gem, inbox, tmp_path, clock) as rig:
        account.has(7, "IN_PROGRESS", clock.now())
        await rounds(rig)
        before = rig.records.status()["jobs"][0]
        gem.lists = odd
        await rounds(rig, 2)
        (after,) = rig.records.status()["jobs"]
        assert (after["status"], after["watched"], after["name"]) == ("IN_PROGRESS", True, before["name"])
    assert inbox.messages == []


async def test_past_job_that_a_list_shows_as_unfinished_stays_past(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place
) -> None:
    account, asked = Account(gem), clock.now() - timedelta(hours=2)
    for job_id in (1, 2, 3):
        account.has(job_id, "SUCCESS", asked)
    async with discovering(gem, inbox, place, clock) as rig:
        await rounds(rig)
        fields = {"requested_at": asked.isoformat()}
        gem.lists = listing(
            document(one, "IN_PROGRESS", input_filename=f"nl_{one}.parquet", **fields) for one in (1, 2, 3)
        )
        gem.answers(2, document(2, "IN_PROGRESS", input_filename="nl_2.parquet", **fields))
        gem.answers(3, Answer(status=500))  # without an answer it is watched rather than lost
        await rounds(rig, 2)
        assert sorted(watched(rig)) == [2, 3]
        account.has(2, "SUCCESS", asked)
        await rounds(rig)
    assert inbox.titles() == ["SUCCESS: nl_2.parquet (job 2)"]


async def test_list_that_contradicts_earlier_ones_leads_to_few_polls(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    account, jobs = Account(gem), range(1, MOST_DOUBTS + 11)
    for job_id in jobs:
        account.has(job_id, "SUCCESS", clock.now() - timedelta(hours=2))
    async with discovering(gem, inbox, tmp_path, clock) as rig:
        await rounds(rig)
        gem.lists = listing({**document, "status": "IN_PROGRESS"} for document in account.jobs.values())
        await rounds(rig)
        assert sum(map(gem.asked, jobs)) == MOST_DOUBTS
        assert watched(rig) == {}
    assert inbox.messages == []


async def test_entry_of_the_watch_list_wins_and_gives_the_job_back(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    account = Account(gem)
    async with discovering(gem, inbox, tmp_path, clock) as rig:
        apply(rig, Watch(job_id=7, name="mine"))
        account.has(7, "IN_PROGRESS", clock.now())
        account.has(8, "IN_PROGRESS", clock.now())
        await rounds(rig)
        assert watched(rig) == {7: "mine", 8: "nl_8.parquet"}
        apply(rig, Watch(job_id=7, name="mine"), Watch(job_id=8, name="eight"))
        assert watched(rig) == {7: "mine", 8: "eight"}
        apply(rig)
        await rounds(rig)
        assert watched(rig) == {7: "nl_7.parquet", 8: "nl_8.parquet"}


async def test_edits_of_a_rule_apply_to_its_watches(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    account = Account(gem)
    async with discovering(gem, inbox, tmp_path, clock) as rig:
        account.has(7, "IN_PROGRESS", clock.now())
        account.has(8, "IN_PROGRESS", clock.now())
        await rounds(rig)
        apply(rig, rules=(replace(RULE, watch=Watch(job_id=0, name="new {job_id}")),))
        assert watched(rig) == {7: "new 7", 8: "new 8"}
        apply(rig, rules=())
        account.has(7, "SUCCESS", clock.now())
        await rounds(rig, 2)
        assert watched(rig) == {8: "new 8"}
    assert inbox.titles() == ["SUCCESS: new 7 (job 7)"]


async def test_watch_ends_outside_the_window_and_is_not_found_again(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    account = Account(gem)
    async with discovering(gem, inbox, tmp_path, clock) as rig:
        account.has(7, "SUCCESS", clock.now() + timedelta(minutes=1))
        await rounds(rig)
        clock.advance(8 * 86400)
        await rounds(rig, 2)
        assert watched(rig) == {}
        rig.housekeeping.prune(clock.now() + timedelta(days=1))
        apply(rig, rules=(replace(RULE, requested_within=timedelta(days=30)),))
        await rounds(rig, 2)
    assert inbox.titles() == ["SUCCESS: nl_7.parquet (job 7)"]


async def test_excluded_job_stays_away_until_it_is_let_back(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    account = Account(gem)
    account.has(7, "IN_PROGRESS", clock.now())
    async with discovering(gem, inbox, tmp_path, clock) as rig:
        await rounds(rig)
        with rig.discoveries.excluding([7], clock.now()):
            pass
        account.has(7, "SUCCESS", clock.now() + timedelta(minutes=1))
        await rounds(rig, 2)
    async with discovering(gem, inbox, tmp_path, clock) as rig:
        apply(rig, rules=(replace(RULE, max=3),))
        await rounds(rig)
        assert (watched(rig), inbox.messages) == ({}, [])
        rig.discoveries.readmit([7])
        await rounds(rig)
        assert watched(rig) == {7: "nl_7.parquet"}
    assert inbox.titles() == ["SUCCESS: nl_7.parquet (job 7)"]


async def test_full_rule_adds_no_more_and_is_reported_once(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    account = Account(gem)
    async with discovering(gem, inbox, tmp_path, clock, replace(RULE, max=2)) as rig:
        for job_id in (1, 2, 3):
            account.has(job_id, "IN_PROGRESS", clock.now() + timedelta(seconds=job_id))
        await rounds(rig, 3)
        assert sorted(watched(rig)) == [1, 2]
        assert inbox.titles() == ["gemwatch: a rule finds too many jobs"]
        account.has(1, "FAILED", clock.now())
        await rounds(rig, 3)
        assert sorted(watched(rig)) == [1, 2, 3]
    assert inbox.titles()[1:] == ["FAILED: nl_1.parquet (job 1)", "gemwatch: all rules can watch more jobs again"]


async def test_failing_lists_are_reported_once_and_their_recovery(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    account = Account(gem)
    account.has(7, "IN_PROGRESS", clock.now())
    async with discovering(gem, inbox, tmp_path, clock) as rig:
        await rounds(rig)
        gem.lists = Answer(status=403)
        await rounds(rig, 2)
        assert inbox.messages == []
        await rounds(rig, 3)
        assert inbox.titles() == ["gemwatch: discovery is failing"]
    async with discovering(gem, inbox, tmp_path, clock) as rig:
        await rounds(rig, 3)
        assert len(inbox.messages) == 1
        gem.lists = account.listed
        await rounds(rig, 2)
    assert inbox.titles()[1:] == ["gemwatch: discovery has recovered"]


async def test_refused_login_is_reported_if_there_are_only_rules(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    account = Account(gem)
    gem.accepted_tokens = set()
    async with discovering(gem, inbox, tmp_path, clock) as rig:
        await rounds(rig, 4)
        assert inbox.titles() == ["gemwatch: login refused"]
        gem.accepted_tokens = None
        account.has(7, "IN_PROGRESS", clock.now())
        await rounds(rig, 2)
        assert watched(rig) == {7: "nl_7.parquet"}
    assert inbox.titles()[1:] == ["gemwatch: login recovered"]


async def test_rule_of_12_among_10000_reports_each_of_them_once(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    account, past = Account(gem), clock.now() - timedelta(days=1)
    for job_id in range(1, 10_001):
        account.has(job_id, "SUCCESS" if job_id % 9 else "FAILED", past)
    async with discovering(gem, inbox, tmp_path, clock) as rig:
        await rounds(rig)
        new = range(20_001, 20_013)
        for job_id in new:
            account.has(job_id, "REQUESTED", clock.now())
        await rounds(rig, 2)
        assert sorted(watched(rig)) == list(new)
        for job_id in new:
            account.has(job_id, "FAILED" if job_id == new[3] else "SUCCESS", clock.now())
        await rounds(rig, 3)
        ends = [move["job_id"] for move in rig.records.history() if move["to"] in ("SUCCESS", "FAILED")]
        assert sorted(ends) == list(new)
    bodies = "\n".join(f"{message.title}\n{message.body}" for message in inbox.messages)
    assert [bodies.count(f"nl_{job_id}.parquet (") for job_id in new] == [1] * 12
