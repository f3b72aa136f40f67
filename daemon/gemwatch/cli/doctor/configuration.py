"""Is the configuration valid, and does an edit of it arrive?"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from gemwatch.adapters.config.file import LoadedFile
from gemwatch.cli import credentials
from gemwatch.cli.access import denied
from gemwatch.cli.doctor.finding import Finding, ok, problem, to_run, warning
from gemwatch.core.text.context import Context
from gemwatch.core.text.steps import run

_MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")
_IN_MOUNT_POINT = 4  # the field's place in a line


def findings(path: Path, loaded: LoadedFile, context: Context) -> Iterator[Finding]:
    yield from _mistakes(path, loaded, context)
    yield from _mounts(loaded.texts)


def mount_points(mountinfo: str) -> frozenset[str]:
    """The places that something is mounted at, from the kernel's list, which writes spaces as octal numbers."""
    lines = (line.split(" ") for line in mountinfo.splitlines())
    places = (fields[_IN_MOUNT_POINT] for fields in lines if len(fields) > _IN_MOUNT_POINT)
    return frozenset(_OCTAL.sub(lambda octal: chr(int(octal[1], 8)), place) for place in places)


def _mistakes(path: Path, loaded: LoadedFile, context: Context) -> Iterator[Finding]:
    settings, check = loaded.settings, "{gemwatch} check"
    if settings is None:
        mistakes, units = credentials.parted(loaded.problems)
        for mistake in mistakes:
            yield problem("configuration", str(mistake), to_run("Fix it and save. To check it, run:", check, context))
        for unit in units:
            yield problem(
                "unit", credentials.missing(unit).rpartition(". ")[0], run("Run:", credentials.command(unit))
            )
        if (sentence := denied(path)) is not None:
            found, _, remedy = sentence.rpartition(". ")
            yield problem("configuration", found, remedy)
        return
    yield ok("configuration", f"{path} is OK" if not loaded.problems else f"{path} is read")
    for mistake in loaded.problems:
        remedy = to_run("Fix that entry and save. To check it, run:", check, context)
        yield problem("watch list", f"an entry is skipped: {mistake}", remedy)
    for unwise in loaded.warnings:
        what, _, remedy = unwise.what.rpartition("; ")
        place = f"{unwise.file}:{unwise.line}:{unwise.column}"
        yield warning("configuration", f"{place}: {unwise.where}: {what}", remedy[0].upper() + remedy[1:])
    if settings.watches:
        yield ok("watch list", f"jobs: {len(settings.watches)}")
    elif not loaded.problems:
        yield warning(
            "watch list",
            "it is empty: no job is watched",
            to_run("Add one:", "{gemwatch} watch JOB_ID", context),
        )


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
