"""Is the configuration valid, and does an edit of it arrive?"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from gemwatch.adapters.config.file import LoadedFile
from gemwatch.cli import credentials
from gemwatch.cli.access import denied
from gemwatch.cli.doctor.finding import Finding, ok, problem, warning

_MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")
_IN_MOUNT_POINT = 4  # the field's place in a line


def findings(path: Path, loaded: LoadedFile) -> Iterator[Finding]:
    yield from _mistakes(path, loaded)
    yield from _mounts(loaded.texts)


def mount_points(mountinfo: str) -> frozenset[str]:
    """The places that something is mounted at, from the kernel's list, which writes spaces as octal numbers."""
    lines = (line.split(" ") for line in mountinfo.splitlines())
    places = (fields[_IN_MOUNT_POINT] for fields in lines if len(fields) > _IN_MOUNT_POINT)
    return frozenset(_OCTAL.sub(lambda octal: chr(int(octal[1], 8)), place) for place in places)


def _mistakes(path: Path, loaded: LoadedFile) -> Iterator[Finding]:
    settings = loaded.settings
    if settings is None:
        mistakes, units = credentials.parted(loaded.problems)
        for mistake in mistakes:
            yield problem("configuration", str(mistake), "Fix it and save, then run: gemwatch check")
        for unit in units:
            yield problem("unit", credentials.missing(unit).rpartition(". ")[0], f"Run: {credentials.command(unit)}")
        if (sentence := denied(path)) is not None:
            found, _, remedy = sentence.rpartition(". ")
            yield problem("configuration", found, " ".join(remedy.split()))
        return
    yield ok("configuration", f"{path} is OK" if not loaded.problems else f"{path} is read")
    for mistake in loaded.problems:
        yield problem(
            "watch list", f"an entry is skipped: {mistake}", "Fix that entry and save, then run: gemwatch check"
        )
    for unwise in loaded.warnings:
        what, _, remedy = unwise.what.rpartition("; ")
        place = f"{unwise.file}:{unwise.line}:{unwise.column}"
        yield warning("configuration", f"{place}: {unwise.where}: {what}", remedy[0].upper() + remedy[1:])
    if settings.watches:
        yield ok("watch list", f"jobs: {len(settings.watches)}")
    elif not loaded.problems:
        yield warning("watch list", "it is empty: no job is watched", "Add one: gemwatch watch JOB_ID")


def _mounts(files: Iterable[Path]) -> Iterator[Finding]:
    """A single mounted file keeps its old content when the host replaces it."""
    try:
        mounted = mount_points(_MOUNTS.read_text())
    except OSError:
        return  # not Linux, or a /proc that is hidden
    alone = [file for file in files if {str(file.absolute()), str(file.resolve())} & mounted]
    remedy = "Mount its folder instead of the single file"
    for file in alone:
        if file.stat().st_nlink == 0:
            found = f"{file} is mounted as a single file and was replaced on the host: gemwatch reads the old one"
            yield problem("mounted file", found, f"{remedy}, and start again")
        else:
            yield warning(
                "mounted file", f"{file} is mounted as a single file: most edits do not arrive here", remedy
            )
    if not alone:
        yield ok("mounted file", "no file is mounted as a single file: edits arrive")
