"""The watch list: the entries of all files in their order, each id once, bad entries set aside."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from gemwatch.adapters.config.document import Document
from gemwatch.adapters.config.schema import Misfit, check_watch, watched_id
from gemwatch.adapters.config.values import did_you_mean, quoted
from gemwatch.core.settings import Problem, Watch


class WatchEntries:
    """Grows file by file: `watches` are the good entries, `problems` say what is wrong with the others."""

    def __init__(self, targets: Collection[str]) -> None:
        self.watches: list[Watch] = []
        self.problems: list[Problem] = []
        self._targets = targets
        self._first: dict[int, tuple[Document, int]] = {}

    def add(self, document: Document, entries: Sequence[Any]) -> None:
        for index, entry in enumerate(entries):
            watch, misfits = check_watch(entry)
            misfits = [*misfits, *self._repeated(entry), *self._unknown_targets(entry)]
            if watch is not None and not misfits and index not in document.flawed:
                self._first[watch.job_id] = document, index
                self.watches.append(watch)
            for misfit in misfits:
                at = (*document.list_at, index, *misfit.at)
                if at not in document.unresolved:
                    self.problems.append(document.problem(at, misfit.what, key=misfit.key))

    def _repeated(self, entry: object) -> Iterator[Misfit]:
        job_id = watched_id(entry)
        if job_id in self._first:
            document, index = self._first[job_id]
            place = document.place((*document.list_at, index))
            yield Misfit((), f"job {job_id} is watched already; first at {place}")

    def _unknown_targets(self, entry: object) -> Iterator[Misfit]:
        names = entry.get("notify") if isinstance(entry, dict) else None
        for index, name in enumerate(names if isinstance(names, list) else ()):
            if isinstance(name, str) and name and name not in self._targets:
                hint = did_you_mean(name, self._targets) or "; name one from notify"
                yield Misfit(("notify", index), f"no target is named{quoted(name)}{hint}")
