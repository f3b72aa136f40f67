"""The documentation site: its pages, its navigation, and the error messages that it explains."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gemwatch.adapters.config import json_schema
from gemwatch.cli.commands import app
from release import reference
from release.site import assemble

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    assemble(folder)
    return folder


def entries(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    else:
        for part in node.values() if isinstance(node, dict) else node:
            yield from entries(part)


def test_navigation_has_every_page_once(site: Path) -> None:
    listed = list(entries(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    assert sorted(listed) == sorted(str(path.relative_to(site)) for path in site.rglob("*.md"))


def test_links_within_the_site_exist(site: Path) -> None:
    count = 0
    for page in site.rglob("*.md"):
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
            count += 1
    assert count > 100


def test_reference_has_every_command_key_and_field() -> None:
    pages = reference.pages()
    assert [name for name in app_commands() if f"## gemwatch {name}\n" not in pages["commands.md"]] == []
    keys = [path for path, _, _ in json_schema.reference()]
    assert [key for key in keys if f"`{key}`" not in pages["configuration.md"]] == []
    assert "`needs_review`" in pages["api.md"]
    assert "`gemwatch_jobs`" in pages["metrics.md"]


def app_commands() -> list[str]:
    return [str(command.name) for command in app.registered_commands if not command.hidden]


def test_explained_messages_are_the_programs_own() -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text()
    sources = " ".join(path.read_text() for path in (ROOT / "daemon").rglob("*.py"))
    source = re.sub(r'"\s*f?"', "", sources)  # texts that are split over lines
    messages = [
        text for row in re.findall(r"^\| (`.*?`) \|", page, re.MULTILINE) for text in re.findall("`(.*?)`", row)
    ]
    assert len(messages) > 15
    parts = [part.strip() for message in messages for part in message.split("...") if len(part.strip()) > 3]
    assert [part for part in parts if part not in source] == []
