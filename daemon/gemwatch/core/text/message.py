"""A message as values, independent of formats: a list of blocks. The renderers convert it to text."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gemwatch.core.text.sanitize import visible
from gemwatch.core.traits import Tone

LONGEST_TITLE = 140  # characters


SIGNS: Mapping[Tone, str] = {Tone.GOOD: "✅", Tone.BAD: "❌", Tone.WARNING: "⚠️", Tone.PLAIN: "▶️"}


@dataclass(frozen=True, slots=True)
class Foreign:
    """Text from outside, such as file names or answers. Every format shows it exactly and disables markup in it."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Our own text to copy, a command or a path, within a sentence."""

    text: str


Span = str | Foreign | Code
Line = tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """One or more sentences, with an optional label such as `Meaning`."""

    line: Line
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A label and its value. Consecutive facts form one list."""

    label: str
    line: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An item of a list."""

    line: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyableCommand:
    """A command to copy, on a line of its own."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a table. A summary has one for each event."""

    cells: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Our own link. `url` contains no text from outside."""

    label: str
    url: str


Block = Paragraph | Fact | Item | CopyableCommand | Row | Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The message about one or more events. The most important blocks come first.

    `last`: the last line, which names the event. It stays even if a service's limit cuts everything else.
    """

    title: Line
    blocks: tuple[Block, ...]
    tone: Tone = Tone.PLAIN
    last: str | None = None


def foreign(text: str, most: int = 200) -> Foreign:
    """A text from outside, unchanged except for invisible characters, and shortened to `most` characters."""
    return Foreign(visible(text, most))


def plain(line: Line) -> str:
    """The text of a line without any format."""
    return "".join(span if isinstance(span, str) else span.text for span in line)


def joined(parts: Iterable[Line], between: str = ", ") -> Line:
    """Several lines joined into one."""
    spans: list[Span] = []
    for part in parts:
        spans += [between, *part] if spans else part
    return tuple(spans)
