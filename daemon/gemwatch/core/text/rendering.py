"""Renders a message in the format of a service, within its length limit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from gemwatch.core.text import render_html, render_markdown, render_text
from gemwatch.core.text.message import LONGEST_TITLE, Block, Foreign, Message, Paragraph, Row, plain
from gemwatch.core.text.render_text import block_text
from gemwatch.core.text.sanitize import shorten
from gemwatch.core.traits import Tone


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
    Format.TEXT: render_text.body,
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
    if kept := _greatest(len(whole), lambda number: length(_first(whole, number), head=headed) <= most):
        return body(replace(message, blocks=_first(whole, kept)), headed=headed)
    text = block_text(whole[0]) if whole else ""
    room = _greatest(min(len(text), most), lambda room: length(_shortened(text, room), head=False) <= most)
    return body(replace(message, blocks=_shortened(text, room)), headed=False)


def _first(blocks: tuple[Block, ...], number: int) -> tuple[Block, ...]:
    """The first blocks, with the number of removed rows, because each row is an event."""
    rows = sum(isinstance(block, Row) for block in blocks[number:])
    return (*blocks[:number], Row(cells=((f"and {rows} more",),))) if rows else blocks[:number]


def _shortened(text: str, room: int) -> tuple[Block, ...]:
    """The shortened rest of a block that does not fit."""
    return (Paragraph(line=(Foreign(shorten(text, room)),)),) if room else ()


def _greatest(most: int, fits: Callable[[int], bool]) -> int:
    """The greatest number up to `most` that fits, or 0, by binary search."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
