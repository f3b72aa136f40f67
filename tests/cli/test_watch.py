"""`gemwatch watch` and `unwatch` as a user types them."""

import subprocess
from pathlib import Path

import pytest

from support.daemon import Installation, run_gemwatch
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.waiting import wait_until

MAIN = "api: {key: k}\n# my jobs\nwatch:\n  - 1 # one\n"


def gemwatch(config: Path, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return run_gemwatch(*words, "--config", str(config), given=given)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(MAIN)
    path.chmod(0o600)
    return path


def test_ids_are_read_from_arguments_and_standard_input(config: Path) -> None:
    done = gemwatch(config, "watch", "2", "-", given="3\n1 4\n3\n")
    assert done.returncode == 0, done.stderr
    assert f"{config}:4:5: job 1 is already watched\n" in done.stdout
    assert config.read_text() == f"{MAIN}  - 2\n  - 3\n  - 4\n"
    done = gemwatch(config, "unwatch", "-", given="2 3\n4")
    assert (done.returncode, config.read_text()) == (0, MAIN)


@pytest.mark.parametrize("bad", ["0", "ü", "9" * 30])
@pytest.mark.parametrize("command", ["watch", "unwatch"])
def test_one_bad_id_changes_nothing(config: Path, command: str, bad: str) -> None:
    done = gemwatch(config, command, "-", given=f"1 7 {bad}\n")
    assert done.returncode == 2
    assert "is not a job id; write an integer from 1 to 9223372036854775807" in done.stderr
    assert "Traceback" not in done.stderr
    assert config.read_text() == MAIN


def test_unwatched_job_changes_nothing(config: Path) -> None:
    done = gemwatch(config, "unwatch", "1", "8")
    assert (done.returncode, config.read_text()) == (2, MAIN)
    assert f"job 8 is not watched in {config}" in done.stderr


def test_name_is_for_one_job(config: Path) -> None:
    assert gemwatch(config, "watch", "2", "3", "--name", "x").returncode == 2
    assert gemwatch(config, "watch", "2", "--name", "Weekly").returncode == 0
    assert config.read_text() == f"{MAIN}  - {{job: 2, name: Weekly}}\n"


def test_no_job_is_an_error(config: Path) -> None:
    assert gemwatch(config, "watch").returncode == 2
    assert gemwatch(config, "unwatch").returncode == 2
    assert gemwatch(config, "watch", "-").returncode == 2
    assert config.read_text() == MAIN


def test_finished_jobs_are_removed(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    gem.answers(1, "SUCCESS")
    gem.answers(2, "IN_PROGRESS")
    installation.configure(watch=[1, 2])
    with installation.daemon() as daemon:
        wait_until(lambda: len(inbox.messages) == 1, "the message about job 1")
        assert daemon.stop() == 0
    assert installation.run("unwatch", "2", "--finished").returncode == 2
    done = installation.run("unwatch", "--finished")
    assert done.returncode == 0, done.stderr
    assert f"{installation.config}: job 1 is off the watch list\n" in done.stdout
    assert installation.run("unwatch", "--finished").stdout == "No job on the watch list has ended.\n"
