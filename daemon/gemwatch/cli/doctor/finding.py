"""The result of one check."""

from dataclasses import dataclass
from enum import StrEnum

from gemwatch.core.text.context import Context
from gemwatch.core.text.steps import run


class FindingState(StrEnum):
    """How bad it is. A problem keeps gemwatch from its work; a warning does not, or not yet."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`remedy`: what to do about it, where there is something to do."""

    name: str
    state: FindingState
    found: str
    remedy: str | None = None


def to_run(words: str, command: str, context: Context) -> str:
    """A remedy with a command to copy. `words` end in a colon; `{gemwatch}` includes the configuration."""
    return run(words, context.command(command))


def ok(name: str, found: str) -> Finding:
    return Finding(name=name, state=FindingState.OK, found=found)


def warning(name: str, found: str, remedy: str) -> Finding:
    return Finding(name=name, state=FindingState.WARNING, found=found, remedy=remedy)


def problem(name: str, found: str, remedy: str) -> Finding:
    return Finding(name=name, state=FindingState.PROBLEM, found=found, remedy=remedy)
