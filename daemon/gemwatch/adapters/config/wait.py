"""What a wait needs of the configuration, or, where there is none, of the environment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gemwatch.adapters.config import schema, values
from gemwatch.adapters.config.document import Document, Reader
from gemwatch.adapters.config.watches import WatchEntries
from gemwatch.core.gate import Gate
from gemwatch.core.settings import DEFAULT_TOKEN_COMMAND, ApiSettings, PollSettings, Problem, TokenSource, Watch

KEY, BASE_URL = "TOMTOM_API_KEY", "GEMWATCH_BASE_URL"
_SECTIONS = ("api", "poll", "gate", "store")


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitSettings:
    """`store_url` None: there is no store. `watches`: the good entries of the watch list."""

    api: ApiSettings
    poll: PollSettings = field(default_factory=PollSettings)
    store_url: str | None = None
    gate: Gate | None = None
    watches: Mapping[int, Watch] = field(default_factory=dict)


def from_file(path: Path, environ: Mapping[str, str]) -> WaitSettings | tuple[Problem, ...]:
    """The settings, or what is wrong with the sections that matter here.

    A wait sends no messages and changes no watch: it is run by people and scripts that need not have at hand what
    `notify` refers to, nor be stopped by a mistake in the watch list.
    """
    reader = Reader(path.parent, environ)
    main = reader.document(path, ("watch",))
    if main is None:
        return tuple(reader.problems)
    if not isinstance(main.value, dict):
        return (main.problem((), "must be a mapping with the sections api, poll, notify, watch, ..."),)
    wanted = {name: main.value[name] for name in _SECTIONS if name in main.value}
    keys, misfits = schema.check(wanted, lambda _: None)
    problems = [problem for problem in reader.problems if problem.where.partition(".")[0] in _SECTIONS]
    problems += [main.problem(m.at, m.what, key=m.key) for m in misfits if not main.is_unresolved(m.at)]
    if keys is None or problems:
        return tuple(problems)
    settings = schema.settings(keys, path.parent.absolute(), (), reader.variables)
    return WaitSettings(
        api=settings.api,
        poll=settings.poll,
        store_url=settings.store.url,
        gate=settings.gate,
        watches={watch.job_id: watch for watch in _watches(main.value, main, reader)},
    )


def from_environment(environ: Mapping[str, str]) -> WaitSettings:
    """The settings where there is no file: all defaults but the key. Raises BadValue, which names the variable."""
    api: dict[str, Any] = {}
    for variable, name, read in ((KEY, "key", values.header_text), (BASE_URL, "base_url", values.base_url)):
        if variable in environ:
            try:
                api[name] = read(environ[variable])
            except values.BadValue as error:
                raise values.BadValue(f"{variable} {error}") from None
    if "key" not in api:
        raise values.BadValue(f"{KEY} is not set")
    token = TokenSource(command=DEFAULT_TOKEN_COMMAND, withheld=frozenset({KEY}))
    return WaitSettings(api=ApiSettings(**api, token=token))


def _watches(value: Mapping[str, Any], main: Document, reader: Reader) -> Sequence[Watch]:
    targets, entries, files = (value.get(section) for section in ("notify", "watch", "watch_files"))
    collected = WatchEntries(targets if isinstance(targets, dict) else ())
    collected.add(main, entries if isinstance(entries, list) else ())
    for file in reader.watch_files(main, files if isinstance(files, list) else ()):
        document = reader.document(file, ())
        if document is not None and isinstance(document.value, list):
            collected.add(document, document.value)
    return collected.watches
