"""Programs of the system that tests need: a test whose program is missing is skipped, and fails in CI (CI=true)."""

import os
import shutil

import pytest

PROGRAMS = {  # by the name of Debian's package, any one of them
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "faketime": ("faketime",),
    "mandoc": ("mandoc",),
    "pgbouncer": ("pgbouncer",),
    "prometheus": ("promtool",),
    "systemd": ("systemd-analyze",),
}


def find(package: str) -> str | None:
    """The path of the first of the package's programs that is installed."""
    return next((path for name in PROGRAMS[package] if (path := shutil.which(name))), None)


def needs(package: str) -> pytest.MarkDecorator:
    """Marks a test that needs a program of this package."""
    assert package in PROGRAMS
    return pytest.mark.needs_program(package=package)


def skip_where_missing(item: pytest.Item) -> None:
    """Skip a test whose program is missing. In CI it runs anyway, and fails where it starts the program."""
    for mark in item.iter_markers("needs_program"):
        package = mark.kwargs["package"]
        if find(package) is None and os.environ.get("CI") != "true":
            item.add_marker(pytest.mark.skip(reason=f"{PROGRAMS[package][0]} is missing: apt-get install {package}"))
