"""`gemwatch watch` and `unwatch`: one entry more or less in the user's own YAML, everything else untouched."""

import codecs
import contextlib
import ctypes
import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gemwatch.adapters.config.file import LoadedFile, UrlProblem, load
from gemwatch.adapters.config.lines import NotByLines, entry_text, with_entry, without_entry
from gemwatch.adapters.config.references import References
from gemwatch.adapters.config.schema import watched_id
from gemwatch.adapters.config.strict_yaml import read
from gemwatch.adapters.config.values import BadValue, target_name, watch_name
from gemwatch.core.settings import Watch

_MEANWHILE = "{} was changed meanwhile and is left as it is; try again"


class EditRefused(Exception):  # noqa: N818 (it says what became of the edit)
    """The file is as it was. The message says why and what to do."""


def add_watch(path: Path, watch: Watch, environ: Mapping[str, str], url_problem: UrlProblem) -> None:
    """Append an entry to the `watch` list of the configuration. Raises `EditRefused`."""
    _check_words(watch)
    with _alone(path.parent):
        before = _loaded(path, environ, url_problem)
        for entry in _entries(before, path, environ, watch.job_id):
            raise EditRefused(f"job {watch.job_id} is watched already, at {entry.place}; change it there")
        text = before.texts[path]
        line = entry_text(watch)
        try:
            edited = with_entry(text, line)
        except NotByLines:
            raise EditRefused(f"the watch list of {path} has a form that is not edited; add {line} by hand") from None
        old, new = _raw(text), _raw(edited)
        if new != {**old, "watch": [*(old.get("watch") or []), _raw(line)]}:
            raise EditRefused(f"{path} has a form that is not edited safely; add {line} to watch by hand")
        _check(before, load(path, environ, url_problem=url_problem, instead={path: edited}))
        _replace(path, text, edited)


def remove_watch(path: Path, job_id: int, environ: Mapping[str, str], url_problem: UrlProblem) -> Path:
    """Take the entries for a job out of the file that holds them, and tell which one. Raises `EditRefused`."""
    with _alone(path.parent):
        before = _loaded(path, environ, url_problem)
        entries = list(_entries(before, path, environ, job_id))
        if not entries:
            raise EditRefused(f"job {job_id} is not watched in {path}")
        if len({entry.file for entry in entries}) > 1:
            places = " and ".join(entry.place for entry in entries)
            raise EditRefused(f"job {job_id} stands in several files, at {places}; take it out by hand")
        file, text = entries[0].file, before.texts[entries[0].file]
        edited = text
        try:
            for entry in reversed(entries):
                edited = without_entry(edited, entry.index, whole=file != path)
        except NotByLines:
            raise EditRefused(f"{entries[0].place} has a form that is not edited; take it out by hand") from None
        gone = {entry.index for entry in entries}
        kept = [value for index, value in enumerate(_list_of(_raw(text))) if index not in gone]
        if _list_of(_raw(edited)) != kept or _rest_of(_raw(edited)) != _rest_of(_raw(text)):
            raise EditRefused(f"{entries[0].place} has a form that is not edited safely; take it out by hand")
        _check(before, load(path, environ, url_problem=url_problem, instead={file: edited}))
        _replace(file, text, edited)
        return file


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    file: Path
    index: int
    place: str


def _check_words(watch: Watch) -> None:
    """What comes from a command line may hold characters that no YAML can."""
    try:
        if watch.name is not None:
            watch_name(watch.name)
        for name in watch.notify or ():
            target_name(name)
    except BadValue as bad:
        raise EditRefused(f"a name {bad}") from None


def _loaded(path: Path, environ: Mapping[str, str], url_problem: UrlProblem) -> LoadedFile:
    """The configuration as it is. Mistakes in its values do not stand in the way of an edit, unreadable files do:
    nobody could tell what is watched."""
    loaded = load(path, environ, url_problem=url_problem)
    broken = [str(problem) for problem in loaded.problems if problem.where in ("file", "YAML")]
    if broken:
        raise EditRefused("\n".join(["mend this first:", *broken]))
    return loaded


def _entries(loaded: LoadedFile, path: Path, environ: Mapping[str, str], job_id: int) -> Iterator[_Entry]:
    """The entries for a job, good or bad, in all files."""
    references = References(path.parent, environ)
    for file, text in loaded.texts.items():
        found = read(text, references.expand)
        for index, value in enumerate(_list_of(found.value)):
            if watched_id(value) == job_id:
                line, column = found.find((index,) if file != path else ("watch", index))
                yield _Entry(file=file, index=index, place=f"{file}:{line}:{column}")


def _raw(text: str) -> Any:
    """What a text says, references as they stand."""
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
    raise EditRefused("\n".join(["nothing was changed, since it would be a mistake:", *new]))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One edit at a time. Where a folder cannot be locked, `_replace` still sees what came in between."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def _replace(path: Path, old: str, new: str) -> None:
    """Put a new text in the place of the old one, at once and for good; a link stays a link."""
    real = Path(os.path.realpath(path))
    try:
        before = real.read_bytes()
        if before.decode("utf-8-sig") != old:
            raise EditRefused(_MEANWHILE.format(path))
        bom = codecs.BOM_UTF8 if before.startswith(codecs.BOM_UTF8) else b""
        with _temporary(real, bom + new.encode()) as temporary:
            if Path(os.path.realpath(path)) != real or not _put_in_place(temporary, real, before, bom + new.encode()):
                raise EditRefused(_MEANWHILE.format(path))
        _sync_folder(real.parent)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise EditRefused(f"{path} is mounted by itself, so it cannot be replaced; mount its folder") from None
        remedy = "do this as the owner of the file and its folder"
        raise EditRefused(f"{path} cannot be replaced: {error.strerror}; {remedy}") from None


def _put_in_place(temporary: Path, real: Path, before: bytes, new: bytes) -> bool:
    """Exchange the two files. Whether what came out is what we had read; what somebody else saved is put back."""
    if real.read_bytes() != before:
        return False
    if not _exchanged(temporary, real):
        temporary.replace(real)
        return True
    put, expected = new, before
    while (came := temporary.read_bytes()) != expected:
        _exchanged(temporary, real)
        put, expected = came, put
    return put == new


def _exchanged(one: Path, other: Path) -> bool:
    """Swap two names in one step, so that nothing is lost between a look and a replacement; not all systems can."""
    try:
        swap = ctypes.CDLL(None).renameat2
    except AttributeError:
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return bool(swap(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0)


@contextlib.contextmanager
def _temporary(real: Path, content: bytes) -> Iterator[Path]:
    """A file beside the real one with the same owner and mode, on the disk before it is used."""
    like = real.stat()
    # A leading dot keeps it out of what `*.yaml` matches.
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
    """Make the new name survive a power cut. The edit itself is done, so a file system that cannot is no error."""
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, descriptor)
        os.fsync(descriptor)
