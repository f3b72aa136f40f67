"""Renders a message in the format of a service, within its length limit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import zip_longest
from typing import assert_never

from gemwatch.core.text import render_html, render_markdown
from gemwatch.core.text.message import (
    LONGEST_TITLE,
    Block,
    CopyableCommand,
    Fact,
    Foreign,
    Item,
    Link,
    Message,
    Paragraph,
    Row,
    plain,
)
from gemwatch.core.text.sanitize import shorten
from gemwatch.core.traits import Tone


def text_body(message: Message, *, headed: bool = False) -> str:
    lines = [plain(message.title), ""] if headed else []
    for block, following in zip_longest(message.blocks, message.blocks[1:]):
        lines.append(block_text(block))
        if isinstance(block, Row) and not isinstance(following, Row | None):
            lines.append("")
    if message.last is not None:
        lines += ["", message.last] if message.blocks else [message.last]
    return "\n".join(lines)


def block_text(block: Block) -> str:
    """One block on one line."""
    match block:
        case Paragraph():
            return f"{block.label}: {plain(block.line)}" if block.label else plain(block.line)
        case Fact():
            return f"{block.label}: {plain(block.line)}"
        case Item():
            return f"- {plain(block.line)}"
        case CopyableCommand():
            return block.text
        case Row():
            return " · ".join(map(plain, block.cells))
        case Link():
            return f"{block.label}: {block.url}"
        case _:
            assert_never(block)


class Format(StrEnum):
    """The format that a service displays.

    TEXT is for services that show every character unchanged: plain-text mail, SMS, webhooks. Services that interpret
    mentions, emphasis or links in plain text (most chats) get MARKDOWN, with text from outside as code. CARD is the
    Markdown of Adaptive Cards (Microsoft Teams): it has no code spans, and shows a single line break as a space.
    SLACK has no lists, and only code spans with one or three backticks.
    """

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    CARD = "card"
    SLACK = "slack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The form of a target's messages, and the maximum number of characters in the body.

    `headed`: the body starts with the title, because the service has no titles or interprets markup in them.
    """

    form: Format
    headed: bool
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A rendered message. `title` is plain text in every format, `body` is in the format `form`.

    `plain`: the body as text, for mail, which contains both.
    """

    title: str
    body: str
    tone: Tone = Tone.PLAIN
    form: Format = Format.TEXT
    plain: str | None = None


_BODIES: Mapping[Format, Callable[..., str]] = {
    Format.TEXT: text_body,
    Format.MARKDOWN: render_markdown.body,
    Format.HTML: render_html.body,
    Format.CARD: render_markdown.card,
    Format.SLACK: render_markdown.slack,
}


def render(message: Message, form: Format, most: int | None = None, *, headed: bool = False) -> Rendered:
    """The message in a format, with a body of at most `most` characters.

    If it does not fit, blocks are removed from the end; the last line always stays. `headed`: the body starts with
    the title, with markup, for services without titles or with markup in titles.
    """
    title = shorten(plain(message.title), LONGEST_TITLE)
    body = _fitted(message, _BODIES[form], most, headed=headed)
    return Rendered(title=title, body=body, tone=message.tone, form=form)


def _fitted(message: Message, body: Callable[..., str], most: int | None, *, headed: bool) -> str:
    def length(blocks: tuple[Block, ...], *, head: bool) -> int:
        return len(body(replace(message, blocks=blocks), headed=head))

    whole = message.blocks
    if most is None or length(whole, head=headed) <= most:
        return body(message, headed=headed)
    if kept := greatest(len(whole), lambda number: length(_first(whole, number), head=headed) <= most):
        return body(replace(message, blocks=_first(whole, kept)), headed=headed)
    text = block_text(whole[0]) if whole else ""
    room = greatest(min(len(text), most), lambda room: length(_shortened(text, room), head=False) <= most)
    return body(replace(message, blocks=_shortened(text, room)), headed=False)


def _first(blocks: tuple[Block, ...], number: int) -> tuple[Block, ...]:
    """The first blocks, with the number of removed rows, because each row is an event."""
    rows = sum(isinstance(block, Row) for block in blocks[number:])
    return (*blocks[:number], Row(cells=((f"and {rows} more",),))) if rows else blocks[:number]


def _shortened(text: str, room: int) -> tuple[Block, ...]:
    """The shortened rest of a block that does not fit."""
    return (Paragraph(line=(Foreign(shorten(text, room)),)),) if room else ()


def greatest(most: int, fits: Callable[[int], bool]) -> int:
    """The greatest number up to `most` that fits, or 0, by binary search."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
