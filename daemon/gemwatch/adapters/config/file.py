"""Reads the configuration file and its watch files into `Settings`, or reports every mistake with its place."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gemwatch.adapters.config import build, rules, values
from gemwatch.adapters.config.bad_value import BadValueError
from gemwatch.adapters.config.document import MAIN_LIST, Document, Misfit, Reader
from gemwatch.adapters.config.sources import Sources
from gemwatch.adapters.config.validation import UrlProblem, check
from gemwatch.adapters.config.watches import WatchEntries, rules_of
from gemwatch.core.settings import (
    DEFAULT_TOKEN_COMMAND,
    ApiSettings,
    Loaded,
    Problem,
    Rule,
    Settings,
    Severity,
    TokenSource,
    Watch,
)

KEY, BASE_URL = "TOMTOM_API_KEY", "GEMWATCH_BASE_URL"

_NO_KEY = "unused"  # placeholder for api.key when the section is not requested


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedFile(Loaded):
    """A configuration with the files that it was read from.

    `texts` are the contents of the main file and the watch files. Pass them to the next `load` as `previous`.
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
    """Read the configuration. Mistakes in it never raise.

    `previous` holds the texts of the last valid configuration: a file that is a truncated version of its previous
    text is refused. `instead` replaces the texts of files, to validate an edit before it is written.
    """
    reader = Reader(path.parent, environ, previous=previous, instead=instead)
    main = _main(path, reader)
    if main is None:
        return _loaded(path, reader, None)
    keys, misfits = check(main.value, url_problem)
    refused = reader.report(main, misfits) | reader.report(main, rules.misfits(main.value))
    watches, discover = _watches(main, reader), _rules(main, reader)
    if keys is None or refused or reader.problems.refused:
        return _loaded(path, reader, None)
    settings = build.settings(keys, path.parent.absolute(), watches, reader.variables, discover)
    warnings = [main.problem(misfit) for misfit in rules.warnings(main.value, settings, path)]
    return _loaded(path, reader, settings, warnings)


def load_sections(path: Path, environ: Mapping[str, str], names: Collection[str]) -> LoadedFile:
    """Read only these sections, or keys such as `store.url`. Nothing else in the file is checked or required.

    For commands whose users may not have every secret. In `settings` the other sections have their defaults, and
    `api` has an unusable key unless it is named. With `watch`, a mistake in the watch list skips only its entry.
    """
    reader = Reader(path.parent, environ)
    main = _main(path, reader, names)
    if main is None:
        return _loaded(path, reader, None)
    wanted = _part(main.value, names)
    if not any(name.partition(".")[0] == "api" for name in names):
        wanted["api"] = {"key": _NO_KEY}
    keys, misfits = check(wanted, None)
    refused = reader.report(main, misfits) | reader.report(main, rules.misfits(wanted)) | reader.problems.refused
    if keys is None or refused:
        return _loaded(path, reader, None)
    settings = build.settings(keys, path.parent.absolute(), (), reader.variables)
    if "watch" in names:
        settings = replace(settings, watches=_watches(main, reader))
    if "discover" in names:
        settings = replace(settings, discover=_rules(main, reader))
    return _loaded(path, reader, settings)


def api_from_environment(environ: Mapping[str, str]) -> ApiSettings:
    """The API settings without a file. Raises `BadValueError`, which names the variable."""
    named: dict[str, Any] = {}
    for variable, key, read in ((KEY, "key", values.secret), (BASE_URL, "base_url", values.http_url)):
        if variable in environ:
            try:
                named[key] = read(environ[variable])
            except BadValueError as error:
                raise BadValueError(f"{variable} {error}") from None
    if "key" not in named:
        raise BadValueError(f"{KEY} is not set")
    token = TokenSource(command=DEFAULT_TOKEN_COMMAND, withheld=frozenset({KEY}))
    return ApiSettings(**named, token=token)


def _loaded(path: Path, reader: Reader, settings: Settings | None, warnings: Collection[Problem] = ()) -> LoadedFile:
    return LoadedFile(
        settings=settings,
        problems=reader.problems.all(path),
        warnings=tuple(replace(warning, severity=Severity.WARNING) for warning in warnings),
        sources=reader.sources(),
        texts=reader.texts,
    )


def _main(path: Path, reader: Reader, names: Collection[str] | None = None) -> Document | None:
    main = reader.document(path, MAIN_LIST, names)
    if main is not None and not isinstance(main.value, dict):
        reader.report(main, [Misfit((), "must be a mapping with the sections api, poll, notify, watch, ...")])
        return None
    return main


def _part(document: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        section, _, key = name.partition(".")
        value = document.get(section)
        if section in ("watch", "discover") or section not in document:
            continue
        if not key or not isinstance(value, dict):
            found[section] = value
        elif key in value:
            found.setdefault(section, {})[key] = value[key]
    return found


def _rules(main: Document, reader: Reader) -> tuple[Rule, ...]:
    targets, entries = main.value.get("notify"), main.value.get("discover")
    listed = entries if isinstance(entries, list) else ()
    return tuple(rules_of(main, listed, reader, targets if isinstance(targets, dict) else {}))


def _watches(main: Document, reader: Reader) -> tuple[Watch, ...]:
    targets, entries, names = (main.value.get(section) for section in ("notify", "watch", "watch_files"))
    collected = WatchEntries(reader, targets if isinstance(targets, dict) else {})
    collected.add(main, entries if isinstance(entries, list) else ())
    for file in reader.watch_files(main, names if isinstance(names, list) else ()):
        document = reader.document(file, ())
        if document is None:
            continue
        if isinstance(document.value, list):
            collected.add(document, document.value)
        else:
            reader.report(document, [Misfit((), "must be a list of watches; write [] for none")])
    return tuple(collected.watches)
