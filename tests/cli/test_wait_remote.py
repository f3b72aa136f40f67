"""`gemwatch wait --url`: the jobs of a daemon elsewhere, followed through its JSON API."""

import json
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.daemon import GEMWATCH, Installation, environment, run_gemwatch
from support.gem import ScriptedGem
from support.http import Handler, Server
from support.waiting import PATIENCE, wait_until

TOKEN = "a-token-for-the-web-9f31"


def arguments(installation: Installation, *more: str) -> list[str]:
    return ["wait", *more, "--url", f"http://127.0.0.1:{installation.port}"]


def waited(
    installation: Installation, *more: str, token: str | None = TOKEN, folder: Path | None = None
) -> tuple[int, Mapping[str, Any], str]:
    """Exit code, JSON document and standard error, in a folder without a configuration."""
    variables = {} if token is None else {"GEMWATCH_WEB_TOKEN": token}
    done = run_gemwatch(
        *arguments(installation, *more),
        "--json",
        folder=folder or Path("/"),
        HTTP_PROXY="http://127.0.0.1:9",
        **variables,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


def with_token(installation: Installation) -> dict[str, str]:
    return {"listen": f"127.0.0.1:{installation.port}", "token": TOKEN}


def test_remote_wait_ends_like_a_local_one(installation: Installation, gem: ScriptedGem, tmp_path: Path) -> None:
    gem.answers(1, "SUCCESS")
    gem.answers(2, "FAILED")
    gem.answers(3, "IN_PROGRESS")
    installation.configure(watch=[{"job": 1, "name": "Weekly"}, 2, 3, 4], web=with_token(installation))
    with installation.daemon():
        jobs = installation.records
        wait_until(lambda: jobs.status()["jobs"][3]["not_found"], "the end of the watches")
        code, document, stderr = waited(installation, "1")
        (job,) = document["jobs"]
        assert (code, stderr) == (0, "")
        assert (job["name"], job["status"], job["outcome"], job["source"]) == (
            "Weekly",
            "SUCCESS",
            "success",
            "daemon",
        )
        assert job["details"]["result_filename"] == "test_data.results.parquet"
        assert (document["outcome"], document["exit_code"]) == ("success", 0)
        assert waited(installation, "1", "2", "4", "--fail-fast")[0] == 1
        code, document, stderr = waited(installation, "99", "1", "4")
        assert (code, [job["outcome"] for job in document["jobs"]]) == (5, ["not-found", "success", "not-found"])
        assert "does not watch this job" in document["jobs"][0]["last_error"]
        assert "job 99 is not found" in stderr
        code, _, stderr = waited(installation, "3", "--timeout", "1s")
        assert (code, "not finished yet: job 3" in stderr) == (124, True)

        code, document, stderr = waited(installation, "1", token="another-token-of-16")
        assert (code, document["outcome"]) == (4, "login-refused")
        assert "refuses the token" in stderr
        assert "Set GEMWATCH_WEB_TOKEN" in stderr
        assert "another-token" not in stderr
        (tmp_path / "token").write_text(f"{TOKEN}\n")
        assert waited(installation, "1", "--token-file", str(tmp_path / "token"), token=None)[0] == 0


def test_remote_wait_waits_out_a_missing_daemon(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "IN_PROGRESS")
    installation.configure(watch=[1])
    out = installation.folder / "wait.out"
    with out.open("wb") as stdout:
        wait = subprocess.Popen(
            [*GEMWATCH, *arguments(installation, "1")],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        try:
            assert wait.stderr is not None
            assert "cannot be reached: connection refused" in wait.stderr.readline()
            with installation.daemon():
                wait_until(lambda: "\tIN_PROGRESS\t" in out.read_text(), "the status")
                gem.answers(1, "SUCCESS")
                assert wait.wait(PATIENCE) == 0
            assert wait.stderr.read() == "gemwatch: the API answers again\n"
        finally:
            wait.kill()
            wait.communicate()
    assert [line.split("\t")[2] for line in out.read_text().splitlines()] == ["Status", "IN_PROGRESS", "SUCCESS"]


def test_remote_wait_for_a_group_ends_like_a_local_one(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "SUCCESS")
    gem.answers(2, "FAILED")
    gem.answers(3, "SUCCESS")
    group = {"group": "release"}
    installation.configure(watch=[{"job": 1, **group}, {"job": 2, **group}, 3], web=with_token(installation))
    with installation.daemon():
        wait_until(lambda: all(job["finished"] for job in installation.records.status()["jobs"]), "the ends")
        code, document, _ = waited(installation, "--group", "release")
        assert (code, [job["job_id"] for job in document["jobs"]]) == (1, [1, 2])
        code, document, _ = waited(installation, "3", "--group", "release", "--any")
        assert [job["job_id"] for job in document["jobs"]] == [3, 1, 2]
        code, document, stderr = waited(installation, "--group", "other")
        assert (code, document, stderr) == (2, {}, "gemwatch: no job is in the group 'other'\n")
        code, document, stderr = waited(installation, "--group", "release", token="another-token-of-16")
        assert (code, document["outcome"], "refuses the token" in stderr) == (4, "login-refused", True)
    code, document, stderr = waited(installation, "--group", "release", "--timeout", "1s")
    assert (code, document["outcome"], document["jobs"]) == (124, "timed-out", [])
    assert "The jobs of the group are not known yet; gemwatch keeps trying" in stderr


def test_signal_ends_a_remote_wait(installation: Installation, gem: ScriptedGem) -> None:
    wait = subprocess.Popen(
        [*GEMWATCH, *arguments(installation, "1")], stderr=subprocess.PIPE, text=True, env=environment()
    )
    try:
        assert wait.stderr is not None
        assert "keeps trying" in wait.stderr.readline()
        wait.send_signal(signal.SIGTERM)
        assert wait.wait(PATIENCE) == 143
        assert wait.stderr.read() == "gemwatch: stopped by SIGTERM; not finished yet: job 1\n"
    finally:
        wait.kill()
        wait.communicate()


def test_remote_wait_ends_with_2_where_it_cannot_work(installation: Installation) -> None:
    class Newer(Handler):
        def do_GET(self) -> None:
            self.answer(200, b'{"version": "9.1.0"}')

    with Server(Newer, installation.port):
        code, _, stderr = waited(installation, "1")
        assert (code, "is gemwatch 9.1.0" in stderr, "Traceback" in stderr) == (2, True, False)
    done = installation.run("wait", "1", "--url", "http://gemwatch.example.com")
    assert (done.returncode, "http is only for this machine" in done.stderr) == (2, True)
    done = installation.run("wait", "1", "--token-file", "/nothing")
    assert (done.returncode, "--token-file is for --url" in done.stderr) == (2, True)


def test_remote_wait_reads_new_words_of_a_newer_daemon(installation: Installation, gem: ScriptedGem) -> None:
    estimate = dict.fromkeys(("ends_at", "earliest", "latest"), "2026-02-18T13:00:00Z")
    seconds = {"low": 1, "median": 2, "high": 3}

    class Newer(Handler):
        def do_GET(self) -> None:
            _, text = daemon.get(self.path)
            document = {**json.loads(text), "login": "novelty", "api": "novelty"}
            for job in document["jobs"] if "/api/jobs" in self.path else ():
                job["estimate"] = {**estimate, "runs": 5, "basis": "novelty", "overdue": False}
                job["estimate"] |= {"queue_seconds": None, "running_seconds": seconds}
            self.answer(200, json.dumps(document).encode())

    gem.answers(1, "IN_PROGRESS")
    installation.configure(watch=[1])
    with installation.daemon() as daemon, Server(Newer) as newer:
        wait_until(installation.records.history, "the first poll")
        done = installation.run("wait", "1", "--url", newer.url, "--timeout", "1s")
    assert (done.returncode, "Traceback" in done.stderr) == (124, False)
    assert "IN_PROGRESS" in done.stdout


def test_refused_login_of_the_daemon_ends_a_remote_wait(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "IN_PROGRESS")
    gem.accepted_tokens = {"another"}
    installation.configure(watch=[1])
    with installation.daemon():
        wait_until(lambda: installation.records.status()["service"]["login"] == "refused", "the refusal")
        code, document, stderr = waited(installation, "1", token=None)
    assert (code, document["outcome"]) == (4, "login-refused")
    assert "cannot log in to the GEM API" in stderr
