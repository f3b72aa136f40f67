"""Writes the manual pages gemwatch(1) and gemwatch.yaml(5) from the help texts and the configuration's keys.

    python -m release.man FOLDER

The date of the pages is SOURCE_DATE_EPOCH, else today.
"""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer.main

from gemwatch import __version__
from gemwatch.adapters.config import json_schema
from gemwatch.adapters.config.places import VARIABLE
from gemwatch.cli.commands import app

_FILES = (
    ("./config.yaml", "the configuration, where neither --config nor the environment names one"),
    ("/etc/gemwatch/config.yaml", "the configuration of the service"),
    ("/var/lib/gemwatch", "the store of the service, and its login"),
)
_ENVIRONMENT = (
    (VARIABLE, "the configuration file"),
    ("TOMTOM_API_KEY", "the API key, for gemwatch wait without a configuration"),
    ("GEMWATCH_BASE_URL", "the API, for gemwatch wait without a configuration"),
    ("GEMWATCH_WEB_TOKEN", "the token of the daemon that gemwatch wait --url follows"),
    ("HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE", "as other programs use them"),
)


def pages(date: datetime) -> dict[str, str]:
    """The text of each page, by the name of its file."""
    return {"gemwatch.1": "\n".join(_command_page(date)), "gemwatch.yaml.5": "\n".join(_configuration_page(date))}


def _command_page(date: datetime) -> Iterator[str]:
    program: Any = typer.main.get_command(app)
    context = program.make_context("gemwatch", [], resilient_parsing=True)
    yield _head("gemwatch", 1, date, "User Commands")
    yield from _section("NAME", f"gemwatch \\- {_escaped(_first_sentence(program.help))}")
    yield from _section("SYNOPSIS", r"\fBgemwatch\fR [\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGUMENTS\fR]")
    yield from _section("DESCRIPTION", *_prose(program.help))
    yield from _section("OPTIONS", *_parameters(program, context))
    yield ".SH COMMANDS"
    yield from _commands(program, context, "gemwatch")
    yield from _section("ENVIRONMENT", *_definitions(_ENVIRONMENT))
    yield from _section("FILES", *_definitions(_FILES))
    yield from _section("SEE ALSO", r"\fBgemwatch.yaml\fR(5)", "")


def _commands(group: Any, context: Any, path: str) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command.hidden:
            continue
        below = type(context)(command, info_name=name, parent=context)
        usage = " ".join(command.collect_usage_pieces(below))
        yield f'.SS "{_escaped(f"{path} {name} {usage}")}"'
        yield from _prose(command.help or "")
        yield from _parameters(command, below)
        if command.epilog:
            yield from _prose(command.epilog)
        if hasattr(command, "list_commands"):
            yield from _commands(command, below, f"{path} {name}")


def _parameters(command: Any, context: Any) -> Iterator[str]:
    records = [one.get_help_record(context) for one in command.get_params(context)]
    found = [(names, about) for names, about in (record for record in records if record)]
    yield from _definitions([(names, about) for names, about in found if not names.startswith("-h,")])


def _configuration_page(date: datetime) -> Iterator[str]:
    yield _head("gemwatch.yaml", 5, date, "File Formats")
    yield from _section("NAME", r"gemwatch.yaml \- the configuration of gemwatch")
    yield from _section(
        "DESCRIPTION",
        *_prose(
            "One YAML file: --config, else $GEMWATCH_CONFIG, else ./config.yaml, else /etc/gemwatch/config.yaml."
            " Apart from name, store, web and log, a running daemon applies edits within 5 seconds.\n\n"
            "Durations are written 90s, 10m, 2h or 7d. In values of this file ${VAR}, ${VAR:-default} and"
            " ${file:PATH} are replaced; $$ is a dollar sign."
            " gemwatch check reports every mistake with its line and column."
        ),
    )
    yield ".SH KEYS"
    for path, default, about in json_schema.reference():
        note = "" if not default else " Required." if default == "required" else f" By default {default}."
        yield from _definitions([(path, f"{about}{note}")])
    yield from _section(
        "EXAMPLES",
        ".EX",
        *map(
            _escaped,
            (
                "api:",
                "  key: ${TOMTOM_API_KEY}",
                "notify:",
                '  team-slack: {url: "${SLACK_URL}"}',
                "watch:",
                "  - {job: 123456789, name: Netherlands weekly}",
            ),
        ),
        ".EE",
    )
    yield from _section("SEE ALSO", r"\fBgemwatch\fR(1)", "")


def _head(name: str, section: int, date: datetime, title: str) -> str:
    return f'.TH {name.upper()} {section} "{date:%Y-%m-%d}" "gemwatch {__version__}" "{title}"'


def _section(title: str, *lines: str) -> Iterator[str]:
    yield f".SH {title}"
    yield from lines


def _definitions(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    for names, about in rows:
        yield ".TP"
        yield rf"\fB{_escaped(names)}\fR"
        yield _inline(about)


def _prose(text: str) -> Iterator[str]:
    """Paragraphs, and the parts that click keeps line by line after a backspace."""
    paragraphs = [paragraph for paragraph in re.split(r"\n\s*\n", text.strip()) if paragraph.strip()]
    for number, paragraph in enumerate(paragraphs):
        if paragraph.lstrip().startswith("\b"):
            yield from (".PP", ".nf") if number else (".nf",)
            lines = (line for line in paragraph.splitlines() if line.strip("\b "))
            yield from (_escaped(line.removeprefix("    ") if line.startswith("     ") else line) for line in lines)
            yield ".fi"
        else:
            if number:
                yield ".PP"
            yield _inline(" ".join(paragraph.split()))


def _inline(text: str) -> str:
    """Markdown's code as bold."""
    return re.sub(r"`([^`]*)`", lambda match: rf"\fB{match[1]}\fR", _escaped(" ".join(text.split())))


def _escaped(text: str) -> str:
    """Text that roff prints as it is: no line begins a request, and dashes can be copied."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("'", "\\(aq")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _first_sentence(text: str) -> str:
    return text.strip().partition("\n")[0].partition(". ")[0].rstrip(".")


def main(folder: Path) -> None:
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    date = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(int(seconds), UTC)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages(date).items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
