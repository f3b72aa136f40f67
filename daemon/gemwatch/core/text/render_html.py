"""Renders a message as HTML, with the few tags that mail programs and chats have in common."""

import re
from collections.abc import Iterable, Mapping
from html import escape
from itertools import groupby
from typing import assert_never

from gemwatch.core.text.message import (
    SIGNS,
    Block,
    Code,
    CopyableCommand,
    Fact,
    Foreign,
    Item,
    Line,
    Link,
    Message,
    Paragraph,
    Row,
    Span,
)
from gemwatch.core.traits import Tone

_COLOURS: Mapping[Tone, str] = {
    Tone.GOOD: "#1a7f37",
    Tone.BAD: "#cf222e",
    Tone.WARNING: "#9a6700",
    Tone.PLAIN: "#57606a",
}
# Mail programs turn anything that looks like an address into a link, and new top-level domains appear every year. A
# tag around a character in the middle prevents that, and is not copied with the text. File extensions that are common
# here and are not top-level domains do not need it.
_FILE_ENDINGS = frozenset(
    {"parquet", "geoparquet", "results", "result", "json", "jsonl", "geojson", "csv", "tsv", "txt", "log"}
    | {"yaml", "yml", "xml", "gz", "tar", "zst", "avro", "orc"}
)
_DOT = "[.\u3002\uff0e\uff61]"  # the last three count as dots in internationalized domain names
_DOTTED_NAME = re.compile(rf"(?:[\w-]+{_DOT})+([^\W\d_]{{2,}}|xn--[\w-]+)(?![^\W_])")
_ADDRESS = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\d)")
_LINKED = re.compile(r"[@\uff20]|[:\uff1a](?=//)|(?<=mailto):|(?<=tel):", re.IGNORECASE)


def body(message: Message, *, headed: bool = False) -> str:
    parts = [_heading(message)] if headed else []
    for kind, blocks in groupby(message.blocks, key=type):
        parts += _group(kind, blocks)
    if message.last is not None:
        parts.append(f"<p>{escape(message.last, quote=False)}</p>")
    return "\n".join(parts)


def _heading(message: Message) -> str:
    colour = _COLOURS[message.tone]
    style = f"border-left:4px solid {colour};padding-left:8px;color:{colour}"
    return f'<p style="{style}"><b>{SIGNS[message.tone]} {_inline(message.title)}</b></p>'


def _group(kind: type[Block], blocks: Iterable[Block]) -> list[str]:
    """Consecutive blocks of one kind: items of one list, rows of one table."""
    parts = [_block(block) for block in blocks]
    if kind in (Fact, Item):
        return ["<ul>", *parts, "</ul>"]
    return ['<table cellpadding="4">', *parts, "</table>"] if kind is Row else parts


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            label = f"<b>{block.label}:</b> " if block.label else ""
            return f"<p>{label}{_inline(block.line)}</p>"
        case Fact():
            return f"<li><b>{block.label}:</b> {_inline(block.line)}</li>"
        case Item():
            return f"<li>{_inline(block.line)}</li>"
        case CopyableCommand():
            return f'<pre style="white-space:pre-wrap">{escape(block.text, quote=False)}</pre>'
        case Row():
            return f"<tr>{''.join(f'<td>{cell}</td>' for cell in _three(block))}</tr>"
        case Link():
            return f'<p><a href="{escape(block.url)}">{block.label}</a></p>'
        case _:
            assert_never(block)


def _three(row: Row) -> tuple[str, ...]:
    """The first cell, the joined middle ones, and the last one, because rows have different numbers of cells."""
    first, *between, last = map(_inline, row.cells) if len(row.cells) > 1 else (_inline(row.cells[0]), "")
    return first, " · ".join(between), last


def _inline(line: Line) -> str:
    return "".join(map(_span, line))


def _span(span: Span) -> str:
    match span:
        case str():
            return escape(span, quote=False)
        case Code():
            return f"<code>{escape(span.text, quote=False)}</code>"
        case Foreign():
            spaces = "  " in span.text or span.text != span.text.strip(" ")
            style = ' style="white-space:pre-wrap"' if spaces else ""
            return f"<code{style}>{_unlinked(span.text)}</code>"
        case _:
            assert_never(span)


def _unlinked(text: str) -> str:
    """The escaped text, with a tag inside everything that a mail program could turn into a link."""
    places = {found.start() for found in _LINKED.finditer(text)}
    for found in (*_ADDRESS.finditer(text), *_dotted_names(text)):
        places |= {found.start() + dot.start() for dot in re.finditer(_DOT, found[0])}
    pieces, start = [], 0
    for place in sorted(places):
        pieces += [escape(text[start:place], quote=False), f"<span>{text[place]}</span>"]
        start = place + 1
    return "".join([*pieces, escape(text[start:], quote=False)])


def _dotted_names(text: str) -> Iterable[re.Match[str]]:
    return (found for found in _DOTTED_NAME.finditer(text) if found[1].lower() not in _FILE_ENDINGS)
