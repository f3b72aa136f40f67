"""Every shell block of the documentation is run here, or says why not."""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from support.daemon import Installation, environment
from support.gem import ScriptedGem
from support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "docs/*/*.md", "systemd/*.md", "examples/*/*.md")
    for path in ROOT.glob(pattern)
)
MARK = re.compile(r"<!-- (?:(run)|(fill in first)(?:: \S.*)?|(not run): \S.*) -->")


class Block(NamedTuple):
    place: str
    mark: str | None
    text: str


def blocks() -> list[Block]:
    found = []
    for path in DOCUMENTS:
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            if not re.fullmatch(r" *```(sh|bash|shell|console)", line):
                continue
            indent = len(line) - len(line.lstrip())
            end = next(n for n in range(number + 1, len(lines)) if lines[n].strip() == "```")
            mark = MARK.fullmatch(lines[number - 1].strip())
            text = "\n".join(one[indent:] for one in lines[number + 1 : end])
            found.append(Block(f"{path.relative_to(ROOT)}:{number + 1}", mark and mark[mark.lastindex or 0], text))
    return found


BLOCKS = blocks()


def test_each_shell_block_is_run_or_gives_a_reason() -> None:
    assert len(BLOCKS) > 20
    assert [block.place for block in BLOCKS if block.mark is None] == []


def test_shell_commands_are_in_marked_blocks() -> None:
    command = re.compile(r"^ {4,}(\$ )?(gemwatch|make|curl|docker|kubectl|sudo|systemctl|pip) [a-z-]", re.MULTILINE)
    for path in DOCUMENTS:
        text = re.sub(r"^ *```.*?^ *```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
        assert command.findall(text) == [], path.name


def test_blocks_that_need_values_show_where() -> None:
    for block in BLOCKS:
        if block.mark == "fill in first":
            assert re.search(r"YOUR|[A-Z]{4,}|/etc/gemwatch/secrets|123456789|example\.com|\$1", block.text), (
                block.place
            )


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.mark == "run"], ids=lambda block: block.place)
def test_commands_run_as_printed(block: Block, installation: Installation, gem: ScriptedGem) -> None:
    for job_id in (123456789, 123456790):
        gem.answers(job_id, "IN_PROGRESS")
    installation.configure(watch=[123456789])
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    with installation.daemon():
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.text],
            cwd=installation.folder,
            env=environment(PATH=path, GEMWATCH_CONFIG=str(installation.config)),
            capture_output=True,
            text=True,
            timeout=PATIENCE * 3,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
