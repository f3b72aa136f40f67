"""Can the store be written, is it undamaged, and which daemon uses it?"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from gemwatch import __version__
from gemwatch.adapters.store.backup import damage
from gemwatch.adapters.store.database import open_to_read
from gemwatch.adapters.store.databases import sqlite
from gemwatch.adapters.store.files import MOUNTS, SIDE_FILES, StoreError, remote_filesystem
from gemwatch.adapters.store.info import writer_of
from gemwatch.adapters.store.schema import REVISION, alembic_config, revision_of
from gemwatch.cli.access import denied
from gemwatch.cli.doctor import postgresql
from gemwatch.cli.doctor.finding import Finding, ok, problem, to_run, warning
from gemwatch.core.settings import Place, Postgresql
from gemwatch.core.text.context import Context
from gemwatch.core.text.steps import text_of

_LITTLE = 200 << 20  # bytes; a busy store with its log and one copy of it
_WAL_RESET_FIXED = (3, 51, 3)


def findings(path: Place, context: Context, mounts: Path = MOUNTS) -> Iterator[Finding]:
    if isinstance(path, Postgresql):
        yield from postgresql.findings(path, context)
        if writer_of(path) is not None:
            yield from _service(path, context)
        return
    if (sentence := denied(path, needed=os.R_OK | os.W_OK)) is not None:
        found, _, remedy = sentence.rpartition(". ")
        yield problem("store", found, remedy)
        yield _sqlite()
        return
    yield from _place(path, mounts)
    if path.exists():
        yield _contents(path, context)
    else:
        yield ok("store", f"there is none at {path} yet: the first `gemwatch run` makes it")
    yield _sqlite()
    writer = writer_of(path)
    if writer is not None:
        yield from _service(path, context)
    yield ok("daemon", "none uses this store" if writer is None else f"runs as {writer}")


def _service(path: Place, context: Context) -> Iterator[Finding]:
    """What the daemon itself reports in its store."""
    import sqlalchemy as sa

    from gemwatch.adapters.store.reads.failing import failing
    from gemwatch.adapters.store.reads.rows import service_state
    from gemwatch.adapters.store.rerouting import read_health
    from gemwatch.adapters.store.tables import service

    try:
        with open_to_read(path).begin() as connection:
            notes = {row.name: row.value for row in connection.execute(sa.select(service))}
            state = service_state(notes, targets=read_health(connection))
    except (StoreError, sa.exc.DatabaseError):
        return  # which `_contents` reports
    for found in failing(state, context):
        name = "daemon" if found.target is None else f"target {found.target}"
        yield problem(name, f"{found.sentences} {found.meaning}", text_of(found.steps))
    version = notes.get("version")
    if version not in (None, __version__) and not isinstance(path, Postgresql):
        says = f"the daemon that runs is gemwatch {version}, this command is {__version__}"
        yield warning("daemon", says, "Restart the daemon, so that it is the installed version")
    yield from _lists(notes.get("list_hints") or {})


def _lists(noted: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """Whether lists of jobs seem to have pages, which TomTom does not document."""
    for job_type, hints in noted.items():
        fields = {name: value for name, value in hints.items() if name != "incomplete"}
        shown = ", ".join(f"{name} ({value})" for name, value in fields.items())
        says = f"the list of {job_type} jobs has fields that suggest more pages: {shown}"
        if reason := hints.get("incomplete"):
            remedy = "gemwatch may not discover every job. Report this to its maintainers."
            yield warning("lists", f"{says}. A part is missing: {reason}", remedy)
        elif shown:
            yield ok("lists", says)


def _place(path: Path, mounts: Path) -> Iterator[Finding]:
    folder = next(place for place in path.absolute().parents if place.exists())
    remedy = "Let the user that runs gemwatch write there, or set store.url to another place"
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        yield problem("store folder", f"{folder} cannot be written: {os.strerror(error.errno or 0).lower()}", remedy)
        return
    closed = [file for file in (Path(f"{path}{end}") for end in SIDE_FILES) if _closed(file)]
    for file in closed:
        yield problem(
            "store folder",
            f"{file} cannot be written by this user",
            f"{remedy}; it may have been made by another user",
        )
    if not closed:
        yield ok("store folder", f"{folder} can be written")
    if (kind := remote_filesystem(folder, mounts)) is not None:
        yield warning("file system", f"{folder} is on {kind}", "Put the store on a local disk: SQLite needs one")
    free = shutil.disk_usage(folder).free
    room = f"{free >> 20} MiB are free in {folder}"
    if free < _LITTLE:
        yield warning("disk", room, "Free some space: while the disk is full, polling and sending are paused")
    else:
        yield ok("disk", room)


def _closed(file: Path) -> bool:
    return file.exists() and not os.access(file, os.R_OK | os.W_OK)


def _contents(path: Path, context: Context) -> Finding:
    put_back = to_run(
        "Stop the daemon, then move a copy to the store's place that was made with:",
        "{gemwatch} db backup FILE",
        context,
    )
    try:
        found = revision_of(open_to_read(path))
        with closing(sqlite.connect_to_read(path)) as connection:
            broken = damage(connection)
        if found == REVISION and broken is None:
            return ok("store", f"{path} is OK, schema {found}")
        if broken is not None:
            return problem("store", f"{path} is damaged: {broken}", put_back)
        if found is not None and found not in _known():
            remedy = "Install that version or a newer one, or restore the copy from before the upgrade"
            return problem("store", f"{path} has schema {found}, which a newer gemwatch made", remedy)
    except (StoreError, sqlite3.Error) as error:
        return problem("store", f"{path}: {error}", put_back)
    remedy = to_run(
        "Restart the daemon, which upgrades the store. Or stop it and run:", "{gemwatch} db upgrade", context
    )
    return warning("store", f"{path} has schema {found or 'none'}, this gemwatch reads {REVISION}", remedy)


def _known() -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}


def _sqlite() -> Finding:
    remark = ""
    if sqlite3.sqlite_version_info < _WAL_RESET_FIXED:
        remark = (
            "; before 3.51.3 a file that two programs write can be damaged, very rarely: "
            "let no other program write to the store"
        )
    return ok("SQLite", f"{sqlite3.sqlite_version}{remark}")
