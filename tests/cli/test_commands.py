"""Each command as a user types it: what it prints, and how it ends."""

import json
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

import gemwatch
from support.daemon import GEMWATCH, Installation, environment
from support.gem import Answer, ScriptedGem
from support.inbox import Inbox
from support.waiting import wait_until


@pytest.fixture
def finished(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> Installation:
    """A store in which job 1 has ended, job 2 runs and job 3 is not found."""
    gem.answers(1, "REQUESTED", "SUCCESS")
    gem.answers(2, "IN_PROGRESS")
    installation.configure(watch=[{"job": 1, "name": "[red]Weekly[/red]"}, 2, 3])
    with installation.daemon() as daemon:
        wait_until(lambda: len(inbox.messages) == 2, "an end and a job that is not found")
        assert daemon.stop() == 0
    return installation


def records(text: str) -> list[dict[str, str]]:
    """What a command prints into a pipe: a header, and as many values in each line."""
    header, *lines = (line.split("\t") for line in text.splitlines())
    assert all(len(line) == len(header) for line in lines)
    return [dict(zip(header, line, strict=True)) for line in lines]


def test_tables_show_the_store_without_a_daemon(finished: Installation) -> None:
    status = records(finished.run("status").stdout)
    assert [(row["Job"], row["Name"], row["Status"]) for row in status] == [
        ("1", "[red]Weekly[/red]", "SUCCESS"),
        ("2", "", "IN_PROGRESS"),
        ("3", "", "not found"),
    ]
    assert status[2]["Remark"] == "not found, 3 times in a row"
    moves = records(finished.run("history", "1").stdout)
    assert [(row["Job"], row["From"], row["To"]) for row in moves] == [
        ("1", "first seen", "REQUESTED"),
        ("1", "REQUESTED", "SUCCESS"),
    ]
    sent = records(finished.run("deliveries").stdout)
    assert [(row["Kind"], row["Job"], row["Target"], row["State"]) for row in sent] == [
        ("success", "1", "team", "sent"),
        ("not-found", "3", "team", "sent"),
    ]
    assert records(finished.run("deliveries", "--state", "failed").stdout) == []
    for row in finished.json("history"):
        assert list(row) == ["job_id", "from", "to", "last_seen_before", "observed_at", "failure"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row["observed_at"])
    assert set(finished.json("deliveries")[0]) == {
        "id",
        "event",
        "kind",
        "job_id",
        "target",
        "state",
        "attempts",
        "next_attempt_at",
        "sent_at",
        "last_error",
        "text",
    }


def test_tables_need_no_secrets(finished: Installation) -> None:
    api = {**finished.document["api"], "key": "${A_KEY_THAT_IS_NOT_SET}"}
    finished.configure(api=api)
    assert finished.run("check").returncode == 2
    assert len(finished.json("status")["jobs"]) == 3


def test_history_of_an_unknown_job_is_empty(finished: Installation) -> None:
    done = finished.run("history", "99")
    assert (done.returncode, done.stdout) == (1, "")
    assert "not known here: 99" in done.stderr


def test_retry_requeues_failed_deliveries_for_the_daemon(finished: Installation, inbox: Inbox) -> None:
    with closing(sqlite3.connect(finished.folder / "gemwatch.db")) as connection, connection:
        connection.execute("UPDATE deliveries SET state = 'failed', due_at = NULL")
    before = len(inbox.messages)
    with finished.daemon() as daemon:
        done = finished.run("deliveries", "retry", "1")
        assert (done.returncode, done.stdout) == (0, "1 delivery requeued.\n")
        wait_until(lambda: len(inbox.messages) == before + 1, "the delivery")
        assert finished.run("deliveries", "retry").stdout == "1 delivery requeued.\n"
        wait_until(lambda: len(inbox.messages) == before + 2, "the other one")
        assert daemon.stop() == 0
    done = finished.run("deliveries", "retry", "1")
    assert done.returncode == 1
    assert "no failed delivery has this number: 1" in done.stderr


def test_commands_before_the_first_run_report_a_missing_store(installation: Installation) -> None:
    installation.configure()
    for command in (["status"], ["history", "1"], ["deliveries", "--json"], ["deliveries", "retry"]):
        done = installation.run(*command)
        assert done.returncode == 1
        assert "the first `gemwatch run` creates it" in done.stderr


def test_check_reports_the_watch_list_or_every_mistake(installation: Installation) -> None:
    installation.configure(watch=[1, 2])
    done = installation.run("check")
    assert done.returncode == 0
    assert done.stdout.startswith(f"{installation.config}: OK (2 watches, 1 target)")
    installation.config.write_text("api: {key: k, tokn: 1}\npoll: {every: 10 minutes}\nwatch: [1, 1]\n")
    for command in ("check", "run"):
        done = installation.run(command)
        assert done.returncode == 2
        places = re.findall(rf"^{re.escape(str(installation.config))}:(\d+:\d+): ", done.stderr, re.MULTILINE)
        assert places == ["1:15", "2:15", "3:12"]


def test_check_warns_of_a_url_with_several_recipients(installation: Installation) -> None:
    installation.configure(notify={"mail": {"url": "mailto://user:pass@example.com?to=a@example.com,b@example.com"}})
    done = installation.run("check")
    assert done.returncode == 0
    assert "notify.mail:" in done.stderr


def test_check_online_sends_one_request(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "IN_PROGRESS")
    installation.configure(watch=[1])
    done = installation.run("check", "--online")
    assert (done.returncode, len(gem.requests)) == (0, 1)
    assert "api: job 1 is IN_PROGRESS" in done.stdout
    gem.for_all = Answer(status=401)
    done = installation.run("check", "--online")
    assert done.returncode == 1
    assert "401" in done.stderr


def test_test_notify_reports_the_result_for_each_target(installation: Installation, inbox: Inbox) -> None:
    dead = "json://user:SECRETword0@127.0.0.1:9/SECRETpath0"
    installation.configure(notify={"team": {"url": inbox.target_url()}, "dead": {"url": dead}})
    done = installation.run("test-notify")
    assert (done.returncode, done.stdout) == (1, "team: arrived\n")
    assert done.stderr.startswith("dead: ")
    assert "refused" in done.stderr
    assert "SECRET" not in done.stderr
    assert inbox.titles() == ["TEST: SUCCESS: a test of gemwatch (job 123456789)"]
    assert installation.run("test-notify", "team").returncode == 0
    assert installation.run("test-notify", "nobody").returncode == 2


def test_token_shows_its_validity_and_never_itself(installation: Installation) -> None:
    end = 4102444800
    script = installation.folder / "login"
    script.write_text(f'#!/bin/sh\necho \'{{"accessToken": "SECRETtoken", "expires_on": {end}}}\'\n')
    script.chmod(0o755)
    installation.configure(api={**installation.document["api"], "token": {"command": str(script)}})
    done = installation.run("token")
    assert done.returncode == 0
    assert "valid until 1 Jan 2100, " in done.stdout
    assert "SECRET" not in done.stdout + done.stderr
    script.write_text("#!/bin/sh\necho \"Please run 'az login' to set up an account.\" >&2\nexit 1\n")
    done = installation.run("token")
    assert done.returncode == 1
    assert "Please run 'az login'" in done.stderr


def test_watch_and_unwatch_reach_a_running_daemon(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    gem.answers(1, "IN_PROGRESS")
    gem.answers(5, "SUCCESS")
    installation.configure(watch=[1])
    text = installation.config.read_text().replace("watch:\n", "watch:  # the weekly ones\n")
    installation.config.write_text(text)
    with installation.daemon() as daemon:
        done = installation.run("watch", "5", "--name", "Belgium: weekly", "--notify", "team")
        assert done.returncode == 0, done.stderr
        wait_until(lambda: inbox.titles() == ["SUCCESS: Belgium: weekly (job 5)"], "the end of the new job")
        assert installation.run("unwatch", "5").returncode == 0
        assert daemon.stop() == 0
    assert installation.config.read_text() == text
    again = installation.run("watch", "1")
    assert (again.returncode, again.stdout.endswith("job 1 is already watched\n")) == (0, True)
    assert installation.run("watch", "6", "--notify", "nobody").returncode == 2
    assert installation.run("unwatch", "6").returncode == 2
    assert installation.config.read_text() == text


def test_config_option_works_before_the_command_and_as_variable(installation: Installation) -> None:
    installation.configure()
    before = [*GEMWATCH, "--config", str(installation.config), "check"]
    for command, more in ((before, {}), ([*GEMWATCH, "check"], {"GEMWATCH_CONFIG": str(installation.config)})):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(**more))
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", [["nonsense"], ["watch"], ["watch", "zero"], ["deliveries", "--state", "lost"]])
def test_misuse_exits_with_2(arguments: list[str]) -> None:
    assert subprocess.run([*GEMWATCH, *arguments], capture_output=True, check=False).returncode == 2


def test_version_and_help(installation: Installation) -> None:
    done = subprocess.run([*GEMWATCH, "version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"gemwatch \d+\.\d+\.\d+\n", done.stdout)
    shown = subprocess.run([*GEMWATCH, "--help"], capture_output=True, text=True, check=True).stdout
    for command in ("run", "check", "status", "history", "deliveries", "watch", "unwatch", "token", "demo"):
        assert re.search(rf"^  {command} ", shown, re.MULTILINE)


def test_json_is_printed_alone_and_is_ascii(finished: Installation) -> None:
    done = finished.run("status", "--json")
    assert done.stdout.isascii()
    assert done.stderr == ""
    assert json.loads(done.stdout)


def test_the_wheel_holds_the_migrations(tmp_path: Path) -> None:
    installed = Path(gemwatch.__file__).parent
    places = (installed / "migrations", installed.parents[1] / "migrations")
    assert any((place / "versions" / "0001_first_schema.py").is_file() for place in places)


def test_json_of_check_token_and_test_notify(installation: Installation, inbox: Inbox, gem: ScriptedGem) -> None:
    gem.answers(1, "IN_PROGRESS")
    dead = "json://127.0.0.1:9/"
    installation.configure(watch=[1], notify={"team": {"url": inbox.target_url()}, "dead": {"url": dead}})
    done = installation.run("check", "--json", "--online")
    assert (done.returncode, json.loads(done.stdout)["valid"]) == (0, True)
    assert "api: job 1 is IN_PROGRESS" in done.stderr
    assert installation.json("token") == {"expires_at": None, "application": False}
    done = installation.run("test-notify", "--json")
    team, other = json.loads(done.stdout)
    assert (done.returncode, team) == (1, {"target": "team", "sent": True, "reason": None})
    assert (other["target"], other["sent"]) == ("dead", False)
    installation.configure(watch=["x"])
    done = installation.run("check", "--json")
    (problem,) = [one for one in json.loads(done.stdout)["problems"] if one["severity"] == "error"]
    assert (done.returncode, problem["entry"], problem["where"]) == (2, True, "watch[0]")
