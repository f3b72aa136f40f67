"""One parsed file of the configuration, which knows the place of each value."""

import glob
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gemwatch.adapters.config.bad_value import quoted
from gemwatch.adapters.config.problems import Problems
from gemwatch.adapters.config.references import References
from gemwatch.adapters.config.sources import (
    LIMIT,
    MOST_FILES,
    Sources,
    Stamp,
    UnreadableError,
    closed_folder,
    expand,
    is_pattern,
    read_text,
    stamp,
)
from gemwatch.adapters.config.strict_yaml import NOTHING, Flaw, KeyPath, Plain, read
from gemwatch.core.settings import Problem

MAIN_LIST: KeyPath = ("watch",)
"""Where the watch list of the main file is; in a watch file it is the whole document, `()`."""
RULES: KeyPath = ("discover",)


@dataclass(frozen=True, slots=True)
class Misfit:
    """A mistake in the value at a place, or in its key if `key` is true.

    `what` may quote the file. `bare` is the same text without a quotation.
    """

    at: KeyPath
    what: str
    bare: str | None = None
    key: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed file, and the indexes of the watch list entries and rules whose flaws are already reported.

    Other people may write a watch file, or it may be a link to any file, so messages about it never quote it.
    """

    file: Path
    list_at: KeyPath
    plain: Plain
    flawed: frozenset[int]
    flawed_rules: frozenset[int] = frozenset()

    @property
    def value(self) -> Any:
        return self.plain.value

    @property
    def is_watch_file(self) -> bool:
        return not self.list_at

    def is_unresolved(self, at: KeyPath) -> bool:
        """Whether the value at a place, or one that contains it, could not be read, so that it has no meaning."""
        unresolved = self.plain.unresolved
        return bool(unresolved) and any(at[:length] in unresolved for length in range(len(at) + 1))

    def problem(self, misfit: Misfit) -> Problem:
        line, column = self.plain.find(misfit.at, key=misfit.key)
        at = misfit.at[:-1] if misfit.key else misfit.at
        what = misfit.bare if self.is_watch_file and misfit.bare is not None else misfit.what
        return self._problem(Flaw(at, line, column, what), _where(self._full(at)))

    def flaw(self, flaw: Flaw, where: str | None = None) -> Problem:
        at = flaw.at
        if self.is_watch_file:  # longer paths may quote the file
            at = at[:1] if self.entry(at) is not None else ()
        return self._problem(flaw, where or _where(self._full(at)))

    def place(self, at: KeyPath) -> str:
        line, column = self.plain.find(at)
        return f"{self.file}:{line}:{column}"

    def entry(self, at: KeyPath) -> int | None:
        """The index of the watch list entry that contains a place."""
        size = len(self.list_at)
        index = at[size] if len(at) > size and at[:size] == self.list_at else None
        return index if isinstance(index, int) else None

    def rule(self, at: KeyPath) -> int | None:
        """The index of the rule that contains a place."""
        index = at[1] if not self.is_watch_file and len(at) > 1 and at[:1] == RULES else None
        return index if isinstance(index, int) else None

    def skips(self, at: KeyPath) -> bool:
        """Whether a mistake at this place skips only a watch or a rule."""
        return self.entry(at) is not None or self.rule(at) is not None

    def _full(self, at: KeyPath) -> KeyPath:
        return (*MAIN_LIST, *at) if self.is_watch_file else at

    def _problem(self, flaw: Flaw, where: str) -> Problem:
        return Problem(
            file=self.file,
            line=flaw.line,
            column=flaw.column,
            where=where,
            what=flaw.what,
            entry=self.skips(flaw.at),
        )


class Reader:
    """Reads the files of one configuration, remembers their state and collects their problems.

    `previous` and `instead` as in `file.load`.
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        *,
        previous: Mapping[Path, str] | None = None,
        instead: Mapping[Path, str] | None = None,
    ) -> None:
        self.problems = Problems()
        self.texts: dict[Path, str] = {}
        self._folder = folder
        self._references = References(folder, environ)
        self._previous = previous or {}
        self._instead = instead or {}
        self._seen: dict[Path, Stamp | None] = {}
        self._patterns: list[str] = []
        self._matched: set[Path] = set()  # found only through a pattern
        self._room = LIMIT  # bytes left for the remaining watch files

    @property
    def variables(self) -> frozenset[str]:
        """The variables that the documents read so far refer to."""
        return frozenset(self._references.variables)

    def sources(self) -> Sources:
        seen = {**self._references.seen, **self._seen}
        named = tuple(path for path in seen if path not in self._matched)
        return Sources(files=named, patterns=tuple(self._patterns), seen=seen)

    def report(self, document: Document, misfits: Iterable[Misfit]) -> bool:
        """Collect mistakes, except in values that could not be read. Returns whether there were any."""
        found = False
        for misfit in misfits:
            if document.is_unresolved(misfit.at):
                continue
            found = True
            entry = document.skips(misfit.at)
            if self.problems.room(entry=entry):
                self.problems.add(document.problem(misfit))
            else:
                self.problems.count(1, entry=entry)
        return found

    def watch_files(self, main: Document, names: Iterable[object]) -> list[Path]:
        """The files that `watch_files` names, each once, in the order of the names."""
        found: dict[Path, None] = {}
        for index, name in enumerate(names):
            at = ("watch_files", index)
            if main.is_unresolved(at) or not isinstance(name, str) or not name:
                continue
            paths, complaint = self._expand(name)
            if any(path == main.file for path in paths):
                complaint = "matches the configuration file itself; put the lists into a folder of their own"
            if len(found) + len(paths) > MOST_FILES:
                complaint = f"there are more than {MOST_FILES:,} watch files; put more watches into each"
            if complaint:
                self.report(main, [Misfit(at, complaint)])
            else:
                found.update(dict.fromkeys(paths))
        return list(found)

    def _expand(self, name: str) -> tuple[list[Path], str | None]:
        if not is_pattern(name):
            path = self._folder / name
            self._note(path)
            missing = "does not exist; create it or remove it from the list"
            return [path], None if self._seen[path] else missing
        pattern = os.path.join(glob.escape(str(self._folder)), name)  # noqa: PTH118 (a pattern is no path)
        self._patterns.append(pattern)
        matches = expand(pattern)
        self._matched.update(path for path in matches if path not in self._seen)
        for path in matches:
            self._note(path)
        closed = closed_folder(self._folder / name)
        return matches, f"the folder {closed} cannot be read; give gemwatch permission" if closed else None

    def _note(self, file: Path) -> None:
        """Remember a file's state before it is read."""
        if file not in self._seen:
            self._seen[file] = stamp(file)

    def document(self, file: Path, list_at: KeyPath, names: Collection[str] | None = None) -> Document | None:
        """The parsed file, or None where there is nothing to continue with.

        `names`: report only the flaws of these sections, or keys such as `store.url`. None: all.
        """
        self._note(file)
        try:
            plain = self._plain(file, watch_file=not list_at)
        except UnreadableError as error:
            self.problems.add(Problem(file=file, line=1, column=1, where="file", what=str(error)))
            return None
        document = Document(file=file, list_at=list_at, plain=plain, flawed=frozenset())
        flawed = frozenset(i for at in plain.flawed if (i := document.entry(at)) is not None)
        rules = frozenset(i for at in plain.flawed if (i := document.rule(at)) is not None)
        for flaw in plain.flaws:
            if names is None or _is_asked_for(flaw.at, names):
                self.problems.add(document.flaw(flaw))
        if names is None:  # the uncounted rest concerns entries if every place is in an entry
            self.problems.count(plain.more, entry=all(map(document.skips, plain.flawed)))
        if plain.broken:
            self.problems.add(document.flaw(plain.broken, where="YAML"))
            return None
        return Document(file=file, list_at=list_at, plain=plain, flawed=flawed, flawed_rules=rules)

    def _plain(self, file: Path, *, watch_file: bool) -> Plain:
        text = self.texts[file] = self._text(file, watch_file=watch_file)
        found = read(text, None if watch_file else self._references.expand)
        if found.value is NOTHING and not found.broken:
            raise UnreadableError("has nothing but comments")
        return found

    def _text(self, file: Path, *, watch_file: bool) -> str:
        if file in self._instead:
            text = self._instead[file]
        elif watch_file:
            text = read_text(
                file, self._room, too_large=f"makes the watch files larger than {LIMIT // 1024} KiB together"
            )
            self._room -= len(text.encode())
        else:
            text = read_text(file)
        if not text.strip():
            raise UnreadableError("is empty")
        if cut_short(self._previous.get(file, ""), text):
            line = text.count("\n") + 1
            raise UnreadableError(f"looks cut short in line {line}: saved halfway? If it is complete, end that line")
        return text


def cut_short(previous: str, now: str) -> bool:
    """Whether a text is the beginning of the previous one and stops in the middle of a line: it was half saved."""
    if len(now) >= len(previous) or not previous.startswith(now):
        return False
    return not now.endswith(("\n", "\r")) and previous[len(now)] not in "\r\n"


def _is_asked_for(at: KeyPath, names: Collection[str]) -> bool:
    return at[:1] != () and (str(at[0]) in names or ".".join(map(str, at[:2])) in names)


def _where(at: KeyPath) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" if quoted(step) else ".?" for step in at)
    return "".join(steps).removeprefix(".") or "top level"
