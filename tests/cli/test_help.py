"""The help: nothing cut at 80 columns, no types of Python, commands in groups."""

import re
import subprocess
from collections.abc import Iterator

import pytest
import typer.main
from typer.testing import CliRunner

from gemwatch.cli.commands import app
from support.daemon import GEMWATCH

PROGRAM = typer.main.get_command(app)


def commands() -> Iterator[tuple[str, ...]]:
    yield ()
    for name, command in PROGRAM.commands.items():  # type: ignore[attr-defined]  # it is a group
        yield (name,)
        for inner in getattr(command, "commands", {}):
            yield (name, inner)


def shown(*arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments, "--help"], env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    return done.output


def test_help_groups_commands_and_cuts_no_sentence() -> None:
    text = shown()
    for panel in ("Set up", "Jobs", "Messages", "The daemon and its store"):
        assert f"\n{panel}:\n" in text
    assert "..." not in text.partition("Set up:")[2]
    for code in ("0  done", "1  something failed", "2  wrong usage", "70  an internal error", "130  interrupted"):
        assert code in text
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_help_of_a_command_leaks_no_type(command: tuple[str, ...]) -> None:
    text = shown(*command)
    assert not re.search(r"<(list|int|str|path)", text)
    assert "[[" not in text
    assert "<=" not in text
    assert text.count("Examples:") <= 1
    assert all(len(line) <= 80 or "jq" in line for line in text.splitlines())


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("watch 7 -5", '"-5" is not a job id'),
        ("status -5", '"-5" is not a job id'),
        ("deliveries retry -5", '"-5" is not the number of a delivery'),
        ("deliveries show -5", '"-5" is not the number of a delivery'),
        ("history --limit -5", '"-5" is not a number; write an integer from 1'),
        ("status --limit x", '"x" is not a number; write an integer from 1'),
        ("status --sort x", "Invalid value for '--sort': 'x' is not one of 'job_id', "),
        ("status -x", "No such option: -x"),
    ],
)
def test_wrong_words_are_refused_in_plain_words(words: str, reason: str) -> None:
    done = CliRunner().invoke(app, words.split())
    assert done.exit_code == 2
    assert reason in done.output


def test_first_sentences_are_short() -> None:
    for command in commands():
        found = PROGRAM
        for name in command:
            found = found.commands[name]  # type: ignore[attr-defined]  # as above
        sentence = (found.help or "").partition(".")[0]
        assert not command or 0 < len(sentence) <= 55, (command, sentence)


@pytest.mark.parametrize("option", ["--version", "version"])
def test_version_is_one_line(option: str) -> None:
    done = subprocess.run([*GEMWATCH, option], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"gemwatch \d+\.\d+\.\d+\n", done.stdout)
