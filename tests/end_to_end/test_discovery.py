"""Rules in the program, with an account of ten thousand jobs: what they find, and what is reported."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.daemon import Daemon, Installation
from support.gem import STATISTICS, Answer, ScriptedGem, document
from support.inbox import Inbox
from support.waiting import wait_until

LISTED, INPUTS, RUNS = 10_000, range(1, 13), 5
FIRST = 500_000  # of the jobs that are submitted while gemwatch runs: this and an input's number
SUBMITTED = [FIRST + number for number in INPUTS]
LATER = FIRST + 99
RULE = {"job_type": "ROAD_MATCHING", "input": "nl_*", "group": "release"}


class Account:
    """Ten thousand past jobs, most of which match the rule, and those that are submitted later."""

    def __init__(self, gem: ScriptedGem) -> None:
        self._gem = gem
        self._past = ", ".join(json.dumps(past(number)) for number in range(LISTED - len(INPUTS)))
        self._new: dict[int, dict[str, Any]] = {}
        self.listed_with: Counter[int] = Counter()  # by job: lists that had it, up to its first poll
        gem.lists = self.answer

    def submit(self, *job_ids: int) -> None:
        """List these jobs from now on."""
        for job_id in job_ids:
            self._new[job_id] = one = {"input_filename": f"nl_{job_id - FIRST}.parquet", "requested_at": ago(0)}
            self._gem.answers(job_id, document(job_id, "IN_PROGRESS", **one))

    def ends(self, job_id: int, status: str) -> None:
        """Only the job's own answer shows its end: the list lags."""
        self._gem.answers(job_id, document(job_id, status, **self._new[job_id]))

    def answer(self, path: str) -> Answer:
        if "ROAD" not in path:
            return Answer(body=b'{"jobs": []}')
        self.listed_with.update(job_id for job_id in self._new if not self._gem.asked(job_id))
        new = "".join(f", {json.dumps(document(one, 'REQUESTED', **more))}" for one, more in [*self._new.items()])
        return Answer(body=f'{{"jobs": [{self._past}{new}]}}'.encode())


def past(number: int) -> dict[str, Any]:
    """Some succeeded on inputs that come again; most have ended within the rule's window, and some run elsewhere."""
    if number < RUNS * len(INPUTS):
        statistics = {**STATISTICS, "execution_time_sec": 3600 + number}
        name, asked = f"nl_{number % len(INPUTS) + 1}.parquet", ago(1 + number // len(INPUTS))
        return document(1 + number, "SUCCESS", input_filename=name, requested_at=asked, statistics=statistics)
    if number % 9 == 0:
        return document(1 + number, "IN_PROGRESS", input_filename=f"be_{number}", requested_at=ago(1))
    return document(1 + number, ("SUCCESS", "FAILED")[number % 2], input_filename=f"nl_{number}", requested_at=ago(2))


def ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


@pytest.fixture
def account(installation: Installation, gem: ScriptedGem) -> Account:
    installation.configure(
        watch=[],
        discover=[RULE],
        groups={"release": {"expect": len(INPUTS)}},
        poll={"every": "1s", "list_every": "3s"},
    )
    return Account(gem)


def watched(installation: Installation) -> list[int]:
    return [job["job_id"] for job in installation.records.status()["jobs"] if job["watched"]]


def reported(installation: Installation) -> Counter[str]:
    return Counter(row["kind"] for row in installation.records.deliveries("sent"))


def after_lists(gem: ScriptedGem, number: int = 2) -> None:
    """Wait until this many lists were read and acted on: the next request shows the latter."""
    before = gem.listed()
    wait_until(lambda: gem.listed() > before + number, "lists to be read")


def test_rule_finds_its_jobs_among_ten_thousand(
    installation: Installation, gem: ScriptedGem, inbox: Inbox, account: Account
) -> None:
    with installation.daemon() as daemon:
        after_lists(gem)
        for batch in (SUBMITTED[:4], SUBMITTED[4:8], SUBMITTED[8:]):
            account.submit(*batch)
            wait_until(lambda: all(gem.asked(job_id) for job_id in batch), "the jobs to be found")  # noqa: B023
        assert max(account.listed_with.values()) <= 2, account.listed_with
        wait_until(lambda: all(job["status"] for job in installation.records.status()["jobs"]), "their answers")
        jobs = installation.json("status")["jobs"]
        assert [(job["job_id"], job["group"]) for job in jobs] == [(job_id, "release") for job_id in SUBMITTED]
        assert [job["estimate"]["runs"] for job in jobs] == [RUNS] * len(INPUTS)
        for job_id in SUBMITTED:
            account.ends(job_id, "FAILED" if job_id == FIRST + 7 else "SUCCESS")
        wait_until(lambda: any("GROUP DONE: release" in one.title + one.body for one in inbox.messages), "the group")
        after_lists(gem)
        wait_until(lambda: not installation.records.deliveries("pending"), "the deliveries")
        assert reported(installation) == {"success": 11, "failed": 1, "group-done": 1}
        assert {row["job_id"] for row in installation.records.deliveries()} == {*SUBMITTED, None}
        installation.configure(poll={"every": "1s", "list_every": "1s"})
        _no_odd_list_changes_anything(installation, gem, account)
        _unwatched_job_stays_away(installation, gem, account, daemon)
    assert sum(title.count("GROUP DONE") for title in inbox.titles()) <= 1


def _no_odd_list_changes_anything(installation: Installation, gem: ScriptedGem, account: Account) -> None:
    jobs, sent = watched(installation), reported(installation)
    false = [document(job_id, "FAILED", requested_at=ago(0)) for job_id in SUBMITTED]
    bodies = (
        b'{"jobs": []}',
        b"<html>busy</html>",
        b'{"jobs": [{"job_id"',
        json.dumps({"jobs": [*false, *false]}).encode(),
        json.dumps({"jobs": [{"job_id": "x"}, 7, None, {}], "next": "https://elsewhere.example.com/"}).encode(),
        json.dumps({"jobs": [{**one, "job_type": "OTHER", "input_filename": 7} for one in false]}).encode(),
    )
    for odd in (Answer(status=404), Answer(status=500), *(Answer(body=body) for body in bodies)):
        gem.lists = odd
        after_lists(gem, 1)
        assert watched(installation) == jobs
    gem.lists = account.answer
    assert reported(installation) == sent


def _unwatched_job_stays_away(installation: Installation, gem: ScriptedGem, account: Account, daemon: Daemon) -> None:
    account.submit(LATER)
    wait_until(lambda: LATER in watched(installation), "the job to be found")
    assert installation.run("unwatch", str(LATER)).returncode == 0
    asked = gem.asked(LATER)
    gem.answers(FIRST, "IN_PROGRESS")
    account.ends(LATER, "FAILED")
    steps: tuple[Callable[[], None], ...] = (
        lambda: installation.configure(discover=[{**RULE, "name": "{input}"}]),
        lambda: installation.configure(watch=[FIRST]),
        lambda: installation.configure(discover=[{**RULE, "input": "nl_9*"}, RULE]),
    )
    for step in steps:
        step()
        after_lists(gem)
        assert LATER not in watched(installation)
    assert daemon.stop() == 0
    with installation.daemon():
        after_lists(gem)
        assert LATER not in watched(installation)
    assert gem.asked(LATER) <= asked + 1  # one poll may have been under way
    assert reported(installation)["failed"] == 1
