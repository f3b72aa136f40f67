"""Rules end to end: `discover`, `check --online`, `status`, and jobs that `unwatch` keeps away."""

import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.daemon import Installation
from support.gem import ScriptedGem, document
from support.inbox import Inbox
from support.waiting import wait_until

RULE = 'input "nl_*"'


@pytest.fixture
def finding(tmp_path: Path, gem: ScriptedGem, inbox: Inbox) -> Installation:
    """A daemon's folder with one rule, which matches job 7 of the jobs 7 and 8."""
    gem.lists = True
    now = datetime.now(UTC).isoformat()
    gem.answers(7, document(7, "IN_PROGRESS", input_filename="nl_7", requested_at=now))
    gem.answers(8, document(8, "IN_PROGRESS", input_filename="be_8", requested_at=now))
    installation = Installation(tmp_path, gem, inbox)
    installation.configure(
        watch=[], discover=[{"input": "nl_*", "name": "{input}"}], poll={"every": "1s", "list_every": "1s"}
    )
    return installation


def test_discover_shows_matches_and_changes_nothing(finding: Installation) -> None:
    found = {"rule": RULE, "job_id": 7, "input_filename": "nl_7", "status": "IN_PROGRESS", "watched": False}
    assert finding.json("discover") == [found]
    assert not (finding.folder / "gemwatch.db").exists()
    table = finding.run("discover").stdout.splitlines()
    assert [line.split("\t")[0] for line in table] == ["Job", "7"]
    assert f"discover: {RULE} matches 1 job now" in finding.run("check", "--online").stdout


def test_discover_reports_lists_that_fail(finding: Installation, gem: ScriptedGem) -> None:
    gem.lists = False
    failed = finding.run("discover", "--json")
    assert (failed.returncode, json.loads(failed.stdout)) == (1, [])
    assert "the list of ROAD_MATCHING jobs cannot be read: HTTP 404 Not Found" in failed.stderr
    assert finding.run("check", "--online").returncode == 1
    finding.configure(discover=[])
    assert finding.run("discover").returncode == 2


def test_unwatched_job_stays_away_from_rules_over_a_restart(finding: Installation, gem: ScriptedGem) -> None:
    with finding.daemon() as daemon:
        wait_until(lambda: [job["name"] for job in finding.json("status")["jobs"]] == ["nl_7"], "the job to be found")
        assert finding.job(7)["rule"] == RULE
        assert finding.json("discover")[0]["watched"] is True
        assert "by rule" in finding.run("status").stdout
        assert finding.run("unwatch", "8").returncode == 2
        done = finding.run("unwatch", "7")
        assert (done.returncode, "kept away from the rules" in done.stdout) == (0, True)
        assert finding.job(7)["watched"] is False
        assert daemon.stop() == 0
    with finding.daemon() as daemon:
        lists = gem.listed()
        wait_until(lambda: gem.listed() > lists + 4, "lists to be read")
        assert finding.job(7)["watched"] is False
        assert finding.run("watch", "7").returncode == 0
        wait_until(lambda: (job := finding.job(7))["watched"] and job["rule"] is None, "the entry to be applied")
        assert finding.run("unwatch", "7").returncode == 0
        wait_until(lambda: not finding.job(7)["watched"], "the entry to be removed")
        lists = gem.listed()
        wait_until(lambda: gem.listed() > lists + 4, "lists to be read")
        assert finding.job(7)["watched"] is False
        assert daemon.stop() == 0


def test_unwatched_job_stays_away_from_a_later_rule(finding: Installation, gem: ScriptedGem) -> None:
    finding.configure(watch=[7], discover=[])
    with finding.daemon():
        wait_until(lambda: finding.job(7)["watched"], "the entry to be applied")
        done = finding.run("unwatch", "7")
        assert (done.returncode, "rules" in done.stdout) == (0, False)
        finding.configure(watch=[], discover=[{"job_type": "ROAD_MATCHING"}])
        wait_until(
            lambda: [job["job_id"] for job in finding.json("status")["jobs"] if job["watched"]] == [8], "job 8"
        )
        lists = gem.listed()
        wait_until(lambda: gem.listed() > lists + 2, "lists to be read")
        assert finding.job(7)["watched"] is False
        finding.configure(watch=[], discover=[])
        assert finding.run("watch", "7").returncode == 0
        finding.configure(watch=[], discover=[{"job_type": "ROAD_MATCHING"}])
        wait_until(lambda: finding.job(7)["watched"], "the job that was let back without a rule")


def test_unwatch_that_cannot_edit_excludes_nothing(finding: Installation) -> None:
    with finding.daemon():
        wait_until(lambda: [job["job_id"] for job in finding.json("status")["jobs"]] == [7], "the job to be found")
        finding.configure(watch=[8])
        wait_until(lambda: finding.job(8)["watched"], "the entry to be applied")
        folder = os.open(finding.folder, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)  # as another edit does
        done = finding.run("unwatch", "7", "8")
        os.close(folder)
        assert done.returncode == 2, done.stdout
        assert finding.job(7)["watched"] is True
        assert finding.job(7)["rule"] == RULE
        done = finding.run("unwatch", "7", "8")
        assert done.returncode == 0, done.stderr
        assert finding.job(7)["watched"] is False


def test_learn_keeps_past_runs_once(finding: Installation, gem: ScriptedGem) -> None:
    gem.lists = False
    with finding.daemon() as daemon:
        assert daemon.stop() == 0
    gem.lists = True
    gem.answers(9, document(9, "SUCCESS"))
    assert finding.json("learn") == {"listed": 3, "learned": 1}
    assert finding.run("learn").stdout == "0 runs learned from 3 listed jobs.\n"
    gem.lists = False
    assert finding.run("learn").returncode == 1
