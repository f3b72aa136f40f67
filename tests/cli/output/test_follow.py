"""`gemwatch status --follow`, on a terminal and in a pipe."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.reads.rows import ServiceState
from gemwatch.adapters.store.schema import upgrade
from gemwatch.adapters.store.tables import service, watches
from gemwatch.cli.output.follow import screen
from gemwatch.cli.output.tables import width_of
from gemwatch.core.health import ApiState, Login
from gemwatch.core.text.context import NOWHERE
from support.clock import START
from support.daemon import GEMWATCH, Installation, environment
from support.filled import add, seen
from support.terminal import INTERRUPT, Terminal
from support.waiting import wait_until

SERVICE = ServiceState(login=Login.OK, api=ApiState.OK)


@pytest.fixture
def many(installation: Installation) -> Installation:
    """Sixty jobs, of which the last has failed."""
    installation.configure()
    upgrade(place(installation))
    jobs = [
        {**seen(480_000_000 + n, "FAILED" if n == 59 else "SUCCESS", START - timedelta(minutes=n)), "name": f"n{n}"}
        for n in range(60)
    ]
    add(place(installation), (watches, jobs))
    return installation


def place(installation: Installation) -> str:
    return installation.folder / "gemwatch.db"


def change(installation: Installation, statement: sa.Executable) -> None:
    engine = open_to_write(place(installation))
    with engine.begin() as connection:
        connection.execute(statement)
    engine.dispose()


@contextmanager
def following(installation: Installation, *options: str, columns: int = 80, lines: int = 24) -> Iterator[Terminal]:
    command = [*GEMWATCH, "status", "--follow", *options, "--config", str(installation.config)]
    with Terminal(command, environment(), columns=columns, lines=lines) as terminal:
        yield terminal


def test_screen_shows_urgent_jobs_first_and_keeps_the_last_line(many: Installation) -> None:
    with following(many) as terminal:
        terminal.until(r"Times are")
        shown = terminal.screen()
        assert terminal.output.startswith("\x1b[?1049h")
        assert len(shown) == 24
        assert re.match(r"480000059 +n59 +FAILED", shown[2])
        assert shown[-1].startswith("Login: ")
        assert re.fullmatch(r"and \d+ more jobs", shown[-3])
        terminal.keys(INTERRUPT)
        assert terminal.end() == 0
        assert terminal.output.rstrip().endswith("\x1b[?25h\x1b[?1049l")


def test_screen_follows_changes_and_the_terminals_size(many: Installation) -> None:
    with following(many) as terminal:
        terminal.until(r"Times are")
        change(many, sa.update(watches).where(watches.c.job_id == 480_000_001).values(status="FAILED"))
        terminal.until(r"480000001 +n1 +FAILED")
        before = len(terminal.output)
        terminal.resize(120, 12)
        terminal.until(r"and 53 more jobs", after=before)
        assert len(terminal.screen()) == 12
        terminal.keys(INTERRUPT)
        assert terminal.end() == 0


def test_terminated_follow_restores_the_terminal(many: Installation) -> None:
    with following(many) as terminal:
        terminal.until(r"Times are")
        terminal.process.terminate()
        assert terminal.end() == 143
        assert "\x1b[?1049l" in terminal.output


@pytest.mark.parametrize("height", [1, 2, 3, 4, 5, 10, 63, 64, 100])
@pytest.mark.parametrize("login", [Login.OK, Login.REFUSED])
def test_screen_never_exceeds_the_terminal(many: Installation, height: int, login: Login) -> None:
    jobs = many.records.records.status().jobs
    lines = screen(replace(SERVICE, login=login), jobs, None, NOWHERE, width=80, height=height)
    assert len(lines) <= height
    assert all(width_of(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= 80 for line in lines)


def test_pipe_gets_a_line_for_each_change(many: Installation, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("wb") as file:
        process = subprocess.Popen(
            [*GEMWATCH, "status", "480000001", "480000059", "--follow", "--config", str(many.config)],
            stdout=file, stderr=subprocess.STDOUT, env=environment(),
        )  # fmt: skip
    try:
        wait_until(lambda: out.read_text().count("\n") == 3, "the jobs as they are")
        change(many, sa.update(watches).where(watches.c.job_id == 480_000_001).values(status="FAILED"))
        wait_until(lambda: out.read_text().count("\n") == 4, "the change")
        change(many, sa.insert(service).values(name="login", value="refused"))
        wait_until(lambda: out.read_text().count("\n") == 5, "the daemon's own failure")
        process.send_signal(2)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    header, *lines = (line.split("\t") for line in out.read_text().splitlines())
    assert header == ["Time", "Job", "Name", "Status", "Remark"]
    assert [line[1:4] for line in lines[:3]] == [
        ["480000001", "n1", "SUCCESS"],
        ["480000059", "n59", "FAILED"],
        ["480000001", "n1", "FAILED"],
    ]
    assert lines[3][2] == "gemwatch"
    assert "refuses gemwatch's login" in lines[3][4]


def test_status_shows_failures_of_the_daemon_first(many: Installation) -> None:
    change(many, sa.insert(service).values(name="login", value="refused"))
    done = many.run("status")
    assert "The GEM API refuses gemwatch's login" in done.stderr
    assert done.stdout.startswith("Job\tName\t")
    with Terminal([*GEMWATCH, "status", "--config", str(many.config)], environment()) as terminal:
        assert terminal.end() == 0
        lines = terminal.until("Login: refused").splitlines()
    assert lines[0].startswith("The GEM API refuses gemwatch's login.")
    assert f"  gemwatch --config {many.config} check --online" in lines  # whole, to be copied
    assert all(len(line) <= 80 for line in lines if not line.startswith("  gemwatch "))


def test_status_filters_sorts_and_limits(many: Installation) -> None:
    def ids(*options: str) -> list[int]:
        return [int(line.split("\t")[0]) for line in many.run("status", *options).stdout.splitlines()[1:]]

    assert ids("--status", "failed") == [480_000_059]
    assert ids("480000003", "480000002") == [480_000_002, 480_000_003]
    assert ids("--name", "n5?", "--limit", "2") == [480_000_050, 480_000_051]
    assert ids("--sort", "urgency", "--limit", "1") == [480_000_059]
    assert ids("--sort", "status_since", "--limit", "1") == [480_000_000]
    assert [job["job_id"] for job in many.json("status", "--status", "FAILED")["jobs"]] == [480_000_059]
    assert many.run("status", "7").returncode == 1
    assert many.run("status", "--sort", "colour").returncode == 2
