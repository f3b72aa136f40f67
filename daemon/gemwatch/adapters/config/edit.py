"""`gemwatch watch` and `unwatch`: add or remove entries in the user's YAML and leave everything else as it is."""

import codecs
import contextlib
import errno
import fcntl
import os
import stat
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gemwatch.adapters.config.bad_value import BadValueError
from gemwatch.adapters.config.file import LoadedFile, load
from gemwatch.adapters.config.lines import NotByLinesError, entry_text, with_entry, without_entry
from gemwatch.adapters.config.references import References
from gemwatch.adapters.config.strict_yaml import read
from gemwatch.adapters.config.validation import UrlProblem, watched_id
from gemwatch.adapters.config.values import single_line, target_name
from gemwatch.core.settings import Watch

_PATIENCE = 5.0  # seconds that an edit waits for another one
_CHANGED = "{} was changed in the meantime, so nothing was written; try again"


class EditRefusedError(Exception):
    """No file was changed. The message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of the watch list, good or bad. `place` is FILE:LINE:COLUMN."""

    job_id: int
    file: Path
    index: int
    place: str


def add_watches(
    path: Path, watches: Sequence[Watch], environ: Mapping[str, str], url_problem: UrlProblem
) -> tuple[Entry, ...]:
    """Append entries to the `watch` list of the configuration, except for jobs that already have one.

    Returns those existing entries. Raises `EditRefusedError`.
    """
    for watch in watches:
        _check_words(watch)
    with _alone(path.parent):
        before = _loaded(path, environ, url_problem)
        there = {entry.job_id: entry for entry in _entries(before, path, environ)}
        new = {watch.job_id: watch for watch in watches if watch.job_id not in there}
        text = before.texts[path]
        edited = text
        for watch in new.values():
            edited = _with(path, edited, watch)
        if new:
            _check(before, load(path, environ, url_problem=url_problem, instead={path: edited}))
            _replace(path, text, edited)
    wanted = dict.fromkeys(watch.job_id for watch in watches)
    return tuple(there[job_id] for job_id in wanted if job_id in there)


def remove_watches(
    path: Path, job_ids: Collection[int], environ: Mapping[str, str], url_problem: UrlProblem
) -> tuple[Entry, ...]:
    """Remove the entries of jobs from the files that hold them, and return them. Raises `EditRefusedError`."""
    with _alone(path.parent):
        before = _loaded(path, environ, url_problem)
        entries = tuple(entry for entry in _entries(before, path, environ) if entry.job_id in job_ids)
        missing = sorted(set(job_ids) - {entry.job_id for entry in entries})
        if missing:
            jobs = f"job{'' if len(missing) == 1 else 's'} {', '.join(map(str, missing))}"
            raise EditRefusedError(f"{jobs} {'is' if len(missing) == 1 else 'are'} not watched in {path}")
        by_file = defaultdict(list)
        for entry in entries:
            by_file[entry.file].append(entry)
        edited = {file: _without(before.texts[file], found, whole=file != path) for file, found in by_file.items()}
        _check(before, load(path, environ, url_problem=url_problem, instead=edited))
        for file, text in edited.items():
            _replace(file, before.texts[file], text)
        return entries


def watched(path: Path, environ: Mapping[str, str], url_problem: UrlProblem) -> frozenset[int]:
    """The jobs that have an entry, good or bad. Raises `EditRefusedError` where a file cannot be read."""
    return frozenset(entry.job_id for entry in _entries(_loaded(path, environ, url_problem), path, environ))


def _check_words(watch: Watch) -> None:
    """A name from the command line may contain characters that YAML does not allow."""
    try:
        if watch.name is not None:
            single_line(watch.name)
        for name in watch.notify or ():
            target_name(name)
    except BadValueError as error:
        raise EditRefusedError(f"a name {error}") from None


def _with(path: Path, text: str, watch: Watch) -> str:
    line = entry_text(watch)
    try:
        edited = with_entry(text, line)
    except NotByLinesError:
        raise EditRefusedError(
            f"the watch list of {path} has a form that gemwatch does not edit; add {line} by hand"
        ) from None
    old, new = _raw(text), _raw(edited)
    if new != {**old, "watch": [*(old.get("watch") or []), _raw(line)]}:
        raise EditRefusedError(f"{path} has a form that gemwatch cannot edit safely; add {line} to watch by hand")
    return edited


def _without(text: str, entries: Sequence[Entry], *, whole: bool) -> str:
    edited, place = text, entries[0].place
    try:
        for entry in reversed(entries):
            edited = without_entry(edited, entry.index, whole=whole)
    except NotByLinesError:
        raise EditRefusedError(f"{place} has a form that gemwatch does not edit; remove it by hand") from None
    gone = {entry.index for entry in entries}
    kept = [value for index, value in enumerate(_list_of(_raw(text))) if index not in gone]
    if _list_of(_raw(edited)) != kept or _rest_of(_raw(edited)) != _rest_of(_raw(text)):
        raise EditRefusedError(f"{place} has a form that gemwatch cannot edit safely; remove it by hand")
    return edited


def _loaded(path: Path, environ: Mapping[str, str], url_problem: UrlProblem) -> LoadedFile:
    """The current configuration. Wrong values do not prevent an edit. Unreadable files do, because the watch list is
    unknown then."""
    loaded = load(path, environ, url_problem=url_problem)
    broken = [str(problem) for problem in loaded.problems if problem.where in ("file", "YAML")]
    if broken:
        raise EditRefusedError("\n".join(["fix this first:", *broken]))
    return loaded


def _entries(loaded: LoadedFile, path: Path, environ: Mapping[str, str]) -> Iterator[Entry]:
    """The entries in all files that name a job."""
    references = References(path.parent, environ)
    for file, text in loaded.texts.items():
        found = read(text, references.expand if file == path else None)
        for index, value in enumerate(_list_of(found.value)):
            job_id = watched_id(value)
            if job_id is not None:
                line, column = found.find((index,) if file != path else ("watch", index))
                yield Entry(job_id=job_id, file=file, index=index, place=f"{file}:{line}:{column}")


def _raw(text: str) -> Any:
    """The values of a text. References such as `${VAR}` are not resolved."""
    return read(text, str).value


def _list_of(document: Any) -> list[Any]:
    entries = document.get("watch") if isinstance(document, dict) else document
    return entries if isinstance(entries, list) else []


def _rest_of(document: Any) -> Any:
    return {k: v for k, v in document.items() if k != "watch"} if isinstance(document, dict) else None


def _check(before: LoadedFile, after: LoadedFile) -> None:
    if len(after.problems) <= len(before.problems):
        return
    known = {(problem.file, problem.where, problem.what) for problem in before.problems}
    new = [str(p) for p in after.problems if (p.file, p.where, p.what) not in known]
    raise EditRefusedError("\n".join(["nothing was changed, because the result would be wrong:", *new]))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One edit at a time. Where a folder cannot be locked, `_replace` still notices another edit."""
    with contextlib.ExitStack() as stack:
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            descriptor = None
        if descriptor is not None:
            stack.callback(os.close, descriptor)
            _lock(folder, descriptor)
        yield


def _lock(folder: Path, descriptor: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                who = _holder(os.fstat(descriptor).st_ino)
                raise EditRefusedError(f"{who} holds the lock on {folder}; wait for it or end it") from None
            time.sleep(0.05)
        except OSError:
            return None  # a file system without locks


def _holder(inode: int) -> str:
    """The process that has locked a file.

    A line of /proc/locks is `1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE START END`.
    """
    with contextlib.suppress(OSError), Path("/proc/locks").open() as locks:
        for line in locks:
            fields = line.split()
            if len(fields) > 5 and fields[1] == "FLOCK" and fields[5].endswith(f":{inode}"):  # noqa: PLR2004
                return f"process {fields[4]}"
    return "another process"


def _replace(path: Path, old: str, new: str) -> None:
    """Replace the file's text atomically. A link stays a link."""
    real = Path(os.path.realpath(path))
    try:
        before = real.read_bytes()
        if before.decode("utf-8-sig") != old:
            raise EditRefusedError(_CHANGED.format(path))
        bom = codecs.BOM_UTF8 if before.startswith(codecs.BOM_UTF8) else b""
        with _temporary(real, bom + new.encode()) as temporary:
            if real.read_bytes() != before:  # another process may have written while the temporary file was synced
                raise EditRefusedError(_CHANGED.format(path))
            temporary.replace(real)
        _sync_folder(real.parent)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise EditRefusedError(
                f"{path} is mounted as a single file, so it cannot be replaced; mount its folder"
            ) from None
        remedy = "run this as the owner of the file and its folder"
        raise EditRefusedError(f"{path} cannot be replaced: {error.strerror}; {remedy}") from None


@contextlib.contextmanager
def _temporary(real: Path, content: bytes) -> Iterator[Path]:
    """A file next to the real one with the same owner and mode, synced to disk before use."""
    like = real.stat()
    # `*.yaml` does not match a name with a leading dot.
    descriptor, name = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            made = os.fstat(descriptor)
            if (made.st_uid, made.st_gid) != (like.st_uid, like.st_gid):
                os.fchown(descriptor, like.st_uid, like.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
            os.fsync(descriptor)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut. File systems that cannot sync a folder are fine: the edit is done."""
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, descriptor)
        os.fsync(descriptor)
