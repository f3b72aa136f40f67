"""`gemwatch wait` as scripts use it: each exit code, with and without a daemon, through outages and signals."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gemwatch.core.outcome import EXIT_CODES, Outcome
from gemwatch.demo.server import free_port
from support.daemon import GEMWATCH, Installation, environment, run_gemwatch
from support.gem import KEY, STATISTICS, TOKEN, Answer, ScriptedGem, document
from support.inbox import Inbox
from support.waiting import PATIENCE, wait_until
from support.warm import Call, WarmProcess

ROOT = Path(__file__).parents[2]
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t(\d+)\t(\S+)\t(.*)")


class Waiting:
    """A running `gemwatch wait`. Its output goes to files, so that the test can read it in the meantime."""

    def __init__(self, installation: Installation, arguments: tuple[str, ...]) -> None:
        self._out, self._err = installation.folder / "wait.out", installation.folder / "wait.err"
        for stream in (self._out, self._err):
            stream.write_bytes(b"")
        self.process = WarmProcess(
            Call(
                arguments=("wait", *arguments, "--config", str(installation.config)),
                environment=environment(),
                folder=Path.cwd(),
                streams=(Path(os.devnull), self._out, self._err),
            )
        )

    @property
    def stdout(self) -> str:
        return self._out.read_text()

    @property
    def stderr(self) -> str:
        return self._err.read_text()

    def says(self, *statuses: str) -> bool:
        """Whether its lines so far have these statuses."""
        return [found[2] for line in self.stdout.splitlines() if (found := LINE.fullmatch(line))] == list(statuses)

    def end(self) -> int:
        return self.process.wait(PATIENCE)


@contextmanager
def waiting(installation: Installation, *arguments: str) -> Iterator[Waiting]:
    wait = Waiting(installation, arguments)
    try:
        yield wait
    finally:
        if wait.process.poll() is None:
            wait.process.kill()
        wait.process.wait()


def ended(installation: Installation, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, JSON document and standard error of a wait."""
    done = installation.run("wait", *arguments, "--json")
    return done.returncode, json.loads(done.stdout), done.stderr


def test_wait_returns_at_once_for_ended_jobs(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "SUCCESS")
    gem.answers(2, "SUCCESS")
    installation.configure(watch=[{"job": 2, "name": "[red]Weekly[/red]"}])
    done = installation.run("wait", "1", "2", "1")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [LINE.fullmatch(line) for line in done.stdout.splitlines()]
    words = sorted((line[1], line[2], line[3]) for line in lines if line)
    result = "matched 84.7 %; result test_data.results.parquet"
    assert words == [("1", "SUCCESS", f"\t{result}"), ("2", "SUCCESS", f"[red]Weekly[/red]\t{result}")]
    assert len(gem.requests) == 2


def test_wait_prints_each_change_at_once(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "REQUESTED", "REQUESTED", "IN_PROGRESS", "A_NEW_ONE", "SUCCESS")
    installation.configure()
    with waiting(installation, "1") as wait:
        assert wait.end() == 0
        assert wait.says("REQUESTED", "IN_PROGRESS", "A_NEW_ONE", "SUCCESS")
    assert gem.asked(1) == 5


def test_wait_for_all_ends_with_1_if_one_job_failed(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "FAILED")
    gem.answers(2, "IN_PROGRESS", "IN_PROGRESS", "SUCCESS")
    installation.configure()
    code, said, _ = ended(installation, "1", "2")
    assert (code, said["exit_code"], said["outcome"]) == (1, 1, "failed")
    assert [(job["job_id"], job["status"], job["outcome"]) for job in said["jobs"]] == [
        (1, "FAILED", "failed"),
        (2, "SUCCESS", "success"),
    ]
    assert set(said["jobs"][0]) == {
        "job_id",
        "name",
        "status",
        "failure",
        "status_since",
        "finished",
        "outcome",
        "needs_review",
        "source",
        "last_seen_at",
        "last_error",
        "estimate",
        "details",
    }
    assert said["jobs"][1]["details"]["result_filename"] == "test_data.results.parquet"


def test_any_and_fail_fast_return_early(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "IN_PROGRESS")
    gem.answers(2, "REQUESTED", "SUCCESS")
    gem.answers(3, "REQUESTED", "FAILED")
    installation.configure()
    code, said, _ = ended(installation, "--any", "1", "2")
    assert (code, [job["outcome"] for job in said["jobs"]]) == (0, [None, "success"])
    code, said, _ = ended(installation, "--fail-fast", "1", "3")
    assert (code, [job["outcome"] for job in said["jobs"]]) == (1, [None, "failed"])
    assert installation.run("wait", "--fail-fast", "1", "99").returncode == 5


def test_unknown_job_is_polled_three_times(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "SUCCESS")
    gem.answers(2, Answer(status=404), Answer(status=404), "SUCCESS")
    installation.configure()
    done = installation.run("wait", "1", "2", "9")
    assert done.returncode == 5
    assert "job 9 is not found: check the id" in done.stderr
    assert (gem.asked(9), gem.asked(2)) == (3, 3)
    assert "not-found" in done.stdout


def test_refused_login_is_renewed_and_retried_before_it_ends(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "IN_PROGRESS")
    gem.accepted_tokens = {"another"}
    installation.configure()
    done = installation.run("wait", "1")
    assert done.returncode == 4
    assert "401" in done.stderr
    assert "Renew the login" in done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert len(gem.requests) == 3  # the request, the same with a new token, and a short time later again


def test_refused_wait_prints_the_login_command_on_its_own_line(installation: Installation, gem: ScriptedGem) -> None:
    gem.accepted_tokens = {"another"}
    script = installation.folder / "az"
    script.write_text(f"#!/bin/sh\necho {TOKEN}\n")
    script.chmod(0o755)
    command = [str(script), "account", "get-access-token", "--scope", "a scope"]
    installation.configure(api={**installation.document["api"], "token": {"command": command}})
    done = installation.run("wait", "1")
    assert done.returncode == 4
    assert "  az login --scope 'a scope' --allow-no-subscriptions" in done.stderr.splitlines()


def test_missing_token_is_reported_with_the_commands_own_words(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "IN_PROGRESS")
    script = installation.folder / "az"
    script.write_text("#!/bin/sh\necho \"Please run 'az login' to set up an account.\" >&2\nexit 1\n")
    script.chmod(0o755)
    installation.configure(api={**installation.document["api"], "token": {"command": str(script)}})
    done = installation.run("wait", "1")
    assert done.returncode == 4
    assert "Please run 'az login'" in done.stderr


def test_wait_without_token_and_network_waits_for_the_network(installation: Installation, gem: ScriptedGem) -> None:
    port, online = free_port(), installation.folder / "online"
    script = installation.folder / "az"
    script.write_text(f"#!/bin/sh\ntest -e {online} && exec echo {TOKEN}\necho 'no such host' >&2\nexit 1\n")
    script.chmod(0o755)
    api = {**installation.document["api"], "token": {"command": str(script)}, "base_url": f"http://127.0.0.1:{port}"}
    installation.configure(api=api)
    with waiting(installation, "1") as wait:
        wait_until(lambda: "there is no token" in wait.stderr, "word of the outage")
        online.touch()
        with ScriptedGem(port) as there:
            there.answers(1, "SUCCESS")
            assert wait.end() == 0


def test_wait_reports_an_api_outage_once_and_continues(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "IN_PROGRESS")
    installation.configure()
    with waiting(installation, "1") as wait:
        wait_until(lambda: wait.says("IN_PROGRESS"), "the first look")
        gem.for_all = Answer(status=503)
        asked = len(gem.requests)
        wait_until(lambda: len(gem.requests) >= asked + 2, "tries during the outage")
        gem.answers(1, "SUCCESS")
        gem.for_all = None
        assert wait.end() == 0
        assert wait.stderr.count("503") == 1
        assert wait.stderr.count("the API answers again") == 1


def test_wait_continues_after_a_server_was_gone(installation: Installation, gem: ScriptedGem) -> None:
    port = free_port()
    installation.configure(api={**installation.document["api"], "base_url": f"http://127.0.0.1:{port}"})
    with waiting(installation, "1") as wait:
        with ScriptedGem(port) as first:
            first.answers(1, "IN_PROGRESS")
            wait_until(lambda: wait.says("IN_PROGRESS"), "the first look")
            outages = wait.stderr.count("keeps trying")
            first.for_all = Answer(write=lambda _: None)  # a connection that stays open would go on being served
            wait_until(lambda: wait.stderr.count("keeps trying") > outages, "word of the outage")
        with ScriptedGem(port) as second:
            second.answers(1, "FAILED")
            assert wait.end() == 1


@pytest.mark.parametrize("daemon", [False, True], ids=["by itself", "by the daemon"])
def test_timeout_exits_with_124_and_names_unfinished_jobs(
    installation: Installation, gem: ScriptedGem, *, daemon: bool
) -> None:
    gem.answers(1, "IN_PROGRESS")
    gem.answers(2, "SUCCESS")
    installation.configure(watch=[1, 2] if daemon else [])
    if daemon:
        with installation.daemon():
            wait_until(lambda: installation.records.history(2), "the daemon's first poll")
            code, said, stderr = ended(installation, "1", "2", "--timeout", "5s")
    else:
        code, said, stderr = ended(installation, "1", "2", "--timeout", "5s")
    assert (code, said["outcome"]) == (124, "timed-out")
    assert [job["outcome"] for job in said["jobs"]] == [None, "success"]
    assert "not finished yet: job 1\n" in stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_a_wait_with_the_shells_exit_code(
    installation: Installation, gem: ScriptedGem, number: signal.Signals, code: int
) -> None:
    gem.answers(1, "IN_PROGRESS")
    installation.configure()
    with waiting(installation, "1") as wait:
        wait_until(lambda: wait.says("IN_PROGRESS"), "the first look")
        wait.process.send_signal(number)
        assert wait.end() == code
        assert "not finished yet: job 1" in wait.stderr
        assert "Traceback" not in wait.stderr


def test_signal_during_a_hanging_request_ends_a_wait(installation: Installation, gem: ScriptedGem) -> None:
    hold = threading.Event()
    gem.answers(1, Answer(hold=hold))
    installation.configure(api={**installation.document["api"], "timeout": "10m"})
    with waiting(installation, "1", "--json") as wait:
        wait_until(lambda: gem.asked(1), "the request")
        wait.process.send_signal(signal.SIGINT)
        assert wait.end() == 130
        assert json.loads(wait.stdout)["outcome"] == "interrupted"
    hold.set()


def test_watched_job_costs_the_wait_no_request(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    gem.answers(1, "REQUESTED")
    gem.answers(2, "IN_PROGRESS", "SUCCESS")
    installation.configure(watch=[{"job": 1, "name": "Weekly"}])
    with installation.daemon() as daemon:
        wait_until(lambda: gem.asked(1), "the daemon's first poll")
        with waiting(installation, "1", "2") as wait:
            wait_until(lambda: wait.says("REQUESTED", "IN_PROGRESS", "SUCCESS"), "the job that nobody watches")
            gem.answers(1, "SUCCESS")
            assert wait.end() == 0
        asked = gem.asked(1)
        code, said, _ = ended(installation, "1")
        assert (code, said["jobs"][0]["source"], said["jobs"][0]["name"]) == (0, "daemon", "Weekly")
        assert gem.asked(1) == asked
        of = {n: {request.connection for request in gem.requests if request.job_id == n} for n in (1, 2)}
        assert of[1].isdisjoint(of[2])
        assert daemon.stop() == 0


def test_wait_survives_a_kill_of_the_daemon(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "IN_PROGRESS")
    installation.configure(watch=[1])
    with installation.daemon() as daemon:
        wait_until(lambda: gem.asked(1), "the daemon's first poll")
        with waiting(installation, "1", "--json") as wait:
            connections = {request.connection for request in gem.requests}
            daemon.kill()
            wait_until(lambda: {r.connection for r in gem.requests} > connections, "a look of the wait's own")
            gem.answers(1, "FAILED")
            assert wait.end() == 1
            assert json.loads(wait.stdout)["jobs"][0]["source"] == "api"


def test_wait_survives_a_started_daemon_and_an_unwatch(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "IN_PROGRESS")
    installation.configure(watch=[1])
    with waiting(installation, "1") as wait:
        wait_until(lambda: wait.says("IN_PROGRESS"), "the first look")
        with installation.daemon() as daemon:
            wait_until(lambda: installation.records.history(1), "the daemon's first poll")
            assert installation.run("unwatch", "1").returncode == 0
            wait_until(lambda: not installation.records.status()["jobs"][0]["watched"], "the edit to be taken")
            gem.answers(1, "SUCCESS")
            assert wait.end() == 0
            assert daemon.stop() == 0
        assert wait.says("IN_PROGRESS", "SUCCESS")


def matched(job_id: int, share: float, requested_at: str) -> dict[str, Any]:
    return document(
        job_id, "SUCCESS", requested_at=requested_at, statistics={**STATISTICS, "roads_matched_ratio": share}
    )


@pytest.mark.parametrize("daemon", [False, True], ids=["by itself", "by the daemon"])
def test_success_that_needs_review_exits_with_3(
    installation: Installation, gem: ScriptedGem, *, daemon: bool
) -> None:
    gem.answers(1, "SUCCESS")
    gem.answers(2, "SUCCESS")
    own = {"job": 2, "gate": {"matched_min": "off"}}
    installation.configure(gate={"matched_min": 0.9}, watch=[1, own] if daemon else [own])
    if daemon:
        with installation.daemon():
            wait_until(lambda: len(installation.records.history()) == 2, "the daemon's polls in its store")
            gem.for_all = Answer(status=503)  # only the daemon knows the end
            code, said, _ = ended(installation, "1", "2")
    else:
        code, said, _ = ended(installation, "1", "2")
    assert (code, said["outcome"]) == (3, "needs-review")
    assert said["jobs"][0]["needs_review"] == ["matched 84.7 %, below the floor of 90.0 %"]
    assert [job["outcome"] for job in said["jobs"]] == ["needs-review", "success"]


def test_own_poll_is_compared_with_runs_in_the_store(
    installation: Installation, gem: ScriptedGem, inbox: Inbox
) -> None:
    gem.answers(1, matched(1, 0.86, "2026-02-18T10:00:00Z"))
    gem.answers(2, matched(2, 0.70, "2026-02-25T10:00:00Z"))
    installation.configure(watch=[1], gate={"matched_drop_max": 0.05})
    with installation.daemon() as daemon:
        wait_until(lambda: len(inbox.messages) == 1, "the first end")
        installation.configure(watch=[1, 2])
        wait_until(lambda: len(inbox.messages) == 2, "both ends")
        assert daemon.stop() == 0
    gem.answers(3, matched(3, 0.84, "2026-02-20T10:00:00Z"))
    for job_id, code in ((1, 0), (2, 3), (3, 0)):  # each is compared with the previous one, never with itself
        assert installation.run("wait", str(job_id)).returncode == code
    gem.answers(4, matched(4, 0.60, "2026-03-04T10:00:00Z"))
    done = installation.run("wait", "4")
    assert done.returncode == 3
    assert "needs review: matched 60.0 %, 10.0 points less than the 70.0 % before" in done.stdout


def test_wait_shows_the_daemons_estimate(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    for job_id in (1, 2, 3):
        gem.answers(job_id, "IN_PROGRESS", "SUCCESS")
    gem.answers(4, "IN_PROGRESS")
    installation.configure(watch=[1, 2, 3, 4])
    with installation.daemon():
        wait_until(
            lambda: len(inbox.messages) >= 3 and installation.records.history(4), "three ends and a job that runs"
        )
        _, said, _ = ended(installation, "4", "--timeout", "1s")
    assert (said["jobs"][0]["estimate"]["runs"], said["jobs"][0]["estimate"]["overdue"]) == (3, False)


def test_wait_tries_its_own_login_if_the_daemons_is_refused(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "IN_PROGRESS")
    gem.accepted_tokens = {"another"}
    installation.configure(watch=[1])
    with installation.daemon():
        wait_until(lambda: installation.records.status()["service"]["login"] == "refused", "the login to be refused")
        assert installation.run("wait", "1").returncode == 4
        gem.accepted_tokens = None
        gem.answers(1, "SUCCESS")
        code, said, _ = ended(installation, "1")
        assert (code, said["jobs"][0]["outcome"]) == (0, "success")


def test_wait_needs_no_configuration_file(tmp_path: Path, gem: ScriptedGem) -> None:
    gem.answers(1, "SUCCESS")
    az = tmp_path / "az"
    az.write_text(f'#!/bin/sh\n[ "$1 $2" = "account get-access-token" ] && echo \'{{"accessToken": "{TOKEN}"}}\'\n')
    az.chmod(0o755)
    there = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "GEMWATCH_BASE_URL": gem.url}

    def wait(**more: str) -> subprocess.CompletedProcess[str]:
        return run_gemwatch("wait", "1", folder=tmp_path, **there, **more)

    done = wait(TOMTOM_API_KEY=KEY)
    assert (done.returncode, done.stderr) == (0, "")
    assert gem.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert gem.requests[0].headers["tomtom-api-key"] == KEY
    done = wait()
    assert (done.returncode, done.stdout) == (2, "")
    assert "TOMTOM_API_KEY is not set" in done.stderr
    assert wait(TOMTOM_API_KEY=KEY, GEMWATCH_CONFIG="gone.yaml").returncode == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["az"]


def test_wait_needs_no_secrets_of_targets(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "SUCCESS")
    installation.configure(notify={"team": {"url": "${A_URL_THAT_IS_NOT_SET}"}}, watch=[1, "nonsense"])
    assert installation.run("check").returncode == 2
    assert installation.run("wait", "1").returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [[], ["0"], ["-5"], ["1.5"], ["9223372036854775808"], ["1", "--timeout", "soon"], ["1", "--timeout", "0"]],
)
def test_misuse_of_wait_exits_with_2_without_a_request(
    installation: Installation, gem: ScriptedGem, arguments: list[str]
) -> None:
    installation.configure()
    assert installation.run("wait", *arguments).returncode == 2
    assert gem.requests == []


def test_mistake_in_the_configuration_has_its_place(installation: Installation) -> None:
    installation.config.write_text("api: {key: k, tokn: 1}\n")
    done = installation.run("wait", "1")
    assert done.returncode == 2
    assert f"{installation.config}:1:15: " in done.stderr


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_closed_reader_leaves_the_exit_code_of_a_wait(
    installation: Installation, gem: ScriptedGem, more: list[str]
) -> None:
    gem.answers(1, "REQUESTED", "IN_PROGRESS", "SUCCESS")
    installation.configure()
    command = [*GEMWATCH, "wait", "1", *more, "--config", str(installation.config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(PATIENCE) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_full_disk_leaves_the_exit_code_of_a_wait(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "REQUESTED", "FAILED")
    installation.configure()
    command = [*GEMWATCH, "wait", "1", "--config", str(installation.config)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment())
    assert done.returncode == 1
    assert done.stderr.count("cannot be written: No space left") == 1


def test_wait_shows_a_table_on_a_terminal(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "IN_PROGRESS", "IN_PROGRESS", Answer(status=503), "SUCCESS")
    gem.answers(22, document(22, "SUCCESS", result_filename="\x1b[31mred.parquet"))
    installation.configure(watch=[{"job": 1, "name": "[red]Weekly[/red]"}])
    pid, terminal = pty.fork()
    if pid == 0:
        command = [*GEMWATCH, "wait", "1", "22", "--config", str(installation.config)]
        os.execve(sys.executable, command, environment(TERM="xterm", COLUMNS="140", LINES="30"))
    shown = b""
    try:
        while chunk := os.read(terminal, 65536):
            shown += chunk
    except OSError:  # how a terminal says that nobody is on its other side any more
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert re.search(r"1 +\[red\]Weekly\[/red\] +IN_PROGRESS", text)
    assert re.search(r"1 +\[red\]Weekly\[/red\] +SUCCESS", text)
    assert re.search(r"22 .*SUCCESS", text)
    assert "Waiting for 1 of 2 jobs." in text
    assert "503" in text
    assert "\x1b[31mred.parquet" not in shown.decode()
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("job_id", "words"),
    [(1, "publish the result"), (2, "there is no result"), (9, "there is no result")],
)
def test_script_in_the_guide_works(installation: Installation, gem: ScriptedGem, job_id: int, words: str) -> None:
    gem.answers(1, "SUCCESS")
    gem.answers(2, "FAILED")
    installation.configure()
    guide = (ROOT / "docs/wait.md").read_text()
    script = guide.split("```sh\n")[1].split("```")[0]
    program = installation.folder / "gemwatch"
    program.write_text(f'#!/bin/sh\nexec {" ".join(GEMWATCH)} "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", script, "script", str(job_id)],
        cwd=installation.folder,
        capture_output=True,
        text=True,
        check=False,
        env=environment(PATH=f"{installation.folder}:{os.environ['PATH']}", GEMWATCH_CONFIG=str(installation.config)),
    )
    assert (done.returncode, done.stdout) == (0, f"job {job_id}: {words}\n")
    assert json.loads((installation.folder / "wait.json").read_text())["jobs"][0]["job_id"] == job_id


def test_guide_lists_every_exit_code() -> None:
    guide = (ROOT / "docs/wait.md").read_text()
    listed = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", guide, re.MULTILINE) for code in row.split(",")}
    assert listed == {*EXIT_CODES.values(), 2, 70}
    assert [outcome for outcome in Outcome if f"`{outcome}`" not in guide] == []


def test_help_lists_every_exit_code_on_its_own_line() -> None:
    shown = subprocess.run([*GEMWATCH, "wait", "--help"], capture_output=True, text=True, check=True).stdout
    assert {int(code) for code in re.findall(r"^ +(\d+)  ", shown, re.MULTILINE)} == {
        *(code for outcome, code in EXIT_CODES.items() if outcome is not Outcome.TERMINATED),
        2,
        70,
    }
    assert "143: by SIGTERM" in shown


def test_numbers_that_json_lacks_leave_the_document_valid(installation: Installation, gem: ScriptedGem) -> None:
    odd = b'{"job_id": 1, "status": "SUCCESS", "long": 1e999, "odd": NaN, "storage_id": "\\ud800"}'
    gem.answers(1, Answer(body=odd))
    installation.configure()
    done = installation.run("wait", "1", "--json")
    said = json.loads(done.stdout, parse_constant=pytest.fail)
    assert (done.returncode, said["jobs"][0]["details"]["long"], said["jobs"][0]["details"]["odd"]) == (0, None, None)


def test_unknown_status_ends_a_wait_only_if_asked(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "CANCELLED", "CANCELLED", "SUCCESS")
    gem.answers(2, "CANCELLED")
    installation.configure()
    assert ended(installation, "1")[0] == 0
    code, said, words = ended(installation, "2", "--unknown-status", "end")
    assert (code, said["outcome"], said["jobs"][0]["status"]) == (6, "unknown-status", "CANCELLED")
    assert "job 2 has status CANCELLED, which gemwatch does not know" in words
    assert installation.run("wait", "2", "--unknown-status", "never").returncode == 2


def test_reason_of_a_failure_is_shown(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, {**document(1, "FAILED"), "message": "Validation failed: column 'geometry'"})
    installation.configure()
    done = installation.run("wait", "1")
    assert done.returncode == 1
    assert "\tGEM: Validation failed: column 'geometry'" in done.stdout
    assert ended(installation, "1")[1]["jobs"][0]["failure"] == ["Validation failed: column 'geometry'"]


def test_hanging_store_delays_neither_timeout_nor_signal(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "IN_PROGRESS")
    gem.answers(2, "SUCCESS")
    os.mkfifo(installation.folder / "gemwatch.db")  # to open it waits for a writer, as a dead file server would
    installation.configure()
    assert ended(installation, "1", "--timeout", "1s")[0] == 124
    assert ended(installation, "2")[0] == 0
    with waiting(installation, "1") as wait:
        wait_until(lambda: wait.says("IN_PROGRESS"), "the first poll")
        wait.process.send_signal(signal.SIGINT)
        assert wait.end() == 130
