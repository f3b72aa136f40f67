"""The files of a configuration: how to read their text, and how to notice a change, however it was saved.

It polls. inotify stops reporting after a rename, reports nothing on network and desktop mounts, and does not name
the file when Kubernetes swaps a ConfigMap.
"""

import glob
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LIMIT = (
    16 * 1024 * 1024
)  # bytes, for the main file and for all watch files together; 100,000 watches need a few million
MOST_FILES = 1000  # watch files

# The characters that YAML does not allow.
_NO_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Stamp = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The files that a configuration was read from.

    `files` are included even if they do not exist, and `patterns` are expanded each time. `seen` holds the stamp of
    each file *before* it was read, so that an edit during the reading is noticed later.
    """

    files: tuple[Path, ...]
    patterns: tuple[str, ...] = ()
    seen: Mapping[Path, Stamp | None]

    def stamps(self) -> Mapping[Path, Stamp | None]:
        """The current stamps, to be compared with `seen`."""
        expanded = (path for pattern in self.patterns for path in expand(pattern))
        return {path: stamp(path) for path in (*self.files, *expanded)}


class UnreadableError(Exception):
    """The file cannot be read as text. The message says why and what to do."""


def stamp(path: Path) -> Stamp | None:
    """Identifies the state of a file without reading it. None if the file cannot be found."""
    try:
        s = path.stat()
    except (OSError, ValueError):
        return None
    return s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns


def is_pattern(text: str) -> bool:
    return any(c in text for c in "*?[")


def expand(pattern: str) -> list[Path]:
    """The files that match now, sorted by name; at most one more than the limit."""
    matches = sorted(glob.glob(pattern))  # noqa: PTH207 (Path.glob takes no absolute pattern)
    return [Path(match) for match in matches[: MOST_FILES + 1]]


def closed_folder(pattern: Path) -> Path | None:
    """The folder whose permissions hide the files of a pattern. `expand` finds nothing in such a folder."""
    folder, needed = pattern.parent, os.R_OK | os.X_OK
    while is_pattern(folder.name):
        folder = folder.parent
    while stamp(folder) is None and folder != folder.parent:
        folder, needed = folder.parent, os.X_OK
    return None if os.access(folder, needed) else folder


def _without_waiting(path: str, flags: int) -> int:
    # Opening a FIFO would block until another process writes to it.
    return os.open(path, flags | os.O_NONBLOCK)


def read_text(path: Path, limit: int = LIMIT, *, too_large: str | None = None) -> str:
    """The text of a regular UTF-8 file, with its line endings, without a byte order mark.

    `limit` is in bytes. Raises `UnreadableError`, with the text `too_large` for a larger file.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UnreadableError("is not a regular file")
            raw = file.read(limit + 1)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or type(error).__name__}") from None
    except ValueError:
        raise UnreadableError("cannot be read: its name contains characters that no file name can have") from None
    if len(raw) > limit:
        raise UnreadableError(too_large or f"is larger than {limit // 1024} KiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UnreadableError(f"is not UTF-8 (line {line}); save it as UTF-8") from None
    if odd := _NO_TEXT.search(text):
        line = text.count("\n", 0, odd.start()) + 1
        raise UnreadableError(f"is not plain text: it contains U+{ord(odd.group()):04X} in line {line}")
    return text


class FileWatch:
    """Compares the files of a configuration with the state in which they were read.

    Does not read their content. Call `changed` about once a second, and `watch` after each load with its sources.
    """

    def __init__(self, sources: Sources) -> None:
        self.watch(sources)

    def watch(self, sources: Sources) -> None:
        """Watch these files from now on. A change is any difference from their state before they were read.

        So an edit during the load counts as a change, also in a file that was not watched before.
        """
        self._sources = sources
        self._reported = self._last = sources.seen

    def changed(self) -> bool:
        """Whether there is a new state to read. True once per state, when two calls in a row have seen it.

        The second call gives an editor that is still writing the time to finish.
        """
        now = self._sources.stamps()
        settled = now == self._last
        self._last = now
        if not settled or now == self._reported:
            return False
        self._reported = now
        return True
