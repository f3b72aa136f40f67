"""The problems found in a configuration: as many of them as a person reads, the others counted."""

from pathlib import Path

from gemwatch.core.settings import Problem

MOST_PROBLEMS = 100  # kept of those that skip an entry, and as many of those that refuse the whole


class Problems:
    """Collects problems. Whoever makes one asks `room` first, since finding words and places takes time."""

    def __init__(self) -> None:
        self.refused = False
        self._kept: dict[bool, list[Problem]] = {True: [], False: []}
        self._more = 0

    def room(self, *, entry: bool) -> bool:
        return len(self._kept[entry]) < MOST_PROBLEMS

    def count(self, number: int, *, entry: bool) -> None:
        """Problems that are not kept."""
        self._more += number
        self.refused |= number > 0 and not entry

    def add(self, problem: Problem) -> None:
        if not self.room(entry=problem.entry):
            self.count(1, entry=problem.entry)
            return
        self.refused |= not problem.entry
        self._kept[problem.entry].append(problem)

    def all(self, main: Path) -> tuple[Problem, ...]:
        """In the order of files and lines, with a last one about those that were not kept."""
        kept = [problem for some in self._kept.values() for problem in some]
        kept.sort(key=lambda problem: (str(problem.file), problem.line, problem.column))
        if self._more:
            what = f"and {self._more:,} more problem{'' if self._more == 1 else 's'}"
            kept.append(
                Problem(file=main, line=1, column=1, where="configuration", what=what, entry=not self.refused)
            )
        return tuple(kept)
