"""Tests that need a tool of the system: without it they are skipped, and fail in CI (CI=true)."""

import os
import shutil

import pytest


def find(*names: str) -> str | None:
    """The path of the first of these programs that is installed."""
    return next((path for name in names if (path := shutil.which(name))), None)


def needs(*names: str, package: str) -> pytest.MarkDecorator:
    """Marks a test that needs one of these programs. In CI it runs anyway, and fails where it starts the program."""
    missing = find(*names) is None
    return pytest.mark.skipif(
        missing and os.environ.get("CI") != "true", reason=f"{names[0]} is missing: apt-get install {package}"
    )
