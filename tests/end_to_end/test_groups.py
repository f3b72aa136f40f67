"""A group in the program: its message, `status`, `wait`, API and metrics."""

import json

from support.daemon import Installation
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.waiting import wait_until

WATCH = [{"job": 1, "group": "release"}, {"job": 2, "group": "release"}, 3]


def test_group_is_shown_waited_for_and_reported_once(
    installation: Installation, gem: ScriptedGem, inbox: Inbox
) -> None:
    gem.answers(1, "SUCCESS")
    gem.answers(2, "IN_PROGRESS")
    gem.answers(3, "IN_PROGRESS")
    installation.configure(watch=WATCH, groups={"release": {"members": "quiet"}})
    with installation.daemon() as daemon:
        wait_until(lambda: installation.job(2)["status"] == "IN_PROGRESS")
        wait_until(lambda: installation.job(1)["finished"])
        (group,) = json.loads(daemon.get("/api/groups")[1])["groups"]
        assert (group["name"], group["members"], group["finished"], group["done_at"]) == ("release", 2, 1, None)
        assert group["jobs"] == {"SUCCESS": 1, "IN_PROGRESS": 1}
        found = json.loads(daemon.get("/api/jobs?group=release")[1])["jobs"]
        assert [(job["job_id"], job["group"]) for job in found] == [(1, "release"), (2, "release")]
        assert 'gemwatch_group_jobs{group="release",status="SUCCESS"} 1.0' in daemon.get("/metrics")[1]
        gem.answers(2, "FAILED")
        done = installation.run("wait", "--group", "release", "--json")
        assert (done.returncode, [job["job_id"] for job in json.loads(done.stdout)["jobs"]]) == (1, [1, 2])
        wait_until(lambda: any(title == "GROUP DONE: release" for title in inbox.titles()))
        wait_until(lambda: json.loads(daemon.get("/api/groups")[1])["groups"][0]["done_at"])  # answers last a second
        wait_until(lambda: "gemwatch_group_jobs{" not in daemon.get("/metrics")[1])
    assert sorted(title.partition(":")[0] for title in inbox.titles()) == ["FAILED", "GROUP DONE"]
    shown = json.loads(installation.run("status", "--group", "release", "--json").stdout)
    assert [job["job_id"] for job in shown["jobs"]] == [1, 2]


def test_unknown_group_ends_status_and_wait_with_a_sentence(installation: Installation, gem: ScriptedGem) -> None:
    installation.configure(watch=WATCH)
    nowhere = installation.run("wait", "--group", "release")
    assert nowhere.returncode == 2
    assert "cannot be read" in nowhere.stderr
    gem.answers(1, "SUCCESS")
    with installation.daemon():
        wait_until(lambda: installation.job(1)["finished"])
        assert installation.run("wait", "--group", "other").returncode == 2
        status = installation.run("status", "--group", "other")
        assert (status.returncode, status.stderr) == (1, "gemwatch: no job is in the group 'other'\n")
    assert "name at least one job id" in installation.run("wait").stderr
