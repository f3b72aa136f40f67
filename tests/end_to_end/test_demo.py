"""`gemwatch demo` as a user starts it: a process whose output, exit code and leftovers are checked."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gemwatch.demo.lives import ADDED, FOUND, WATCHED, Life

ENDS = [
    "SUCCESS: Netherlands roads (job 123456701)",
    "SUCCESS: Belgium lanes (job 123456702)",
    "FAILED: Spain roads (job 123456703)",
    "SUCCESS: Malta roads (job 123456704)",
    "SUCCESS: Denmark roads (job 123456705)",
    "SUCCESS: Poland lanes (job 123456706)",
    "SUCCESS: Portugal roads (job 123456707)",
    "SUCCESS: Luxembourg roads (job 123456708)",
    "SUCCESS: Italy roads (job 123456711)",
    "SUCCESS, needs review: Greece roads (job 123456712)",
    "NOT FOUND: job 123456799",
    "FAILED: nord_iceland.parquet (job 123456723)",
    "GROUP DONE: nordic",
]


class Demo:
    """A demo whose temporary folder is `folder`, by which its processes are known too."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.output = ""
        astray = {"HTTP_PROXY": "http://127.0.0.1:9", "GEMWATCH_CONFIG": "/nowhere/config.yaml"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gemwatch", "demo", *options],
            env={**os.environ, **astray, "TMPDIR": str(folder), "COLUMNS": "80"},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )

    def read_until(self, text: str) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output += line
            if text in line:
                return
        pytest.fail(f"ended without {text!r}:\n{self.output}")

    def read_no_more(self) -> int:
        """The exit code of one whose reader goes away, as in `gemwatch demo | head -1`."""
        assert self._process.stdout is not None
        self._process.stdout.close()
        return self._process.wait()

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def exit_code(self) -> int:
        rest, _ = self._process.communicate()
        self.output += rest
        return self._process.returncode

    def kill(self) -> None:
        self._process.terminate()  # not SIGKILL: it has a daemon to end
        with self._process:
            pass  # waits, and closes the pipe


def running_in(folder: Path) -> list[int]:
    """The processes whose environment names the folder."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            named = f"TMPDIR={folder}\0".encode() in environment.read_bytes()
        except OSError:  # another user's, or gone
            continue
        if named:
            found.append(int(environment.parent.name))
    return found


@pytest.fixture(scope="module")
def folders() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="test-demo-") as folder:
        yield Path(folder)


def start(folders: Path, name: str, *options: str) -> Demo:
    folder = folders / name
    folder.mkdir()
    return Demo(folder, *options)


@dataclass(frozen=True, kw_only=True)
class Ended:
    output: str
    code: int
    folder: Path


@pytest.fixture(scope="module")
def going_on(folders: Path) -> Iterator[Demo]:
    """One that keeps running. It starts first, so that both waits overlap."""
    demo = start(folders, "going-on", "--keep-running")
    yield demo
    demo.kill()


@pytest.fixture(scope="module")
def ended(folders: Path, going_on: Demo) -> Iterator[Ended]:
    """One that has run to its end."""
    demo = start(folders, "ended")
    try:
        code = demo.exit_code()
        yield Ended(output=demo.output, code=code, folder=demo.folder)
    finally:
        demo.kill()


def test_demo_ends_with_success(ended: Ended) -> None:
    assert ended.code == 0, ended.output


@pytest.mark.parametrize("title", ENDS)
def test_demo_delivers_each_end(ended: Ended, title: str) -> None:
    assert len(re.findall(rf"^╭─ {re.escape(title)} ─", ended.output, re.MULTILINE)) == 1
    expected_twice = not re.search("NOT FOUND|Poland|nord", title)
    sent_again = re.findall(rf"^\d\d:\d\d  also to [\w-]+: {re.escape(title)}$", ended.output, re.MULTILINE)
    assert len(sent_again) == expected_twice


def test_demo_routes_messages_to_their_targets(ended: Ended) -> None:
    assert "STARTED: Netherlands roads" in ended.output
    assert not re.search(r"also to [\w-]+: STARTED", ended.output)


def test_demo_start_message_has_the_expected_end(ended: Ended) -> None:
    _, _, started = ended.output.partition("STARTED: Netherlands roads")
    assert "6 runs of the same input" in " ".join(started.replace("│", " ").split())[:400]


def test_demo_reports_a_slow_job_and_its_end(ended: Ended) -> None:
    late, _, rest = ended.output.partition("RUNNING TOO LONG: Italy roads (job 123456711)")
    assert rest
    assert "SUCCESS: Italy roads" not in late
    assert "SUCCESS: Italy roads" in rest


def test_demo_warns_of_nothing_and_folds_no_status(ended: Ended) -> None:
    assert "config warning" not in ended.output
    summary = re.findall(r"^\d{9} .*$", ended.output, re.MULTILINE)
    assert len([line for line in summary if "REQUESTED → IN_PROGRESS  " in line and len(line) <= 80]) == 8


def test_demo_shows_why_a_success_needs_review(ended: Ended) -> None:
    _, _, poll_once = ended.output.partition("SUCCESS, needs review: Greece roads")
    assert "matched 71.0 %, below the floor of 80.0 %" in poll_once[:600]


@pytest.mark.parametrize(
    "line",
    [
        "daemon: learned 60 earlier runs from the list of ROAD_MATCHING jobs",
        "nord_norway.parquet (job 123456721): found in the list by the rule",
        "Netherlands roads (job 123456701): first seen, REQUESTED",
        "Netherlands roads (job 123456701): REQUESTED → IN_PROGRESS",
        "Netherlands roads (job 123456701): IN_PROGRESS → SUCCESS",
        "Spain roads (job 123456703): IN_PROGRESS → FAILED",
        "Malta roads (job 123456704): REQUESTED → SUCCESS",
        "Denmark roads (job 123456705): first seen, SUCCESS",
        "Portugal roads (job 123456707): the API knows no such job (HTTP 404)",
        "data-mail did not take gw-1",
        "-m gemwatch watch 123456708 --name 'Luxembourg roads' --config",
        "daemon: configuration applied, 11 jobs on the watch list",
        "HTTP 500 Internal Server Error",
        "login: all sessions end",
        "GEM API: a token was refused with HTTP 401",
        "login: issued a new token",
        "daemon: stopped",
    ],
)
def test_demo_shows_what_happens(ended: Ended, line: str) -> None:
    assert re.search(rf"^\d\d:\d\d  .*{re.escape(line)}", ended.output, re.MULTILINE)


@pytest.mark.parametrize("life", [*WATCHED, ADDED], ids=lambda life: str(life.job_id))
def test_demo_table_has_each_job_with_its_end(ended: Ended, life: Life) -> None:
    table = ended.output.partition("Messages\n")[2]
    row = next(line for line in table.splitlines() if line.startswith(str(life.job_id)))
    end = "NEEDS REVIEW" if life.matched else life.event.traits.outcome
    assert re.search(rf" {end} +[1-4]$", row)


def test_demo_edits_the_watch_list_of_a_started_daemon(ended: Ended) -> None:
    started, edit, _ = ended.output.partition("-m gemwatch watch 123456708")
    assert edit
    assert "daemon: configuration applied, 10 jobs on the watch list" in started


def test_demo_reports_a_group_as_one(ended: Ended) -> None:
    _, _, done = ended.output.partition("GROUP DONE: nordic")
    assert "4 of 4 expected: 3 SUCCESS, 1 FAILED" in done[:400]
    assert not re.search("SUCCESS: nord_", ended.output)
    for life in FOUND:
        row = next(line for line in ended.output.splitlines() if line.startswith(f"{life.job_id} "))
        assert row.split()[-2:] == [life.end.value, str(int(life.end == "FAILED"))]


def test_demo_shows_what_to_do_next(ended: Ended) -> None:
    *_, init, run = ended.output.splitlines()
    assert init == f"  {sys.executable} -m gemwatch init"
    assert run.endswith(" -m gemwatch run")


def test_demo_in_a_file_is_plain_text_of_eighty_columns(ended: Ended) -> None:
    assert [c for c in set(ended.output) if not c.isprintable() and c != "\n"] == []
    commands_and_paths = re.compile(r"--config|^Configuration|^  /")
    assert [
        line for line in ended.output.splitlines() if len(line) > 80 and not commands_and_paths.search(line)
    ] == []


def test_demo_leaves_nothing_behind(ended: Ended) -> None:
    assert list(ended.folder.iterdir()) == []
    assert running_in(ended.folder) == []


def test_demo_runs_until_it_is_interrupted(ended: Ended, going_on: Demo) -> None:
    going_on.read_until("The daemon keeps running until Ctrl-C")
    going_on.read_until("not watched yet")
    shown = re.findall(r"^  (export GEMWATCH_CONFIG=.*|.* -m gemwatch .*)$", going_on.output, re.MULTILINE)
    done = subprocess.run(["bash", "-ec", "\n".join(shown)], capture_output=True, text=True, check=False)
    assert (len(shown), done.returncode) == (6, 0), done.stderr
    assert {"Netherlands roads", "nord_finland.parquet"} <= set(re.split(r"[\t\n]", done.stdout))
    page = re.search(r"http://127\.0\.0\.1:\d+/$", going_on.output, re.MULTILINE)
    assert page
    with urllib.request.urlopen(page[0]) as answer:
        assert "Netherlands roads" in answer.read().decode()
    assert running_in(going_on.folder) != []
    going_on.interrupt()
    assert going_on.exit_code() == 0
    assert "daemon: stopped" in going_on.output
    assert list(going_on.folder.iterdir()) == []
    assert running_in(going_on.folder) == []


def test_interrupted_demo_ends_cleanly(folders: Path) -> None:
    demo = start(folders, "interrupted")
    try:
        demo.read_until("first seen, REQUESTED")
        demo.interrupt()
        assert demo.exit_code() == 1
    finally:
        demo.kill()
    assert "daemon: stopped" in demo.output
    assert "stopped before every message had arrived" in demo.output
    assert "Traceback" not in demo.output
    assert list(demo.folder.iterdir()) == []
    assert running_in(demo.folder) == []


def test_demo_with_a_closed_reader_ends_cleanly(folders: Path) -> None:
    demo = start(folders, "unread")
    try:
        demo.read_until("first seen, REQUESTED")
        assert demo.read_no_more() == 1
    finally:
        demo.kill()
    assert list(demo.folder.iterdir()) == []
    assert running_in(demo.folder) == []


def test_demo_shows_the_log_of_a_dead_daemon(folders: Path) -> None:
    demo = start(folders, "died")
    try:
        demo.read_until("first seen, REQUESTED")
        (config,) = demo.folder.glob("gemwatch-demo-*/config.yaml")
        for process in running_in(demo.folder):
            command = Path(f"/proc/{process}/cmdline").read_bytes().decode().split("\0")
            if "run" in command and str(config) in command:
                os.kill(process, signal.SIGKILL)
        assert demo.exit_code() == 1
    finally:
        demo.kill()
    assert "The demo failed: the daemon ended with exit code -9" in demo.output
    assert '"event": "config_applied"' in demo.output
    assert f"Configuration and store are kept in {config.parent}" in demo.output
    assert config.exists()
    assert running_in(demo.folder) == []
