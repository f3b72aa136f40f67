"""The manual pages, made of help and schema."""

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer.main

from gemwatch.adapters.config import json_schema
from gemwatch.cli.commands import app
from release.man import pages
from support.tools import needs

DATE = datetime(2026, 11, 30, tzinfo=UTC)
PAGES = pages(DATE)


def plain(name: str) -> str:
    return PAGES[name].replace("\\-", "-").replace("\\(dq", '"').replace("\\(aq", "'")


def test_manual_page_has_every_command_and_option() -> None:
    page = plain("gemwatch.1")
    assert '"2026-11-30"' in page
    program: Any = typer.main.get_command(app)
    assert program.commands
    for name, command in program.commands.items():
        assert f'.SS "gemwatch {name} ' in page
        for parameter in command.params:
            assert all(option in page for option in parameter.opts if option.startswith("--")), parameter.opts


def test_manual_page_has_every_key_of_the_configuration() -> None:
    page = plain("gemwatch.yaml.5")
    paths = [path for path, _, _ in json_schema.reference()]
    assert len(paths) > 50
    assert [path for path in paths if rf"\fB{path}\fR" not in page] == []


@needs("mandoc")
def test_manual_pages_have_no_mistakes(tmp_path: Path) -> None:
    for name, text in PAGES.items():
        (tmp_path / name).write_text(text)
        mandoc = shutil.which("mandoc") or "mandoc"
        done = subprocess.run(
            [mandoc, "-T", "lint", "-W", "warning", str(tmp_path / name)], capture_output=True, text=True, check=False
        )
        assert done.stdout + done.stderr == ""
