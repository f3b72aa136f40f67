"""Every command of the program, also those to come, with streams and ids that are not what it expects."""

import subprocess
from collections.abc import Collection, Iterator
from typing import Any

import pytest
import typer

from gemwatch.cli.commands import app
from support.daemon import Installation, run_gemwatch

# What each command needs besides the configuration. `run` and `demo` do not end by themselves.
ARGUMENTS: dict[str, list[str]] = {
    "init": ["--example"],
    "check": [],
    "doctor": ["--offline"],
    "token": [],
    "schema": [],
    "discover": [],
    "learn": [],
    "demo": ["--help"],
    "status": ["--all"],
    "history": [],
    "estimate": [],
    "watch": ["3"],
    "unwatch": ["--finished"],
    "wait": ["5"],
    "test-notify": [],
    "run": ["--help"],
    "healthcheck": [],
    "version": [],
    "deliveries": [],
    "deliveries show": ["1"],
    "deliveries retry": [],
    "db backup": ["copy.db", "--force"],
    "db info": [],
    "db upgrade": [],
    "db copy": ["--to-config", "nowhere.yaml"],
}
WITHOUT_CONFIGURATION = {"init", "schema", "version", "demo"}
TAKE_IDS = (
    ["deliveries", "show"],
    ["deliveries", "retry"],
    ["deliveries", "--job"],
    ["watch", "1"],
    ["unwatch", "1"],
    ["wait", "5"],
)
BAD_IDS = ("0", "1.5", "seven", "", "9" * 20, "9" * 5000, "\u0661", "7\n8", "\udcff")


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The names of all commands below this one."""
    below = getattr(command, "commands", None)
    if below is None or (path and getattr(command, "invoke_without_command", False)):
        yield " ".join(path)
    for name, one in (below or {}).items():
        yield from leaves(one, (*path, name))


COMMANDS = sorted(leaves(typer.main.get_command(app)))


def ended(
    installation: Installation, command: str, closed: Collection[int] = (), **more: str
) -> subprocess.CompletedProcess[str]:
    config = () if command in WITHOUT_CONFIGURATION else ("--config", str(installation.config))
    words = (*command.split(), *ARGUMENTS[command], *config)
    return run_gemwatch(*words, folder=installation.folder, closed=closed, **more)


def assert_no_traceback(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode in {0, 1, 2, 3, 4, 5}, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception ignored" not in done.stderr


def test_every_command_is_tried_here() -> None:
    assert sorted(ARGUMENTS) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_command_with_closed_streams_has_no_traceback(filled: Installation, command: str) -> None:
    assert_no_traceback(ended(filled, command, closed=(0, 1)))


@pytest.mark.parametrize("command", COMMANDS)
def test_command_writes_ascii_to_an_ascii_stream(filled: Installation, command: str) -> None:
    done = ended(filled, command, PYTHONIOENCODING="ascii:strict")
    assert_no_traceback(done)
    assert done.stdout.isascii()


@pytest.mark.parametrize("command", TAKE_IDS, ids=" ".join)
def test_bad_ids_are_refused_and_change_nothing(filled: Installation, command: list[str]) -> None:
    before = filled.config.read_bytes()
    for bad in BAD_IDS:
        done = filled.run(*command, bad)
        assert done.returncode == 2, (bad, done.stdout, done.stderr)
        assert_no_traceback(done)
    assert filled.config.read_bytes() == before


def test_bad_ids_on_standard_input_change_nothing(filled: Installation) -> None:
    before = filled.config.read_bytes()
    for command in ("watch", "unwatch"):
        for text in ("5\nseven\n", "5\n\udcff\n", "5\n" + "9" * 5000, "0\n"):
            done = run_gemwatch(command, "-", "--config", str(filled.config), given=text)
            assert done.returncode == 2, (command, text, done.stderr)
            assert "Traceback" not in done.stderr
    assert filled.config.read_bytes() == before
