"""The configuration file and its watch files become `Settings`, or every mistake with its place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gemwatch.adapters.config import schema
from gemwatch.adapters.config.document import Reader
from gemwatch.adapters.config.sources import Sources
from gemwatch.adapters.config.watches import WatchEntries
from gemwatch.core.settings import Loaded, Settings

UrlProblem = Callable[[str], str | None]
"""Tells what is wrong with an Apprise URL, without the URL, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedFile(Loaded):
    """A configuration with the files that it was read from.

    `texts` are the main file's and the watch files' as read, for the next `load` to know as `previous`.
    """

    sources: Sources
    texts: Mapping[Path, str] = field(repr=False)


def load(
    path: Path,
    environ: Mapping[str, str],
    *,
    url_problem: UrlProblem,
    previous: Mapping[Path, str] | None = None,
    instead: Mapping[Path, str] | None = None,
) -> LoadedFile:
    """Read the configuration. Never raises for what stands in it or is missing from it.

    `previous` holds the texts of the last good one: a file that is cut short against them is refused.
    `instead` holds texts to take for the files', so that an edit can be tried before it is made.
    """
    reader = Reader(path.parent, environ, previous=previous, instead=instead)
    settings = _read(path, reader, url_problem)
    refused = any(not problem.entry for problem in reader.problems)
    return LoadedFile(
        settings=None if refused else settings,
        problems=tuple(sorted(reader.problems, key=lambda p: (str(p.file), p.line, p.column))),
        sources=reader.sources(),
        texts=reader.texts,
    )


def _read(path: Path, reader: Reader, url_problem: UrlProblem) -> Settings | None:
    main = reader.document(path, ("watch",))
    if main is None:
        return None
    if not isinstance(main.value, dict):
        reader.problems.append(main.problem((), "must be a mapping with the sections api, poll, notify, watch, ..."))
        return None
    keys, misfits = schema.check(main.value, url_problem)
    reader.problems.extend(main.problem(m.at, m.what, key=m.key) for m in misfits if not main.is_unresolved(m.at))
    targets, entries, names = (main.value.get(section) for section in ("notify", "watch", "watch_files"))
    collected = WatchEntries(targets if isinstance(targets, dict) else ())
    collected.add(main, entries if isinstance(entries, list) else ())
    for file in reader.watch_files(main, names if isinstance(names, list) else ()):
        document = reader.document(file, ())
        if document is not None and not isinstance(document.value, list):
            reader.problems.append(document.problem((), "must be a list of watches; write [] for none"))
        elif document is not None:
            collected.add(document, document.value)
    reader.problems.extend(collected.problems)
    return keys and schema.settings(keys, path.parent.absolute(), tuple(collected.watches), reader.variables)
