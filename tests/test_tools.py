"""The programs that tests need: missing ones are named with what they cost, and are a failure in CI."""

import os
import re
import subprocess
import sys
from pathlib import Path

from support.tools import PROGRAMS

ROOT = Path(__file__).parents[1]


def test_missing_programs_are_named_and_fail_in_ci(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "support.install_tools"],
        env={**os.environ, "PATH": str(tmp_path), "PYTHONPATH": "tests", "CI": "true"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    (line,) = done.stdout.splitlines()
    assert done.returncode == 1, done.stderr
    hidden = [package for package, (name, *_) in PROGRAMS.items() if ".so." not in name]
    assert [package for package in hidden if not re.search(rf"\b{package} \([1-9]\d* tests\)", line)] == []


def test_only_named_programs_can_be_needed() -> None:
    sources = [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    named = {package for path in sources for package in re.findall(r'\bneeds\("([^"]+)"\)', path.read_text())}
    assert named == set(PROGRAMS)


SHARING = """
import pathlib, pytest

@pytest.fixture(scope="module")
def server():
    pathlib.Path("started").open("a").write("once ")

@pytest.mark.parametrize("number", range(6))
def test_it(server, number): pass
"""


def test_tests_that_share_a_server_run_in_one_worker(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(SHARING)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "xdist", "-p", "support.together", "-n", "2", "--dist", "loadscope"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "6 passed" in done.stdout, done.stdout
    assert (tmp_path / "started").read_text() == "once "
