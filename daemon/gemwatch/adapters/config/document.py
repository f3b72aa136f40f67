"""One file of the configuration, read and parsed, that can say where in it a mistake stands."""

import glob
import os
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gemwatch.adapters.config.references import References
from gemwatch.adapters.config.sources import (
    Sources,
    Stamp,
    Unreadable,
    closed_folder,
    expand,
    is_pattern,
    read_text,
    stamp,
)
from gemwatch.adapters.config.strict_yaml import NOTHING, Flaw, Place, Plain, read
from gemwatch.adapters.config.values import quoted
from gemwatch.core.settings import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed file. `list_at` is where its watch list stands: under `watch`, or, in a watch file, at the top.

    `unresolved` are the places whose text could not be had: their values mean nothing. `flawed` are the indexes of
    the list's entries with a mistake. The problems of both are noted already.
    """

    file: Path
    list_at: Place
    plain: Plain
    flawed: frozenset[int]

    @property
    def value(self) -> Any:
        return self.plain.value

    @property
    def unresolved(self) -> AbstractSet[Place]:
        return self.plain.unresolved

    def is_unresolved(self, at: Place) -> bool:
        """Whether a value, or what it stands in, could not be had; a target's URL may stand for the target."""
        return any(at[:length] in self.unresolved for length in range(len(at) + 1))

    def problem(self, at: Place, what: str, *, key: bool = False) -> Problem:
        """What is wrong with the value at a place, or with its key."""
        line, column = self.plain.find(at, key=key)
        return _problem(self.file, self.list_at, Flaw(at[:-1] if key else at, line, column, what))

    def place(self, at: Place) -> str:
        line, column = self.plain.find(at)
        return f"{self.file}:{line}:{column}"


class Reader:
    """Reads the files of one configuration; notes what it looked at and what was wrong with it.

    `previous` and `instead` as in `config_file.load`.
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        *,
        previous: Mapping[Path, str] | None = None,
        instead: Mapping[Path, str] | None = None,
    ) -> None:
        self.problems: list[Problem] = []
        self.texts: dict[Path, str] = {}
        self._folder = folder
        self._references = References(folder, environ)
        self._previous = previous or {}
        self._instead = instead or {}
        self._seen: dict[Path, Stamp | None] = {}
        self._patterns: list[str] = []
        self._matched: set[Path] = set()  # known by a pattern alone

    @property
    def variables(self) -> frozenset[str]:
        """The variables that the documents read so far refer to."""
        return frozenset(self._references.variables)

    def sources(self) -> Sources:
        seen = {**self._references.seen, **self._seen}
        named = tuple(path for path in seen if path not in self._matched)
        return Sources(files=named, patterns=tuple(self._patterns), seen=seen)

    def watch_files(self, main: Document, names: Iterable[object]) -> list[Path]:
        """The further lists that `watch_files` names, each once, in the order of the names."""
        found: dict[Path, None] = {}
        for index, name in enumerate(names):
            at = ("watch_files", index)
            if at in main.unresolved or not isinstance(name, str) or not name:
                continue
            paths, complaint = self._expand(name)
            if any(path == main.file for path in paths):
                complaint = "matches the configuration file itself; put the lists into a folder of their own"
            if complaint:
                self.problems.append(main.problem(at, complaint))
            else:
                found.update(dict.fromkeys(paths))
        return list(found)

    def _expand(self, name: str) -> tuple[list[Path], str | None]:
        if not is_pattern(name):
            path = self._folder / name
            self._note(path)
            missing = "there is no such file; create it or take it out"
            return [path], None if self._seen[path] else missing
        pattern = os.path.join(glob.escape(str(self._folder)), name)  # noqa: PTH118 (a pattern is no path)
        self._patterns.append(pattern)
        matches = expand(pattern)
        self._matched.update(path for path in matches if path not in self._seen)
        for path in matches:
            self._note(path)
        closed = closed_folder(self._folder / name)
        return matches, f"the folder {closed} may not be read; permit it" if closed else None

    def _note(self, file: Path) -> None:
        """Remember a file as it is before it is read."""
        if file not in self._seen:
            self._seen[file] = stamp(file)

    def document(self, file: Path, list_at: Place) -> Document | None:
        """The parsed file, or None where there is nothing to go on with."""
        self._note(file)
        try:
            text = self.texts[file] = self._text(file)
            found = self._found(text)
        except Unreadable as unreadable:
            self.problems.append(Problem(file=file, line=1, column=1, where="file", what=str(unreadable)))
            return None
        self.problems.extend(_problem(file, list_at, flaw) for flaw in found.flaws)
        if found.broken:
            self.problems.append(_problem(file, list_at, found.broken, where="YAML"))
            return None
        return Document(
            file=file,
            list_at=list_at,
            plain=found,
            flawed=frozenset(i for flaw in found.flaws if (i := _entry(list_at, flaw.at)) is not None),
        )

    def _text(self, file: Path) -> str:
        text = self._instead[file] if file in self._instead else read_text(file)
        if not text.strip():
            raise Unreadable("is empty")
        if cut_short(self._previous.get(file, ""), text):
            line = text.count("\n") + 1
            raise Unreadable(f"looks cut short in line {line}: saved halfway? If it is complete, end that line")
        return text

    def _found(self, text: str) -> Plain:
        found = read(text, self._references.expand)
        if found.value is NOTHING and not found.broken:
            raise Unreadable("holds nothing but comments")
        return found


def cut_short(previous: str, now: str) -> bool:
    """Whether a text is the beginning of the previous one and stops in the middle of a line: saved halfway."""
    if len(now) >= len(previous) or not previous.startswith(now):
        return False
    return not now.endswith(("\n", "\r")) and previous[len(now)] not in "\r\n"


def _problem(file: Path, list_at: Place, flaw: Flaw, *, where: str | None = None) -> Problem:
    return Problem(
        file=file,
        line=flaw.line,
        column=flaw.column,
        where=where or _where(flaw.at if list_at else ("watch", *flaw.at)),
        what=flaw.what,
        entry=_entry(list_at, flaw.at) is not None,
    )


def _entry(list_at: Place, at: Place) -> int | None:
    """The index of the watch list's entry that a place is in."""
    size = len(list_at)
    index = at[size] if len(at) > size and at[:size] == list_at else None
    return index if isinstance(index, int) else None


def _where(at: Place) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" if quoted(step) else ".?" for step in at)
    return "".join(steps).removeprefix(".") or "top level"
