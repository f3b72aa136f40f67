"""Installs the programs that tests need, as `make test` does first: `python -m support.install_tools`.

It needs root and apt-get. Elsewhere it shows what is missing and how many tests that skips; with CI=true that is a
failure.
"""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.tools import PROGRAMS, find

TESTS = Path(__file__).parents[1]


def main() -> int:
    """0, unless a program is missing in CI."""
    if not (missing := _missing()):
        return 0
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Installing what the tests need: {', '.join(missing)}", flush=True)  # noqa: T201 (its output)
        if _apt("update") and _apt("install", "--yes", "--no-install-recommends", *missing):
            missing = _missing()
    if not missing:
        return 0
    tests = _counted()
    costs = ", ".join(f"{package} ({tests[package]} tests)" for package in missing)
    print(f"Missing: {costs}. As root: apt-get install {' '.join(missing)}", flush=True)  # noqa: T201 (its output)
    return 1 if os.environ.get("CI") == "true" else 0


def _missing() -> list[str]:
    return [package for package in PROGRAMS if find(package) is None]


def _apt(*arguments: str) -> bool:
    command: Sequence[str] = ["apt-get", "-qq", *arguments]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode == 0


class _Counter:
    """A plugin of pytest that counts the tests for each package."""

    def __init__(self) -> None:
        self.tests: Counter[str] = Counter()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        marks = (mark for item in items for mark in item.iter_markers("needs_program"))
        self.tests.update(mark.kwargs["package"] for mark in marks)


def _counted() -> Counter[str]:
    """How many tests need each package."""
    modules = [str(path) for path in TESTS.rglob("test_*.py") if re.search(r"\bneeds[_(]", path.read_text())]
    counter = _Counter()
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(["--collect-only", "-q", "-n", "0", *modules], plugins=[counter])
    return counter.tests


if __name__ == "__main__":
    sys.exit(main())
