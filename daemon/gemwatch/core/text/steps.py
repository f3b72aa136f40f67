"""Remedies as text: sentences, and commands to copy on indented lines of their own."""

from collections.abc import Iterable
from dataclasses import dataclass

_INDENT = "  "


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One or more sentences, or a command that can be copied as a whole."""

    text: str
    command: bool = False


def run(words: str, command: str, after: str = "") -> str:
    """A remedy with a command: `words`, which end in a colon, the command, and what else to know."""
    return "\n".join(filter(None, (words, f"{_INDENT}{command}", after)))


def steps_of(remedy: str) -> tuple[Step, ...]:
    """The sentences and commands of a remedy, in their order. Sentences that follow one another are one step."""
    found: list[Step] = []
    for line in remedy.split("\n"):
        step = Step(text=line.strip(), command=line.startswith(_INDENT))
        if found and not step.command and not found[-1].command:
            found[-1] = Step(text=f"{found[-1].text} {step.text}".strip())
        elif step.text:
            found.append(step)
    return tuple(found)


def text_of(steps: Iterable[Step]) -> str:
    """The remedy with these sentences and commands."""
    return "\n".join(f"{_INDENT}{step.text}" if step.command else step.text for step in steps)


def ended(remedy: str) -> str:
    """The remedy with a full stop, unless it ends in a command."""
    last = steps_of(remedy)[-1:]
    return remedy if not last or last[0].command or remedy.endswith(".") else f"{remedy}."
