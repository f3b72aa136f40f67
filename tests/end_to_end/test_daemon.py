"""The whole program: watch jobs, keep their transitions, tell people, through stops, crashes and outages."""

import re
import signal
import sqlite3
import threading
from collections import Counter
from contextlib import closing

import pytest

from support.daemon import Installation
from support.gem import Answer, ScriptedGem
from support.inbox import Inbox
from support.waiting import wait_until


def test_each_end_of_a_job_is_reported_once(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    gem.answers(1, "REQUESTED", "IN_PROGRESS", "SUCCESS")
    gem.answers(2, "REQUESTED", "IN_PROGRESS", "FAILED")
    gem.answers(3, "REQUESTED")
    installation.configure(watch=[1, {"job": 2, "name": "Netherlands weekly"}, 3])
    with installation.daemon(cold=True) as daemon:
        wait_until(lambda: len(inbox.messages) == 2, "both ends")
        assert daemon.get("/healthz") == (200, '{"status":"ok"}')
        assert 'gemwatch_transitions_total{to="SUCCESS"} 1.0' in daemon.get("/metrics")[1]
        assert daemon.get("/nothing")[0] == 404
        assert installation.history(1) == ["REQUESTED", "IN_PROGRESS", "SUCCESS"]
        assert daemon.logged("poll_succeeded")[0]["level"] == "debug"
        assert daemon.stop() == 0
    with installation.daemon() as daemon:
        before = gem.asked(3)
        wait_until(lambda: gem.asked(3) >= before + 2, "polls after the restart")
        assert daemon.stop(signal.SIGINT) == 0
    assert sorted(inbox.titles()) == ["FAILED: Netherlands weekly (job 2)", "SUCCESS: job 1"]
    assert installation.history(2) == ["REQUESTED", "IN_PROGRESS", "FAILED"]
    assert (gem.asked(1), gem.asked(2)) == (3, 3)
    job = installation.job(1)
    assert (job["status"], job["finished"], job["watched"], job["next_poll_at"]) == ("SUCCESS", True, True, None)
    assert job["details"]["statistics"]["num_roads_processed"] == 397613
    assert set(job) == {
        "job_id",
        "name",
        "status",
        "status_since",
        "watched",
        "rule",
        "group",
        "finished",
        "last_polled_at",
        "next_poll_at",
        "misses",
        "last_error",
        "details",
        "estimate",
        "needs_review",
        "limits_passed",
        "previous",
        "failure",
        "not_found",
        "running_since",
    }
    assert installation.json("status")["service"] == {
        "login": "ok",
        "api": "ok",
        "token_expires_at": None,
        "login_since": None,
        "api_since": None,
        "config": "ok",
        "config_since": None,
        "many_refused_since": None,
        "targets_down": [],
        "replicas": [],
    }
    deliveries = installation.json("deliveries")
    assert [(row["job_id"], row["target"], row["state"], row["attempts"]) for row in deliveries] in (
        [(1, "team", "sent", 1), (2, "team", "sent", 1)],
        [(2, "team", "sent", 1), (1, "team", "sent", 1)],
    )


def test_edit_is_applied_while_the_daemon_runs(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    for job_id in (1, 2, 3):
        gem.answers(job_id, "IN_PROGRESS")
    installation.configure(watch=[1, 2])
    with installation.daemon() as daemon:
        wait_until(lambda: gem.asked(2) >= 1, "the first poll")
        installation.configure(watch=[1, 3])
        wait_until(lambda: gem.asked(3) >= 1, "the added job's poll")
        gone = gem.asked(2)
        wait_until(lambda: gem.asked(1) >= 6, "more polls of the one that stayed")
        assert gem.asked(2) == gone
        assert daemon.stop() == 0
    assert inbox.titles() == []
    assert installation.job(2)["watched"] is False
    assert installation.history(2) == ["IN_PROGRESS"]


def test_bad_edit_is_reported_with_its_place(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    gem.answers(1, "IN_PROGRESS")
    installation.configure(watch=[1])
    good = installation.config.read_text()
    with installation.daemon() as daemon:
        installation.config.write_text(good.replace("poll:", "pol:"))
        wait_until(lambda: inbox.titles() == ["gemwatch: configuration refused"], "word of the bad edit")
        line = good.splitlines().index("poll:") + 1
        mistake = 'top level: unknown key "pol"; did you mean "poll"?'
        assert f"{installation.config}:{line}:1: {mistake}" in inbox.messages[0].body
        asked = gem.asked(1)
        wait_until(lambda: gem.asked(1) >= asked + 2, "polls that go on")
        assert "gemwatch_config_last_reload_successful 0.0" in daemon.get("/metrics")[1]
        installation.config.write_text(good)
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(inbox.messages) == 2, "word that it is mended")
        assert daemon.stop() == 0
    assert inbox.titles()[1] == "gemwatch: configuration fixed"


def test_bad_entry_is_skipped_and_the_others_are_watched(
    installation: Installation, gem: ScriptedGem, inbox: Inbox
) -> None:
    gem.answers(1, "IN_PROGRESS")
    gem.answers(2, "SUCCESS")
    installation.configure(watch=[1])
    with installation.daemon() as daemon:
        installation.configure(watch=[1, "not a number", 2])
        wait_until(lambda: len(inbox.messages) == 2, "the bad entry and the end of the good one")
        assert daemon.stop() == 0
    assert sorted(inbox.titles()) == ["SUCCESS: job 2", "gemwatch: 1 watch entry skipped"]


def test_target_that_was_down_gets_its_messages_later(
    installation: Installation, gem: ScriptedGem, inbox: Inbox
) -> None:
    gem.answers(1, "SUCCESS")
    with Inbox() as other:
        inbox.fails_with = 503
        installation.configure(
            watch=[1], notify={"team": {"url": inbox.target_url()}, "mail": {"url": other.target_url()}}
        )
        with installation.daemon() as daemon:
            wait_until(lambda: other.titles() == ["SUCCESS: job 1"] and inbox.refused == 1, "one sent, one refused")
            inbox.fails_with = None
            wait_until(lambda: inbox.titles() == ["SUCCESS: job 1"], "the second attempt")
            assert daemon.stop() == 0
        assert other.titles() == ["SUCCESS: job 1"]
    rows = {row["target"]: row for row in installation.json("deliveries", "--state", "sent")}
    assert (rows["team"]["attempts"], rows["mail"]["attempts"]) == (2, 1)


@pytest.mark.parametrize("taken", [False, True], ids=["before the send", "while it is being sent"])
def test_kill_between_transition_and_send_loses_nothing(
    installation: Installation, gem: ScriptedGem, inbox: Inbox, *, taken: bool
) -> None:
    gem.answers(1, "SUCCESS")
    if taken:
        inbox.hold = threading.Event()
    else:
        inbox.fails_with = 503
    installation.configure(watch=[1])
    with installation.daemon() as daemon:
        wait_until(lambda: inbox.refused or installation.records.history(1), "the transition")
        daemon.kill()
    if inbox.hold is not None:
        inbox.hold.set()
    inbox.hold = inbox.fails_with = None
    with installation.daemon() as daemon:
        wait_until(lambda: installation.records.deliveries("sent"), "the delivery")
        assert daemon.stop() == 0
    assert set(inbox.titles()) == {"SUCCESS: job 1"}
    assert {message.body.splitlines()[-1] for message in inbox.messages} == {"gw-1"}
    assert gem.asked(1) == 1


def test_expired_token_is_renewed_by_the_command(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    token, script = installation.folder / "token", installation.folder / "login.sh"
    script.write_text(f'#!/bin/sh\nprintf \'{{"accessToken": "%s"}}\' "$(cat {token})"\n')
    script.chmod(0o755)
    token.write_text("token-one")
    gem.accepted_tokens = {"token-one"}
    gem.answers(1, "IN_PROGRESS")
    api = {**installation.document["api"], "token": {"command": str(script)}}
    installation.configure(watch=[1], api=api)
    with installation.daemon() as daemon:
        wait_until(installation.records.history, "the first observation")
        token.write_text("token-two")
        gem.accepted_tokens = {"token-two"}
        wait_until(lambda: "Bearer token-two" in {r.headers["authorization"] for r in gem.requests}, "the renewal")
        gem.accepted_tokens = set()
        wait_until(lambda: inbox.titles() == ["gemwatch: login refused"], "word of the broken login")
        assert installation.json("status")["service"]["login"] == "refused"
        assert installation.job(1)["status"] == "IN_PROGRESS"
        assert daemon.stop() == 0
    gem.accepted_tokens = {"token-two"}
    with installation.daemon() as daemon:
        wait_until(lambda: len(inbox.messages) == 2, "word of the recovery")
        assert daemon.stop() == 0
    assert inbox.titles() == ["gemwatch: login refused", "gemwatch: login recovered"]
    assert installation.history(1) == ["IN_PROGRESS"]


def test_many_ends_at_once_become_one_summary(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    for job_id in range(1, 41):
        gem.answers(job_id, "IN_PROGRESS")
    inbox.fails_with = 503
    installation.configure(watch=list(range(1, 41)))
    with installation.daemon() as daemon:
        wait_until(lambda: len(installation.records.history()) == 40, "all jobs to run")
        for job_id in range(1, 41):
            gem.answers(job_id, "SUCCESS" if job_id % 4 else "FAILED")
        wait_until(lambda: len(installation.records.deliveries()) == 40, "all ends")
        inbox.fails_with = None
        wait_until(lambda: len(installation.records.deliveries("sent")) == 40, "all deliveries")
        assert daemon.stop() == 0
    text = "\n".join(f"{message.title}\n{message.body}" for message in inbox.messages)
    assert len(inbox.messages) <= 20  # of 40: how many go out alone before the others wait is chance
    told = Counter(re.findall(r"^(?:SUCCESS|FAILED): job (\d+)\b", text, re.MULTILINE))
    assert told == {str(job_id): 1 for job_id in range(1, 41)}
    assert all(f"gw-{number}" in text for number in range(1, 41))


def test_hanging_request_delays_neither_polls_nor_a_stop(
    installation: Installation, gem: ScriptedGem, inbox: Inbox
) -> None:
    released = threading.Event()
    gem.answers(1, Answer(hold=released))
    gem.answers(2, "IN_PROGRESS")
    api = {**installation.document["api"], "timeout": "1h"}
    installation.configure(watch=[1, 2], api=api)
    with installation.daemon() as daemon:
        wait_until(lambda: gem.asked(1) == 1 and gem.asked(2) >= 4, "polls beside the hanging one")
        assert daemon.stop() == 0
    released.set()
    assert installation.json("history")[0]["job_id"] == 2


def test_second_signal_ends_the_daemon_at_once(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    released = threading.Event()
    gem.answers(1, Answer(hold=released))
    installation.configure(watch=[1], api={**installation.document["api"], "timeout": "1h"})
    with installation.daemon() as daemon:
        wait_until(lambda: gem.asked(1) == 1, "the request")
        daemon.process.send_signal(signal.SIGTERM)
        wait_until(lambda: daemon.logged("stopping"), "the first signal to be heard")
        assert daemon.stop(signal.SIGTERM) == 1
    released.set()


def test_store_locked_for_a_while_loses_nothing(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    gem.answers(1, "IN_PROGRESS")
    installation.configure(watch=[1])
    with installation.daemon() as daemon:
        wait_until(installation.records.history, "the first observation")
        with closing(sqlite3.connect(installation.folder / "gemwatch.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            gem.answers(1, "SUCCESS")
            wait_until(lambda: daemon.get("/healthz")[0] == 503, "health to say so")
            assert "the store does not work: database is locked" in daemon.get("/healthz")[1]
            assert 'gemwatch_transitions_total{to="IN_PROGRESS"} 1.0' in daemon.get("/metrics")[1]
        wait_until(inbox.titles, "the end")
        wait_until(lambda: daemon.get("/healthz")[0] == 200, "every write to be made up for")
        assert daemon.stop() == 0
    assert inbox.titles() == ["SUCCESS: job 1"]


def test_second_daemon_ends_and_names_the_first(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    installation.configure()
    with installation.daemon() as daemon:
        second = installation.run("run")
        assert second.returncode == 1
        assert f"as process {daemon.process.pid}:" in second.stderr
        assert daemon.stop() == 0


def test_port_in_use_ends_the_start_with_a_message(
    installation: Installation, gem: ScriptedGem, inbox: Inbox
) -> None:
    installation.configure(web={"listen": f"127.0.0.1:{gem.port}"})
    done = installation.run("run")
    assert done.returncode == 1
    assert f"127.0.0.1:{gem.port} is in use by another program" in done.stderr
    assert "Traceback" not in done.stderr


def test_edit_of_a_start_section_needs_a_restart(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    installation.configure()
    with installation.daemon() as daemon:
        installation.configure(store={"url": "sqlite:///other.db"})
        wait_until(lambda: daemon.logged("restart_needed"), "the warning")
        assert daemon.logged("restart_needed")[0]["section"] == "store"
        assert daemon.stop() == 0
    assert not (installation.folder / "other.db").exists()


def test_edited_target_receives_the_next_messages(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    gem.answers(1, "IN_PROGRESS")
    installation.configure(watch=[1])
    with installation.daemon() as daemon:
        wait_until(lambda: gem.asked(1) >= 1, "the first poll")
        installation.configure(notify={"chat": {"url": inbox.target_url("chat")}})
        wait_until(lambda: len(daemon.logged("config_applied")) == 2, "the edit")
        gem.answers(1, "SUCCESS")
        wait_until(lambda: inbox.titles("chat") == ["SUCCESS: job 1"], "the message")
        assert daemon.stop() == 0
