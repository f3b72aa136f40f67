"""Builds the watch list from the entries of all files, in their order: each id once, without invalid entries."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from gemwatch.adapters.config import build
from gemwatch.adapters.config.document import RULES, Document, Misfit, Reader
from gemwatch.adapters.config.rules import unknown_target
from gemwatch.adapters.config.validation import check_rule, check_watch, watched_id
from gemwatch.core.lists.rules import key_of
from gemwatch.core.settings import Rule, Watch

MOST_WATCHES = 100_000
SHORTEST_IN_WATCH_FILE = timedelta(seconds=30)


class WatchEntries:
    """Collects the entries file by file, and reports problems to the reader."""

    def __init__(self, reader: Reader, targets: Mapping[str, Any]) -> None:
        self.watches: list[Watch] = []
        self._reader = reader
        self._targets = targets
        self._first: dict[int, tuple[Document, int]] = {}
        self._entries = 0

    def add(self, document: Document, entries: Sequence[Any]) -> None:
        self._entries += len(entries)
        if self._entries > MOST_WATCHES:
            self._reader.report(document, [Misfit((), f"there are more than {MOST_WATCHES:,} watches")])
            return
        for index, entry in enumerate(entries):
            keys, wrong = check_watch(entry)
            watch = None if keys is None else build.watch(keys)
            misfits = self._misfits(document, entry, watch, wrong)
            placed = (_inside((*document.list_at, index), misfit) for misfit in misfits)
            bad = self._reader.report(document, placed) or index in document.flawed
            if watch is not None and not bad:
                self._first[watch.job_id] = document, index
                self.watches.append(watch)

    def _misfits(
        self, document: Document, entry: object, watch: Watch | None, wrong: Iterator[Misfit]
    ) -> Iterator[Misfit]:
        yield from wrong
        job_id = watched_id(entry)
        if job_id in self._first:
            first, index = self._first[job_id]
            bare = f"is already watched; first at {first.place((*first.list_at, index))}"
            yield Misfit((), f"job {job_id} {bare}", f"this job {bare}")
        yield from _unknown_targets(entry, self._targets)
        if document.is_watch_file and watch is not None and watch.every and watch.every < SHORTEST_IN_WATCH_FILE:
            shortest = SHORTEST_IN_WATCH_FILE.total_seconds()
            yield Misfit(("every",), f"must be {shortest:g}s at least in a watch file")


def rules_of(document: Document, entries: Sequence[Any], reader: Reader, targets: Mapping[str, Any]) -> list[Rule]:
    """The rules without mistakes. The others are reported and skipped."""
    found: list[Rule] = []
    first: dict[str, int] = {}
    for index, entry in enumerate(entries):
        keys, wrong = check_rule(entry)
        rule = None if keys is None else build.rule(keys)
        key = "" if rule is None else key_of(rule)
        placed = (_inside((*RULES, index), one) for one in (*wrong, *_rule_misfits(entry, rule, key, first, targets)))
        bad = reader.report(document, placed) or index in document.flawed_rules
        if rule is not None and not bad:
            first[key] = index
            found.append(rule)
    return found


def _rule_misfits(
    entry: object, rule: Rule | None, key: str, first: Mapping[str, int], targets: Mapping[str, Any]
) -> Iterator[Misfit]:
    if rule is not None and not key:
        yield Misfit((), "needs at least one of job_type, storage, input, release")
    if key in first:
        yield Misfit((), f"has the same patterns as discover[{first[key]}], so it would never find a job")
    yield from _unknown_targets(entry, targets)


def _unknown_targets(entry: object, targets: Mapping[str, Any]) -> Iterator[Misfit]:
    names = entry.get("notify") if isinstance(entry, dict) else None
    for position, name in enumerate(names if isinstance(names, list) else ()):
        if isinstance(name, str) and name and name not in targets:
            bare = "no target has this name; name one from notify"
            yield Misfit(("notify", position), unknown_target(name, targets), bare)


def _inside(at: tuple[str | int, ...], misfit: Misfit) -> Misfit:
    return Misfit((*at, *misfit.at), misfit.what, misfit.bare, misfit.key)
