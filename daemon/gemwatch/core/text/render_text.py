"""Renders a message as plain text, for services that show every character unchanged."""

from itertools import zip_longest
from typing import assert_never

from gemwatch.core.text.message import Block, CopyableCommand, Fact, Item, Link, Message, Paragraph, Row, plain


def body(message: Message, *, headed: bool = False) -> str:
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
