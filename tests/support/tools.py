"""Programs and libraries of the system that tests need: without one, a test is skipped, and fails in CI (CI=true)."""

import contextlib
import ctypes
import os
import shutil

import pytest

PROGRAMS = {  # by the name of Debian's package, any one of them
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "e2fsprogs": ("chattr",),
    "faketime": ("faketime",),
    "libatomic1": ("libatomic.so.1",),  # of Playwright's driver
    "mandoc": ("mandoc",),
    "pgbouncer": ("pgbouncer",),
    "prometheus": ("promtool",),
    "systemd": ("systemd-analyze",),
}


def find(package: str) -> str | None:
    """The path of the first of the package's programs that is installed, or the name of its library."""
    return next((found for name in PROGRAMS[package] if (found := shutil.which(name) or _library(name))), None)


def _library(name: str) -> str | None:
    with contextlib.suppress(OSError):
        if ".so." in name:
            ctypes.CDLL(name)
            return name
    return None


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
