"""The problems found in a configuration. It keeps a readable number of them and counts the rest."""

from pathlib import Path

from gemwatch.core.settings import Problem

MOST_PROBLEMS = 100  # to keep, for entries and for the rest of the file separately


class Problems:
    """Collects problems. Call `room` before you build one, because finding its text and place takes time."""

    def __init__(self) -> None:
        self.refused = False
        self._kept: dict[bool, list[Problem]] = {True: [], False: []}
        self._more = 0

    def room(self, *, entry: bool) -> bool:
        return len(self._kept[entry]) < MOST_PROBLEMS

    def count(self, number: int, *, entry: bool) -> None:
        """Count problems that are not kept."""
        self._more += number
        self.refused |= number > 0 and not entry

    def add(self, problem: Problem) -> None:
        if not self.room(entry=problem.entry):
            self.count(1, entry=problem.entry)
            return
        self.refused |= not problem.entry
        self._kept[problem.entry].append(problem)

    def all(self, main: Path) -> tuple[Problem, ...]:
        """Ordered by file and line; the last one gives the number of problems that were not kept."""
        kept = [problem for some in self._kept.values() for problem in some]
        kept.sort(key=lambda problem: (str(problem.file), problem.line, problem.column))
        if self._more:
            what = f"and {self._more:,} more problem{'' if self._more == 1 else 's'}"
            kept.append(
                Problem(file=main, line=1, column=1, where="configuration", what=what, entry=not self.refused)
            )
        return tuple(kept)
