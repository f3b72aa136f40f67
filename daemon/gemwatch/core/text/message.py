"""A message as values, before any format: what it says, block by block. The renderers turn it into text to send."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gemwatch.core.kinds import Tone
from gemwatch.core.text.sanitize import visible

LONGEST_TITLE = 140  # characters


SIGNS: Mapping[Tone, str] = {Tone.GOOD: "✅", Tone.BAD: "❌", Tone.WARNING: "⚠️", Tone.PLAIN: "▶️"}


@dataclass(frozen=True, slots=True)
class Foreign:
    """Words from outside: file names, names, answers. Each format shows them exactly and lets nothing in them act."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Our own words that people copy: a command or a path within a sentence."""

    text: str


Span = str | Foreign | Code
Line = tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """A sentence or several, with a label such as `Meaning` or without one."""

    line: Line
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A label and its value. Facts that follow each other are one list."""

    label: str
    line: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An item of a list."""

    line: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command to copy, on a line of its own."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a table, of which a summary has one for each event."""

    cells: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link that we made. `url` holds nothing from outside."""

    label: str
    url: str


Block = Paragraph | Fact | Item | Command | Row | Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent about an event, or about several. The blocks are in the order of their weight.

    `last`: the last line, which names the event. It stays when a service's limit leaves out everything else.
    """

    title: Line
    blocks: tuple[Block, ...]
    tone: Tone = Tone.PLAIN
    last: str | None = None


def foreign(text: str, most: int = 200) -> Foreign:
    """A text from outside, exactly as it is except for invisible characters, and no longer than `most` characters."""
    return Foreign(visible(text, most))


def plain(line: Line) -> str:
    """The text of a line without any format."""
    return "".join(span if isinstance(span, str) else span.text for span in line)


def joined(parts: Iterable[Line], between: str = ", ") -> Line:
    """Several lines as one, with something between them."""
    spans: list[Span] = []
    for part in parts:
        spans += [between, *part] if spans else part
    return tuple(spans)
